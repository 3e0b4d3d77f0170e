"""Reads SoundFont files: SF2 (16-bit samples) and SF3 (each sample an Ogg Vorbis stream).

Source: E-mu Systems, *SoundFont Technical Specification 2.04* (2006): chunks in section 4, generators in 8.1,
modulators in 8.2 and 8.4. SF3 is MuseScore's extension: bit 4 of a sample's type says that its bytes are Ogg
Vorbis; its start and end count bytes, and its loop counts from its own first sample.

Conventions: a *zone* is one sample with the keys and velocities it sounds for, with the values of its preset
and instrument added up. Generators keep the specification's numbers and units (cents, timecents, centibels).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from riffcomposer.errors import ModelError
from riffcomposer.synth.voices import Audio

KEY_RANGE, VELOCITY_RANGE, SAMPLE, INSTRUMENT = 43, 44, 53, 41
ATTENUATION = 48
NOTE_ONLY = frozenset({0, 1, 2, 3, 4, 12, 45, 46, 47, 50, 54, 56, 57, 58})
"""Generators that a preset must not change (section 8.5)."""

_NO_TIME = dict.fromkeys((21, 23, 25, 26, 27, 28, 30, 33, 34, 35, 36, 38), -12000)
DEFAULTS: Mapping[int, int] = {**_NO_TIME, 8: 13500, 46: -1, 47: -1, 56: 100, 58: -1}
"""Values of generators that are not given and are not 0."""

VELOCITY_TO_ATTENUATION = (0x0502, ATTENUATION)
_DEFAULT_MODULATORS: Mapping[tuple[int, int], int] = {VELOCITY_TO_ATTENUATION: 960}

_COMPRESSED, _ROM = 0x10, 0x8000
_RECORDS = {
    "phdr": [("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "V12")],
    "pbag": [("generator", "<u2"), ("modulator", "<u2")],
    "pmod": [("source", "<u2"), ("to", "<u2"), ("amount", "<i2"), ("by", "<u2"), ("transform", "<u2")],
    "pgen": [("number", "<u2"), ("amount", "<i2")],
    "inst": [("name", "S20"), ("bag", "<u2")],
    "shdr": [
        ("name", "S20"),
        ("start", "<u4"),
        ("end", "<u4"),
        ("loop_start", "<u4"),
        ("loop_end", "<u4"),
        ("rate", "<u4"),
        ("key", "u1"),
        ("correction", "i1"),
        ("link", "<u2"),
        ("kind", "<u2"),
    ],
}
RECORDS: Mapping[str, Any] = {
    **_RECORDS,
    "ibag": _RECORDS["pbag"],
    "imod": _RECORDS["pmod"],
    "igen": _RECORDS["pgen"],
}
"""Fields of the records in each chunk of `pdta`."""


@dataclass(frozen=True)
class Zone:
    """One sample of a preset.

    Attributes:
        number: Counts the zones of a file; two zones of one file never share it.
        keys, velocities: Lowest and highest that it sounds for.
        sample: Number of the sample in the file.
        generators: Number to value; missing ones have the value in `DEFAULTS`, or 0.
        modulators: (source, destination) to amount, for sources that a note-on decides.
    """

    number: int
    keys: tuple[int, int]
    velocities: tuple[int, int]
    sample: int
    generators: Mapping[int, int]
    modulators: Mapping[tuple[int, int], int]

    def __getitem__(self, generator: int) -> int:
        return self.generators.get(generator, DEFAULTS.get(generator, 0))

    def sounds(self, key: int, velocity: int) -> bool:
        return self.keys[0] <= key <= self.keys[1] and self.velocities[0] <= velocity <= self.velocities[1]


@dataclass(frozen=True)
class Wave:
    """A decoded sample.

    Attributes:
        audio: [samples], full scale 1.0.
        rate: Its sample rate in Hz.
        key: The MIDI pitch at which it sounds when played at its own rate.
        correction: Cents to add to its pitch.
        loop: First sample of its loop and the one after its last, or None if it cannot loop.
    """

    audio: Audio
    rate: int
    key: int
    correction: int
    loop: tuple[int, int] | None


def find_chunks(handle: BinaryIO) -> dict[str, tuple[int, int]]:
    """Name to (offset of its content, size) of all chunks of a RIFF file that are not lists."""
    found: dict[str, tuple[int, int]] = {}
    handle.seek(0, io.SEEK_END)
    size = handle.tell()

    def walk(at: int, end: int) -> None:
        while at + 8 <= end:
            handle.seek(at)
            name, length = struct.unpack("<4sI", handle.read(8))
            if name in (b"RIFF", b"LIST"):
                walk(at + 12, min(end, at + 8 + length))
            else:
                found[name.decode("latin-1")] = (at + 8, length)
            # Chunks begin at even offsets; some files of SF3 leave the padding out.
            at += 8 + length
            if length % 2 and at < end:
                handle.seek(at)
                at += handle.read(1) == b"\0"

    walk(0, size)
    if any(at + length > size for at, length in found.values()):
        raise ValueError("it ends before its last chunk does")
    return found


class SoundFontFile:
    """A sound font: its presets as zones, and its samples, which are read when they are asked for.

    Args:
        path: File in SF2 or SF3 format.

    Attributes:
        path: As given.
        presets: (bank, program) to name; drum kits are in bank 128.

    Raises:
        ModelError: The file is missing, cannot be read, or is not a sound font.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as handle:
                head = handle.read(12)
                if head[:4] != b"RIFF" or head[8:] != b"sfbk":
                    raise ModelError(f"{path}: not a sound font; name a file in SF2 or SF3 format")
                chunks = find_chunks(handle)
                self._samples_at = chunks["smpl"][0]
                self._records = {}
                for name, fields in RECORDS.items():
                    at, length = chunks[name]
                    handle.seek(at)
                    kind = np.dtype(fields)
                    self._records[name] = np.frombuffer(
                        handle.read(length // kind.itemsize * kind.itemsize), kind
                    )
            self._zones = self._read_zones()
        except OSError as error:
            raise ModelError(
                f"{path}: the sound font cannot be read ({error.strerror or error}); name a file in SF2 or "
                "SF3 format"
            ) from error
        except (KeyError, ValueError, IndexError, struct.error) as error:
            raise ModelError(f"{path}: a damaged sound font ({error}); copy or download it again") from error
        self.presets = {preset: name for preset, (name, _) in self._zones.items()}

    def zones(self, bank: int, program: int) -> tuple[Zone, ...]:
        """The zones of a preset that the file has."""
        return self._zones[bank, program][1]

    def _read_zones(self) -> dict[tuple[int, int], tuple[str, tuple[Zone, ...]]]:
        instruments = [
            list(self._bags("i", first, last)) for first, last in pairwise(self._records["inst"]["bag"])
        ]
        found: dict[tuple[int, int], tuple[str, tuple[Zone, ...]]] = {}
        number = 0
        heads = self._records["phdr"]
        for head, following in pairwise(heads):
            zones = []
            for outer, outer_mods in self._bags("p", int(head["bag"]), int(following["bag"])):
                for inner, inner_mods in instruments[outer[INSTRUMENT]]:
                    keys = _overlap(outer, inner, KEY_RANGE)
                    velocities = _overlap(outer, inner, VELOCITY_RANGE)
                    if keys[0] > keys[1] or velocities[0] > velocities[1]:
                        continue
                    values = dict(inner)
                    for each, amount in outer.items():
                        if each not in NOTE_ONLY and each not in (KEY_RANGE, VELOCITY_RANGE, INSTRUMENT):
                            values[each] = inner.get(each, DEFAULTS.get(each, 0)) + amount
                    modulators = {**_DEFAULT_MODULATORS, **inner_mods}
                    for identity, amount in outer_mods.items():
                        modulators[identity] = modulators.get(identity, 0) + amount
                    zones.append(Zone(number, keys, velocities, values[SAMPLE] & 0xFFFF, values, modulators))
                    number += 1
            name = bytes(head["name"]).split(b"\0")[0].decode("latin-1").strip()
            found.setdefault((int(head["bank"]), int(head["program"])), (name, tuple(zones)))
        return found

    def _bags(
        self, level: str, first: int, last: int
    ) -> Iterator[tuple[dict[int, int], dict[tuple[int, int], int]]]:
        """Generators and modulators of each zone of presets (`p`) or instruments (`i`), global ones added."""
        bags, generators, modulators = (self._records[level + name] for name in ("bag", "gen", "mod"))
        end = INSTRUMENT if level == "p" else SAMPLE
        common: dict[int, int] = {}
        common_mods: dict[tuple[int, int], int] = {}
        for number in range(int(first), int(last)):
            here, after = bags[number], bags[number + 1]
            own = {
                int(each["number"]): int(each["amount"])
                for each in generators[here["generator"] : after["generator"]]
            }
            own_mods = {
                (int(each["source"]), int(each["to"])): int(each["amount"])
                for each in modulators[here["modulator"] : after["modulator"]]
                if _is_of_note(int(each["source"])) and each["by"] == 0
            }
            if end in own:
                yield {**common, **own}, {**common_mods, **own_mods}
            elif number == first:
                common, common_mods = own, own_mods

    def read_wave(self, number: int) -> Wave:
        """Reads and decodes a sample.

        Raises:
            ModelError: It cannot be read or decoded.
        """
        heads = self._records["shdr"]
        if number >= len(heads):
            raise ModelError(f"{self.path}: it has no sample {number}; copy or download the file again")
        head = heads[number]
        start, end = int(head["start"]), int(head["end"])
        loop = (int(head["loop_start"]), int(head["loop_end"]))
        compressed = bool(head["kind"] & _COMPRESSED)
        unit = 1 if compressed else 2
        try:
            if head["kind"] & _ROM:
                raise ValueError("it is in the ROM of a sound card")
            with self.path.open("rb") as handle:
                handle.seek(self._samples_at + unit * start)
                content = handle.read(unit * (end - start))
            if compressed:
                audio = _decode(content)
            else:
                audio = np.frombuffer(content, "<i2").astype(np.float32) / np.float32(32768)
                loop = (loop[0] - start, loop[1] - start)
        except (OSError, ValueError, RuntimeError) as error:
            name = bytes(head["name"]).split(b"\0")[0].decode("latin-1")
            raise ModelError(
                f"{self.path}: its sample {name!r} cannot be read ({error}); copy or download the file again"
            ) from error
        key = int(head["key"]) if head["key"] < 128 else 60
        fits = 0 <= loop[0] < loop[1] <= len(audio)
        return Wave(audio, int(head["rate"]), key, int(head["correction"]), loop if fits else None)


def _decode(content: bytes) -> Audio:
    import soundfile

    audio, _ = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    return np.ascontiguousarray(audio[:, 0])


def _is_of_note(source: int) -> bool:
    """Whether a modulator's source is a note-on's velocity (2) or key (3), not a controller."""
    return not source & 0x80 and source & 0x7F in (2, 3)


def _overlap(outer: Mapping[int, int], inner: Mapping[int, int], generator: int) -> tuple[int, int]:
    """The keys or velocities that both levels allow; a range is two bytes, the lower one first."""
    both = [value.get(generator, 127 << 8) & 0xFFFF for value in (outer, inner)]
    return max(each & 0xFF for each in both), min(each >> 8 for each in both)
