"""Makes the sound font that ships from FluidR3Mono_GM.sf3 (MIT licence, see THIRD_PARTY_NOTICES.md).

    apt-get download fluidr3mono-gm-soundfont && dpkg-deb -x fluidr3mono-gm-soundfont_*.deb unpacked
    python scripts/soundfont.py unpacked/usr/share/fluidr3mono-gm-soundfont/FluidR3Mono_GM.sf3

It keeps the 128 General MIDI programs and the drum kits that riffcomposer names, and makes them smaller:

1. Of an instrument's samples, neighbours are dropped where those that stay are at most `MOST_SEMITONES`
   apart; the keys of a dropped one go to the nearest that stays. Drum kits and sound effects keep all.
2. Each sample is encoded again (Ogg Vorbis) where that makes it clearly smaller. The encoder sees how the
   loop goes on, and the loop is then moved, at its own length, to where its ends meet best.
"""

from __future__ import annotations

import argparse
import io
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from riffcomposer import files
from riffcomposer.synth.soundfont_choice import SHIPPED
from riffcomposer.synth.soundfont_file import (
    INSTRUMENT,
    KEY_RANGE,
    RECORDS,
    SAMPLE,
    VELOCITY_RANGE,
    SoundFontFile,
    Wave,
    find_chunks,
)
from riffcomposer.synth.soundfont_player import KIT_PROGRAMS
from riffcomposer.synth.soundfont_presets import DRUM_BANK
from riffcomposer.synth.voices import Audio

MOST_SEMITONES = 5
FIRST_EFFECT = 112
"""Programs from here on are percussion and sound effects, whose samples are not notes of one instrument."""

COMPRESSION = 0.5
"""libsndfile's level, 0 to 1; Vorbis's quality is one minus it."""

WORTH = 0.88
"""A sample is encoded again if it gets below this share of its bytes."""

CONTEXT = 1024
"""Samples that the encoder sees after the end of a loop."""

MOST_LOOP_SHIFT = 400
INFO = (b"ifil", b"isng", b"INAM", b"IENG", b"ICRD", b"IPRD", b"ICOP", b"ICMT")
_ROOT, _COARSE, _FINE, _PAN, _CLASS, _MODE = 58, 51, 52, 17, 57, 54


@dataclass(frozen=True)
class RawZone:
    """A zone as it is in the file: generators and modulators in their order."""

    generators: tuple[tuple[int, int], ...]
    modulators: tuple[bytes, ...]

    def get(self, number: int, default: int) -> int:
        return dict(self.generators).get(number, default)

    def with_keys(self, low: int, high: int) -> RawZone:
        rest = tuple(each for each in self.generators if each[0] != KEY_RANGE)
        return replace(self, generators=((KEY_RANGE, low | high << 8), *rest))


@dataclass(frozen=True)
class Group:
    """A preset or an instrument: its record's bytes before the number of its first zone, and its zones."""

    head: bytes
    zones: tuple[RawZone, ...]


class Source:
    """The original font."""

    def __init__(self, path: Path) -> None:
        self.font = SoundFontFile(path)
        with path.open("rb") as handle:
            chunks = find_chunks(handle)

            def content(name: str) -> bytes:
                at, size = chunks[name]
                handle.seek(at)
                return handle.read(size)

            self.samples = content("smpl")
            self.info = {name: content(name.decode()) for name in INFO if name.decode() in chunks}
            self.records = {name: np.frombuffer(content(name), fields) for name, fields in RECORDS.items()}
        self.instruments = self._groups("inst", "i", 20)
        self.presets = self._groups("phdr", "p", 24)

    def _groups(self, name: str, level: str, head_bytes: int) -> list[Group]:
        heads = self.records[name]
        bags, generators, modulators = (self.records[level + each] for each in ("bag", "gen", "mod"))
        found = []
        for number in range(len(heads) - 1):
            zones = []
            for bag in range(heads[number]["bag"], heads[number + 1]["bag"]):
                here, after = bags[bag], bags[bag + 1]
                own = generators[here["generator"] : after["generator"]]
                mods = modulators[here["modulator"] : after["modulator"]]
                zones.append(
                    RawZone(
                        tuple((int(each["number"]), int(each["amount"]) & 0xFFFF) for each in own),
                        tuple(each.tobytes() for each in mods),
                    )
                )
            found.append(Group(heads[number].tobytes()[:head_bytes], tuple(zones)))
        return found

    def size(self, sample: int) -> int:
        head = self.records["shdr"][sample]
        return int(head["end"]) - int(head["start"])


def _signed(value: int) -> int:
    return value - 0x10000 if value & 0x8000 else value


def _keys(zone: RawZone) -> tuple[int, int]:
    value = zone.get(KEY_RANGE, 127 << 8)
    return value & 0xFF, value >> 8


def _root(source: Source, zone: RawZone) -> int:
    """The key at which a zone's sample sounds as it was recorded."""
    given = _signed(zone.get(_ROOT, 0xFFFF))
    key = given if given >= 0 else int(source.records["shdr"][zone.get(SAMPLE, 0)]["key"])
    return key - _signed(zone.get(_COARSE, 0))


def chains(source: Source, zones: Iterable[RawZone]) -> list[list[RawZone]]:
    """Zones that are one sound recorded at rising pitches, side by side on the keyboard."""
    found: list[tuple[Any, list[RawZone]]] = []
    for zone in sorted(zones, key=_keys):
        alike = (
            zone.get(VELOCITY_RANGE, 127 << 8),
            zone.get(_PAN, 0),
            round(_signed(zone.get(_FINE, 0)) / 30),
            zone.get(_CLASS, 0),
        )
        for known, chain in found:
            rises = _root(source, chain[-1]) < _root(source, zone)
            if known == alike and _keys(chain[-1])[1] < _keys(zone)[0] and rises:
                chain.append(zone)
                break
        else:
            found.append((alike, [zone]))
    return [chain for _, chain in found]


def thinned(source: Source, chain: Sequence[RawZone], kept: set[int]) -> list[RawZone]:
    """The zones of a chain that stay, with the keys of those that go; fewest bytes by dynamic programming.

    Args:
        source: The original font.
        chain: See `chains`.
        kept: Samples that stay anyway, which cost nothing; those of this chain are added.
    """
    roots = [_root(source, zone) for zone in chain]
    costs = [0 if zone.get(SAMPLE, 0) in kept else source.size(zone.get(SAMPLE, 0)) for zone in chain]
    best: list[tuple[float, int]] = []  # bytes up to here, and the zone before; -1 is none
    for here, root in enumerate(roots):
        before = [(0.0, -1)] if root - roots[0] <= MOST_SEMITONES // 2 else []
        before += [
            (best[there][0], there)
            for there in range(here)
            if root - roots[there] <= MOST_SEMITONES or there == here - 1
        ]
        cheapest = min(before)
        best.append((cheapest[0] + costs[here], cheapest[1]))
    ends = [here for here, root in enumerate(roots) if roots[-1] - root <= MOST_SEMITONES // 2]
    at = min(ends, key=lambda here: best[here][0])
    chosen: list[int] = []
    while at >= 0:
        chosen.insert(0, at)
        at = best[at][1]
    kept.update(chain[number].get(SAMPLE, 0) for number in chosen)

    owners: dict[int, list[int]] = {number: [] for number in chosen}
    for number, zone in enumerate(chain):
        low, high = _keys(zone)
        for key in range(low, high + 1):
            own = (
                number if number in owners else min(chosen, key=lambda each: (abs(roots[each] - key), -each))
            )
            owners[own].append(key)
    return [chain[number].with_keys(min(keys), max(keys)) for number, keys in owners.items() if keys]


def smaller(source: Source, instrument: Group, kept: set[int]) -> Group:
    """An instrument with fewer samples; its global zone stays the first."""
    common = [zone for zone in instrument.zones if zone.get(SAMPLE, -1) < 0]
    played = [zone for zone in instrument.zones if zone.get(SAMPLE, -1) >= 0]
    zones = [each for chain in chains(source, played) for each in thinned(source, chain, kept)]
    return replace(instrument, zones=(*common, *zones))


def _samples_of(group: Group) -> set[int]:
    return {zone.get(SAMPLE, -1) for zone in group.zones} - {-1}


def _looped(instruments: Iterable[Group]) -> set[int]:
    """Samples that some zone plays with their loop."""
    found = set()
    for instrument in instruments:
        common = 0
        for zone in instrument.zones:
            mode = zone.get(_MODE, common)
            if zone.get(SAMPLE, -1) < 0:
                common = mode
            elif mode in (1, 3):
                found.add(zone.get(SAMPLE, -1))
    return found


def choose(source: Source) -> tuple[list[Group], dict[int, Group]]:
    """The presets that stay, and number to instrument that they use, thinned."""
    heads = source.records["phdr"]
    presets: list[Group] = []
    whole: set[int] = set()
    thin: set[int] = set()
    for head, preset in zip(heads, source.presets, strict=False):
        bank, program = int(head["bank"]), int(head["program"])
        if bank != 0 and (bank != DRUM_BANK or program not in KIT_PROGRAMS.values()):
            continue
        presets.append(preset)
        uses = {zone.get(INSTRUMENT, -1) for zone in preset.zones} - {-1}
        (thin if bank == 0 and program < FIRST_EFFECT else whole).update(uses)
    kept = {sample for number in whole for sample in _samples_of(source.instruments[number])}
    found = {number: source.instruments[number] for number in whole}
    size = {number: sum(map(source.size, _samples_of(source.instruments[number]))) for number in thin}
    for number in sorted(thin - whole, key=lambda each: (-size[each], each)):
        found[number] = smaller(source, source.instruments[number], kept)
    return presets, found


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        rest = value << 24
        for _ in range(8):
            rest = (rest << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if rest & 0x80000000 else rest << 1
        table.append(rest)
    return table


_CRC_TABLE = _crc_table()


def with_serial(stream: bytes, serial: int) -> bytes:
    """An Ogg stream under another serial number (RFC 3533); encoders draw one, so each run would differ."""
    out, at = bytearray(stream), 0
    while at < len(out):
        segments = out[at + 26]
        size = 27 + segments + sum(out[at + 27 : at + 27 + segments])
        out[at + 14 : at + 26] = struct.pack("<I", serial) + out[at + 18 : at + 22] + bytes(4)
        crc = 0
        for byte in out[at : at + size]:
            crc = (crc << 8 ^ _CRC_TABLE[crc >> 24 ^ byte]) & 0xFFFFFFFF
        out[at + 22 : at + 26] = struct.pack("<I", crc)
        at += size
    return bytes(out)


def _encoded(audio: Audio, rate: int) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, audio, rate, format="OGG", subtype="VORBIS", compression_level=COMPRESSION)
    return stream.getvalue()


def seam(audio: Audio, loop: tuple[int, int]) -> float:
    """How badly the ends of a loop meet: the mean distance of five samples around them."""
    start, end = loop
    if start < 2 or end + 3 > len(audio):
        return float("inf")
    return float(np.abs(audio[start - 2 : start + 3] - audio[end - 2 : end + 3]).mean())


def encode(wave: Wave, *, looped: bool) -> tuple[bytes, tuple[int, int] | None]:
    """Encodes a sample again, and moves the loop, if it is played, to where its ends meet best."""
    if wave.loop is None or not looped:
        return _encoded(wave.audio, wave.rate), None
    start, end = wave.loop
    after = np.resize(wave.audio[start:end], CONTEXT)
    content = _encoded(np.concatenate([wave.audio[:end], after]), wave.rate)
    decoded, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    span = min(MOST_LOOP_SHIFT, end - start, start)
    shifts = sorted(range(-span, MOST_LOOP_SHIFT + 1), key=abs)
    shift = min(shifts, key=lambda each: seam(decoded, (start + each, end + each)))
    return content, (start + shift, end + shift)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _list(kind: bytes, *chunks: bytes) -> bytes:
    return _chunk(b"LIST", kind + b"".join(chunks))


def _tables(level: bytes, groups: Sequence[Group], tail: bytes, end: bytes) -> list[bytes]:
    """The chunks of all presets or instruments, with the records that end each."""
    heads, bags, modulators, generators = b"", b"", b"", b""
    bag_count = 0
    for group in groups:
        heads += group.head + struct.pack("<H", bag_count) + tail
        for zone in group.zones:
            bags += struct.pack("<HH", len(generators) // 4, len(modulators) // 10)
            generators += b"".join(struct.pack("<HH", *each) for each in zone.generators)
            modulators += b"".join(zone.modulators)
            bag_count += 1
    heads += end.ljust(20, b"\0") + bytes(4 if tail else 0) + struct.pack("<H", bag_count) + tail
    bags += struct.pack("<HH", len(generators) // 4, len(modulators) // 10)
    name = b"phdr" if level == b"p" else b"inst"
    return [
        _chunk(name, heads),
        _chunk(level + b"bag", bags),
        _chunk(level + b"mod", modulators + bytes(10)),
        _chunk(level + b"gen", generators + bytes(4)),
    ]


def _renumbered(group: Group, generator: int, numbers: dict[int, int]) -> Group:
    """A group whose zones name instruments or samples by their new numbers."""
    zones = tuple(
        replace(
            zone,
            generators=tuple(
                (key, numbers[value] if key == generator else value) for key, value in zone.generators
            ),
        )
        for zone in group.zones
    )
    return replace(group, zones=zones)


def build(source: Source) -> tuple[bytes, str]:
    """The whole new file, and a line about it."""
    presets, instruments = choose(source)
    samples = sorted({sample for each in instruments.values() for sample in _samples_of(each)})
    looped = _looped(instruments.values())
    streams, heads, again = bytearray(), b"", 0
    for number in samples:
        head = source.records["shdr"][number].copy()
        content = source.samples[head["start"] : head["end"]]
        loop = (int(head["loop_start"]), int(head["loop_end"]))
        wave = source.font.read_wave(number)
        fresh, moved = encode(wave, looped=number in looped)
        if len(fresh) < WORTH * len(content):
            content, loop, again = with_serial(fresh, number), moved or loop, again + 1
        head["start"], head["end"] = len(streams), len(streams) + len(content)
        head["loop_start"], head["loop_end"] = loop
        head["kind"], head["link"] = 0x11, 0
        streams += content
        heads += head.tobytes()
    heads += b"EOS".ljust(46, b"\0")
    used = sorted(instruments)
    instrument_numbers = {old: new for new, old in enumerate(used)}
    sample_numbers = {old: new for new, old in enumerate(samples)}
    upper = [_renumbered(preset, INSTRUMENT, instrument_numbers) for preset in presets]
    lower = [_renumbered(instruments[old], SAMPLE, sample_numbers) for old in used]
    info = {**source.info, b"INAM": source.info[b"INAM"].rstrip(b"\0") + b", reduced by riffcomposer\0"}
    body = (
        _list(b"INFO", *(_chunk(name, content) for name, content in info.items()))
        + _list(b"sdta", _chunk(b"smpl", bytes(streams)))
        + _list(
            b"pdta",
            *_tables(b"p", upper, bytes(12), b"EOP"),
            *_tables(b"i", lower, b"", b"EOI"),
            _chunk(b"shdr", heads),
        )
    )
    text = (
        f"{len(presets)} presets, {len(used)} instruments, {len(samples)} samples, {again} of them encoded "
        f"again"
    )
    return _chunk(b"RIFF", b"sfbk" + body), text


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("font", type=Path, help="FluidR3Mono_GM.sf3, as Debian packages it")
    parser.add_argument("--output", type=Path, default=SHIPPED, help="where to write; the package's own file")
    options = parser.parse_args()
    content, text = build(Source(options.font))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(options.output) as temporary:
        temporary.write_bytes(content)
    sys.stdout.write(f"{options.output}: {len(content) / 1e6:.2f} MB, {text}\n")


if __name__ == "__main__":
    main()
