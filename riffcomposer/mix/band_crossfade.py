"""Crossfades two clips in the mel spectrogram, each band at its own time.

The sum of two unrelated spectrograms is not the spectrogram of any sound: where both have a tone in one band,
the sum would have to beat, and no phases make it steady. So the two clips should sound together for as short
a time as possible, yet a hard edge is not found in real sounds either. Here each band is crossfaded within
`FADE_FRAMES`, at the time in the join at which the two clips overlap least: in a pause, after a decay or
before an onset. These times are a path over the bands (`riffcomposer.spectrogram.minimum_cost_path`), so
neighbouring bands are crossfaded at nearly the same time. `docs/explanation/joins.md` has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riffcomposer.spectrogram.minimum_cost_path import minimum_cost_path

JOIN_FRAMES = 48
"""Length of a join in frames, if the clips overlap by that many."""

FADE_FRAMES = 16
"""Length of the crossfade of one band: half a period of a cosine in power."""

BANDS_PER_STEP = 4
"""Number of bands over which the path moves by at most one frame."""


@dataclass(frozen=True)
class BandCrossfade:
    """The crossfades of one join.

    Attributes:
        centres: Middle of each band's crossfade, in samples from the join's start, `[n_mels]`.
        fade_samples: Length of each crossfade in samples; 0 switches at once.
    """

    centres: NDArray[np.float64]
    fade_samples: int

    def rise(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns the incoming clip's share of the power: 0 before a band's crossfade and 1 after it.

        Args:
            samples: Positions, counted from the join's start, `[frames]`.

        Returns:
            `[n_mels, frames]`.
        """
        apart = samples[None] - self.centres[:, None]
        if not self.fade_samples:
            return np.asarray(apart >= 0, float)
        return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(apart / self.fade_samples + 0.5, 0, 1)))


def plan_band_crossfade(
    falling: NDArray[np.float32], rising: NDArray[np.float32], length_samples: int, hop_length: int
) -> BandCrossfade:
    """Decides when in a join each band is crossfaded.

    Args:
        falling: Mel of the outgoing clip from the join's start on, `[channels, n_mels, frames]`.
        rising: Mel of the incoming clip, of the same shape.
        length_samples: Length of the join in samples, at most `frames * hop_length`.
        hop_length: Samples from one frame to the next.

    Returns:
        Crossfades within the join. In a join that is too short to choose, all bands share one.
    """
    bands = falling.shape[1]
    fade = min(FADE_FRAMES * hop_length, length_samples)
    first = FADE_FRAMES // 2
    places = length_samples // hop_length - 2 * first
    if places < 2:
        return BandCrossfade(np.full(bands, length_samples / 2), fade)
    both = np.minimum(falling, rising).max(axis=0).astype(np.float64)
    window = np.hanning(FADE_FRAMES + 2)[1:-1]
    overlap = np.stack([np.convolve(band, window, "same") for band in both])[:, first : first + places]
    steps = np.arange(0, bands, BANDS_PER_STEP)
    path = first + minimum_cost_path(np.add.reduceat(overlap, steps, axis=0).T, reach=1)
    centres = np.interp(np.arange(bands), steps + (BANDS_PER_STEP - 1) / 2, path)
    return BandCrossfade(centres * hop_length, fade)
