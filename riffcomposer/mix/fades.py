"""Gains over a fade, at a section's ends and between sections.

Equal power (sine and cosine) keeps the loudness where two unrelated sounds meet; linear gains
keep the waveform where both sides are the same sound. Gains are taken half a sample inside the
fade, so that a fade of any length is symmetric: `falling(n) == rising(n)[::-1]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from riffcomposer.mix.blocks import Audio

Shape = Literal["equal_power", "linear", "smooth"]


def rising(shape: Shape, positions: NDArray[np.int64], length: int) -> NDArray[np.float32]:
    """Returns the gain of a fade in that starts at 0 and ends at `length`, at any positions.

    Args:
        shape: `equal_power` (sine: `rising**2 + falling**2 == 1`), `linear`, or `smooth` (sine
            squared: `rising + falling == 1` without corners).
        positions: Positions in samples from the fade's start; before the fade the gain is 0, after it 1.
        length: Length of the fade in samples; 0 is a step.
    """
    if length <= 0:
        return (positions >= 0).astype(np.float32)
    phase = np.clip((positions + 0.5) / length, 0.0, 1.0)
    if shape == "linear":
        return phase.astype(np.float32)
    sine = np.sin(0.5 * np.pi * phase)
    return (sine if shape == "equal_power" else sine * sine).astype(np.float32)


def falling(shape: Shape, positions: NDArray[np.int64], length: int) -> NDArray[np.float32]:
    """Returns the gain of a fade out, the counterpart of `rising`: 1 before the fade, 0 after it."""
    if length <= 0:
        return (positions < 0).astype(np.float32)
    phase = np.clip((positions + 0.5) / length, 0.0, 1.0)
    if shape == "linear":
        return (1 - phase).astype(np.float32)
    cosine = np.cos(0.5 * np.pi * phase)
    gain = cosine if shape == "equal_power" else cosine * cosine
    return np.where(phase >= 1, 0, gain).astype(np.float32)


def db_to_gain(level_db: float) -> float:
    """Converts decibels to an amplitude factor."""
    return float(10 ** (level_db / 20))


@dataclass(frozen=True)
class Fade:
    """A gain that rises or falls, from an absolute sample on."""

    shape: Shape
    start: int
    length: int
    falls: bool

    def gain(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """The gain at absolute samples."""
        curve = falling if self.falls else rising
        return curve(self.shape, positions - self.start, self.length)


def section_fades(start: int, end: int, fade_in_samples: int, fade_out_samples: int) -> list[Fade]:
    """The fades at the ends of a section from `start` to `end`; none for a length of 0."""
    fades = []
    if fade_in_samples:
        fades.append(Fade("smooth", start, fade_in_samples, False))
    if fade_out_samples:
        fades.append(Fade("smooth", end - fade_out_samples, fade_out_samples, True))
    return fades


def under(audio: Audio, fades: Sequence[Fade], start: int) -> Audio:
    """Audio that begins at `start` under the product of the fades; untouched where all are one."""
    stop = start + audio.shape[1]
    for fade in fades:
        over = start >= fade.start + fade.length if not fade.falls else stop <= fade.start
        if not over:
            audio = audio * fade.gain(np.arange(start, stop))
    return audio
