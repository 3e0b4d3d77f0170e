"""Moves notes off the grid as players do: swing, and a few milliseconds early or late."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from riffcomposer.composer.theory import Note

TIGHT_MIXES = ("pump", "pump light", "none", "synthwave")
"""Effect chains of machine music, in which players keep closer to the grid."""


def humanise(
    notes: Sequence[Note],
    rng: Random,
    tempo: float,
    late_ms: float = 0.0,
    spread_ms: float = 2.0,
    swing: float = 0.0,
    unit: float = 0.5,
) -> tuple[Note, ...]:
    """Swings off-beats and moves every note by a few milliseconds.

    Args:
        notes: In any order.
        rng: Where every draw comes from.
        tempo: BPM.
        late_ms: How late all notes come.
        spread_ms: Standard deviation around that.
        swing: By what share of `unit` every second unit comes late (a third makes triplets).
        unit: The swung note value, in quarter notes.
    """
    beat_ms = 60000 / tempo
    moved = []
    for note in notes:
        start = note.start
        place = round(start / unit)
        if swing and place % 2 == 1 and abs(start / unit - place) < 0.02:
            start += swing * unit
        start += (late_ms + rng.gauss(0, spread_ms)) / beat_ms
        moved.append(note._replace(start=max(0.0, start)))
    return tuple(sorted(moved))
