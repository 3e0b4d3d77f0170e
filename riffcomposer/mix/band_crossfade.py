"""How one clip gives way to the next in their mel: each band at its own quietest moment.

Two unrelated spectrograms added together are no spectrogram of any sound: where both have a tone in one
band, the sum would have to beat, and no phases can make it steady. With ten times the decoder's
iterations the convergence in such a join improved by 0.2 dB, around it by up to 8 dB. So the two should
sound together as little as possible, yet a hard edge is none of a sound's either. Here every band is
handed over within `FADE_FRAMES`, at a moment of the join that is chosen, along a path that is smooth
over the bands, where least of both clips sounds: in pauses, after decays, before onsets.

Joins of eight different images, seven joins, `default` decoder, convergence in the join less that
around it (mean, worst): all bands together over 32 frames +4.3, +10.3 dB; handed over within 16 of 48
frames +0.9, +7.1 dB; of 32 frames +2.5; a path free to jump by 5 frames a band +4.3 (its edges are heard
by the bands beside). The worst are steady chords that never pause; over the joins of real images it is
+2.1 dB at worst and -1.2 dB in the mean. Geometric means and power means did worse at any length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riffcomposer.spectrogram.minimum_cost_path import minimum_cost_path

JOIN_FRAMES = 48
"""Length of a join in which hand-overs are looked for, if the clips overlap by so much."""

FADE_FRAMES = 16
"""How long a band takes: half a cosine in power. 12 and 20 frames are 0.1 to 0.4 dB worse."""

BANDS_PER_STEP = 4
"""The path moves by at most a frame over so many bands."""


@dataclass(frozen=True)
class BandCrossfade:
    """One join.

    Attributes:
        centres: The middle of each band's hand-over, in samples from the join's start, `[n_mels]`.
        fade_samples: How long each takes; 0 is a switch.
    """

    centres: NDArray[np.float64]
    fade_samples: int

    def rise(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """The incoming clip's share of the power, 0 before its hand-over and 1 behind it.

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
    """Decides where in a join each band changes over.

    Args:
        falling: The outgoing clip's mel from the join's start on, `[channels, n_mels, frames]`.
        rising: The incoming clip's, of the same shape.
        length_samples: Length of the join, at most `frames * hop_length`.

    Returns:
        Hand-overs that lie within the join; one over all of it, for all bands, if it is short.
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
