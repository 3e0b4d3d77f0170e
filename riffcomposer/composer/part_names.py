"""Reads what a song asks of a role: `electric piano: lazy`, `brushes`, `walking`, `none`.

Sounds may be called what people call them (`rhodes`); patterns have one name each.
"""

from __future__ import annotations

from riffcomposer.composer.prompt_words import named, words_of
from riffcomposer.composer.section_score import ROLES, Wish, patterns_of, sounds_of, unknown

_NOBODY = ("none", "off", "nobody", "silent")
_KINDS = {"drums": "kit", "texture": "texture"}


def parse_wish(role: str, text: str) -> Wish:
    """Reads the wish for one role.

    >>> parse_wish("comp", "rhodes: lazy")
    Wish(role='comp', sound='electric piano', pattern='lazy', silent=False)

    Args:
        role: One of `ROLES`.
        text: A sound, a pattern, both with a colon between them, or `none`. An empty text asks for the role
            and leaves the rest to the style.

    Raises:
        ValueError: Something in it is not known; says what, and what may be meant.
    """
    if role not in ROLES:
        raise unknown(role, ROLES, "a role")
    if text.strip().lower() in _NOBODY:
        return Wish(role, silent=True)
    sound, _, pattern = (part.strip() for part in text.partition(":"))
    if pattern and pattern not in patterns_of(role):
        raise unknown(pattern, patterns_of(role), f"a pattern of {role}")
    if not sound:
        return Wish(role, pattern=pattern)
    kind, names = sounds_of(role)
    if sound in names:
        return Wish(role, sound, pattern)
    found = named(_KINDS.get(role, "instrument"), sound)
    if found:
        return Wish(role, found, pattern)
    if not pattern and sound in patterns_of(role):
        return Wish(role, pattern=sound)
    known = [*names, *words_of(_KINDS.get(role, "instrument")), *patterns_of(role)]
    raise unknown(sound, known, f"{kind} or a pattern of {role}")
