"""The limiter: it keeps its ceiling, adds no delay, and more gain never makes the result quieter."""

from __future__ import annotations

import numpy as np
import pytest
from mix_signals import SAMPLE_RATE, noise, strokes

from riffcomposer.mix.blocks import ArrayReader
from riffcomposer.mix.limiter import Limiter
from riffcomposer.mix.loudness import measure


def limited(audio: np.ndarray, ceiling_db: float = -1.0, block: int = 1 << 17) -> np.ndarray:
    limiter = Limiter(ceiling_db, audio.shape[0], SAMPLE_RATE)
    padded = np.concatenate([audio, np.zeros((audio.shape[0], 1000), np.float32)], axis=1)
    parts = [limiter.push(padded[:, start : start + block]) for start in range(0, padded.shape[1], block)]
    return np.concatenate(parts, axis=1)[:, : audio.shape[1]]


@pytest.mark.parametrize("drive_db", [0, 6, 12, 24])
def test_the_ceiling_holds(drive_db: float) -> None:
    audio = strokes(2) * np.float32(10 ** (drive_db / 20))
    assert measure(ArrayReader(limited(audio)), SAMPLE_RATE).true_peak_dbtp <= -0.95


def test_below_the_ceiling_nothing_changes() -> None:
    audio = noise(1, 0.05, 2)
    np.testing.assert_array_equal(limited(audio), audio)


@pytest.mark.parametrize("block", [37, 1000, 44100])
def test_blocks_do_not_matter(block: int) -> None:
    audio = strokes(0.5) * 3
    np.testing.assert_allclose(limited(audio, block=block), limited(audio), atol=1e-6)


def test_more_gain_is_never_quieter() -> None:
    audio = strokes(3)
    loudness = [
        measure(ArrayReader(limited(audio * np.float32(10 ** (drive / 20)))), SAMPLE_RATE).integrated_lufs
        for drive in range(0, 28, 4)
    ]
    assert np.all(np.diff(loudness) > 0.1)


def test_channels_are_turned_down_alike() -> None:
    audio = noise(1, 0.1, 2)
    audio[0] *= 20
    result = limited(audio)
    loud = np.abs(audio[0]) > 0.01
    ratio = (result[0] / audio[0] - result[1] / audio[1])[loud & (np.abs(audio[1]) > 0.01)]
    assert np.abs(ratio).max() < 1e-5


def test_it_lets_go_at_a_steady_rate() -> None:
    audio = np.full((1, SAMPLE_RATE), 0.1, np.float32)
    audio[0, 5000] = 8.0
    reduction = -20 * np.log10(limited(audio)[0] / audio[0])
    fall = reduction[8000] - reduction[10205]  # 50 ms at 100 dB/s
    assert fall == pytest.approx(5, abs=0.1)
    assert reduction[4000] == pytest.approx(0, abs=1e-6)
    assert reduction[-1] == pytest.approx(0, abs=1e-6)
