"""Who plays in which phrase: players enter, pause and leave, so that an arrangement develops."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

from riffcomposer.composer.piece import Layout
from riffcomposer.composer.theory import Note

Presence = dict[str, list[bool]]
"""Role to one flag for each phrase."""

_Shape = Callable[[Presence, Sequence[str], int, Random], None]


def _everyone(presence: Presence, order: Sequence[str], phrases: int, rng: Random) -> None:
    """All play from the first phrase to the last."""


def _build(presence: Presence, order: Sequence[str], phrases: int, _rng: Random) -> None:
    """One begins, the others enter one after another."""
    for place, role in enumerate(order[1:], 1):
        entry = min(phrases - 1, (place * phrases) // len(order))
        presence[role][:entry] = [False] * entry


def _breakdown(presence: Presence, order: Sequence[str], phrases: int, rng: Random) -> None:
    """Half of the players pause in one phrase."""
    middle = rng.randrange(phrases)
    for role in order[: max(1, len(order) // 2)]:
        presence[role][middle] = False


def _turns(presence: Presence, order: Sequence[str], phrases: int, _rng: Random) -> None:
    """In each phrase another one pauses."""
    for phrase in range(phrases):
        presence[order[phrase % len(order)]][phrase] = False


def _alone(presence: Presence, order: Sequence[str], phrases: int, rng: Random) -> None:
    """In one phrase a single player is left."""
    phrase = rng.randrange(phrases)
    for role in order[1:]:
        presence[role][phrase] = False


# name: (how often it is drawn, what it does)
SHAPES: dict[str, tuple[int, _Shape]] = {
    "all": (30, _everyone),
    "build": (25, _build),
    "breakdown": (15, _breakdown),
    "turns": (20, _turns),
    "alone": (10, _alone),
}


def schedule(rng: Random, roles: Sequence[str], phrases: int) -> dict[str, tuple[bool, ...]]:
    """Draws who plays in which phrase.

    Returns:
        Role to one flag for each phrase; somebody plays in every phrase.
    """
    presence = {role: [True] * phrases for role in roles}
    name = rng.choices(list(SHAPES), [weight for weight, _ in SHAPES.values()])[0]
    if len(presence) > 1 and phrases > 1 and name != "all":
        order = list(presence)
        rng.shuffle(order)
        SHAPES[name][1](presence, order, phrases, rng)
    return {role: tuple(flags) for role, flags in presence.items()}


def only_active(notes: Sequence[Note], active: Sequence[bool], layout: Layout) -> tuple[Note, ...]:
    """Drops the notes that start in phrases where the part is silent; the lead-in goes with the first."""
    lead_in = layout.lead_in_bars * layout.bar_beats
    beats = layout.phrase_bars * layout.bar_beats

    def plays(note: Note) -> bool:
        phrase = math.floor((note.start - lead_in) / beats + 0.02)
        return active[min(max(phrase, 0), len(active) - 1)]

    return tuple(note for note in notes if plays(note))
