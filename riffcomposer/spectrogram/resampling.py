"""Exact resampling between the decoder's work rate and other rates, by one FFT over whole frames.

Both rates have a whole number of samples per frame, so cutting or zero-padding the spectrum of whole frames
resamples them exactly, without a filter. An FFT takes its input to be periodic; so the wave is extended by
mirrored frames that fade out, which keeps its ends from mixing.
"""

from __future__ import annotations

import math

import torch

from riffcomposer.spectrogram.mel import hann

SURROUNDING_FRAMES = 8


def with_faded_ends(wave: torch.Tensor, hop: int) -> torch.Tensor:
    """The wave with `SURROUNDING_FRAMES` mirrored frames at each end, fading out."""
    amount = SURROUNDING_FRAMES * hop
    short = max(0, amount + 1 - wave.shape[1])
    padded = torch.nn.functional.pad(
        torch.nn.functional.pad(wave, (0, short))[None], (amount, amount), mode="reflect"
    )[0]
    padded = padded[:, : wave.shape[1] + 2 * amount]
    fade = hann(2 * amount, 2 * amount, device=wave.device)
    padded[:, :amount] *= fade[:amount]
    padded[:, -amount:] *= fade[amount:]
    return padded


def resample(
    wave: torch.Tensor, hop: int, new_hop: int, *, rolloff: tuple[float, float] = (1.0, 1.0)
) -> torch.Tensor:
    """Resamples whole frames, `[channels, frames * hop]` to `[channels, frames * new_hop]`.

    Args:
        wave: `[channels, frames * hop]`.
        hop: Samples per frame of `wave`.
        new_hop: Samples per frame of the result.
        rolloff: Where the spectrum starts to fade out and where it reaches zero, as shares of half the
            lower rate. By default nothing fades.
    """
    if hop == new_hop:
        return wave
    padded = with_faded_ends(wave, hop)
    length = padded.shape[1] // hop * new_hop
    bins = min(padded.shape[1], length) // 2 + 1
    spectrum = torch.fft.rfft(padded)[:, :bins]
    begin, end = rolloff
    if begin < end:
        position = torch.linspace(0.0, 1.0, bins, device=wave.device)
        spectrum = spectrum * ((end - position) / (end - begin)).clamp(0.0, 1.0)
    amount = SURROUNDING_FRAMES * new_hop
    return torch.fft.irfft(spectrum, n=length)[:, amount : length - amount] * (new_hop / hop)


def delayed(wave: torch.Tensor, fraction: float) -> torch.Tensor:
    """The wave delayed by a fraction of a sample, by a linear phase shift of its spectrum."""
    length = wave.shape[1]
    bins = torch.arange(length // 2 + 1, device=wave.device, dtype=torch.float64)
    turn = (bins * (-2 * math.pi * fraction / length)).float()
    return torch.fft.irfft(torch.fft.rfft(wave) * torch.polar(torch.ones_like(turn), turn), n=length)
