"""Estimates phases from magnitudes: the first phases that Griffin-Lim starts from.

For a Gaussian-like window the phase derivatives follow from the magnitude (Prusa, Balazs and
Sondergaard, *A noniterative method for reconstruction of phase from STFT magnitude*, 2017):

    d phase / d time      =  (a M / gamma) d log s / d bin  +  2 pi a k / M
    d phase / d bin       = -(gamma / (a M)) d log s / d frame  -  phase of the frame's start

with hop `a`, transform length `M` and `gamma = 0.25645 * window**2` for a Hann window. The paper integrates
these with a heap, from the loudest point outwards, one point at a time. Here only spectral peaks are
integrated from frame to frame, and the bins around a peak, up to the valleys beside it, take their phase
from the peak (phase locking, Laroche and Dolson, *Improved phase vocoder time-scale modification of
audio*, 1999). That takes a few tensor operations per frame for all channels at once, on any device.
"""

from __future__ import annotations

import math

import torch

from riffcomposer.spectrogram.stft import StftGrid

HANN_GAMMA = 0.25645
FLOOR = 1e-6
"""Smallest magnitude, as a share of the loudest; below it gradients of the logarithm are noise."""


def phase_gradients(magnitude: torch.Tensor, grid: StftGrid, n_fft: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Phase steps along time (radians per frame) and along frequency (radians per bin).

    Args:
        magnitude: `[channels, frames, bins]`.
    """
    loudest = magnitude.amax((1, 2), keepdim=True).clamp_min(1e-20)
    log = torch.log(torch.maximum(magnitude, loudest * FLOOR))
    gamma = HANN_GAMMA * grid.window**2
    bins = torch.arange(magnitude.shape[2], device=magnitude.device, dtype=torch.float64)
    along_bins = torch.gradient(log, dim=2)[0].double()
    along_frames = torch.gradient(log, dim=1)[0] if magnitude.shape[1] > 1 else torch.zeros_like(log)
    time_step = along_bins * (grid.hop * n_fft / gamma) + bins * (2 * math.pi * grid.hop / n_fft)
    bin_step = along_frames * (-gamma / (grid.hop * n_fft)) - math.pi * grid.support / n_fft
    return time_step, bin_step


def nearest_peaks(magnitude: torch.Tensor) -> torch.Tensor:
    """For each bin, the bin of the peak in its region, `[channels, frames, bins]`.

    A region reaches from one valley to the next. A region without a peak belongs to bin 0.
    """
    edge = torch.nn.functional.pad(magnitude, (1, 1), value=-1.0)
    before, after = edge[..., :-2], edge[..., 2:]
    peak = (magnitude >= before) & (magnitude > after)
    valley = (magnitude < before) & (magnitude <= after)
    valley[..., 0] = False
    region = torch.cumsum(valley, dim=2)
    bins = torch.arange(magnitude.shape[2], device=magnitude.device).expand_as(region)
    of_region = torch.zeros_like(region)
    of_region.scatter_reduce_(2, region, torch.where(peak, bins, 0), "amax", include_self=True)
    return of_region.gather(2, region)


def peak_locked_phase(
    magnitude: torch.Tensor, grid: StftGrid, n_fft: int, start: torch.Tensor, *, backwards: bool = False
) -> torch.Tensor:
    """Phases for magnitudes, integrated along spectral peaks from the phases of frame 0.

    Args:
        magnitude: `[channels, frames, bins]`.
        grid: Hop and window of the transform.
        n_fft: Length of the transform.
        start: Phase of frame 0, `[channels, bins]`, radians.
        backwards: Whether `start` is the phase of the last frame, to integrate towards the first.

    Returns:
        Phases in 0..2 pi, float32 `[channels, frames, bins]`.
    """
    time_step, bin_step = phase_gradients(magnitude, grid, n_fft)
    peak = nearest_peaks(magnitude)
    previous = torch.nn.functional.pad(bin_step, (1, 0))[..., :-1]
    along = torch.cumsum((0.5 * (bin_step + previous)).double(), dim=2)
    offset = along - along.gather(2, peak)
    if backwards:
        time_step, peak, offset = -time_step.flip(1), peak.flip(1), offset.flip(1)
    step = torch.zeros_like(time_step)
    step[:, 1:] = 0.5 * (time_step[:, 1:] + time_step[:, :-1])
    phase = torch.empty_like(time_step)
    current = start.double()
    phase[:, 0] = current
    for frame in range(1, magnitude.shape[1]):
        current = (current + step[:, frame]).gather(1, peak[:, frame]) + offset[:, frame]
        phase[:, frame] = current
    phase = torch.remainder(phase, 2 * math.pi).float()
    return phase.flip(1) if backwards else phase
