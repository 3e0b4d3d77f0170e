"""Change ringing: rows of bells in which neighbours swap places."""

from __future__ import annotations

from random import Random

from riffcomposer.composer.instruments import Instrument
from riffcomposer.composer.theory import Note


def ring_changes(rng: Random, player: Instrument, tonic: int, beats: float) -> list[Note]:
    """Rings plain hunt on four to eight bells of the tonic's major scale.

    Args:
        rng: Where every draw comes from.
        player: Whose range the bells are in.
        tonic: Pitch class of the lowest bell.
        beats: How long, in quarter notes.
    """
    count = rng.choice([4, 5, 6, 8])
    base = max(player.low, 60 + (tonic - 60) % 12 - (12 if player.high < 80 else 0))
    ring = [min(player.high, base + step) for step in reversed((0, 2, 4, 5, 7, 9, 11, 12)[:count])]
    step = rng.choice([0.5, 0.5, 1.0])
    order, notes, at, row = list(range(count)), [], 0.0, 0
    while at < beats - 1e-6:
        for bell in order:
            if at < beats - 1e-6:
                notes.append(Note(at, step * 3, ring[bell], rng.randint(82, 104)))
            at += step
        for place in range(row % 2, count - 1, 2):
            order[place], order[place + 1] = order[place + 1], order[place]
        row += 1
    return notes
