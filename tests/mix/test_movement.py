"""How much music moves, on music whose answer is known."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from mix_signals import SAMPLE_RATE, noise
from numpy.typing import NDArray
from scipy.signal import stft

from riffcomposer.mix.blocks import ArrayReader, Audio
from riffcomposer.mix.movement import Movement, WindowFigures, measure_movement
from riffcomposer.mix.movement_report import movement_line, movement_report

STEP = 112896
"""Samples of 2.56 s."""

MINUTES = 40


def chords(roots: list[int], length: int = STEP, channels: int = 1) -> Audio:
    """Major triads, `length` samples each, on roots in semitones above 220 Hz, struck four times each."""
    time = np.arange(length) / SAMPLE_RATE
    decay = np.exp(-4 * (time % (length / SAMPLE_RATE / 4)))
    parts = []
    for root in roots:
        tones = [np.sin(2 * np.pi * 220 * 2 ** ((root + above) / 12) * time) for above in (0, 4, 7)]
        parts.append(0.2 * decay * np.sum(tones, axis=0))
    return np.tile(np.concatenate(parts), (channels, 1)).astype(np.float32)


def measure(audio: Audio, **options: object) -> Movement:
    return measure_movement(ArrayReader(audio), SAMPLE_RATE, **options)  # type: ignore[arg-type]


def by_definition(audio: Audio) -> tuple[float, float, float, float]:
    """New harmony, two steps earlier, all pairs and texture of a window, by scipy's transform."""
    mono = audio.mean(axis=0, dtype=np.float64)
    hertz, _, spectrum = stft(mono, SAMPLE_RATE, nperseg=16384, noverlap=12288)
    magnitude: NDArray[np.float64] = np.asarray(np.abs(spectrum))
    steps = len(mono) // STEP
    members = [np.flatnonzero(np.arange(magnitude.shape[1]) * 4096 // STEP == step) for step in range(steps)]
    pitch_class = [round(12 * np.log2(f / 440)) % 12 if 80 < f < 2000 else -1 for f in hertz]
    rows: list[NDArray[np.float64]] = []
    for number in range(12):
        row: NDArray[np.float64] = np.asarray(magnitude[np.array(pitch_class) == number].sum(axis=0))
        rows.append(np.array([row[frames].mean() for frames in members]))
    chroma = np.array(rows).T
    chroma -= chroma.mean(axis=1)[:, None]
    alike: NDArray[np.float64] = np.asarray(np.corrcoef(chroma))
    heard: list[int] = []
    for step in range(steps):
        if not heard or max(alike[step, before] for before in heard) < 0.85:
            heard.append(step)
    edges = 60 * 150 ** (np.arange(25) / 24)
    texture = np.zeros((steps, 24))
    for band in range(24):
        inside = (hertz >= edges[band]) & (hertz < edges[band + 1])
        row = np.log(np.asarray(magnitude[inside].mean(axis=0)) + 1e-6)
        texture[:, band] = [row[frames].mean() for frames in members]
    rms = np.sqrt(np.square(texture - texture.mean(axis=0)).mean(axis=1))
    pairs = alike[np.triu_indices(steps, 1)].mean()
    return len(heard) / steps, np.diag(alike, -2).mean(), pairs, 20 * np.log10(np.e) * rms.mean()


def test_the_excerpt_is_measured_by_its_definition() -> None:
    rng = np.random.default_rng(3)
    audio = chords(rng.integers(0, 12, 40).tolist(), channels=2) + noise(102.4, 0.01, 2)
    audio *= np.linspace(0.1, 1, audio.shape[1], dtype=np.float32)
    excerpt = measure(audio).excerpt
    assert excerpt is not None
    assert excerpt.start_s == 10
    got = (excerpt.new_harmony, excerpt.two_steps_earlier, excerpt.all_pairs, excerpt.texture_db)
    start = 10 * SAMPLE_RATE
    assert got == pytest.approx(by_definition(audio[:, start : start + 24 * STEP]), abs=0.001)


def test_a_loop_moves_less_than_a_song() -> None:
    loop, song = measure(chords([0, 5] * 20)), measure(chords([0, 9, 5, 2, 11, 7, 4, 1] * 5))
    assert loop.median is not None
    assert song.median is not None
    assert loop.median.new_harmony < 0.15
    assert song.median.new_harmony > 0.25
    assert loop.median.two_steps_earlier > 0.95
    assert song.median.two_steps_earlier < 0.3


def test_bars_are_compared_with_those_a_clip_earlier() -> None:
    bar = 90000
    audio = chords([0, 6, 3] * 12, bar)
    for lag, alike in ((3, True), (2, False)):
        bars = measure(audio, samples_per_bar=Fraction(bar), clip_bars=lag).bars
        assert bars is not None
        assert (bars.bars, bars.lag_bars, bars.new_harmony) == (36, lag, pytest.approx(3 / 36))
        assert (bars.loop_earlier > 0.99) is alike


def test_the_windows_cover_the_track_and_the_worst_is_named() -> None:
    song = [0, 9, 5, 2, 11, 7, 4, 1, 10, 6, 3, 8]
    movement = measure(chords([*song, *song, *[0] * 30, *song, *song]))
    starts = [window.start_s for window in movement.windows]
    assert starts == pytest.approx([10, 52.75, 95.49, 138.24], abs=0.01)
    worst = movement.worst
    assert worst is not None
    assert worst is movement.windows[1]
    assert worst.new_harmony < 0.2


@pytest.mark.parametrize("bar", [STEP, 100000])
def test_two_minutes_that_are_alike_are_found_wherever_they_begin(bar: int) -> None:
    rng = np.random.default_rng(5)
    minute = int(np.ceil(60 * SAMPLE_RATE / bar))
    roots = rng.integers(0, 12, 130)
    before = measure(chords(roots.tolist(), bar), samples_per_bar=Fraction(bar), clip_bars=2).minutes
    roots[90 : 90 + minute] = roots[11 : 11 + minute]
    found = measure(chords(roots.tolist(), bar), samples_per_bar=Fraction(bar), clip_bars=2).minutes
    assert before is not None
    assert found is not None
    assert before.greatest < 0.7
    assert found.greatest > 0.99
    assert found.mean < 0.5
    assert (found.first_s, found.second_s) == pytest.approx((11 * bar / 44100, 90 * bar / 44100))


def test_what_is_too_short_says_so() -> None:
    movement = measure(chords([0, 5] * 6))
    assert movement.excerpt is None
    assert movement.median is movement.worst is None
    report = movement_report(movement, 30.72)
    assert movement_line(report) == "movement: too short to tell, which takes 34 s"
    assert measure(np.zeros((2, 0), np.float32)).excerpt is None


def test_silence_does_not_move() -> None:
    movement = measure(np.zeros((2, 80 * SAMPLE_RATE), np.float32))
    assert movement.median is not None
    assert movement.median.texture_db == 0


def test_the_verdict_compares_with_human_music() -> None:
    window = WindowFigures(10, 0.08, 0.97, 0.9, 2.0)
    movement = Movement(window, (window,), None, None)
    assert movement_report(movement, 70)["verdict"] == (
        "harmony and texture move less than in three of four human tracks"
    )
    window = replace(window, new_harmony=0.43, texture_db=7.5)
    line = movement_line(movement_report(Movement(window, (window,), None, None), 70))
    assert line == (
        "movement: new harmony 0.43 (human music 0.43), two steps earlier 0.97 (0.56), texture 7.5 dB (5.7): "
        "harmony moves as in human music, texture more than in three of four human tracks"
    )


class Repeated:
    """A long track that needs no memory: one stretch over and over."""

    def __init__(self, stretch: Audio, samples: int) -> None:
        self.channels, self.samples, self._stretch = len(stretch), samples, stretch

    def read(self, start: int, stop: int) -> Audio:
        first = start % self._stretch.shape[1]
        times = -(-(first + stop - start) // self._stretch.shape[1])
        return np.tile(self._stretch, (1, times))[:, first : first + stop - start]


def test_a_long_track_is_measured_in_bounded_memory() -> None:
    track = Repeated(chords([0, 9, 5, 2], channels=2), MINUTES * 60 * SAMPLE_RATE)
    tracemalloc.start()
    movement = measure_movement(track, SAMPLE_RATE, samples_per_bar=Fraction(STEP), clip_bars=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * 2**20
    assert movement.minutes is not None
    assert movement.minutes.greatest > 0.99
