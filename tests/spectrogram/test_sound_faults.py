"""Which faults of a sound are repaired, and that nothing else is changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.media.sound_faults import measure, put_right

RATE = 44_100
TONE = (0.3 * np.sin(np.arange(RATE) * 0.05)).astype(np.float32)
OTHER = (0.2 * np.sin(np.arange(RATE) * 0.031)).astype(np.float32)


def right(samples: np.ndarray, *, mono: bool = False) -> np.ndarray:
    return put_right(samples, measure(samples, RATE), mono=mono)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.001, 8.0), st.floats(-0.01, 0.01), st.booleans())
def test_a_sound_without_faults_is_the_same_bit_by_bit(gain: float, offset: float, stereo: bool) -> None:
    samples = np.stack([TONE, OTHER])[: 2 if stereo else 1] * np.float32(gain) + np.float32(offset * gain)
    assert right(samples) is samples


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_integers_taken_for_floats_come_back_to_scale(bits: int) -> None:
    np.testing.assert_array_equal(right(TONE[None] * np.float32(1 << (bits - 1))), TONE[None])


@pytest.mark.parametrize("offset", [0.05, -0.6])
def test_an_offset_goes_and_the_sound_stays(offset: float) -> None:
    stereo = np.stack([TONE + np.float32(offset), OTHER])
    found = right(stereo)
    assert np.abs(found.mean(axis=1)).max() < 1e-5
    assert np.abs(np.diff(found) - np.diff(stereo)).max() < 1e-6


def test_a_click_of_a_few_samples_keeps_its_mean() -> None:
    click = np.full((1, 400), 0.5, np.float32)
    assert right(click) is click


def test_channels_that_cancel_leave_the_first() -> None:
    np.testing.assert_array_equal(right(np.stack([TONE, -TONE]), mono=True), TONE[None])
    apart = np.stack([TONE + np.float32(0.2), -TONE + np.float32(0.2)])  # the offset alone would not cancel
    np.testing.assert_allclose(right(apart, mono=True), TONE[None] - TONE.mean(), atol=1e-6)
    np.testing.assert_array_equal(right(np.stack([TONE, -TONE])), np.stack([TONE, -TONE]))


def test_a_mono_mix_is_the_mean() -> None:
    np.testing.assert_array_equal(right(np.stack([TONE, OTHER]), mono=True)[0], (TONE + OTHER) / 2)
