"""Makes a sound font whose only sound is a sine."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from riffcomposer.synth.voices import SAMPLE_RATE


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _list(kind: bytes, *chunks: bytes) -> bytes:
    return _chunk(b"LIST", kind + b"".join(chunks))


def write_tiny_font(path: Path) -> Path:
    """A sound font with one looped sine: every General MIDI preset and kit (SF2 2.01)."""
    length = 4400
    wave = (8000 * np.sin(2 * np.pi * np.arange(length) / 100)).astype("<i2")
    samples = wave.tobytes() + b"\0" * 92

    def named(text: str) -> bytes:
        return text.encode().ljust(20, b"\0")

    def preset(text: str, bank: int, program: int, bag: int) -> bytes:
        return named(text) + struct.pack("<HHHIII", program, bank, bag, 0, 0, 0)

    programs = [(0, program) for program in range(128)]
    programs += [(128, program) for program in (0, 8, 16, 24, 25, 32, 40, 48)]
    heads = b"".join(preset("Sine", bank, program, bag) for bag, (bank, program) in enumerate(programs))
    heads += preset("EOP", 0, 0, len(programs))
    zones = b"".join(struct.pack("<HH", bag, 0) for bag in range(len(programs) + 1))
    generators = struct.pack("<HH", 41, 0) * len(programs) + bytes(4)
    instruments = named("Sine") + struct.pack("<H", 0) + named("EOI") + struct.pack("<H", 1)
    looped = struct.pack("<HHHHHH", 54, 1, 53, 0, 0, 0)
    header = named("sine") + struct.pack("<IIIIIBbHH", 0, length, 400, length - 400, SAMPLE_RATE, 69, 0, 0, 1)
    header += named("EOS") + bytes(26)
    body = (
        _list(b"INFO", _chunk(b"ifil", struct.pack("<HH", 2, 1)), _chunk(b"INAM", b"tiny\0\0"))
        + _list(b"sdta", _chunk(b"smpl", samples))
        + _list(
            b"pdta",
            _chunk(b"phdr", heads),
            _chunk(b"pbag", zones),
            _chunk(b"pmod", bytes(10)),
            _chunk(b"pgen", generators),
            _chunk(b"inst", instruments),
            _chunk(b"ibag", struct.pack("<HHHH", 0, 0, 2, 0)),
            _chunk(b"imod", bytes(10)),
            _chunk(b"igen", looped),
            _chunk(b"shdr", header),
        )
    )
    path.write_bytes(_chunk(b"RIFF", b"sfbk" + body))
    return path
