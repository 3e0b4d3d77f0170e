"""Makes sound fonts of sines, with whatever generators and modulators a test asks for."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from riffcomposer.synth.voices import SAMPLE_RATE

ALL_PRESETS = tuple((0, program) for program in range(128)) + tuple(
    (128, program) for program in (0, 8, 16, 24, 25, 32, 40, 48)
)
LOOPED: Mapping[int, int] = {54: 1}
_PERIOD = 100
_PITCH = 69


@dataclass(frozen=True)
class TinyZone:
    """One zone of the font's only instrument: generators, and modulators as (source, to, amount)."""

    generators: Mapping[int, int] = field(default_factory=lambda: dict(LOOPED))
    modulators: Sequence[tuple[int, int, int]] = ()


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _list(kind: bytes, *chunks: bytes) -> bytes:
    return _chunk(b"LIST", kind + b"".join(chunks))


def _named(text: str) -> bytes:
    return text.encode().ljust(20, b"\0")


def write_tiny_font(
    path: Path,
    zones: Sequence[TinyZone] = (TinyZone(),),
    presets: Sequence[tuple[int, int]] = ALL_PRESETS,
    length: int = 4400,
) -> Path:
    """Writes a sound font (SF2 2.01) whose only sample is a sine of 441 Hz, at key 69.

    Args:
        path: Where to write.
        zones: The zones of the instrument that every preset plays.
        presets: (bank, program) of the presets.
        length: Samples of the sine; it loops from 400 to 400 before its end.
    """
    wave = (8000 * np.sin(2 * np.pi * np.arange(length) / _PERIOD)).astype("<i2")
    heads = b"".join(
        _named("Sine") + struct.pack("<HHHIII", program, bank, bag, 0, 0, 0)
        for bag, (bank, program) in enumerate(presets)
    )
    heads += _named("EOP") + struct.pack("<HHHIII", 0, 0, len(presets), 0, 0, 0)
    outer = b"".join(struct.pack("<HH", bag, 0) for bag in range(len(presets) + 1))
    bags, generators, modulators = b"", b"", b""
    for zone in zones:
        bags += struct.pack("<HH", len(generators) // 4, len(modulators) // 10)
        for number, amount in sorted(zone.generators.items()):
            generators += struct.pack("<HH", number, amount & 0xFFFF)
        generators += struct.pack("<HH", 53, 0)
        modulators += b"".join(struct.pack("<HHhHH", *each, 0, 0) for each in zone.modulators)
    bags += struct.pack("<HH", len(generators) // 4, len(modulators) // 10)
    header = _named("sine") + struct.pack(
        "<IIIIIBbHH", 0, length, 400, length - 400, SAMPLE_RATE, _PITCH, 0, 0, 1
    )
    body = (
        _list(b"INFO", _chunk(b"ifil", struct.pack("<HH", 2, 1)), _chunk(b"INAM", b"tiny\0\0"))
        + _list(b"sdta", _chunk(b"smpl", wave.tobytes() + b"\0" * 92))
        + _list(
            b"pdta",
            _chunk(b"phdr", heads),
            _chunk(b"pbag", outer),
            _chunk(b"pmod", bytes(10)),
            _chunk(b"pgen", struct.pack("<HH", 41, 0) * len(presets) + bytes(4)),
            _chunk(b"inst", _named("Sine") + bytes(2) + _named("EOI") + struct.pack("<H", len(zones))),
            _chunk(b"ibag", bags),
            _chunk(b"imod", modulators + bytes(10)),
            _chunk(b"igen", generators + bytes(4)),
            _chunk(b"shdr", header + _named("EOS") + bytes(26)),
        )
    )
    path.write_bytes(_chunk(b"RIFF", b"sfbk" + body))
    return path
