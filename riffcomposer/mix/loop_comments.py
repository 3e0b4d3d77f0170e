"""`LOOPSTART` and `LOOPLENGTH`: how game engines find the loop in an OGG or FLAC file.

Both count samples; the music plays from its start to LOOPSTART + LOOPLENGTH and goes on from
LOOPSTART. RPG Maker, SDL_mixer, ZDoom and others read them. The reader of RPG Maker MV and MZ looks at the
first 255 bytes of the comments only, and takes digits up to the first other byte, the length of the next
comment included: so the two come first, and what follows them begins with a byte that is no digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Comments = list[tuple[str, str]]


def loop_comments(total_samples: int) -> Comments:
    """The comments of a track that repeats as a whole."""
    return [("LOOPSTART", "0"), ("LOOPLENGTH", str(total_samples))]


def before_others(loop: Comments, others: Sequence[tuple[str, str]]) -> Comments:
    """All comments, the loop's first, followed by one whose length is not written with a digit's byte."""
    harmless = [number for number, pair in enumerate(others) if not _starts_with_digit(pair)]
    if not harmless:
        return [*loop, *others]
    first = harmless[0]
    return [*loop, others[first], *others[:first], *others[first + 1 :]]


def _starts_with_digit(pair: tuple[str, str]) -> bool:
    length = len(f"{pair[0]}={pair[1]}".encode())
    return length & 0xFF in b"0123456789"


def loop_from_comments(found: Mapping[str, str]) -> tuple[int, int] | None:
    """First and one-past-last sample of the loop that comments (keys in capitals) tell of."""
    start, length = found.get("LOOPSTART", "0"), found.get("LOOPLENGTH", "")
    if not (start.isascii() and start.isdigit() and length.isascii() and length.isdigit()):
        return None
    if len(start) + len(length) > 30:
        return None
    return int(start), int(start) + int(length)
