"""Layers in the mix: their sum, pan, gates, fades, chains and stems, in bounded memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mix_signals import SAMPLE_RATE, Effect, mix, noise

from riffcomposer.errors import AudioError
from riffcomposer.mix.blocks import BLOCK_SAMPLES, Audio
from riffcomposer.mix.loudness import LoudnessMeter, measure
from riffcomposer.mix.mixdown import MixPassage, MixSection, mixdown
from riffcomposer.mix.mixed_layers import MixLayer, gate_gain, pan_gains

SECOND = SAMPLE_RATE
LENGTH = 3 * SECOND
REVERB = Effect("reverb", {"room_size": 0.8, "wet_level": 0.5})


def audio_of(layer: MixLayer) -> np.ndarray:
    assert isinstance(layer.audio, np.ndarray)
    return layer.audio


def layer(name: str, seed: int, **fields: Any) -> MixLayer:
    return MixLayer(name, noise(LENGTH / SECOND, seed=seed), **fields)


def passage(*layers: MixLayer, tail: int = 0, **fields: Any) -> MixPassage:
    section = MixSection("verse", 0, LENGTH - tail, **fields)
    return MixPassage(layers, 0, LENGTH - tail, (section,), tail_samples=tail)


def follower(tail: int) -> MixPassage:
    start = LENGTH - tail
    silence = np.zeros((1, LENGTH), np.float32)
    return MixPassage(silence, start, LENGTH, (MixSection("after", start, start + LENGTH, tail),))


def test_layers_that_are_left_as_they_are_add_up(tmp_path: Path) -> None:
    one, two = layer("one", 1), layer("two", 2)
    result, _ = mix(tmp_path, [passage(one, two)])
    inner = slice(500, -500)
    np.testing.assert_allclose(
        result[:, inner], np.repeat((audio_of(one) + audio_of(two)), 2, 0)[:, inner], atol=1e-6
    )


def test_what_a_section_does_it_does_to_the_sum(tmp_path: Path) -> None:
    one, two = layer("one", 1), layer("two", 2)
    tail = 4000
    fields: dict[str, Any] = {
        "gain_db": -4.0,
        "fade_in_samples": 9000,
        "fade_out_samples": 7000,
        "chain": (Effect("compressor", {"threshold_db": -20, "ratio": 4}), REVERB),
    }
    whole = replace(passage(tail=tail, **fields), audio=audio_of(one) + audio_of(two))
    layered = passage(one, two, tail=tail, **fields)
    expected, _ = mix(tmp_path, [whole, follower(tail)], width=0.5)
    result, _ = mix(tmp_path, [layered, follower(tail)], width=0.5)
    np.testing.assert_allclose(result, expected, atol=2e-6)


def test_the_middle_is_unchanged_and_a_side_is_three_decibels_up() -> None:
    assert pan_gains(0).tolist() == [[1], [1]]
    np.testing.assert_allclose(pan_gains(-1), [[np.sqrt(2)], [0]], atol=1e-7)
    np.testing.assert_allclose(pan_gains(1), [[0], [np.sqrt(2)]], atol=1e-7)


@given(st.floats(-1, 1))
def test_the_power_is_the_same_wherever_a_layer_is(pan: float) -> None:
    left, right = pan_gains(pan)[:, 0]
    assert left**2 + right**2 == pytest.approx(2, abs=1e-5)
    assert min(left, right) >= 0
    np.testing.assert_allclose(pan_gains(-pan)[:, 0], [right, left], atol=1e-6)


def test_gain_pan_and_fades_of_a_layer_are_its_own(tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        "gain_db": -6.0,
        "pan": -1.0,
        "fade_in_samples": SECOND,
        "fade_out_samples": SECOND,
    }
    quiet = MixLayer("other", np.zeros((1, LENGTH), np.float32))
    one = layer("one", 1, **fields)
    result, _ = mix(tmp_path, [passage(one, quiet)])
    assert np.abs(result[1]).max() == 0
    gain = np.sqrt(2) * 10 ** (-6 / 20)
    middle = slice(SECOND, 2 * SECOND)
    np.testing.assert_allclose(result[0, middle], gain * audio_of(one)[0, middle], atol=1e-6)
    half = np.array([SECOND // 2, LENGTH - SECOND // 2])
    np.testing.assert_allclose(result[0, half], 0.5 * gain * audio_of(one)[0, half], atol=1e-4)
    assert np.abs(result[0, [0, -1]]).max() < 1e-4


def test_a_gate_is_smooth_between_its_points_and_holds_outside() -> None:
    gate = ((100, 0.0), (200, 1.0), (300, 1.0), (400, 0.0))
    gains = gate_gain(gate, np.arange(0, 500))
    assert gains[:101].tolist() == [0] * 101
    assert gains[200:301].tolist() == [1] * 101
    assert gains[400:].tolist() == [0] * 100
    assert gains[150] == pytest.approx(0.5)
    assert np.abs(np.diff(gains)).max() < 0.02


def test_a_gated_layer_is_silent_where_it_waits(tmp_path: Path) -> None:
    waits = layer("one", 1, gate=((SECOND, 0.0), (2 * SECOND, 1.0)))
    quiet = MixLayer("other", np.zeros((1, LENGTH), np.float32))
    result, _ = mix(tmp_path, [passage(waits, quiet)])
    assert np.abs(result[:, :SECOND]).max() == 0
    late = slice(2 * SECOND, LENGTH - 500)
    np.testing.assert_allclose(result[0, late], audio_of(waits)[0, late], atol=1e-6)


def test_a_chain_of_a_layer_leaves_the_others(tmp_path: Path) -> None:
    low = layer("low", 1, chain=(Effect("lowpass", {"cutoff_frequency_hz": 100}),), pan=-1)
    plain = layer("plain", 2, pan=1)
    result, _ = mix(tmp_path, [passage(low, plain)])
    inner = slice(500, -500)
    np.testing.assert_allclose(result[1, inner], np.sqrt(2) * audio_of(plain)[0, inner], atol=1e-6)
    assert np.sqrt(np.square(result[0]).mean()) < 0.2 * np.sqrt(np.square(result[1]).mean())


def test_the_reverb_of_a_layer_rings_on_over_the_next_section(tmp_path: Path) -> None:
    tail = 200
    wet = layer("wet", 1, chain=(REVERB,))
    result, _ = mix(tmp_path, [passage(wet, layer("dry", 2), tail=tail), follower(tail)])
    after = result[:, LENGTH : LENGTH + SECOND // 2]
    assert np.sqrt(np.square(after).mean()) > 1e-3
    dry, _ = mix(tmp_path, [passage(layer("wet", 1), layer("dry", 2), tail=tail), follower(tail)])
    assert np.abs(dry[:, LENGTH:]).max() == 0


@pytest.mark.parametrize("loop", [False, True])
def test_stems_of_layers_add_up_to_the_mix(tmp_path: Path, loop: bool) -> None:
    tail = 4000
    chain = (
        Effect("highpass", {"cutoff_frequency_hz": 200}),
        Effect("delay", {"delay_seconds": 0.2, "mix": 0.3}),
    )
    layers = [
        layer("a", 1, pan=0.4, chain=(REVERB,)),
        layer("b", 2, gain_db=-3),
        layer("c", 3, gate=((9, 0.0),)),
    ]
    last = replace(follower(tail), audio=noise(4, seed=5), tail_samples=tail if loop else 0)
    first = replace(passage(*layers, tail=tail, chain=chain, gain_db=-2, entry_samples=tail if loop else 0))
    result, stems = mix(tmp_path, [first, last], stems=4, loop=loop)
    np.testing.assert_allclose(np.sum(stems, axis=0), result, atol=5e-6)
    assert np.abs(stems[2]).max() == 0
    assert min(np.abs(stem).max() for stem in (stems[0], stems[1], stems[3])) > 0.01


def test_a_section_without_layers_keeps_its_one_stem(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="3 sections and layers"):
        mix(tmp_path, [passage(layer("a", 1), layer("b", 2), tail=10), follower(10)], stems=2)


def test_the_meter_of_a_layer_measures_what_it_adds(tmp_path: Path) -> None:
    meter = LoudnessMeter(2, SAMPLE_RATE, true_peak=False)
    one = layer("one", 1, gain_db=-5, pan=-0.3, meter=meter)
    quiet = MixLayer("other", np.zeros((1, LENGTH), np.float32))
    total = passage(one, quiet)
    # With a stem the layer is played twice and measured once.
    track, _ = mixdown(
        [total],
        total_samples=LENGTH,
        sample_rate=SAMPLE_RATE,
        stereo_width=0.0,
        loop=False,
        path=tmp_path / "mix.f32",
        stem_paths=[tmp_path / "one.f32", tmp_path / "two.f32"],
    )
    measured, expected = meter.result(), measure(track, SAMPLE_RATE)
    assert measured.samples == LENGTH
    assert measured.integrated_lufs == pytest.approx(expected.integrated_lufs, abs=0.01)


class Watched:
    """Silence of any length that notes the most that is read of it at once."""

    def __init__(self, samples: int) -> None:
        self.channels, self.samples, self.most = 1, samples, 0

    def read(self, start: int, stop: int) -> Audio:
        self.most = max(self.most, stop - start)
        return np.zeros((1, stop - start), np.float32)


def test_one_block_of_each_layer_is_in_memory_at_a_time(tmp_path: Path) -> None:
    readers = [Watched(10 * BLOCK_SAMPLES) for _ in range(3)]
    layers = tuple(MixLayer(str(number), reader) for number, reader in enumerate(readers))
    samples = readers[0].samples
    mix(tmp_path, [MixPassage(layers, 0, samples, (MixSection("a", 0, samples),))], width=0.5)
    # The filter of the stereo width reads a little around a block.
    assert max(reader.most for reader in readers) < 1.1 * BLOCK_SAMPLES


def test_layers_belong_to_one_section(tmp_path: Path) -> None:
    both = passage(layer("a", 1), layer("b", 2))
    half = LENGTH // 2
    sections = (MixSection("a", 0, half), MixSection("b", half, LENGTH))
    with pytest.raises(AudioError, match="one section"):
        mix(tmp_path, [replace(both, sections=sections)])
    short = replace(both, audio=(MixLayer("a", noise(1)), layer("b", 2)))
    with pytest.raises(AudioError, match="needs"):
        mix(tmp_path, [short])
