"""A pitch wheel over a piece, read for one note at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from riffcomposer.synth.soundfont_voice import Cents

SLEW_SAMPLES = 220
"""Samples (5 ms) in which the wheel goes from one place to the next, so that its steps are not heard."""


class PitchWheel:
    """A pitch wheel.

    Args:
        bends: Quarter notes from the piece's start and semitones, rising; each holds until the next.
        quarter: Samples in a quarter note.
    """

    def __init__(self, bends: Sequence[tuple[float, float]], quarter: float) -> None:
        places, semitones = (np.array(column, np.float64) for column in zip(*bends, strict=True))
        self._places, self._cents = places * quarter, 100 * semitones

    def cents(self, start: int, samples: int, tuned: int) -> Cents:
        """Distance from a note's pitch, [samples].

        Args:
            start: Sample at which the note begins.
            samples: How long it is heard.
            tuned: Semitones of the wheel that its pitch already holds.
        """
        first = max(0, int(np.searchsorted(self._places, start, side="right")) - 1)
        last = max(first + 1, int(np.searchsorted(self._places, start + samples)))
        places, cents = self._places[first:last], self._cents[first:last]
        ends = np.minimum(places[1:] + SLEW_SAMPLES, np.append(places[2:], np.inf))
        corners = np.stack([places[1:], ends], axis=1).ravel()
        values = np.stack([cents[:-1], cents[1:]], axis=1).ravel()
        if not len(corners):
            corners, values = places, cents
        found = np.interp(start + np.arange(samples), corners, values)
        return np.asarray(found - 100 * tuned, np.float64)
