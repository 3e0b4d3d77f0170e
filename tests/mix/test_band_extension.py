"""Band extension: what is copied where, and how loud; ranges, loops and sample rates."""

from __future__ import annotations

import numpy as np
import pytest
from mix_signals import SAMPLE_RATE, noise

from riffcomposer.mix.band_extension import LEVELS_DB, ExtendedReader, can_extend
from riffcomposer.mix.blocks import ArrayReader

TOP = 10_000.0


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)[None]


def peaks(audio: np.ndarray) -> dict[int, float]:
    """Level in dB of every tone against the loudest, by its frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(audio[0] * np.hanning(audio.shape[1])))
    level = 20 * np.log10(spectrum / spectrum.max() + 1e-9)
    inner = (level[1:-1] > level[:-2]) & (level[1:-1] >= level[2:]) & (level[1:-1] > -50)
    return {int(bin) + 1: float(level[bin + 1]) for bin in np.flatnonzero(inner)}


def test_a_tone_near_the_top_is_heard_again_above_it() -> None:
    extended = ExtendedReader(ArrayReader(tone(8000)), TOP, SAMPLE_RATE)
    found = peaks(extended.read(0, SAMPLE_RATE))
    assert found == pytest.approx({8000: 0.0, 11_000: LEVELS_DB[0], 14_000: LEVELS_DB[1]}, abs=0.2)


@pytest.mark.parametrize("hertz", [200, 3000, 6500])
def test_what_is_below_the_source_band_stays_as_it_is(hertz: float) -> None:
    audio = tone(hertz)
    extended = ExtendedReader(ArrayReader(audio), TOP, SAMPLE_RATE).read(1000, 40_000)
    assert np.abs(extended - audio[:, 1000:40_000]).max() < 1e-3


def test_any_range_reads_the_same() -> None:
    reader = ExtendedReader(ArrayReader(noise(0.5, channels=2)), TOP, SAMPLE_RATE)
    whole = reader.read(0, reader.samples)
    assert whole.shape == (2, reader.samples)
    for start, stop in ((0, 700), (699, 15_001), (15_001, reader.samples)):
        np.testing.assert_allclose(reader.read(start, stop), whole[:, start:stop], atol=1e-5)


def test_a_loop_has_no_seam() -> None:
    """A tone that fits the loop stays a tone across the seam, copies included."""
    samples = 44_000
    time = np.arange(samples)
    audio = np.sin(2 * np.pi * 8000 * time / samples).astype(np.float32)[None]
    reader = ExtendedReader(ArrayReader(audio), TOP, SAMPLE_RATE, wraps=True)
    rolled = np.roll(reader.read(0, samples), samples // 2, axis=1)
    spectrum = np.abs(np.fft.rfft(rolled[0]))
    loud = spectrum > 1e-3 * spectrum.max()
    assert loud.sum() == 3


def test_whether_there_is_room() -> None:
    assert can_extend(TOP, 44_100)
    assert not can_extend(TOP, 22_050)
    reader = ExtendedReader(ArrayReader(tone(8000)), TOP, 32_000)
    spectrum = np.abs(np.fft.rfft(reader.read(0, 32_000)[0]))
    assert len(reader._copies) == 1
    assert spectrum.shape == (16_001,)
