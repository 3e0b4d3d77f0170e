"""Measures the tempo of a track, to compare it with the tempo that the song declares.

Onset strength is the rise of the log spectrum from frame to frame (spectral flux, frames of 10 ms). Its
autocorrelation is averaged at 1, 2, ... 16 beats of each candidate tempo, and the best candidate within 6 %
of the declared tempo is the result. The search is narrow because it looks for beats that drift from the grid;
whether a track counts at half or double tempo is a matter of taste.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riffcomposer.mix.blocks import AudioReader, read_padded

FRAMES_PER_SECOND = 100
WINDOW_SECONDS = 0.032
SEARCH = 0.06
BEATS = 16
MIN_STRENGTH = 0.05
"""Mean autocorrelation at whole beats below which a track counts as having no beat."""


@dataclass(frozen=True)
class TempoFigures:
    """The measured tempo and the declared one.

    Attributes:
        declared_bpm: Tempo that the song declares.
        measured_bpm: None where there are no regular onsets (pads, noise, silence, a few seconds).
        deviation_percent: Deviation of the measured tempo from the declared one, or None.
        strength: Mean autocorrelation of the onsets at whole beats, 0..1.
    """

    declared_bpm: float
    measured_bpm: float | None
    deviation_percent: float | None
    strength: float

    def as_dict(self) -> dict[str, Any]:
        """Returns the figures for JSON, rounded."""
        return {key: value if value is None else round(value, 3) for key, value in asdict(self).items()}


def measure_tempo(audio: AudioReader, sample_rate: int, declared_bpm: float) -> TempoFigures:
    """Measures the tempo near the declared one.

    Args:
        audio: The track; its channels are summed.
        declared_bpm: Declared tempo in quarter notes per minute.
    """
    onsets = onset_strength(audio, sample_rate)
    beat_frames = 60 * FRAMES_PER_SECOND / declared_bpm
    beats = min(BEATS, int(len(onsets) / beat_frames / 2))
    if beats < 4 or not onsets.any():
        return TempoFigures(declared_bpm, None, None, 0.0)
    longest = int(beats * beat_frames * (1 + SEARCH)) + 2
    correlation = _autocorrelation(onsets, longest)
    # Deviations are tried as a stretch of the beat, fine enough for a tenth of a frame at the last beat.
    stretches = np.arange(-SEARCH, SEARCH, 0.1 / (beats * beat_frames)) + 1
    lags = stretches[:, None] * beat_frames * np.arange(1, beats + 1)
    scores = np.interp(lags, np.arange(len(correlation)), correlation).mean(axis=1)
    best = int(scores.argmax())
    strength = float(scores[best])
    inside = 0 < best < len(scores) - 1
    if strength < MIN_STRENGTH or not inside or strength < scores.mean() + 2 * scores.std():
        return TempoFigures(declared_bpm, None, None, max(strength, 0.0))
    measured = declared_bpm / float(stretches[best])
    return TempoFigures(declared_bpm, measured, 100 * (measured / declared_bpm - 1), strength)


def onset_strength(audio: AudioReader, sample_rate: int) -> NDArray[np.float64]:
    """Returns the rise of the log spectrum at 100 frames per second, less its mean over one second."""
    from scipy.ndimage import uniform_filter1d

    hop = sample_rate // FRAMES_PER_SECOND
    size = round(WINDOW_SECONDS * sample_rate)
    window = np.hanning(size).astype(np.float32)
    rises: list[NDArray[np.float64]] = []
    before = None
    frames_per_block = 1000
    for first in range(0, audio.samples // hop, frames_per_block):
        count = min(frames_per_block, audio.samples // hop - first)
        start = first * hop - size // 2
        block = read_padded(audio, start, start + (count - 1) * hop + size).mean(axis=0)
        frames = np.lib.stride_tricks.sliding_window_view(block, size)[::hop] * window
        # A floor 60 dB below full scale: what is hardly heard makes no onset.
        spectrum = np.log(np.abs(np.fft.rfft(frames, axis=1)) + 1e-3 * window.sum())
        joined = spectrum if before is None else np.concatenate([before, spectrum])
        before = spectrum[-1:]
        rises.append(np.maximum(np.diff(joined, axis=0), 0).sum(axis=1))
    flux = np.concatenate([*rises, np.zeros(0)])
    return flux - uniform_filter1d(flux, FRAMES_PER_SECOND) if len(flux) else flux


def _autocorrelation(values: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """Returns the autocorrelation, normalised by the overlap at each lag and by its value at lag 0."""
    import scipy.fft

    size = scipy.fft.next_fast_len(len(values) + longest)
    spectrum = np.abs(scipy.fft.rfft(values, size)) ** 2
    raw = scipy.fft.irfft(spectrum, size)[:longest]
    counts = len(values) - np.arange(len(raw))
    result = raw / np.maximum(counts, 1)
    return np.asarray(result / result[0]) if result[0] > 0 else result
