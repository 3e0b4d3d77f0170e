"""Computes mel spectrograms of many training clips quickly.

The result is that of `riffcomposer.spectrogram.mel.mel_from_audio(fast=True)`. The sound is resampled to
20 kHz first (an image holds nothing above 10 kHz), and the filter bank is a sparse matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.sparse

from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.synth.voices import Audio

PARAMETERS = SpectrogramParameters()
FRAMES = 512
WIDE_FRAMES = 576
"""Width of a training clip: as most renders, wider than the model's image."""

MARGIN_FRAMES = 20  # a window reaches five frames to each side; the rest fades the resampler's edges
_SLOW_RATE = 2 * PARAMETERS.max_frequency
_SLOW_HOP = _SLOW_RATE * PARAMETERS.step_size_ms // 1000
_SLOW_WINDOW = _SLOW_RATE * PARAMETERS.window_duration_ms // 1000
_SLOW_FFT = _SLOW_RATE * PARAMETERS.padded_duration_ms // 1000
_OFFSET = MARGIN_FRAMES * _SLOW_HOP - _SLOW_WINDOW // 2


@cache
def _bank() -> scipy.sparse.csr_matrix:
    from riffcomposer.spectrogram.mel import mel_bank

    return scipy.sparse.csr_matrix(mel_bank(PARAMETERS).numpy().T)


@cache
def _window() -> npt.NDArray[np.float32]:
    scale = 32768.0 * PARAMETERS.sample_rate / _SLOW_RATE
    return (scale * np.hanning(_SLOW_WINDOW + 1)[:-1]).astype(np.float32)


def _stretches(audio: Audio, starts: Sequence[int], frames: int) -> npt.NDArray[np.float32]:
    """Cuts stretches with margins and fades their ends: float32 [stretches, (frames + margins) * hop]."""
    hop = PARAMETERS.hop_length
    count = frames + 2 * MARGIN_FRAMES
    margin = MARGIN_FRAMES * hop
    padded = np.pad(audio, (margin, max(0, max(starts) + (count - MARGIN_FRAMES) * hop - len(audio))))
    stretches = np.stack([padded[start : start + count * hop] for start in starts]).astype(np.float32)
    edge = margin // 2
    ramp = np.sin(np.linspace(0, np.pi / 2, edge, dtype=np.float32)) ** 2
    stretches[:, :edge] *= ramp
    stretches[:, -edge:] *= ramp[::-1]
    return stretches


def mels_at(audio: Audio, starts: Sequence[int], frames: int = WIDE_FRAMES) -> npt.NDArray[np.float32]:
    """The mels of stretches of a longer sound; a stretch's edges include the sound around it.

    Args:
        audio: The sound, [samples].
        starts: Where each stretch begins, in samples; before and after the sound there is silence.
        frames: Length of a stretch in frames.

    Returns:
        float32 [stretches, 512, frames].
    """
    stretches = _stretches(audio, starts, frames)
    count = frames + 2 * MARGIN_FRAMES
    mels = np.empty((len(starts), PARAMETERS.num_frequencies, frames), np.float32)
    for place, stretch in enumerate(stretches):
        spectrum = scipy.fft.rfft(stretch)[: count * _SLOW_HOP // 2 + 1]
        slow = scipy.fft.irfft(spectrum, n=count * _SLOW_HOP) * np.float32(_SLOW_HOP / PARAMETERS.hop_length)
        framed = np.lib.stride_tricks.sliding_window_view(slow[_OFFSET:], _SLOW_WINDOW)[::_SLOW_HOP][:frames]
        transform = scipy.fft.rfft(framed * _window(), n=_SLOW_FFT)
        magnitude = np.sqrt(transform.real**2 + transform.imag**2)
        mels[place] = (magnitude @ _bank()).T
    return mels
