"""Measures of clips for the evaluation: beat, key, level, timbre and distances, as pure functions of levels.

Conventions: a level is float [512, frames] in 0..1, row 0 the lowest band, one frame 10 ms; mel magnitude
is level^4 times the reference. Frequencies of bands follow the HTK mel scale (0 to 10 kHz, 512 bands).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from riffcomposer.spectrogram.mel_filters import band_centres_hz

Array = npt.NDArray[np.floating[Any]]
BEAT_FRAMES = 64.0
"""Frames per beat at 93.75 BPM."""

_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
PITCH_CLASSES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_ENHARMONIC = {
    "C#": "Db",
    "D#": "Eb",
    "F#": "Gb",
    "G#": "Ab",
    "A#": "Bb",
    "Cb": "B",
    "Fb": "E",
    "E#": "F",
    "B#": "C",
}


def onset_envelope(level: Array) -> Array:
    """Rise of level over all bands, frame by frame, [frames]; the first frame is 0."""
    rise = np.maximum(np.diff(level, axis=1), 0).sum(0)
    return np.concatenate([[0.0], rise])


def onset_correlation(first: Array, second: Array) -> float:
    """Correlation of two clips' onset envelopes at the same place in time, smoothed over 30 ms."""
    kernel = np.ones(3) / 3
    a, b = (np.convolve(onset_envelope(level), kernel, "same") for level in (first, second))
    if a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def onset_lag(first: Array, second: Array, most: int = 32) -> int:
    """Number of frames by which the second clip's onsets are late, from `-most` to `most`."""
    a, b = (onset_envelope(level) - onset_envelope(level).mean() for level in (first, second))
    lags = range(-most, most + 1)
    return max(lags, key=lambda lag: float((a * np.roll(b, -lag)).sum()))


def beat_period(level: Array, expected: float = BEAT_FRAMES, around: float = 0.12) -> float | None:
    """The beat's length in frames, near the expected one, from the onsets' autocorrelation.

    The autocorrelation is averaged over several whole numbers of beats, which makes the estimate precise.
    The result is None if it has no peak, because nothing repeats.

    Args:
        expected: Where to look, in frames.
        around: How far to look, as a share of `expected`.
    """
    onsets = onset_envelope(level)
    onsets = onsets - onsets.mean()
    spectrum = np.fft.rfft(onsets, 2 * len(onsets))
    lagged = np.fft.irfft(np.abs(spectrum) ** 2)[: len(onsets)]
    if lagged[0] <= 1e-9:
        return None
    overlap = np.arange(len(onsets), 0, -1)
    lagged = lagged / lagged[0] * len(onsets) / overlap
    beats = [count for count in range(1, 7) if count * expected * (1 + around) < len(onsets) - 32]
    periods = expected * np.linspace(1 - around, 1 + around, 481)
    places = np.arange(len(lagged))
    score = sum(count * np.interp(count * periods, places, lagged) for count in beats) / sum(beats)
    best = int(np.argmax(score))
    if best in (0, len(periods) - 1) or score[best] < 0.03:
        return None
    return float(periods[best])


def band_frequencies(bands: int = 512, highest_hz: float = 10_000.0) -> Array:
    """Centre of each mel band in Hz."""
    found: Array = band_centres_hz(bands, min_frequency_hz=0, max_frequency_hz=highest_hz).numpy()
    return found


def chroma(level: Array) -> Array:
    """Share of each pitch class, [12], from the spectral peaks between 130 and 2100 Hz; the sum is 1."""
    hz = band_frequencies(level.shape[0])
    mean = (level.astype(np.float64) ** 2).mean(1)
    peak = np.zeros(len(mean), bool)
    peak[1:-1] = (mean[1:-1] > mean[:-2]) & (mean[1:-1] >= mean[2:])
    used = peak & (hz > 130) & (hz < 2100)
    classes = np.round(12 * np.log2(hz[used] / 261.6256)).astype(int) % 12
    total = np.bincount(classes, weights=mean[used] ** 2, minlength=12).astype(float)
    return total / max(total.sum(), 1e-12)


def estimated_key(level: Array) -> tuple[int, str]:
    """Tonic (0 is C) and mode by correlation with the key profiles of Krumhansl (1990)."""
    weights = chroma(level)
    scores = {
        (tonic, mode): float(np.corrcoef(weights, np.roll(profile, tonic))[0, 1])
        for mode, profile in (("major", _MAJOR), ("minor", _MINOR))
        for tonic in range(12)
    }
    return max(scores, key=lambda key: scores[key])


def tonic_number(name: str) -> int | None:
    """Semitones above C of a note or key such as `Bb`, `F# minor` or `c`; None if it names no note."""
    word = name.strip().split(" ")[0] if name.strip() else ""
    word = word[:1].upper() + word[1:]
    word = _ENHARMONIC.get(word, word)
    return PITCH_CLASSES.index(word) if word in PITCH_CLASSES else None


def same_scale(first: tuple[int, str], second: tuple[int, str]) -> bool:
    """Whether two keys share their notes: equal, or relative major and minor."""

    def major(key: tuple[int, str]) -> int:
        return key[0] if key[1] == "major" else (key[0] + 3) % 12

    return major(first) == major(second)


def level_db(level: Array) -> float:
    """Mean mel power of a clip in dB of the reference."""
    return float(10 * np.log10(np.mean(level.astype(np.float64) ** 8) + 1e-12))


def timbre(level: Array) -> Array:
    """Average spectrum of a clip in level, smoothed over 8 bands, [64]."""
    mean = level.mean(1)
    return mean.reshape(-1, 8).mean(1)


def timbre_move(result: Array, seed: Array, goal: Array) -> float:
    """How far a render's average spectrum moved from its loop's (0) to the goal's (1)."""
    way = goal - timbre(seed)
    return float(((timbre(result) - timbre(seed)) * way).sum() / max(float((way**2).sum()), 1e-12))


def frechet_distance(first: Array, second: Array) -> float:
    """Distance of two feature clouds as Gaussians (Heusel et al. 2017); features [clips, width]."""
    from scipy.linalg import sqrtm

    mean_a, mean_b = first.mean(0), second.mean(0)
    ridge = 1e-6 * np.eye(first.shape[1])
    a, b = np.cov(first, rowvar=False) + ridge, np.cov(second, rowvar=False) + ridge
    root = np.real(sqrtm(a @ b))
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(a + b - 2 * root))


def nearest_distances(clips: Array, others: Array) -> Array:
    """Smallest mean difference of each clip to any other, [clips]; both [count, rows, columns]."""
    flat = others.reshape(len(others), -1)
    return np.array([np.abs(flat - clip.reshape(-1)).mean(1).min() for clip in clips])
