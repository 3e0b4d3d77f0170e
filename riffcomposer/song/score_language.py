"""The part of the song language that says what is composed: `score:`.

The composer's own names (styles, instruments, patterns, chords) are checked here, each at its place, so that
`check` reports them as it reports every other value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from riffcomposer.song.curve_fields import Energy
from riffcomposer.song.fields import StrictModel

MAX_SEED = 2**63 - 1
Role = Literal["drums", "bass", "comp", "second", "pad", "lead", "texture"]
ROLES: tuple[str, ...] = get_args(Role)
"""Who may play in a score, as in `riffcomposer.composer.section_score.ROLES`."""


def _style(text: str) -> str:
    from riffcomposer.composer.prompt_words import named
    from riffcomposer.composer.section_score import unknown
    from riffcomposer.composer.styles import STYLES

    found = text if text in STYLES else named("style", text)
    if not found:
        raise unknown(text, STYLES, "a style")
    return found


def _key(text: str) -> str:
    from riffcomposer.composer.section_score import parse_key

    parse_key(text)
    return text


def _chords(text: str) -> str:
    from riffcomposer.composer.chord_names import parse_progression

    parse_progression(text)
    return text


def _parts(value: object) -> dict[str, str] | list[str]:
    from riffcomposer.composer.part_names import parse_wish
    from riffcomposer.composer.section_score import unknown

    if isinstance(value, list) and value and all(isinstance(role, str) for role in value):
        for role in value:
            if role not in ROLES:
                raise unknown(role, ROLES, "a role")
        if len(set(value)) < len(value):
            raise ValueError("must name each role once")
        return list(value)
    if isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values()):
        for role, text in value.items():
            parse_wish(role, text)
        return dict(value)
    raise ValueError(
        "must be a mapping of roles, such as {drums: brushes, lead: vibraphone}, or a list of the roles "
        "that are heard, such as [drums, bass]"
    )


_PARTS_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "properties": {role: {"type": "string"} for role in ROLES},
            "additionalProperties": False,
        },
        {"type": "array", "items": {"enum": list(ROLES)}, "minItems": 1, "uniqueItems": True},
    ]
}

PartsField = Annotated[dict[str, str] | list[str], PlainValidator(_parts), WithJsonSchema(_PARTS_SCHEMA)]


class Score(StrictModel):
    """Music that is composed for a section: what its clips start from, instead of a loop.

    Each key that a section leaves out comes from `defaults`, then from the words of the prompt, then from
    the style.
    """

    style: Annotated[str, Field(min_length=1, max_length=50), AfterValidator(_style)] | None = Field(
        None,
        description="Style of the music, such as jazz, house or folk (`riffcompose new --list-styles` shows "
        "all). Default: what the prompt says.",
        examples=["lo-fi hip hop"],
    )
    key: Annotated[str, Field(min_length=1, max_length=30), AfterValidator(_key)] | None = Field(
        None,
        description="Key of the music: a note and a scale (major, minor, dorian, phrygian, lydian, "
        "mixolydian, harmonic minor ...). Default: what the prompt says, or one for the style and seed.",
        examples=["A minor"],
    )
    chords: Annotated[str, Field(max_length=4000), AfterValidator(_chords)] | None = Field(
        None,
        description="Progression, a bar between two `|`: chord names, or numerals in the key. Several chords "
        "in a bar share it; `(...) x2` repeats bars. It starts again until the section ends. Default: "
        "a progression of the style.",
        examples=["Am9 | Dm9 | G13 | Cmaj9 E7", "i9 | iv9 | bVII13 | bIIImaj9"],
    )
    parts: PartsField | None = Field(
        None,
        description="Who plays: a mapping of roles (drums, bass, comp, second, pad, lead, texture) to an "
        "instrument, a pattern, `instrument: pattern` or `none`; or a list of the roles that are heard. "
        "Default: what the prompt says, and the style for the others.",
        examples=[{"drums": "brushes", "lead": "vibraphone"}, ["drums", "bass"]],
    )
    energy: Energy | None = Field(
        None,
        description="How many play, and how densely, 0 to 1: a number, or points by bar. Default: what the "
        "prompt says, or 0.5.",
        examples=[0.5, {"0": 0.2, "8": 0.7}],
    )
    theme: Annotated[str, Field(min_length=1, max_length=50)] | None = Field(
        None,
        description="Sections with the same theme share their progression and their motif, and vary them "
        "each time. Default: A.",
        examples=["A"],
    )
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = Field(
        None,
        description="Other numbers give other music, 0 to 2^63 - 1. Default: the song's seed.",
        examples=[3],
    )
