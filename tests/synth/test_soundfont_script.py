"""The script that makes the font which ships: thinning, encoding, and a file that can be read again."""

from __future__ import annotations

import importlib.util
import io
import struct
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from riffcomposer.composer.theory import Note
from riffcomposer.synth.soundfont_choice import SHIPPED
from riffcomposer.synth.soundfont_file import Wave
from riffcomposer.synth.soundfont_player import SoundFontPlayer
from riffcomposer.synth.voices import SAMPLE_RATE

SCRIPT = Path(__file__).parents[2] / "scripts" / "soundfont.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("soundfont_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


class _Sizes:
    """A font whose sample `n` was recorded at key `n` and has the given bytes."""

    def __init__(self, sizes: dict[int, int]) -> None:
        self.sizes = sizes
        self.records = {"shdr": {key: {"key": key} for key in sizes}}

    def size(self, sample: int) -> int:
        return self.sizes[sample]


def _zones(script: ModuleType, roots: range) -> list:
    """Zones of one sample each, from the key after the last one's to their own root."""
    step = roots.step
    return [script.RawZone(((43, root - step + 1 | root << 8), (53, root)), ()) for root in roots]


def _keys(script: ModuleType, zones: list) -> list[tuple[int, int]]:
    return [script._keys(zone) for zone in zones]


def test_neighbours_are_dropped_and_their_keys_go_to_the_nearest(script: ModuleType) -> None:
    zones = _zones(script, range(40, 71, 2))
    source = _Sizes(dict.fromkeys(range(40, 71, 2), 100))
    (chain,) = script.chains(source, reversed(zones))
    assert chain == zones
    left = script.thinned(source, chain, set())
    roots = [zone.get(53, -1) for zone in left]
    assert max(np.diff(roots)) <= script.MOST_SEMITONES
    assert len(left) <= 8
    covered = [key for low, high in _keys(script, left) for key in range(low, high + 1)]
    assert covered == list(range(39, 71))
    distance = max(
        abs(zone.get(53, -1) - key) for zone in left for key in range(39, 71) if _in(script, zone, key)
    )
    assert distance <= 3


def _in(script: ModuleType, zone: object, key: int) -> bool:
    low, high = script._keys(zone)
    return bool(low <= key <= high)


def test_the_smaller_samples_stay_and_those_that_are_there_anyway(script: ModuleType) -> None:
    zones = _zones(script, range(40, 55, 2))
    heavy = _Sizes({root: 1000 if root % 4 == 0 else 10 for root in range(40, 55, 2)})
    assert {zone.get(53, -1) % 4 for zone in script.thinned(heavy, zones, set())} == {2}
    kept = {44, 48, 52, 40}
    assert {zone.get(53, -1) for zone in script.thinned(heavy, zones, kept)} <= kept | {42, 54}


def test_layers_are_chains_of_their_own(script: ModuleType) -> None:
    roots = range(40, 50, 2)
    source = _Sizes(dict.fromkeys(roots, 100))
    quiet, loud = (
        [script.RawZone(((44, span), *zone.generators), ()) for zone in _zones(script, roots)]
        for span in (0 | 63 << 8, 64 | 127 << 8)
    )
    assert sorted(map(len, script.chains(source, [*quiet, *loud]))) == [5, 5]


def test_a_loop_goes_on_smoothly_after_encoding(script: ModuleType) -> None:
    time = np.arange(30_000) / 44100
    tone = (0.5 * np.sin(2 * np.pi * 441 * time) * np.exp(-time)).astype(np.float32)
    wave = Wave(tone, 44100, 69, 0, (20_000, 29_930))  # not a whole number of periods
    content, loop = script.encode(wave, looped=True)
    decoded, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    assert rate == 44100
    assert loop is not None
    assert loop[1] - loop[0] == 9_930
    assert loop[1] + 3 <= len(decoded)
    assert script.seam(decoded, loop) < 0.5 * script.seam(tone, wave.loop)
    plain, none = script.encode(wave, looped=False)
    assert none is None
    assert len(soundfile.read(io.BytesIO(plain))[0]) == len(tone)


def test_a_stream_has_the_serial_number_that_it_is_given(script: ModuleType) -> None:
    noise = (0.1 * np.random.default_rng(0).standard_normal(100_000)).astype(np.float32)
    streams = [script.with_serial(script._encoded(noise, 44100), 7) for _ in range(2)]
    assert streams[0] == streams[1]
    pages = streams[0].count(b"OggS\0")
    assert streams[0].count(struct.pack("<I", 7), 0) >= pages > 2
    assert len(soundfile.read(io.BytesIO(streams[0]))[0]) == len(
        noise
    )  # libogg refuses a page of a wrong sum


def test_a_font_that_the_script_wrote_sounds_like_its_source(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = script.Source(SHIPPED)
    few = [
        preset for preset in source.presets if struct.unpack_from("<H", preset.head, 20)[0] in (14, 58, 73)
    ]
    monkeypatch.setattr(source, "presets", few)
    kept = {preset.head for preset in few}
    heads = [head for head in source.records["phdr"] if head.tobytes()[:24] in kept]
    monkeypatch.setitem(source.records, "phdr", heads)
    content, text = script.build(source)
    assert text.startswith(f"{len(few)} presets, ")
    path = tmp_path / "few.sf3"
    path.write_bytes(content)
    old, new = SoundFontPlayer([SHIPPED]), SoundFontPlayer([path])
    for program, pitch in ((14, 65), (58, 40), (73, 72)):
        notes = [Note(0.0, 0.8, pitch, 100)]
        before, after = (each.render(program, notes, 1.0, SAMPLE_RATE)[0] for each in (old, new))
        assert np.corrcoef(before, after)[0, 1] > 0.99
