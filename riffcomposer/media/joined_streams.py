"""Finds sound files in which one stream follows another: libsndfile reads the first alone.

Ogg files may be *chained* (RFC 3533, section 4): recordings of web radio are, with a link for each title, and
so is what `cat` makes of two files. Players play all links. FLAC has no such form, but its players go
on in the same way.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from riffcomposer.media.flac_frames import FLAC_STARTS
from riffcomposer.media.kinds import FLAC, OGG, FileKind

_PAGE_HEADER_BYTES = 27
_BEGINS = 0x02
"""Flag of an Ogg page that is the first of its stream (RFC 3533, section 6)."""


def has_several_streams(path: Path, kind: FileKind) -> bool:
    """Whether a further stream begins after the end of the first, or of those that begin side by side.

    Raises:
        OSError: The file cannot be read.
    """
    if kind not in (FLAC, OGG):
        return False
    with open(path, "rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if kind is FLAC:
            first = min((at for at in map(content.find, FLAC_STARTS) if at >= 0), default=0)
            return any(content.find(start, first + len(start)) >= 0 for start in FLAC_STARTS)
        return _is_chained(content)


def _is_chained(content: mmap.mmap) -> bool:
    """Walks the pages of an Ogg file, as far as they are whole."""
    at, has_data = content.find(b"OggS"), False
    while at >= 0 and content[at : at + 4] == b"OggS" and at + _PAGE_HEADER_BYTES <= len(content):
        if not content[at + 5] & _BEGINS:
            has_data = True
        elif has_data:
            return True
        table = at + _PAGE_HEADER_BYTES
        segments = content[table : table + content[table - 1]]
        at = table + len(segments) + sum(segments)
    return False
