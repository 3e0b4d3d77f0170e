"""Makes MIDI files byte by byte, so that tests may write what no library would."""

from __future__ import annotations

import struct
from pathlib import Path

END = b"\0\xff\x2f\0"
TICKS = 480


def number(value: int) -> bytes:
    """A variable-length quantity."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(value & 0x7F | 0x80)
    return bytes(reversed(found))


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack(">I", len(content)) + content


def header(tracks: int = 1, *, form: int = 1, division: int = TICKS) -> bytes:
    return chunk(b"MThd", struct.pack(">HHH", form, tracks, division))


def track(*events: bytes) -> bytes:
    """A track chunk with its end."""
    return chunk(b"MTrk", b"".join(events) + END)


def smf(*tracks: bytes, form: int = 1, division: int = TICKS) -> bytes:
    """A file of tracks, each the bytes of its events without the end."""
    return header(len(tracks), form=form, division=division) + b"".join(track(each) for each in tracks)


def event(delta: int, *message: int) -> bytes:
    return number(delta) + bytes(message)


def meta(delta: int, kind: int, content: bytes) -> bytes:
    return number(delta) + bytes((0xFF, kind)) + number(len(content)) + content


def on(delta: int, pitch: int, velocity: int = 64, channel: int = 1) -> bytes:
    return event(delta, 0x90 | channel - 1, pitch, velocity)


def off(delta: int, pitch: int, channel: int = 1) -> bytes:
    return event(delta, 0x80 | channel - 1, pitch, 64)


def note(
    pitch: int = 60, length: int = TICKS, *, delta: int = 0, velocity: int = 64, channel: int = 1
) -> bytes:
    return on(delta, pitch, velocity, channel) + off(length, pitch, channel)


def control(delta: int, number: int, value: int, channel: int = 1) -> bytes:
    return event(delta, 0xB0 | channel - 1, number, value)


def program(delta: int, value: int, channel: int = 1) -> bytes:
    return event(delta, 0xC0 | channel - 1, value)


def wheel(delta: int, value: int, channel: int = 1) -> bytes:
    """The pitch wheel, -8192 to 8191."""
    return event(delta, 0xE0 | channel - 1, value + 8192 & 0x7F, value + 8192 >> 7)


def named(name: bytes) -> bytes:
    return meta(0, 0x03, name)


def written(folder: Path, content: bytes, name: str = "song.mid") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path
