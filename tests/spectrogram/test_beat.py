"""The tempo of recordings, on signals that the tests make."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from riffcomposer.spectrogram.beat import CERTAIN, measure_tempo

RATE = 22050
Audio = NDArray[np.float32]
Pattern = list[tuple[float, str]]
"""Beats of a bar at which something is struck, and what."""


def struck(kind: str) -> Audio:
    """One stroke."""
    rng = np.random.default_rng(7)
    time = np.arange(int(0.15 * RATE)) / RATE
    if kind == "kick":
        sound = 0.9 * np.sin(2 * np.pi * (55 * time + 4 * (1 - np.exp(-time * 30)))) * np.exp(-time * 18)
    elif kind == "bass":
        sound = 0.4 * np.sin(2 * np.pi * 82 * time) * np.exp(-time * 12)
    else:
        decay, level = {"snare": (25, 0.5), "hat": (90, 0.15), "click": (120, 0.6)}[kind]
        sound = level * rng.standard_normal(len(time)) * np.exp(-time * decay)
    return sound.astype(np.float32)


def played(times: list[tuple[float, str]], seconds: float, hiss: float = 0.001) -> Audio:
    """Strokes at times in seconds, over a little noise."""
    rng = np.random.default_rng(11)
    audio = (hiss * rng.standard_normal((1, int(seconds * RATE)))).astype(np.float32)
    sounds = {kind: struck(kind) for _, kind in times}
    for at, kind in times:
        start = round(at * RATE)
        part = audio[0, start : start + len(sounds[kind])]
        part += sounds[kind][: len(part)]
    return audio


def steady(pattern: Pattern, bpm: float, meter: int, seconds: float, start: float = 0.0) -> Audio:
    """A bar over and over, from `start` on."""
    beat = 60 / bpm
    bars = int((seconds - start) / beat / meter)
    times = [(start + (bar * meter + at) * beat, kind) for bar in range(bars) for at, kind in pattern]
    return played(times, seconds)


def clicks(meter: int = 4) -> Pattern:
    return [(0.0, "kick"), *[(float(beat), "click") for beat in range(meter)]]


ROCK: Pattern = [
    (0.0, "bass"),
    *[(at, "kick") for at in (0.0, 2.0, 2.5)],
    *[(at, "snare") for at in (1.0, 3.0)],
    *[(beat / 2, "hat") for beat in range(8)],
]
SWING: Pattern = [
    (0.0, "kick"),
    (0.0, "bass"),
    (2.0, "kick"),
    *[(beat + at, "hat") for beat in range(4) for at in (0.0, 2 / 3)],
    (1.0, "snare"),
    (3.0, "snare"),
]
OFF_BEAT_BASS: Pattern = [
    (0.0, "kick"),
    *[(float(beat), "kick") for beat in range(4)],
    *[(beat + 0.5, "bass") for beat in range(4)],
    *[(beat + 0.5, "hat") for beat in range(4)],
]
FIVE: Pattern = [
    (0.0, "bass"),
    (0.0, "kick"),
    (3.0, "kick"),
    *[(float(beat), "hat") for beat in range(5)],
    (2.0, "snare"),
    (4.0, "snare"),
]


STEADY: list[tuple[Pattern, float, int]] = [
    *[(clicks(), bpm, 4) for bpm in (61.7, 75.0, 93.75, 120.0, 133.33, 174.0)],
    (clicks(3), 97.3, 3),
    *[(ROCK, bpm, 4) for bpm in (70.0, 93.75, 118.4, 140.0)],
    (SWING, 104.2, 4),
    (SWING, 132.0, 4),
    (OFF_BEAT_BASS, 125.0, 4),
    (FIVE, 111.1, 5),
    (FIVE, 83.0, 5),
]


@pytest.mark.parametrize(
    ("pattern", "bpm", "meter", "start"),
    [(*row, (0.0, 0.7)[number % 2]) for number, row in enumerate(STEADY)],
)
def test_steady_music(pattern: Pattern, bpm: float, meter: int, start: float) -> None:
    tempo = measure_tempo(steady(pattern, bpm, meter, 60, start), RATE, meter_beats=meter)
    assert tempo.bpm == pytest.approx(bpm, rel=5e-4)
    assert tempo.certainty > CERTAIN
    assert tempo.first_beat_s == pytest.approx(start, abs=0.01)


def test_minutes_of_it_to_a_ten_thousandth() -> None:
    tempo = measure_tempo(steady(ROCK, 97.31, 4, 200, 0.3), RATE, meter_beats=4)
    assert tempo.bpm == pytest.approx(97.31, rel=1e-4)
    assert tempo.first_beat_s == pytest.approx(0.3, abs=0.01)


def test_a_tempo_above_180_needs_a_hint() -> None:
    audio = steady(clicks(), 190, 4, 60, 0.7)
    assert measure_tempo(audio, RATE, meter_beats=4).bpm == pytest.approx(95, rel=5e-4)
    hinted = measure_tempo(audio, RATE, meter_beats=4, hint=186)
    assert hinted.bpm == pytest.approx(190, rel=5e-4)
    assert hinted.first_beat_s == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize(("hint", "expected"), [(95.0, 96.0), (190.0, 192.0), (48.0, 48.0)])
def test_a_hint_chooses_the_octave(hint: float, expected: float) -> None:
    tempo = measure_tempo(steady(ROCK, 96, 4, 40), RATE, meter_beats=4, hint=hint)
    assert tempo.bpm == pytest.approx(expected, rel=1e-3)


def noise(seconds: float) -> Audio:
    return (0.2 * np.random.default_rng(1).standard_normal((2, int(seconds * RATE)))).astype(np.float32)


def pad(seconds: float) -> Audio:
    """Chords that swell at no regular times."""
    rng = np.random.default_rng(5)
    time = np.arange(int(seconds * RATE)) / RATE
    sound = np.zeros(len(time))
    for at in np.cumsum(rng.uniform(1, 6, 60)):
        for root in rng.choice(24, 3):
            # What is further away is more than 100 dB down.
            near = slice(max(0, int((at - 6) * RATE)), max(0, int((at + 6) * RATE)))
            envelope = np.exp(-(((time[near] - at) / 1.5) ** 2))
            sound[near] += 0.1 * envelope * np.sin(2 * np.pi * 110 * 2 ** (root / 12) * time[near])
    return sound[None].astype(np.float32)


def drifting(seconds: float) -> Audio:
    """Clicks from 112 to 128 BPM."""
    times, at = [], 0.0
    while at < seconds:
        times.append((at, "click"))
        at += 60 / (112 + 16 * at / seconds)
    return played(times, seconds)


def rubato(seconds: float) -> Audio:
    """Beats each of which is up to a third longer or shorter than the others."""
    rng = np.random.default_rng(3)
    times = [(at, "click") for at in np.cumsum(0.6 * rng.uniform(0.67, 1.33, int(seconds))).tolist()]
    return played(times, seconds)


@pytest.mark.parametrize("made", [noise, pad, drifting, rubato])
@pytest.mark.parametrize("seconds", [20, 90])
def test_what_has_no_steady_tempo_is_uncertain(made: Callable[[float], Audio], seconds: float) -> None:
    assert measure_tempo(made(seconds), RATE, meter_beats=4).certainty < CERTAIN


def test_what_has_no_onsets_has_no_tempo() -> None:
    for audio in (np.zeros((2, 20 * RATE), np.float32), np.zeros((1, 0), np.float32), noise(1)):
        assert measure_tempo(audio, RATE, meter_beats=4).certainty == 0


def test_level_and_rate_do_not_matter() -> None:
    audio = steady(ROCK, 101, 4, 40, 0.4)
    loud = measure_tempo(audio, RATE, meter_beats=4)
    soft = measure_tempo(audio * np.float32(0.1), RATE, meter_beats=4)
    twice = measure_tempo(np.repeat(audio, 2, axis=1), 2 * RATE, meter_beats=4)
    for other in (soft, twice):
        assert other.bpm == pytest.approx(loud.bpm, rel=2e-4)
        assert other.first_beat_s == pytest.approx(loud.first_beat_s, abs=0.005)


def test_an_hour_takes_no_more_memory_than_minutes() -> None:
    five = steady(ROCK, 120, 4, 300)

    class Long:
        """An hour that repeats five minutes."""

        shape = (1, 12 * five.shape[1])

        def __getitem__(self, key: tuple[slice, slice]) -> Audio:
            return np.take(five, np.arange(*key[1].indices(self.shape[1])), axis=1, mode="wrap")

    tracemalloc.start()
    tempo = measure_tempo(Long(), RATE, meter_beats=4)  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert tempo.bpm == pytest.approx(120, rel=1e-4)
    assert peak < 80 * 2**20
