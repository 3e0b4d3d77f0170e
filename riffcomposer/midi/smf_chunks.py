"""Takes a Standard MIDI File apart into its tracks, without trusting a length in it.

A file is a header chunk `MThd` and track chunks `MTrk`; chunks of other types are passed over. RMID wraps
one in a RIFF container. Sources: RP-001; RP-029 (RMID).
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from riffcomposer.errors import MidiError
from riffcomposer.media.kinds import MIDI, kind_of_bytes

MAX_FILE_BYTES = 16 << 20
"""Largest file that is read."""

MAX_TRACKS = 1024
"""Most tracks that are read."""

_CUT = "it may be cut off or damaged; get it again, or save it again from the program that made it"
_FRAME_RATES = {24: Fraction(24), 25: Fraction(25), 29: Fraction(30_000, 1001), 30: Fraction(30)}


@dataclass(frozen=True)
class Chunks:
    """The parts of a file.

    Attributes:
        format: 0 (one track) or 1 (tracks that sound together).
        ticks_per_quarter: Ticks in a quarter note; 0 where the file counts SMPTE frames.
        ticks_per_second: Ticks in a second where the file counts SMPTE frames, else 0.
        tracks: The content of each track chunk.
    """

    format: int
    ticks_per_quarter: int
    ticks_per_second: Fraction
    tracks: tuple[bytes, ...]


def read_chunks(path: Path) -> Chunks:
    """Reads a file and takes it apart.

    Raises:
        MidiError: It cannot be read, is not MIDI, is cut off, is too large, or is of a form that is not read.
    """
    return split(_content(path), path)


def _content(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise MidiError(f"{path}: is not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise MidiError(
                f"{path}: has {status.st_size:,} bytes; MIDI files of up to {MAX_FILE_BYTES:,} are read"
            )
        with open(path, "rb") as handle:
            content = handle.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise MidiError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise MidiError(f"{path}: cannot be read ({error})") from error
    if not content:
        raise MidiError(f"{path}: is empty")
    return content[:MAX_FILE_BYTES]


def split(content: bytes, path: Path) -> Chunks:
    """Takes the bytes of a file apart.

    Args:
        content: All of them.
        path: What errors call the file.

    Raises:
        MidiError: See `read_chunks`.
    """
    if content[:4] == b"RIFF":
        content = _unwrapped(content, path)
    if content[:4] != b"MThd":
        kind = kind_of_bytes(content[:4096])
        if kind is MIDI or kind is None:
            raise MidiError(f"{path}: is not a MIDI file; save it as a Standard MIDI File (.mid)")
        raise MidiError(f"{path}: is {kind.name}, not a MIDI file")
    if len(content) < 14:
        raise MidiError(f"{path}: ends within its header; {_CUT}")
    size, form, count, division = struct.unpack(">IHHH", content[4:14])
    if size < 6:
        raise MidiError(f"{path}: has a header of {size} bytes instead of 6; {_CUT}")
    if form == 2 and count != 1:
        raise MidiError(
            f"{path}: is a MIDI file of format 2, which holds {count} pieces; save each as a file of format 1"
        )
    if form > 2:
        raise MidiError(f"{path}: is a MIDI file of format {form}; formats 0 and 1 are read")
    per_quarter, per_second = _resolution(division, path)
    tracks = _tracks(content, 8 + size, count, path)
    return Chunks(min(form, 1), per_quarter, per_second, tracks)


def _resolution(division: int, path: Path) -> tuple[int, Fraction]:
    """Reads the header's time division: ticks per quarter note and ticks per second, one of them 0."""
    if not division & 0x8000:
        if division == 0:
            raise MidiError(f"{path}: has 0 ticks per quarter note; save it again with 480")
        return division, Fraction(0)
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if frames not in _FRAME_RATES or ticks == 0:
        raise MidiError(
            f"{path}: counts time in {ticks} ticks of {frames} frames per second, which SMPTE does not have; "
            "save it again with 480 ticks per quarter note"
        )
    return 0, _FRAME_RATES[frames] * ticks


def _tracks(content: bytes, at: int, count: int, path: Path) -> tuple[bytes, ...]:
    if count > MAX_TRACKS:
        raise MidiError(f"{path}: has {count:,} tracks; up to {MAX_TRACKS:,} are read")
    found: list[bytes] = []
    while len(found) < MAX_TRACKS and at + 8 <= len(content):
        name, size = struct.unpack_from(">4sI", content, at)
        left = len(content) - at - 8
        if name == b"MTrk":
            if size > left:
                raise MidiError(
                    f"{path}: track {len(found) + 1} has {size:,} bytes by its header, and {left:,} are "
                    f"there; {_CUT}"
                )
            found.append(content[at + 8 : at + 8 + size])
        at += 8 + size
    if len(found) < count or not found:
        raise MidiError(f"{path}: holds {len(found)} of its {count} tracks; {_CUT}")
    return tuple(found)


def _unwrapped(content: bytes, path: Path) -> bytes:
    """Returns the MIDI file in a RIFF container of the form RMID."""
    if content[8:12] != b"RMID":
        kind = kind_of_bytes(content[:4096])
        raise MidiError(f"{path}: is {kind.name if kind else 'a RIFF file'}, not a MIDI file")
    at = 12
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        if name == b"data":
            return content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    raise MidiError(f"{path}: is a RIFF file of the form RMID without MIDI in it; {_CUT}")
