"""Finds FLAC files that go on after the number of samples that their header states.

A recorder that was stopped, or a program that cut or joined files by hand, leaves such headers. libsndfile
reads as far as the header says. Each frame of the audio has its own header with its place (RFC 9639, 9.1), so
that the last ones tell where the file ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

_STREAMINFO_BYTES = 34
_TAIL_BYTES = 1 << 20
"""Bytes at the end of a file that are searched; three of its longest frames, if those are longer."""

_MOST_FRAMES = 20_000
"""Most places that are looked at as a frame's header: a tail of the shortest usual frames has fewer."""

FLAC_STARTS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
"""How a FLAC stream begins: its marker, and the header of a STREAMINFO block (RFC 9639, 8.1 and 8.2)."""

_SEARCHED_BYTES = 1 << 24
"""Where a stream must begin; tags may come before it."""

_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_HEADER_BYTES = 16
_SIZES = (
    {1: 192}
    | {code: 576 << (code - 2) for code in range(2, 6)}
    | {code: 256 << (code - 8) for code in range(8, 16)}
)


def goes_on_after_its_header(path: Path) -> bool:
    """Whether a FLAC file has more samples than its header states; False if it states none.

    Raises:
        OSError: The file cannot be read.
    """
    with open(path, "rb") as handle:
        head = handle.read(64)
        if not head.startswith(FLAC_STARTS):
            head += handle.read(_SEARCHED_BYTES)
        start = min((at for at in map(head.find, FLAC_STARTS) if at >= 0), default=-1)
        info = head[start + 8 : start + 8 + _STREAMINFO_BYTES]
        if start < 0 or len(info) < _STREAMINFO_BYTES:
            return False
        longest_frame = int.from_bytes(info[7:10], "big")
        block = int.from_bytes(info[:2], "big")
        total = int.from_bytes(info[10:18], "big") & ((1 << 36) - 1)
        end = handle.seek(0, 2)
        handle.seek(max(start + 8 + _STREAMINFO_BYTES, end - max(_TAIL_BYTES, 3 * longest_frame)))
        tail = handle.read()
    frames = dict(_frames(tail, block))
    ends = set(frames.values())
    # What looks like a header by chance has no frame before it.
    return total > 0 and any(end > total and (at == 0 or at in ends) for at, end in frames.items())


def _frames(content: bytes, block: int) -> Iterator[tuple[int, int]]:
    """Yields first and one-past-last sample of each frame whose header is found.

    Args:
        block: Samples of each frame but the last, where frames are numbered.
    """
    for match in islice(_SYNC.finditer(content), _MOST_FRAMES):
        # The last frame may be shorter than the longest header.
        header = content[match.start() : match.start() + _HEADER_BYTES].ljust(_HEADER_BYTES, b"\0")
        if (found := _frame(header, block)) is not None:
            yield found


def _frame(header: bytes, block: int) -> tuple[int, int] | None:
    size_code, rate_code = header[2] >> 4, header[2] & 15
    if header[3] & 1 or header[3] >> 4 > 10 or not size_code or rate_code == 15:
        return None
    number, at = _coded_number(header)
    if number is None:
        return None
    size = _SIZES.get(size_code)
    if size is None:
        width = size_code - 5
        size = int.from_bytes(header[at : at + width], "big") + 1
        at += width
    at += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if at >= len(header) or _crc8(header[:at]) != header[at]:
        return None
    first = number if header[1] & 1 else number * block
    return first, first + size


def _coded_number(header: bytes) -> tuple[int | None, int]:
    """Reads the number of a frame, coded as UTF-8 codes characters, and returns where it ends."""
    lead = header[4]
    if lead < 0x80:
        return lead, 5
    length = 8 - (lead ^ 0xFF).bit_length()
    rest = header[5 : 4 + length]
    if not 2 <= length <= 7 or any(byte & 0xC0 != 0x80 for byte in rest):
        return None, 0
    number = lead & (0x7F >> length)
    for byte in rest:
        number = number << 6 | byte & 0x3F
    return number, 4 + length


def _crc8(content: bytes) -> int:
    """Returns the checksum of a frame's header: polynomial x^8 + x^2 + x + 1, initial value 0."""
    remainder = 0
    for byte in content:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder << 1 ^ 0x07 if remainder & 0x80 else remainder << 1) & 0xFF
    return remainder
