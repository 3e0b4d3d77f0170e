"""Crossfades of single bands: at the quietest time of a join, smooth over the bands, within the join."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.mix.band_crossfade import BANDS_PER_STEP, FADE_FRAMES, JOIN_FRAMES, plan_band_crossfade

HOP = 441


def mel(frames: int, bands: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((1, bands, frames)).astype(np.float32)


def test_each_band_is_handed_over_in_its_own_pause() -> None:
    falling, rising = np.ones((2, 1, 512, JOIN_FRAMES), np.float32)
    # Low bands pause early, high bands late.
    falling[:, :256, 8:22] = 0
    falling[:, 256:, 28:42] = 0
    plan = plan_band_crossfade(falling, rising, JOIN_FRAMES * HOP, HOP)
    frames = plan.centres / HOP
    assert np.abs(frames[:200] - 15).max() <= 2
    assert np.abs(frames[-200:] - 35).max() <= 2


def test_the_path_is_smooth_over_the_bands() -> None:
    plan = plan_band_crossfade(mel(JOIN_FRAMES), mel(JOIN_FRAMES, seed=1), JOIN_FRAMES * HOP, HOP)
    assert np.abs(np.diff(plan.centres)).max() <= HOP / BANDS_PER_STEP + 1e-6
    assert np.ptp(plan.centres) > HOP


@settings(max_examples=60, deadline=None)
@given(length=st.integers(0, 80 * HOP), bands=st.sampled_from([1, 4, 30, 512]), seed=st.integers(0, 9))
def test_a_share_rises_from_nothing_to_all_within_the_join(length: int, bands: int, seed: int) -> None:
    frames = -(-length // HOP)
    plan = plan_band_crossfade(mel(frames, bands, seed), mel(frames, bands, seed + 10), length, HOP)
    share = plan.rise(np.arange(-HOP, length + HOP, 97))
    assert share.shape[0] == bands
    assert (np.diff(share, axis=1) >= 0).all()
    assert share.min() == 0
    np.testing.assert_allclose(plan.rise(np.array([-1])), 0, atol=1e-6)
    np.testing.assert_allclose(plan.rise(np.array([length + 1])), 1, atol=1e-6)


def test_stereo_is_handed_over_together() -> None:
    left, right = mel(JOIN_FRAMES, seed=1), mel(JOIN_FRAMES, seed=2)
    both = plan_band_crossfade(
        np.concatenate([left, right]), np.concatenate([right, left]), JOIN_FRAMES * HOP, HOP
    )
    assert both.centres.shape == (64,)


@pytest.mark.parametrize("frames", [FADE_FRAMES - 3, FADE_FRAMES + 1])
def test_a_short_join_is_one_fade_over_all_of_it(frames: int) -> None:
    plan = plan_band_crossfade(mel(frames), mel(frames, seed=1), frames * HOP, HOP)
    assert set(plan.centres) == {frames * HOP / 2}
    assert plan.fade_samples == min(frames, FADE_FRAMES) * HOP
