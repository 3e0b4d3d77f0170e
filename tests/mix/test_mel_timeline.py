"""Clips laid on the grid: places, joins, interpolation, loops, memory."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.errors import AudioError
from riffcomposer.mix.mel_timeline import MelClip, MelTimeline, read_between
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters(num_frequencies=8)
HOP = PARAMS.hop_length


def power(timeline: MelTimeline, start: int, stop: int) -> np.ndarray:
    return np.square(timeline.read(start, stop).astype(np.float64))


def clip(start: int, slot: int, level: np.ndarray | float, width: int = 12, key: object = None) -> MelClip:
    if not isinstance(level, np.ndarray):
        level = np.full((1, 8, width), level, np.float32)
    return MelClip(start, slot, lambda: level, key if key is not None else id(level))


def timeline(clips: list[MelClip], *, tail: int = 0, wraps: bool = False, start: int = 0) -> MelTimeline:
    body = sum(entry.slot_samples for entry in clips) - tail
    return MelTimeline(
        clips, start_sample=start, body_samples=body, tail_samples=tail, params=PARAMS, wraps=wraps
    )


@settings(max_examples=40, deadline=None)
@given(
    slots=st.lists(st.integers(6 * HOP, 10 * HOP), min_size=2, max_size=5),
    levels=st.lists(st.floats(0.3, 1), min_size=5, max_size=5),
    wraps=st.booleans(),
)
def test_power_lies_between_the_neighbours(slots: list[int], levels: list[float], wraps: bool) -> None:
    clips, position = [], 1000
    for number, slot in enumerate(slots):
        clips.append(clip(position, slot, levels[number], key=number))
        position += slot
    line = timeline(clips, wraps=wraps, start=1000)
    result = power(line, 0, sum(slots) // HOP)
    edge = [(PARAMS.max_volume * level**4) ** 2 for level in levels[: len(slots)]]
    assert result.min() >= min(edge) * (1 - 1e-5)
    assert result.max() <= max(edge) * (1 + 1e-5)


def test_equal_clips_join_without_a_trace() -> None:
    # 0.1 dB is asked for; complementary weights leave rounding only.
    line = timeline([clip(0, 8 * HOP + 100, 0.7), clip(8 * HOP + 100, 8 * HOP + 37, 0.7)])
    flat = 10 * np.log10(power(line, 0, 16) / power(line, 0, 1)[:, :, :1])
    assert np.abs(flat).max() < 1e-4


def test_a_clip_on_a_frame_is_untouched() -> None:
    level = np.random.default_rng(1).random((2, 8, 12)).astype(np.float32)
    line = timeline([clip(5 * HOP, 8 * HOP, level)], start=5 * HOP)
    np.testing.assert_allclose(line.read(0, 8), PARAMS.max_volume * level[:, :, :8] ** 4, rtol=1e-5)


def test_stretches_agree_with_the_whole() -> None:
    rng = np.random.default_rng(2)
    clips = [clip(n * 4000, 4000, rng.random((1, 8, 14)).astype(np.float32), key=n) for n in range(6)]
    line = timeline(clips)
    whole = line.read(0, line.frames)
    for size in (1, 5, 17):
        parts = [line.read(s, min(s + size, line.frames)) for s in range(0, line.frames, size)]
        np.testing.assert_array_equal(np.concatenate(parts, axis=2), whole)


@settings(max_examples=25, deadline=None)
@given(slots=st.lists(st.integers(3000, 5000), min_size=1, max_size=4), turn=st.integers(-2, 2))
def test_a_loop_comes_round_after_its_exact_length(slots: list[int], turn: int) -> None:
    # Shifting the whole loop by a multiple of the hop plus whole turns reads the same mel.
    rng = np.random.default_rng(3)
    levels = [rng.random((1, 8, 16)).astype(np.float32) for _ in slots]
    starts = np.cumsum([0, *slots[:-1]])
    clips = [clip(int(s), n, x, key=i) for i, (s, n, x) in enumerate(zip(starts, slots, levels, strict=True))]
    period = sum(slots)
    line = timeline(clips, wraps=True)
    # A frame near turn * period stands (turn * period - frame * hop) before that turn's start.
    frame = turn * period // HOP
    moved = [
        MelClip(c.start_sample + turn * period - frame * HOP, c.slot_samples, c.load, c.key) for c in clips
    ]
    again = MelTimeline(moved, start_sample=0, body_samples=period, tail_samples=0, params=PARAMS, wraps=True)
    np.testing.assert_allclose(line.read(frame, frame + 20), again.read(0, 20), rtol=1e-3, atol=1)


def test_a_loop_has_no_seam() -> None:
    line = timeline([clip(0, 8 * HOP + 200, 0.6), clip(8 * HOP + 200, 9 * HOP - 77, 0.6)], wraps=True)
    flat = line.read(-30, 60)
    assert np.ptp(flat) / flat.mean() < 1e-4


def test_joins_are_named_by_sample() -> None:
    clips = [clip(0, 8 * HOP, 0.5), clip(8 * HOP, 8 * HOP, 0.6)]
    assert timeline(clips).joins() == [(8 * HOP, 11 * HOP)]
    assert timeline(clips, wraps=True).joins() == [(0, 3 * HOP), (8 * HOP, 11 * HOP)]


def test_few_clips_are_held_and_equal_keys_load_once() -> None:
    loads: list[int] = []

    def loader(number: int) -> np.ndarray:
        loads.append(number)
        return np.full((1, 8, 12), 0.5, np.float32)

    clips = [
        MelClip(n * 8 * HOP, 8 * HOP, lambda n=n: loader(n), "same" if n < 20 else n)  # type: ignore[misc]
        for n in range(40)
    ]
    line = timeline(clips)
    for start in range(0, line.frames, 16):
        line.read(start, min(start + 16, line.frames))
    assert loads.count(0) == 1
    assert len(loads) == 21
    assert len(line._cache) <= 4


def test_the_tail_is_there() -> None:
    line = timeline([clip(0, 8 * HOP, 0.5), clip(8 * HOP, 8 * HOP, 0.5)], tail=6 * HOP)
    assert line.samples == 16 * HOP
    assert line.read(0, 16).min() > 0


def test_reading_between_frames_is_exact_for_smooth_curves() -> None:
    x = np.arange(30) / 10
    mel = np.stack([1 + x, 2 + x**2, 1 + x**3 - x]).astype(np.float32)[None]
    y = 0.1 * (np.arange(8) + 5.3)
    expected = np.stack([1 + y, 2 + y**2, 1 + y**3 - y])[None]
    np.testing.assert_allclose(read_between(mel, Fraction(53, 10), 8), expected, rtol=1e-5)


def test_a_click_does_not_ring_below_zero() -> None:
    mel = np.zeros((1, 1, 20), np.float32)
    mel[0, 0, 10] = 1
    assert read_between(mel, Fraction(1, 2), 19).min() >= 0


@pytest.mark.parametrize(
    ("clips", "words"),
    [
        ([], "at least one"),
        ([clip(0, 10 * HOP, 0.5), clip(11 * HOP, 10 * HOP, 0.5)], "next one starts"),
        ([clip(0, 30 * HOP, 0.5), clip(30 * HOP, 30 * HOP, 0.5)], "cannot fill"),
        ([clip(0, 8 * HOP, np.zeros((8, 12), np.float32))], "must be"),
    ],
)
def test_clips_that_do_not_fit(clips: list[MelClip], words: str) -> None:
    with pytest.raises(AudioError, match=words):
        timeline(clips).read(0, 40)
