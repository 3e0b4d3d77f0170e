"""Holds a clip's average spectrum between that of what it starts from and what its prompt is known for.

A model makes some bands of a clip louder or softer than any music with that caption has them, and guidance
exaggerates it. A checkpoint may bring a linear map from a prompt's embedding to the average spectrum of clips
with such a caption, learnt beside it (`ModelProfile.caption_spectrum`), and a tolerance, since such clips
differ. A repaint should sound like what it starts from, or like its caption, or between the two; a band that
is outside of both is moved to the nearer one by a gain that does not change over time. What a repaint starts
from fits the caption as well where it is within the tolerance. What is soft in a row of the spectrogram is
not raised with the rest, so that it is no louder between the notes.

Spectra are levels of third octaves (IEC 61260) in dB, relative to the whole from 60 to 1,000 Hz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from riffcomposer.checkpoints.profile import SPECTRUM_BANDS, SPECTRUM_FILE, ModelProfile
from riffcomposer.spectrogram.mel_filters import band_centres_hz
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.strength import noise_share

if TYPE_CHECKING:
    import torch

THIRD_OCTAVES_HZ = tuple(1000 * 2 ** (step / 3) for step in range(-12, SPECTRUM_BANDS - 12))
"""Centres of the bands, 62.5 Hz to 8 kHz."""

SOFTEST_DB = -60.0
"""A band as soft as this, or softer, is silent."""

LARGEST_GAIN_DB = 12.0
PASSES = 3
FREE_DB = 4.0
"""How far a clip that starts from noise alone may be from its caption's spectrum."""

_SOFT, _LOUD = 0.2, 0.6
"""Shares of a row's frames: what is softer is not raised at all, what is louder is raised whole."""

_BODY_HZ = (60.0, 1000.0)
_FLOOR = 1e-12

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class CaptionSpectrum:
    """The map from a prompt's embedding, [width] of unit length, to the spectrum of clips with that caption.

    Attributes:
        weight: float32 [bands, width].
        bias: float32 [bands].
        tolerance: float32 [bands], dB; within it, what a clip starts from fits the caption as well.
    """

    weight: Array
    bias: Array
    tolerance: Array

    @staticmethod
    def load(folder: Path) -> CaptionSpectrum:
        """Reads the map from a verified checkpoint's folder."""
        from safetensors.numpy import load_file

        tensors = load_file(folder / SPECTRUM_FILE)
        return CaptionSpectrum(
            *(tensors[name].astype(np.float32) for name in ("weight", "bias", "tolerance"))
        )

    def expected(self, embedding: Array) -> Array:
        """The spectrum that clips with such a caption have on average, float64 [bands]."""
        return self.weight.astype(np.float64) @ embedding.astype(np.float64) + self.bias


@cache
def _rows(params: SpectrogramParameters) -> tuple[Array, tuple[npt.NDArray[np.bool_], ...]]:
    """Centre of each row in Hz, and the rows of each band; the last entry is the body."""
    centres = band_centres_hz(
        params.num_frequencies,
        min_frequency_hz=params.min_frequency,
        max_frequency_hz=params.max_frequency,
        scale=params.mel_scale_type,
    ).numpy()
    edges = [(hz * 2 ** (-1 / 6), hz * 2 ** (1 / 6)) for hz in THIRD_OCTAVES_HZ]
    return centres, tuple((centres >= low) & (centres < high) for low, high in (*edges, _BODY_HZ))


def _measured(level: Array, params: SpectrogramParameters) -> tuple[Array, float]:
    """The spectrum of a level, as `average_spectrum` gives it, and the power of its body."""
    power = np.power(level, 2 / params.power_for_image, dtype=np.float64).mean(axis=(0, 2))
    *bands, body = (float(power[rows].sum()) + _FLOOR for rows in _rows(params)[1])
    return np.maximum(10 * np.log10(np.array(bands) / body), SOFTEST_DB), body


def average_spectrum(level: Array, params: SpectrogramParameters) -> Array:
    """The spectrum of a level [channels, n_mels, frames] in 0..1, float64 [bands], at least `SOFTEST_DB`."""
    return _measured(level, params)[0]


def limits(
    expected: Array, init: Array | None, freedom: float, tolerance: Array | float = 0.0
) -> tuple[Array, Array]:
    """The softest and the loudest that each band may be.

    Args:
        expected: The spectrum of the caption.
        init: That of what the clip starts from; None if it starts from noise alone.
        freedom: 0 where a clip is held to what it starts from, 1 where it starts from noise alone.
        tolerance: How far from the caption's spectrum what the clip starts from fits it as well.
    """
    start = expected if init is None else init
    nearest = expected + np.clip(start - expected, -tolerance, tolerance)
    free = FREE_DB * freedom
    return np.minimum(nearest, start) - free, np.maximum(nearest, start) + free


def hold(level: Array, softest: Array, loudest: Array, params: SpectrogramParameters) -> Array:
    """Moves each band of a level into its limits, by at most `LARGEST_GAIN_DB`.

    Gains are linear in dB over the logarithm of frequency between the centres of the bands. So they reach
    into the neighbours, and change the body that bands are relative to; each of `PASSES` corrects what the
    one before has left, and what the body lost. Bands that no row of the spectrogram belongs to, and silent
    ones, keep their level.

    Returns:
        float32, of the level's shape, in 0..1.
    """
    centres, bands = _rows(params)
    used = np.array([rows.any() for rows in bands[:-1]])
    places = np.log(np.array(THIRD_OCTAVES_HZ))
    hertz = np.log(np.maximum(centres, 1.0))
    soft, loud = np.quantile(level, (_SOFT, _LOUD), axis=(0, 2))[:, :, None]
    loudness = np.clip((level - soft) / np.maximum(loud - soft, 1e-3), 0, 1)
    _, wanted = _measured(level, params)
    gains = np.zeros(SPECTRUM_BANDS)
    moved: Array = level
    for _ in range(PASSES):
        now, body = _measured(moved, params)
        missing = np.clip(now, softest, loudest) - now + 10 * np.log10(wanted / body)
        missing[now <= SOFTEST_DB] = 0
        gains = np.clip(gains + missing, -LARGEST_GAIN_DB, LARGEST_GAIN_DB)
        factors = np.power(10.0, np.interp(hertz, places[used], gains[used]) / 20 * params.power_for_image)
        factors = factors[:, None]
        moved = np.clip(level * np.where(factors > 1, 1 + (factors - 1) * loudness, factors), 0, 1)
    return moved.astype(np.float32)


def held(
    level: Array,
    profile: ModelProfile,
    spectra: CaptionSpectrum,
    wishes: Sequence[tuple[float, torch.Tensor | None]],
    init: Array | None,
    strength: float,
) -> Array:
    """Holds a rendered level near its prompts and what it starts from.

    Args:
        level: [channels, n_mels, frames] in 0..1.
        profile, spectra: The checkpoint's.
        wishes: The share of each prompt of the clip, and its embedding (None for an empty prompt).
        init: Average spectrum of what it starts from; None if it starts from noise alone.
        strength: The song's strength, 0..1.
    """
    known = [(share, wish.cpu().numpy()) for share, wish in wishes if share and wish is not None]
    if not known:
        return level
    shares = [share for share, _ in known]
    expected = np.average([spectra.expected(wish) for _, wish in known], axis=0, weights=shares)
    freedom = noise_share(profile.model_strength(strength))
    softest, loudest = limits(expected, init, freedom, spectra.tolerance)
    return hold(level, softest, loudest, profile.spectrogram)
