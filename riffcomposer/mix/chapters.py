"""Chapters of an MP3: frames `CHAP` and `CTOC` of "ID3v2 Chapter Frame Addendum".

Many programs show chapters in the order in which their frames are in the file and never read the
table of contents. mutagen writes frames by length, so they are put in the order of time afterwards.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from mutagen import id3

MAX_CHILDREN = 255
"""Most chapters that one table of contents can name, since their count is one byte."""

_HEADER = 10


def contents_tables(names: Sequence[str]) -> list[id3.CTOC]:
    """Returns the tables of contents for chapters of these element ids: one, or one that lists others.

    >>> [table.element_id for table in contents_tables(["a", "b"])]
    ['toc']
    """
    if not names:
        return []
    if len(names) <= MAX_CHILDREN:
        return [_table("toc", names, top=True)]
    parts = [names[first : first + MAX_CHILDREN] for first in range(0, len(names), MAX_CHILDREN)]
    tables = [_table(f"toc{number:03d}", part) for number, part in enumerate(parts)]
    return [_table("toc", [table.element_id for table in tables], top=True), *tables]


def _table(name: str, children: Sequence[str], *, top: bool = False) -> id3.CTOC:
    flags = id3.CTOCFlags.ORDERED | (id3.CTOCFlags.TOP_LEVEL if top else 0)
    return id3.CTOC(element_id=name, flags=flags, child_element_ids=list(children), sub_frames=[])


def tag_frames(tag: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields identifier and bytes, header included, of each frame of an ID3v2.4 tag without padding."""
    at = _HEADER
    while at < len(tag):
        size = _unsafe(tag[at + 4 : at + 8])
        yield tag[at : at + 4], tag[at : at + _HEADER + size]
        at += _HEADER + size


def order_chapters(path: Path) -> None:
    """Moves the tables of contents and the chapters of an MP3 behind its other frames, in order of time."""
    with open(path, "r+b") as handle:
        header = handle.read(_HEADER)
        tag = header + handle.read(_unsafe(header[6:10]))
        frames = sorted(tag_frames(tag), key=_place)
        handle.seek(_HEADER)
        handle.write(b"".join(content for _, content in frames))


def _place(frame: tuple[bytes, bytes]) -> tuple[int, int, bytes]:
    identifier, content = frame
    if identifier not in (b"CTOC", b"CHAP"):
        return 0, 0, b""
    element_id, _, rest = content[_HEADER:].partition(b"\0")
    return (1, 0, element_id) if identifier == b"CTOC" else (2, *struct.unpack_from(">I", rest), element_id)


def _unsafe(size: bytes) -> int:
    """Decodes a length of seven bits per byte (a synchsafe integer, ID3v2.4, section 6.2)."""
    first, second, third, fourth = size
    return first << 21 | second << 14 | third << 7 | fourth
