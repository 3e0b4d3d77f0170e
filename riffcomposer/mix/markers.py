"""Section markers and loops: chunks of a WAV, comments of a FLAC or OGG, an Audacity label file.

WAV chunks follow "Multimedia Programming Interface and Data Specifications 1.0" (cue, adtl, INFO)
and the sampler chunk of Microsoft's "New Multimedia Data Types and Data Techniques" (smpl). They
come after the audio, so that adding them does not move it.

`LOOPSTART` and `LOOPLENGTH` are how game engines (RPG Maker, SDL_mixer) find the loop of an OGG or FLAC;
ZDoom repeats any music as a whole without a comment. Both count samples: the music plays to
LOOPSTART + LOOPLENGTH and goes on from LOOPSTART. RPG Maker's reader looks at the first 255 bytes of the
comments only, and takes digits up to the first other byte, the length of the next comment included: so the
two come first, and what follows them begins with no digit.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from riffcomposer.errors import AudioError
from riffcomposer.files import write_text

MAX_CHUNK_BYTES = 64 << 20
_UNKNOWN_LENGTHS = (0, 0xFFFFFFFF)
"""What programs write into a header whose length they do not know yet."""
_LONGEST_SECONDS = 1e7
_LOOP_COMMENT = re.compile(r"LOOP[_-]?(START|BEGIN|LENGTH|END)")


@dataclass(frozen=True)
class Marker:
    """A named position: where a section starts."""

    name: str
    start_sample: int


def one_line(text: str) -> str:
    """Returns text without control characters and line breaks, which mean something in tags."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def chunk(identifier: bytes, content: bytes) -> bytes:
    """Returns a RIFF chunk, padded to an even length."""
    return identifier + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def marker_chunks(markers: Sequence[Marker], sample_rate: int, loop_samples: int | None) -> bytes:
    """Returns the `cue `, `LIST adtl` and `smpl` chunks of a WAV.

    Args:
        markers: One cue point with a label each, numbered from 1.
        loop_samples: Length of the track if it is a loop: the sampler repeats all of it.
    """
    chunks = b""
    if markers:
        points = [
            struct.pack("<II4sIII", number, marker.start_sample, b"data", 0, 0, marker.start_sample)
            for number, marker in enumerate(markers, 1)
        ]
        chunks += chunk(b"cue ", struct.pack("<I", len(points)) + b"".join(points))
        labels = [
            chunk(b"labl", struct.pack("<I", number) + marker.name.encode() + b"\0")
            for number, marker in enumerate(markers, 1)
        ]
        chunks += chunk(b"LIST", b"adtl" + b"".join(labels))
    if loop_samples:
        period_ns = round(1e9 / sample_rate)
        sampler = struct.pack("<9I", 0, 0, period_ns, 60, 0, 0, 0, 1, 0)
        # The end is the last sample that is played, and a count of 0 means for ever.
        chunks += chunk(b"smpl", sampler + struct.pack("<6I", 0, 0, 0, loop_samples - 1, 0, 0))
    return chunks


def info_chunk(entries: dict[bytes, str]) -> bytes:
    """Returns a `LIST INFO` chunk: title, artist, comment for programs that read nothing else."""
    content = b"".join(chunk(key, text.encode() + b"\0") for key, text in entries.items() if text)
    return chunk(b"LIST", b"INFO" + content) if content else b""


def append_chunks(path: Path, chunks: bytes) -> None:
    """Appends chunks to a WAV or RF64 file and corrects the length in its header."""
    with open(path, "r+b") as handle:
        form = handle.read(4)
        handle.seek(0, 2)
        if handle.tell() % 2:
            handle.write(b"\0")
        handle.write(chunks)
        size = handle.tell() - 8
        if form == b"RF64":  # the length is in the ds64 chunk, which comes first
            handle.seek(20)
            handle.write(struct.pack("<Q", size))
        elif form == b"RIFF" and size < 1 << 32:
            handle.seek(4)
            handle.write(struct.pack("<I", size))
        else:
            raise AudioError(f"{path.name}: not a WAV file, or too long for one")


def read_chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yields the chunks of a WAV except its audio, as pairs of identifier and content.

    Raises:
        AudioError: Not a WAV, or a chunk that does not fit into the file.
    """
    with open(path, "rb") as handle:
        form, whole = handle.read(4), handle.read(8)
        if form not in (b"RIFF", b"RF64") or whole[4:] != b"WAVE":
            raise AudioError(f"{path}: not a WAV file")
        is_unknown = form == b"RIFF" and struct.unpack("<I", whole[:4])[0] in _UNKNOWN_LENGTHS
        long_data_bytes = 0
        while len(header := handle.read(8)) == 8:
            identifier, size = header[:4], struct.unpack("<I", header[4:])[0]
            if identifier == b"data":
                if is_unknown and size in _UNKNOWN_LENGTHS:
                    return  # the audio goes on to the end of the file
                size = long_data_bytes if size == 0xFFFFFFFF else size
                handle.seek(size + size % 2, 1)
                continue
            content = _read_content(handle, path, size)
            if identifier == b"ds64" and size >= 16:
                long_data_bytes = struct.unpack_from("<Q", content, 8)[0]
            yield identifier, content


def _read_content(handle: BinaryIO, path: Path, size: int) -> bytes:
    content = handle.read(size) if size <= MAX_CHUNK_BYTES else b""
    if len(content) != size:
        raise AudioError(f"{path}: a chunk is longer than the file")
    handle.seek(size % 2, 1)
    return content


def markers_from_chunks(chunks: Sequence[tuple[bytes, bytes]]) -> tuple[list[Marker], tuple[int, int] | None]:
    """Returns the markers and the loop (first and one-past-last sample) of a WAV's chunks."""
    positions: dict[int, int] = {}
    names: dict[int, str] = {}
    loop = None
    for identifier, content in chunks:
        if identifier == b"cue ":
            for offset in range(4, len(content) - 23, 24):
                number, _, _, _, _, sample = struct.unpack_from("<II4sIII", content, offset)
                positions[number] = sample
        elif identifier == b"LIST" and content[:4] == b"adtl":
            offset = 4
            while offset + 12 <= len(content):
                kind, size, number = struct.unpack_from("<4sII", content, offset)
                if kind == b"labl":
                    text = content[offset + 12 : offset + 8 + size]
                    names[number] = text.rstrip(b"\0").decode("utf-8", "replace")
                offset += 8 + size + size % 2
        elif identifier == b"smpl" and len(content) >= 60 and struct.unpack_from("<I", content, 28)[0]:
            first, last = struct.unpack_from("<II", content, 44)
            loop = (first, last + 1) if first <= last else None
    markers = [Marker(names.get(number, f"{number}"), sample) for number, sample in positions.items()]
    return sorted(markers, key=lambda marker: marker.start_sample), loop


def chapter_comments(markers: Sequence[Marker], sample_rate: int) -> list[tuple[str, str]]:
    """Returns `CHAPTERxxx` and `CHAPTERxxxNAME` comments for FLAC and OGG (the Vorbis chapter extension)."""
    comments = []
    for number, marker in enumerate(markers, 1):
        minutes, milliseconds = divmod(round(marker.start_sample * 1000 / sample_rate), 60_000)
        time = f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds / 1000:06.3f}"
        comments += [(f"CHAPTER{number:03d}", time), (f"CHAPTER{number:03d}NAME", marker.name)]
    return comments


def markers_from_comments(comments: Sequence[tuple[str, str]], sample_rate: int) -> list[Marker]:
    """Reads what `chapter_comments` wrote, to the millisecond; malformed entries are left out."""
    values = {key.upper(): value for key, value in comments}
    markers = []
    for key, value in values.items():
        if key.startswith("CHAPTER") and key[7:].isdigit():
            position = _seconds(value) if value.count(":") == 2 else None
            if position is not None:
                markers.append(Marker(values.get(f"{key}NAME", key[7:]), round(position * sample_rate)))
    return sorted(markers, key=lambda marker: marker.start_sample)


def _seconds(text: str) -> float | None:
    """Reads a time of hours, minutes and seconds, of which the first may be left out; None for others."""
    seconds = 0.0
    for part in text.split(":"):
        if not re.fullmatch(r"\d{0,8}(?:\.\d{0,12})?", part, re.ASCII):
            return None
        seconds = seconds * 60 + float(f"0{part}")
    return seconds if math.isfinite(seconds) and seconds <= _LONGEST_SECONDS else None


def loop_comments(total_samples: int) -> list[tuple[str, str]]:
    """Returns the comments of a track that repeats as a whole."""
    return [("LOOPSTART", "0"), ("LOOPLENGTH", str(total_samples))]


def before_others(loop: list[tuple[str, str]], others: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns all comments: the loop's first, then one whose length does not begin with a digit's byte."""
    harmless = [number for number, pair in enumerate(others) if not _starts_with_digit(pair)]
    if not harmless:
        return [*loop, *others]
    first = harmless[0]
    return [*loop, others[first], *others[:first], *others[first + 1 :]]


def _starts_with_digit(pair: tuple[str, str]) -> bool:
    length = len(f"{pair[0]}={pair[1]}".encode())
    return length & 0xFF in b"0123456789"


def loop_from_comments(found: Mapping[str, str], sample_rate: int) -> tuple[int, int | None] | None:
    """Returns first and one-past-last sample of the loop in comments, or None if they name none.

    Read are the names of RPG Maker, SDL_mixer, ZDoom and Chocolate Doom: `LOOPSTART`, `LOOP_BEGIN`,
    `LOOPLENGTH`, `LOOP_END`, in samples or, with a colon, as a time. Without an end, the second is None.

    Args:
        found: Comments, with keys in capitals.
    """
    values: dict[str, int] = {}
    for key, text in found.items():
        if match := _LOOP_COMMENT.fullmatch(key):
            samples = _samples(text, sample_rate)
            if samples is None:
                return None
            values[match[1]] = samples
    if not values:
        return None
    start = values.get("START", values.get("BEGIN", 0))
    if "LENGTH" in values:
        return start, start + values["LENGTH"]
    return start, values.get("END")


def _samples(text: str, sample_rate: int) -> int | None:
    if ":" in text:
        seconds = _seconds(text)
        return None if seconds is None else round(seconds * sample_rate)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def write_labels(path: Path, markers: Sequence[Marker], total_samples: int, sample_rate: int) -> None:
    """Writes an Audacity label track: start, end and name of each section, tab-separated, in seconds."""
    ends = [marker.start_sample for marker in markers[1:]] + [total_samples]
    lines = [
        f"{marker.start_sample / sample_rate:.6f}\t{end / sample_rate:.6f}\t{one_line(marker.name)}\n"
        for marker, end in zip(markers, ends, strict=False)
    ]
    write_text(path, "".join(lines))
