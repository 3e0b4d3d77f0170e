"""Text as people read it: control characters, shortened values, lengths of time and sizes, near words.

Text from a song or a file passes through `printable` (one line) or `printable_lines` before it is
shown, so that no terminal sequence in it ever reaches a terminal.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


MIB, GIB = 1 << 20, 1 << 30


def printable(text: str) -> str:
    """Replaces each tab by a space and each control character by U+FFFD, so that columns stay the same."""
    return _UNPRINTABLE.sub("\ufffd", text.replace("\t", " "))


def printable_lines(text: str) -> str:
    """Makes text of several lines printable; its line ends stay."""
    return "\n".join(map(printable, text.split("\n")))


def shorten(value: object, limit: int = 40) -> str:
    """Shows a value in a message: text is quoted, and everything is cut to `limit` characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = cut(printable(value if isinstance(value, str) else repr(value)), limit)
    return f"'{text}'" if isinstance(value, str) else text


def cut(text: str, limit: int) -> str:
    """Cuts text to `limit` characters; the last one is then an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "\u2026"


def clock(seconds: float, decimals: int = 0) -> str:
    """Formats a position or a length as a clock does.

    >>> clock(5), clock(179.2, decimals=1), clock(3600)
    ('0:05', '2:59.2', '1:00:00')
    """
    units = round(seconds * 10**decimals)
    whole, part = divmod(units, 10**decimals)
    minutes, rest = divmod(whole, 60)
    text = f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
    return f"{text}.{part:0{decimals}d}" if decimals else text


def duration(seconds: float) -> str:
    """Formats a rough duration as `40 s`, `12 min` or `2 h 41 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """Formats a number of bytes: `0.4 MiB`, `12 MiB`, `8.3 GiB`."""
    if count >= GIB:
        return f"{count / GIB:.1f} GiB"
    return f"{count / MIB:.0f} MiB" if count >= 10 * MIB else f"{count / MIB:.1f} MiB"


def nearest(word: object, candidates: Iterable[str]) -> str:
    """Returns the candidate most similar to `word`, or an empty string if none is similar."""
    if not isinstance(word, str) or len(word) > 64:
        return ""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else ""


def did_you_mean(word: object, candidates: Iterable[str]) -> str:
    """Returns `did you mean 'strength'?`, or an empty string if no candidate is similar."""
    near = nearest(word, candidates)
    return f"did you mean '{near}'?" if near else ""
