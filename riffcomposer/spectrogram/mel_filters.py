"""Triangular mel filters, equal to the bit to those of `torchaudio.functional.melscale_fbanks`.

Riffusion's images are made with torchaudio's filters. They are computed here, so that a render needs no
torchaudio: its last release is 2.11, and its wheel loads only beside a PyTorch of the same kind (CUDA or
CPU). The tests compare the two.

Two mel scales: "htk" is `2595 log10(1 + f / 700)` (HTK book, 5.4.4); "slaney" is linear below 1 kHz and
logarithmic above, 27 steps per factor 6.4 (Slaney's Auditory Toolbox).
"""

from __future__ import annotations

import math

import torch

_LINEAR_HZ_PER_MEL = 200.0 / 3
_LOG_FROM_HZ = 1000.0
_LOG_FROM_MEL = _LOG_FROM_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = math.log(6.4) / 27.0


def hz_to_mel(frequency_hz: float, scale: str) -> float:
    """A frequency on the mel scale "htk" or "slaney"."""
    if scale == "htk":
        return 2595.0 * math.log10(1.0 + frequency_hz / 700.0)
    if frequency_hz < _LOG_FROM_HZ:
        return frequency_hz / _LINEAR_HZ_PER_MEL
    return _LOG_FROM_MEL + math.log(frequency_hz / _LOG_FROM_HZ) / _LOG_STEP


def mel_to_hz(mels: torch.Tensor, scale: str) -> torch.Tensor:
    """The inverse of `hz_to_mel`, in the precision of `mels`."""
    if scale == "htk":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    linear = _LINEAR_HZ_PER_MEL * mels
    return torch.where(
        mels >= _LOG_FROM_MEL, _LOG_FROM_HZ * torch.exp(_LOG_STEP * (mels - _LOG_FROM_MEL)), linear
    )


def band_centres_hz(
    n_mels: int, *, min_frequency_hz: float, max_frequency_hz: float, scale: str = "htk"
) -> torch.Tensor:
    """Frequency of each filter's peak (see `mel_filters`), float64 [n_mels]."""
    low, high = hz_to_mel(min_frequency_hz, scale), hz_to_mel(max_frequency_hz, scale)
    return mel_to_hz(torch.linspace(low, high, n_mels + 2, dtype=torch.float64)[1:-1], scale)


def mel_filters(
    bins: int,
    n_mels: int,
    *,
    min_frequency_hz: float,
    max_frequency_hz: float,
    sample_rate: int,
    scale: str = "htk",
    norm: str | None = None,
) -> torch.Tensor:
    """Triangular filters, evenly spaced on the mel scale, each from one neighbour's peak to the other's.

    Args:
        bins: Number of bins of the transform, from 0 Hz to half the sample rate.
        n_mels: Number of filters.
        min_frequency_hz: Where the first filter starts.
        max_frequency_hz: Where the last filter ends.
        sample_rate: Sample rate of the audio in Hz.
        scale: "htk" or "slaney".
        norm: None for triangles of height 1, "slaney" for triangles of equal area.

    Returns:
        float32 [bins, n_mels].
    """
    frequencies = torch.linspace(0, sample_rate // 2, bins)
    edges = torch.linspace(hz_to_mel(min_frequency_hz, scale), hz_to_mel(max_frequency_hz, scale), n_mels + 2)
    corners = mel_to_hz(edges, scale)
    widths = corners[1:] - corners[:-1]
    above = corners[None, :] - frequencies[:, None]
    rising = -above[:, :-2] / widths[:-1]
    falling = above[:, 2:] / widths[1:]
    filters = torch.minimum(rising, falling).clamp(min=0.0)
    if norm == "slaney":
        filters = filters * (2.0 / (corners[2:] - corners[:-2]))
    return filters
