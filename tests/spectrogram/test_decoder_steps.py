"""Each step of the decoder on its own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from riffcomposer.spectrogram.loop_phases import joined_phases
from riffcomposer.spectrogram.mel_inversion import BandedMatrix, FirstGuess, MelConstraint
from riffcomposer.spectrogram.minimum_cost_path import minimum_cost_path
from riffcomposer.spectrogram.phase_gradient import nearest_peaks, peak_locked_phase
from riffcomposer.spectrogram.resampling import delayed, resample
from riffcomposer.spectrogram.stft import ShortTimeTransform, StftGrid
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters()
GRID = StftGrid.below(PARAMS)


def _noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


def test_the_grid_keeps_hop_and_window_exactly() -> None:
    assert (GRID.hop, GRID.window, GRID.support) == (200, 2000.0, 2000)
    low = StftGrid.below(PARAMS, 1250)
    assert (low.hop, low.window, low.top_hz(PARAMS)) == (25, 250.0, 1250.0)


@pytest.mark.parametrize("n_fft", [2000, 4000])
def test_the_inverse_transform_gives_the_wave_back(n_fft: int) -> None:
    transform = ShortTimeTransform(GRID, n_fft, block_frames=7)
    wave = _noise(2, 30 * 200)
    torch.testing.assert_close(transform.inverse(transform.forward(wave)), wave, atol=1e-4, rtol=1e-4)


def test_banded_is_the_same_as_dense() -> None:
    dense = torch.triu(torch.tril(_noise(150, 300), 40), -5)
    vectors = _noise(2, 9, 300)
    torch.testing.assert_close(BandedMatrix(dense).apply(vectors), vectors @ dense.T, atol=1e-4, rtol=1e-4)


def test_projection_fits_the_mel_and_moves_nothing_that_fits() -> None:
    constraint = MelConstraint(PARAMS, GRID, 4000)
    magnitude = _noise(1, 5, 2001).abs() + 1.0
    wanted = -constraint.misfit(magnitude * 1.5, torch.zeros(1, 5, 512))
    before = constraint.misfit(magnitude, wanted).norm()
    moved = constraint.project(magnitude, wanted)
    assert float(constraint.misfit(moved, wanted).norm() / before) < 0.1
    assert float(moved.min()) >= 0.0
    same = -constraint.misfit(magnitude, torch.zeros(1, 5, 512))
    torch.testing.assert_close(constraint.project(magnitude, same), magnitude, atol=1e-3, rtol=1e-3)


def test_the_first_guess_is_where_the_sound_is() -> None:
    target = torch.zeros(1, 1, 512)
    target[0, 0, 300] = 1.0
    guess = FirstGuess(PARAMS, GRID, 2000).magnitude(target)
    centre_hz = 700 * (10 ** (301 / 513 * math.log10(1 + 10000 / 700)) - 1)
    assert abs(int(guess[0, 0].argmax()) * 10 - centre_hz) < 25


def test_a_steady_tones_phase_advances_by_its_frequency() -> None:
    time = torch.arange(40 * 200) / 20000
    transform = ShortTimeTransform(GRID, 2000)
    spectra = transform.forward(torch.sin(2 * math.pi * 1003 * time)[None])
    magnitude, true = spectra.abs(), torch.angle(spectra)
    phase = peak_locked_phase(magnitude[:, 8:32], GRID, 2000, true[:, 8])
    off = torch.remainder(phase[0, :, 100] - true[0, 8:32, 100] + math.pi, 2 * math.pi) - math.pi
    assert float(off.abs().max()) < 0.3
    back = peak_locked_phase(magnitude[:, 8:32], GRID, 2000, true[:, 31], backwards=True)
    off = torch.remainder(back[0, :, 100] - true[0, 8:32, 100] + math.pi, 2 * math.pi) - math.pi
    assert float(off.abs().max()) < 0.3


def test_peaks_own_what_lies_between_their_valleys() -> None:
    magnitude = torch.tensor([[[1.0, 3.0, 2.0, 0.5, 2.0, 4.0, 1.0]]])
    assert nearest_peaks(magnitude)[0, 0].tolist() == [1, 1, 1, 5, 5, 5, 5]


def test_the_seam_goes_where_the_cost_is_least() -> None:
    cost = np.ones((20, 30))
    valley = 10 + (np.arange(30) // 6)
    cost[valley, np.arange(30)] = 0.0
    assert minimum_cost_path(cost).tolist() == valley.tolist()


def test_joined_phases_begin_with_one_and_end_with_the_other() -> None:
    onward, backward = torch.zeros(1, 40, 12), torch.full((1, 40, 12), 2.0)
    magnitude = torch.ones(1, 40, 12)
    magnitude[:, 15:25] = 1e-3
    joined = joined_phases(onward, backward, magnitude)
    assert torch.equal(joined[:, :10], onward[:, :10])
    assert torch.equal(joined[:, 30:], backward[:, 30:])


def test_resampling_is_exact_for_what_both_rates_hold() -> None:
    frames = 60
    low = torch.sin(2 * math.pi * 300 * torch.arange(frames * 200) / 20000)[None]
    high = torch.sin(2 * math.pi * 300 * torch.arange(frames * 441) / 44100)[None]
    middle = slice(5 * 441, -5 * 441)
    torch.testing.assert_close(resample(low, 200, 441)[:, middle], high[:, middle], atol=1e-3, rtol=0)
    back = resample(resample(low, 200, 441), 441, 200)[:, 1000:-1000]
    torch.testing.assert_close(back, low[:, 1000:-1000], atol=1e-3, rtol=0)


def test_a_fraction_of_a_sample_is_a_delay() -> None:
    time = torch.arange(1000)
    wave = torch.sin(2 * math.pi * 20 * time / 1000)[None]
    later = torch.sin(2 * math.pi * 20 * (time - 0.3) / 1000)[None]
    torch.testing.assert_close(delayed(wave, 0.3), later, atol=1e-4, rtol=0)
