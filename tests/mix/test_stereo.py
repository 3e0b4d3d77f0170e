"""Stereo width: the mono sum is the original, and levels are kept."""

from __future__ import annotations

import numpy as np
import pytest
from mix_signals import SAMPLE_RATE, noise, plucks
from scipy.signal import butter, sosfiltfilt

from riffcomposer.mix.blocks import ArrayReader
from riffcomposer.mix.stereo import WideReader, side_filter


def widen(audio: np.ndarray, width: float, *, wraps: bool = False) -> np.ndarray:
    return WideReader(ArrayReader(audio), width, SAMPLE_RATE, wraps=wraps).read(0, audio.shape[1])


def band_power(audio: np.ndarray, low: float, high: float) -> np.ndarray:
    sos = butter(6, [low, high], "bandpass", fs=SAMPLE_RATE, output="sos")
    return np.square(sosfiltfilt(sos, audio.astype(np.float64), axis=1)).mean(axis=1)


@pytest.mark.parametrize("width", [0.4, 1.0])
@pytest.mark.parametrize("audio", [noise(4), plucks(4, channels=1)], ids=["noise", "plucks"])
def test_the_mono_sum_loses_less_than_a_decibel_in_any_octave(audio: np.ndarray, width: float) -> None:
    wide = widen(audio, width)
    for low in (31, 62, 125, 250, 500, 1000, 2000, 4000, 8000):
        stereo = band_power(wide, low, 2 * low).mean()
        mono = band_power(wide.mean(axis=0, keepdims=True), low, 2 * low)[0]
        assert 10 * np.log10(stereo / mono) < 1.0, f"octave from {low} Hz"


def test_the_mono_sum_is_the_mono_track() -> None:
    audio = noise(2)
    np.testing.assert_allclose(widen(audio, 1.0).mean(axis=0), audio[0], atol=1e-7)


def test_it_is_mono_below_150_hz_and_wide_above() -> None:
    wide = widen(noise(6), 1.0)
    side, mid = wide[:1] - wide[1:], wide[:1] + wide[1:]

    def ratio_db(low: float, high: float) -> float:
        return float(10 * np.log10(band_power(side, low, high) / band_power(mid, low, high))[0])

    assert ratio_db(20, 90) < -25
    for low in (300, 1000, 4000):
        assert ratio_db(low, 2 * low) == pytest.approx(20 * np.log10(0.494), abs=0.3)


def test_both_sides_are_equally_loud() -> None:
    wide = widen(noise(4), 1.0)
    for low in (250, 500, 1000, 2000, 4000, 8000):
        left, right = band_power(wide, low, 2 * low)
        assert abs(10 * np.log10(left / right)) < 0.6


def test_an_attack_stays_sharp() -> None:
    # 90 % of the side's energy above 1 kHz lies within 5 ms.
    from scipy.signal import butter, sosfilt

    taps = sosfilt(butter(4, 1000, "highpass", fs=SAMPLE_RATE, output="sos"), side_filter(SAMPLE_RATE))
    energy = np.cumsum(np.square(taps)) / np.square(taps).sum()
    assert np.searchsorted(energy, 0.95) - np.searchsorted(energy, 0.05) < 0.005 * SAMPLE_RATE


def test_blocks_agree_with_the_whole() -> None:
    reader = WideReader(ArrayReader(noise(1)), 0.7, SAMPLE_RATE)
    parts = [reader.read(s, min(s + 9999, reader.samples)) for s in range(0, reader.samples, 9999)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), reader.read(0, reader.samples), atol=1e-6)


def test_a_loop_is_filtered_round_its_seam() -> None:
    audio = noise(0.5)
    twice = widen(np.concatenate([audio, audio, audio], axis=1), 1.0)
    np.testing.assert_allclose(widen(audio, 1.0, wraps=True), twice[:, 22050:44100], atol=1e-6)


def test_stereo_passes_and_width_zero_is_mono() -> None:
    stereo = noise(0.2, channels=2)
    np.testing.assert_array_equal(widen(stereo, 1.0), stereo)
    left, right = widen(stereo[:1], 0.0)
    np.testing.assert_array_equal(left, right)
