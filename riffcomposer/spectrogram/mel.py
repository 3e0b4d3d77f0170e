"""Audio to mel and mel to level: the forward half of Riffusion's spectrogram.

Conventions: audio is float32 `[channels, samples]` in -1..1; mel is float32 `[channels, n_mels,
frames]`, the mel-weighted *magnitude* of a Hann-windowed STFT of the audio on the 16-bit scale
(times 32768, as Riffusion works on 16-bit samples: that is what its `max_volume` of 30e6 refers to);
level is `(mel / max_volume) ** power_for_image`, 0..1. Row 0 is the lowest band. Frame `j` is
centred on sample `j * hop_length`; a signal of `S` samples has `1 + S // hop_length` frames.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch

from riffcomposer.errors import AudioError, SpectrogramError
from riffcomposer.spectrogram.mel_filters import mel_filters
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PCM_SCALE = 32768.0
"""From audio in -1..1 to the 16-bit samples Riffusion measures."""

FRAMES_PER_BLOCK = 512
"""Frames transformed at once, which bounds the memory of a forward transform of any length."""

FRAMES_PER_STRETCH = 4096
"""Frames resampled at once by the fast transform."""


def hann(length: float, support: int, *, device: torch.device | str = "cpu") -> torch.Tensor:
    """A Hann window of any real `length`, sampled at integers, its peak on sample `support // 2`.

    For an even integer `length` equal to `support` it is `torch.hann_window(length)`. A real length
    lets a window keep its duration exactly at another sample rate.
    """
    offset = torch.arange(support, dtype=torch.float64) - support // 2
    window = torch.cos(math.pi * offset / length).square()
    return torch.where(offset.abs() < length / 2, window, 0.0).float().to(device)


@lru_cache(maxsize=8)
def mel_bank(params: SpectrogramParameters) -> torch.Tensor:
    """The mel filters on the bins of the exact transform up to `max_frequency`, `[n_mels, bins]`.

    Cut above the highest bin that any filter touches. The result is shared: do not write into it.
    """
    bank = mel_filters(
        params.n_fft // 2 + 1,
        params.num_frequencies,
        min_frequency_hz=float(params.min_frequency),
        max_frequency_hz=float(params.max_frequency),
        sample_rate=params.sample_rate,
        scale=params.mel_scale_type,
        norm=params.mel_scale_norm,
    )
    bins = min(bank.shape[0], math.floor(params.max_frequency * params.n_fft / params.sample_rate) + 1)
    return bank[:bins].T.contiguous()


def frame_count(samples: int, params: SpectrogramParameters) -> int:
    """How many frames a signal of `samples` samples has."""
    return 1 + samples // params.hop_length


def reflect(audio: torch.Tensor, amount: int) -> torch.Tensor:
    """Audio with `amount` samples mirrored at both ends; shorter audio is mirrored around silence."""
    missing = amount + 1 - audio.shape[-1]
    if missing <= 0:
        return torch.nn.functional.pad(audio[None], (amount, amount), mode="reflect")[0]
    padded = torch.nn.functional.pad(audio, (0, missing))
    return reflect(padded, amount)[:, : audio.shape[-1] + 2 * amount]


def _checked(audio: torch.Tensor) -> torch.Tensor:
    if audio.ndim != 2 or audio.shape[1] == 0:
        raise AudioError(f"expected audio [channels, samples], not empty, got {list(audio.shape)}")
    return audio.float()


def _mel(
    audio: torch.Tensor, params: SpectrogramParameters, hop: int, win: float, n_fft: int
) -> torch.Tensor:
    """The mel of audio at the rate of `hop` and `win`, computed in blocks of frames."""
    support = 2 * math.ceil(win / 2)
    window = hann(win, support, device=audio.device) * (PCM_SCALE * params.win_length / win)
    bank = mel_bank(params).to(audio.device)
    frames = 1 + audio.shape[1] // hop
    padded = reflect(audio, support // 2)
    mel = audio.new_empty((audio.shape[0], params.num_frequencies, frames))
    for first in range(0, frames, FRAMES_PER_BLOCK):
        count = min(FRAMES_PER_BLOCK, frames - first)
        block = padded[:, first * hop : (first + count - 1) * hop + support].unfold(1, support, hop)
        magnitude = torch.fft.rfft(block * window, n=n_fft)[..., : bank.shape[1]].abs()
        mel[:, :, first : first + count] = (magnitude @ bank.T).transpose(1, 2)
    return mel


def mel_from_audio(audio: torch.Tensor, params: SpectrogramParameters, *, fast: bool = False) -> torch.Tensor:
    """The mel of audio, as Riffusion's converter computes it.

    torchaudio's `Spectrogram(power=None)`, absolute value and `MelScale` in one: the transform's
    zero padding around the window adds nothing, so frames of the window's length are transformed
    at the padded size, with the same magnitudes.

    Args:
        audio: `[channels, samples]` at `params.sample_rate`.
        fast: Whether to resample to about twice `max_frequency` first (20 kHz; hop 200, window 2000, the
            same 2.5 Hz bins), which is faster. Frequencies above `max_frequency` are removed by that, so
            the top band lacks the leakage from above (about 0.5 % of a frame's peak); the other bands are
            equal to within 1e-4 of the peak.

    Returns:
        `[channels, n_mels, 1 + samples // hop_length]`.

    Raises:
        AudioError: `audio` is not `[channels, samples]` or is empty.
    """
    audio = _checked(audio)
    if not fast:
        return _mel(audio, params, params.hop_length, params.win_length, params.n_fft)
    hop = math.ceil(2 * params.max_frequency * params.hop_length / params.sample_rate)
    n_fft = params.n_fft * hop / params.hop_length
    if hop >= params.hop_length or n_fft != int(n_fft):
        return _mel(audio, params, params.hop_length, params.win_length, params.n_fft)
    # An FFT over a stretch resamples it exactly; faded surroundings keep it from wrapping round.
    frames, context = (
        frame_count(audio.shape[1], params),
        2 * math.ceil(params.win_length / params.hop_length),
    )
    padded = reflect(audio, (context + 1) * params.hop_length)[:, params.hop_length :]
    fade = hann(context * params.hop_length, context * params.hop_length, device=audio.device)
    rise, fall = fade[: len(fade) // 2], fade[len(fade) // 2 :]
    mel = audio.new_empty((audio.shape[0], params.num_frequencies, frames))
    for first in range(0, frames, FRAMES_PER_STRETCH):
        count = min(FRAMES_PER_STRETCH, frames - first)
        length = count + 2 * context
        stretch = padded[:, first * params.hop_length :][:, : length * params.hop_length].clone()
        missing = length * params.hop_length - stretch.shape[1]
        stretch = torch.nn.functional.pad(stretch, (0, missing))
        stretch[:, : len(rise)] *= rise
        stretch[:, -len(fall) :] *= fall
        spectrum = torch.fft.rfft(stretch)[:, : length * hop // 2 + 1]
        slow = torch.fft.irfft(spectrum, n=length * hop) * (hop / params.hop_length)
        part = _mel(slow, params, hop, params.win_length * hop / params.hop_length, int(n_fft))
        mel[:, :, first : first + count] = part[:, :, context : context + count]
    return mel


def levels_from_mel(mel: torch.Tensor, params: SpectrogramParameters) -> torch.Tensor:
    """Levels 0..1 of a mel; values above `max_volume` are clipped to 1.

    Raises:
        SpectrogramError: The mel holds NaN.
    """
    if bool(torch.isnan(mel).any()):
        raise SpectrogramError("the mel holds NaN values; it cannot be turned into levels")
    return (mel.clamp(0.0, params.max_volume) / params.max_volume) ** params.power_for_image


def mel_from_levels(level: torch.Tensor, params: SpectrogramParameters) -> torch.Tensor:
    """The mel of levels, the inverse of `levels_from_mel`: `level ** (1 / power_for_image) * max_volume`."""
    return level.clamp(0.0, 1.0) ** (1.0 / params.power_for_image) * params.max_volume
