"""Measures the tempo of a recording: its beats per minute, how certain they are, and its first downbeat.

1. Onset strength: the rise of the log spectrum in 40 bands (spectral flux; Bello et al. 2005), 200 frames
   per second, and the same of the bands below 160 Hz alone, where kick drum and bass are.
2. Candidates: the autocorrelation at whole beats under a log-normal prior of tempo (Ellis 2007). Half and
   double tempo are told apart by how alike neighbouring beats are.
3. Phase: in windows of some seconds, the phase of the onsets at the beat's frequency, or at that of its half
   or quarter where it is stronger. A straight line through these phases over the whole recording, by least
   squares, is the tempo; how well they follow the line is the certainty.
4. The beat, then the downbeat: the phase in a beat and in a bar with the strongest onsets.

Conventions: audio is float32 `[channels, samples]`; onset strength has a value per frame; a beat is a quarter
note.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FRAMES_PER_SECOND = 200
WINDOW_SECONDS = 0.024
ANALYSED_SECONDS = 300
MIN_BEATS = 8
BANDS = 40
BASS_HZ = 160
FLOOR = 0.1
"""Share of a band's loud moments below which its level matters little."""

LOUD_PERCENTILE = 98
SOFTEST_BAND = 0.05
"""Bands whose loud moments are softer than this share of the loudest band's count for less."""

SLOWEST_BPM, FASTEST_BPM = 50.0, 210.0
USUAL_BPM, PRIOR_OCTAVES = 110.0, 0.9
USUAL_RANGE, UNUSUAL_WEIGHT = (60.0, 180.0), 0.5
"""The prior: log-normal, halved outside the range in which half or double tempo is named instead."""

HINT_RANGE = 0.08
"""How far from a hint, as a share of it, the tempo may be."""

CLEAR_BEAT = 0.2
"""Mean autocorrelation at whole beats from which a beat is clear."""

CERTAIN = 0.8
"""Certainty below which a tempo is not to be relied on."""

ATTACK_SECONDS = 0.005
"""How much earlier than the attack of a drum its onset strength has its peak."""

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class Tempo:
    """The tempo of a recording.

    Attributes:
        bpm: Quarter notes per minute.
        certainty: 0..1; below `CERTAIN` the recording has no steady tempo that could be measured.
        first_beat_s: Time of the first downbeat, in seconds from the start.
    """

    bpm: float
    certainty: float
    first_beat_s: float


@dataclass(frozen=True)
class _Line:
    """Beats on a straight line: `period` in frames, and how closely the onsets follow it, 0..1."""

    period: float
    closeness: float


def measure_tempo(
    samples: NDArray[np.float32], rate: int, *, meter_beats: int, hint: float | None = None
) -> Tempo:
    """Measures a recording; of a long one, its first five minutes.

    Args:
        samples: `[channels, samples]`; any array that can be sliced, also one mapped from a file.
        rate: Sample rate in Hz.
        meter_beats: Beats per bar, 1 or more.
        hint: About the tempo in BPM: only tempi within 8 % of it are considered. None for any from 50 to 210.

    Returns:
        The tempo; with certainty 0 where there are no onsets, or fewer than eight beats of them.
    """
    onsets, bass = _onset_strength(samples, rate)
    frames = len(onsets)
    slowest, fastest = SLOWEST_BPM, FASTEST_BPM
    if hint is not None:
        slowest, fastest = hint * (1 - HINT_RANGE), hint * (1 + HINT_RANGE)
    periods = 60 * FRAMES_PER_SECOND / np.geomspace(fastest, slowest, 2000)
    periods = periods[periods * MIN_BEATS < frames]
    if not len(periods) or not onsets.any():
        return Tempo(hint or USUAL_BPM, 0.0, 0.0)
    correlation = _autocorrelation(onsets, int(periods.max() * MIN_BEATS) + 2)
    period, strength = _choose(correlation, periods, octaves=hint is None)
    line = _fit(onsets, period)
    certainty = line.closeness * min(1.0, max(0.0, strength) / CLEAR_BEAT)
    beat = _beat_phase(onsets, bass, line.period)
    first = _downbeat(onsets, bass, line.period, beat, meter_beats)
    return Tempo(
        bpm=60 * FRAMES_PER_SECOND / line.period,
        certainty=float(certainty),
        first_beat_s=max(0.0, first / FRAMES_PER_SECOND + ATTACK_SECONDS),
    )


def _onset_strength(samples: NDArray[np.float32], rate: int) -> tuple[Curve, Curve]:
    """Rise of the log spectrum, of all bands and of those below 160 Hz, less the mean over a second."""
    size = round(WINDOW_SECONDS * rate)
    size += size % 2
    count = int(min(samples.shape[1] / rate, ANALYSED_SECONDS) * FRAMES_PER_SECOND)
    window = np.hanning(size).astype(np.float32)
    n_fft = 1 << (2 * size - 1).bit_length()
    hertz = np.fft.rfftfreq(n_fft, 1 / rate)
    edges = np.geomspace(40, min(16000, rate / 2), BANDS + 1)
    weights = np.zeros((len(hertz), BANDS), np.float32)
    for band in range(BANDS):
        inside = (hertz >= edges[band]) & (hertz < edges[band + 1])
        inside[np.abs(hertz - np.sqrt(edges[band] * edges[band + 1])).argmin()] = True
        weights[inside, band] = 1 / inside.sum()
    low = int(np.searchsorted(edges, BASS_HZ))
    weights *= 2 / window.sum()
    levels = np.zeros((count + 1, BANDS), np.float32)
    for first in range(0, count, 1000):
        last = min(count, first + 1000)
        centres = (np.arange(first, last) * rate / FRAMES_PER_SECOND).round().astype(int)
        start, stop = int(centres[0]) - size // 2, int(centres[-1]) + size // 2
        block = samples[:, max(0, start) : stop].mean(axis=0, dtype=np.float32)
        sound = np.zeros(stop - start, np.float32)
        sound[max(0, -start) : max(0, -start) + len(block)] = block
        frames = np.lib.stride_tricks.sliding_window_view(sound, size)[centres - centres[0]] * window
        levels[first + 1 : last + 1] = np.abs(np.fft.rfft(frames, n_fft)).astype(np.float32) @ weights
    loud = np.percentile(levels, LOUD_PERCENTILE, axis=0) if count else np.zeros(BANDS)
    levels /= np.maximum(loud, loud.max() * SOFTEST_BAND) + 1e-9
    rises = np.maximum(np.diff(np.log(levels + np.float32(FLOOR)), axis=0), 0)
    return _sharpened(rises.mean(axis=1)), _sharpened(rises[:, :low].mean(axis=1))


def _sharpened(curve: Curve) -> Curve:
    """What rises above the mean over the second around."""
    if not len(curve):
        return curve
    around = FRAMES_PER_SECOND // 2
    sums = np.concatenate([np.zeros(1), np.cumsum(curve)])
    places = np.arange(len(curve))
    first, last = np.maximum(places - around, 0), np.minimum(places + around + 1, len(curve))
    return np.maximum(curve - (sums[last] - sums[first]) / (last - first), 0)


def _autocorrelation(onsets: Curve, longest: int) -> Curve:
    """Autocorrelation of the onsets at lags 0 to `longest` frames, 1 at lag 0."""
    # Onsets are blurred a little, so that beats which are played early or late still meet.
    kernel = np.hanning(13)
    blurred = np.convolve(onsets, kernel / kernel.sum(), "same")
    blurred -= blurred.mean()
    longest = min(longest, len(onsets))
    size = 1 << (len(blurred) + longest).bit_length()
    spectrum = np.abs(np.fft.rfft(blurred, size)) ** 2
    correlation = np.fft.irfft(spectrum, size)[:longest] / (len(blurred) - np.arange(longest))
    return np.asarray(correlation / correlation[0])


def _at(correlation: Curve, lags: Curve) -> Curve:
    return np.asarray(np.interp(lags, np.arange(len(correlation)), correlation, right=0))


def _prior(periods: Curve) -> Curve:
    bpm = 60 * FRAMES_PER_SECOND / periods
    usual = (bpm >= USUAL_RANGE[0]) & (bpm <= USUAL_RANGE[1])
    weight = np.exp(-0.5 * (np.log2(bpm / USUAL_BPM) / PRIOR_OCTAVES) ** 2)
    return np.asarray(weight * np.where(usual, 1, UNUSUAL_WEIGHT))


def _choose(correlation: Curve, periods: Curve, *, octaves: bool) -> tuple[float, float]:
    """The period of the beat, and how strong it is: 1 for clicks, 0 for noise.

    Whole beats, half and double tempo all fit the onsets. Of these the beat is the one whose neighbouring
    beats are alike and whose half beats differ from its beats, under the prior.
    """
    strengths = _at(correlation, periods[:, None] * np.arange(1, MIN_BEATS + 1)).mean(axis=1)
    if not octaves:
        best = int(strengths.argmax())
        return float(periods[best]), float(strengths[best])
    first = float(periods[int((strengths * _prior(periods)).argmax())])
    choices = []
    for factor in (0.5, 1.0, 2.0):
        near = np.flatnonzero(np.abs(periods / (first * factor) - 1) < 0.02)
        if not len(near):
            continue
        best = int(near[strengths[near].argmax()])
        half, one, two = _at(correlation, periods[best] * np.array([0.5, 1.0, 2.0]))
        alike = min(1.0, max(0.0, one / max(two, 1e-3)))
        divided = min(1.0, max(0.0, half / max(one, 1e-3)))
        weight = float(_prior(periods[best : best + 1])[0]) * alike**6 * (1 - 0.4 * divided**8)
        choices.append((weight, float(periods[best]), float(strengths[best])))
    _, period, strength = max(choices)
    return period, strength


def _fit(onsets: Curve, period: float) -> _Line:
    """Fits a straight line to the beat's phases; `period` must be right within a percent."""
    harmonic = max((1, 2, 4), key=lambda h: np.abs(_phasors(onsets, period, h)[1]).sum())
    closeness = 0.0
    for _ in range(3):
        centres, phasors = _phasors(onsets, period, harmonic)
        weights = np.abs(phasors)
        if len(centres) < 3 or not weights.any():
            break
        # 1. The peak of the phasors' own spectrum is the frequency that is left, near enough to unwrap.
        padded = 16 * len(phasors)
        peak = int(np.abs(np.fft.fft(phasors, padded)).argmax())
        left = float(np.fft.fftfreq(padded, centres[1] - centres[0])[peak])
        turned = phasors * np.exp(-2j * np.pi * left * centres)
        angles = np.angle(turned * np.conj(turned.sum()))
        # 2. The line.
        slope, level = np.polyfit(centres, angles, 1, w=np.sqrt(weights))
        left += float(slope) / (2 * np.pi)
        angles = angles - slope * centres - level
        closeness = float(np.abs((weights * np.exp(1j * angles)).sum()) / weights.sum())
        # Phases at random follow some line too, the closer the fewer they are.
        chance = min(0.95, 1.2 / np.sqrt((len(centres) + 1) / 2))
        closeness = max(0.0, (closeness - chance) / (1 - chance))
        period = harmonic / (harmonic / period + left)
    return _Line(period, closeness)


def _phasors(onsets: Curve, period: float, harmonic: int) -> tuple[Curve, NDArray[np.complex128]]:
    """Onsets at a multiple of the beat's frequency, window by window: centres and complex amplitudes."""
    length = int(min(max(len(onsets) / 6, 2 * period), 8 * period))
    turned = onsets * np.exp(-2j * np.pi * harmonic / period * np.arange(len(onsets)))
    sums = np.concatenate([[0], np.cumsum(turned)])
    starts = np.arange(0, len(onsets) - length + 1, length // 2)
    centres = np.asarray(starts + (length - 1) / 2, np.float64)
    return centres, np.asarray(sums[starts + length] - sums[starts])


def _beat_phase(onsets: Curve, bass: Curve, period: float) -> float:
    """Position of a beat in frames, 0 to `period`: where the onsets of all beats together are strongest."""
    bins = 48
    profile = _folded(onsets, period, bins) + 0.5 * _folded(bass, period, bins)
    best = int(profile.argmax())
    around = np.arange(best - 2, best + 3)
    weights = profile[around % bins] - profile.min()
    centre = float((around * weights).sum() / weights.sum()) if weights.any() else float(best)
    return centre * period / bins % period


def _downbeat(onsets: Curve, bass: Curve, period: float, beat: float, meter_beats: int) -> float:
    """Position in frames of the first beat that opens a bar: the beat of the bar with the strongest bass."""
    bins = 48 * meter_beats
    profile = _folded(bass, period * meter_beats, bins) + 0.25 * _folded(onsets, period * meter_beats, bins)
    places = np.round((beat / period + np.arange(meter_beats)) * 48).astype(int)
    strengths = profile[places % bins]
    first = beat + int(strengths.argmax()) * period
    bar = meter_beats * period
    # A recording that opens with its downbeat may be measured a little before its start.
    return first - bar if first > bar - 0.05 * FRAMES_PER_SECOND else first


def _folded(curve: Curve, period: float, bins: int) -> Curve:
    """The curve folded at a period into bins, smoothed over 15 ms or so."""
    phases = np.arange(len(curve)) / period % 1
    sums = np.bincount((phases * bins).round().astype(int) % bins, curve, bins)
    counts = np.bincount((phases * bins).round().astype(int) % bins, minlength=bins)
    means = sums / np.maximum(counts, 1)
    return np.asarray((np.roll(means, 1) + 2 * means + np.roll(means, -1)) / 4)
