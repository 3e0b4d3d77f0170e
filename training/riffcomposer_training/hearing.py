"""Measures of what is wrong with a clip to the ear: hiss, blurred partials, soft onsets, lost chords.

Conventions: a level is float [512, frames] in 0..1, row 0 the lowest band, one frame 10 ms; magnitude is
level^4 times the reference. All figures are in dB unless they say otherwise.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

from riffcomposer.diffusion.caption_spectrum import THIRD_OCTAVES_HZ
from riffcomposer_training.known_music import KnownChord, KnownMusic
from riffcomposer_training.measures import Array, band_frequencies, chroma, onset_envelope

_BODY_HZ, _TREBLE_HZ = (60.0, 1000.0), (4000.0, 10_000.0)
_HAZE_HZ, _HAZE_SHARE = (1000.0, 9500.0), 0.2
_NEIGHBOURS = 9
_PARTIALS, _TONAL_HZ = 10, (100.0, 3000.0)
_NEAR, _NEAR_HZ = 0.015, 12.0
_APART_HZ = 35.0
_TRIADS = {"major": (0, 4, 7), "minor": (0, 3, 7)}
_FLOOR = 1e-12


def power(level: Array) -> Array:
    """Mel power of each band and frame."""
    found: Array = np.asarray(level, np.float64) ** 8
    return found


def _between(low: float, high: float) -> npt.NDArray[np.bool_]:
    hz = band_frequencies()
    return (hz >= low) & (hz < high)


@cache
def _third_octave_bands() -> tuple[npt.NDArray[np.bool_], ...]:
    return tuple(_between(hz * 2 ** (-1 / 6), hz * 2 ** (1 / 6)) for hz in THIRD_OCTAVES_HZ)


def third_octaves(level: Array) -> Array:
    """Average spectrum, dB of each band of `THIRD_OCTAVES_HZ`, relative to 60 to 1,000 Hz as a whole."""
    mean = power(level).mean(1)
    body = mean[_between(*_BODY_HZ)].sum()
    bands = np.array([mean[rows].sum() for rows in _third_octave_bands()])
    return 10 * np.log10((bands + _FLOOR) / (body + _FLOOR))


def treble(level: Array) -> float:
    """How loud 4 to 10 kHz are relative to 60 to 1,000 Hz: hiss and cymbals against the music."""
    mean = power(level).mean(1)
    return float(
        10
        * np.log10((mean[_between(*_TREBLE_HZ)].sum() + _FLOOR) / (mean[_between(*_BODY_HZ)].sum() + _FLOOR))
    )


def haze(level: Array) -> float:
    """How loud it is between the notes: the 20th percentile over time of each band from 1 to 9.5 kHz.

    Averaged over bands in dB, relative to the mean power from 60 to 1,000 Hz.
    """
    sound = power(level)
    quiet = np.quantile(sound[_between(*_HAZE_HZ)], _HAZE_SHARE, axis=1)
    body = sound.mean(1)[_between(*_BODY_HZ)].sum()
    return float(np.mean(10 * np.log10(quiet + _FLOOR)) - 10 * np.log10(body + _FLOOR))


def stripes(level: Array) -> float:
    """How much of what is finer than eight bands lasts for the whole clip, from 1 to 9.5 kHz, 0 to 1.

    The square of the mean over time of each band's difference from its neighbours against the mean of the
    square: 1 for lines that never end, near 0 for noise and for notes that change. The level is in 0..1.
    """
    fine = (level - uniform_filter1d(np.asarray(level, np.float64), _NEIGHBOURS, axis=0))[_between(*_HAZE_HZ)]
    return float((fine.mean(1) ** 2).mean() / ((fine**2).mean() + _FLOOR))


def tonal_clarity(level: Array, music: KnownMusic) -> float | None:
    """How far the partials of the known notes rise above what is between them.

    The mean power of the bands at the first ten harmonics of every sounding note, from 100 to 3,000 Hz,
    against that of the bands farther than 35 Hz from all of them, averaged over frames in dB: a
    harmonics-to-noise ratio (Yumoto et al. 1982) for notes that are known. None without pitched notes.
    """
    hz = band_frequencies()
    inside = (hz >= _TONAL_HZ[0]) & (hz < _TONAL_HZ[1])
    sound = power(level)
    ratios = []
    for frame in range(0, level.shape[1], 4):
        playing = (music.notes[:, 0] + 4 <= frame) & (frame < music.notes[:, 1])
        if not playing.any():
            continue
        pitches = 440 * 2 ** ((music.notes[playing, 2] - 69) / 12)
        partials = (pitches[:, None] * np.arange(1, _PARTIALS + 1)).reshape(-1)
        distance = np.abs(hz[:, None] - partials[None])
        on = inside & (distance <= np.maximum(_NEAR_HZ, _NEAR * partials[None])).any(1)
        off = inside & (distance > _APART_HZ).all(1)
        if on.sum() >= 2 and off.sum() >= 8:
            ratios.append((sound[on, frame].mean() + _FLOOR) / (sound[off, frame].mean() + _FLOOR))
    return float(np.mean(10 * np.log10(ratios))) if ratios else None


def onset_sharpness(level: Array, music: KnownMusic) -> float | None:
    """How far the rise of level at the known onsets is above its mean; None without onsets.

    It is the highest rise within 30 ms of each onset, averaged over onsets.
    """
    rise = onset_envelope(level)
    if not len(music.onsets):
        return None
    peaks = [rise[max(0, onset - 3) : onset + 4].max() for onset in music.onsets]
    return float(20 * np.log10((np.mean(peaks) + 1e-9) / (rise.mean() + 1e-9)))


@cache
def _triads() -> tuple[tuple[frozenset[int], Array], ...]:
    found = []
    for root in range(12):
        for steps in _TRIADS.values():
            tones = frozenset((root + step) % 12 for step in steps)
            template = np.array([1.0 if tone in tones else 0.0 for tone in range(12)])
            found.append((tones, template - template.mean()))
    return tuple(found)


def asks_for(chord: KnownChord) -> set[frozenset[int]]:
    """Those of the 24 major and minor triads that share most tones with a chord."""
    shared = {tones: len(tones & set(chord.pitch_classes)) for tones, _ in _triads()}
    most = max(shared.values())
    return {tones for tones, count in shared.items() if count == most}


def heard_triad(level: Array) -> frozenset[int]:
    """The triad whose tones fit the chroma of a stretch best (Fujishima 1999)."""
    found = chroma(level)
    found = found - found.mean()
    return max(_triads(), key=lambda triad: float(found @ triad[1]))[0]


def chords_right(level: Array, music: KnownMusic) -> list[bool]:
    """For each known chord, whether the triad that fits best is one that it asks for."""
    return [heard_triad(level[:, chord.start : chord.end]) in asks_for(chord) for chord in music.chords]


def chroma_similarity(level: Array, other: Array, music: KnownMusic) -> list[float]:
    """For each known chord, the cosine of two clips' chroma there, 0 to 1."""
    found = []
    for chord in music.chords:
        ours, theirs = (chroma(each[:, chord.start : chord.end]) for each in (level, other))
        norm = np.sqrt((ours @ ours) * (theirs @ theirs))
        found.append(float(ours @ theirs / max(float(norm), _FLOOR)))
    return found


def variety(levels: npt.NDArray[np.floating]) -> float:
    """Mean difference of level between clips, over squares of 16 x 16; levels [clips, 512, frames]."""
    frames = levels.shape[2] // 16 * 16
    squares = levels[:, :, :frames].reshape(len(levels), 32, 16, frames // 16, 16).mean((2, 4))
    pairs = [(a, b) for a in range(len(levels)) for b in range(a)]
    return float(np.mean([np.abs(squares[a] - squares[b]).mean() for a, b in pairs]))
