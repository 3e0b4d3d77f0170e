"""Rhythms of accompaniment: where in a bar chords are struck, and what each rhythm does besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from riffcomposer.composer.instruments import Instrument
from riffcomposer.composer.theory import Chord, at_or_above

Hit = tuple[float, float]
"""Start in the bar and length, in quarter notes."""

BassHit = tuple[float, float, int]
"""Start in the bar and length in quarter notes, and pitch."""


def _root_and_fifth(chord: Chord, player: Instrument, _low: int) -> list[BassHit]:
    """The left hand of stride: the root on one, the fifth on three, below it where the range allows."""
    base = at_or_above(chord.root, max(player.low, 40))
    below = base + chord.fifth - 12
    return [(0.0, 0.8, base), (2.0, 0.8, below if below >= player.low else base + chord.fifth)]


def _low_root(chord: Chord, player: Instrument, low: int) -> list[BassHit]:
    """The root on one, an octave below the chords, or the player's lowest root where that is too low."""
    return [(0.0, 0.9, at_or_above(chord.root, max(player.low, low - 12)))]


@dataclass(frozen=True)
class Rhythm:
    """A rhythm of chords.

    Attributes:
        shapes: Alternatives for one bar of 4/4; a shorter bar takes what fits.
        dropped: Chance that a hit is left out.
        alternating: Whether strums go down and up in turn, instead of down only.
        upper_voices: How many of the chord's upper notes are struck; 0 for all.
        bass: What the left hand or thumb plays besides: from chord, player and the lowest pitch of
            the chords to hits with a pitch.
    """

    shapes: tuple[tuple[Hit, ...], ...]
    dropped: float = 0.0
    alternating: bool = False
    upper_voices: int = 0
    bass: Callable[[Chord, Instrument, int], list[BassHit]] | None = None


def fitted(shape: Sequence[Hit], bar_beats: float) -> list[Hit]:
    """Cuts a rhythm of 4/4 to a shorter bar."""
    return [(start, min(length, bar_beats - start)) for start, length in shape if start < bar_beats - 0.05]


RHYTHMS: dict[str, Rhythm] = {
    "whole": Rhythm((((0, 3.9),),)),
    "half": Rhythm((((0, 1.9), (2, 1.9)), ((0, 2.4), (2.5, 1.4)))),
    "quarters": Rhythm((((0, 0.9), (1, 0.9), (2, 0.9), (3, 0.9)),)),
    "charleston": Rhythm(
        (
            ((0, 1.3), (1.5, 0.4)),
            ((0, 0.5), (1.5, 1.2)),
            ((0.5, 0.4), (2, 1.2)),
            ((1.5, 0.4), (3.5, 0.5)),
        )
    ),
    "lazy": Rhythm(
        (
            ((0, 1.4), (1.75, 1.9)),
            ((0.0, 2.4), (2.75, 0.9)),
            ((0, 0.9), (1.5, 2.3)),
            ((0.25, 1.2), (2.25, 1.4)),
        )
    ),
    "tresillo": Rhythm(
        (
            ((0, 0.6), (0.75, 0.6), (1.5, 0.4), (2, 0.6), (2.75, 0.6), (3.5, 0.4)),
            ((0, 0.7), (1.5, 0.7), (3, 0.7)),
        )
    ),
    "stabs": Rhythm(
        (
            ((0.5, 0.3), (1.5, 0.3), (2.5, 0.3), (3.5, 0.3)),
            ((0, 0.25), (0.75, 0.25), (2.5, 0.25)),
            ((1.5, 0.3), (2.25, 0.3), (3.5, 0.3)),
        )
    ),
    "skank": Rhythm(
        (
            ((0.5, 0.18), (1.5, 0.18), (2.5, 0.18), (3.5, 0.18)),
            ((1, 0.2), (3, 0.2)),
            ((0.5, 0.18), (0.75, 0.15), (1.5, 0.18), (2.5, 0.18), (2.75, 0.15), (3.5, 0.18)),
        )
    ),
    "bubble": Rhythm(
        (
            (
                (0.5, 0.2),
                (0.75, 0.2),
                (1.5, 0.2),
                (1.75, 0.2),
                (2.5, 0.2),
                (2.75, 0.2),
                (3.5, 0.2),
                (3.75, 0.2),
            ),
        )
    ),
    "sixteenth mutes": Rhythm((tuple((i * 0.25, 0.11) for i in range(16)),), dropped=0.28),
    "chops": Rhythm(
        (
            ((0.5, 0.12), (0.75, 0.12), (1.5, 0.12), (2.25, 0.12), (2.75, 0.12), (3.5, 0.12)),
            ((0, 0.15), (0.75, 0.12), (1.25, 0.12), (2.5, 0.12), (3.25, 0.12)),
        )
    ),
    "eighths": Rhythm((tuple((i * 0.5, 0.45) for i in range(8)),)),
    "staccato": Rhythm(
        (
            tuple((i * 0.5, 0.22) for i in range(8)),
            (
                (0, 0.2),
                (0.25, 0.2),
                (0.5, 0.2),
                (1, 0.2),
                (1.5, 0.2),
                (2, 0.2),
                (2.25, 0.2),
                (2.5, 0.2),
                (3, 0.2),
                (3.5, 0.2),
            ),
        )
    ),
    "strum": Rhythm(
        (
            ((0, 0.9), (1, 0.45), (1.5, 0.45), (2.5, 0.45), (3, 0.45), (3.5, 0.45)),
            ((0, 0.9), (1, 0.9), (1.5, 0.4), (2, 0.9), (3, 0.9), (3.5, 0.4)),
        ),
        alternating=True,
    ),
    "boom chick": Rhythm(
        (((1, 0.35), (3, 0.35)), ((1, 0.35), (1.5, 0.3), (3, 0.35), (3.5, 0.3))),
        upper_voices=3,
        bass=_root_and_fifth,
    ),
    "oom pah": Rhythm((((1, 0.6), (2, 0.6)),), bass=_low_root),
    "bossa comp": Rhythm(
        (
            ((0, 0.4), (1, 0.4), (1.5, 0.9), (3, 0.4), (3.5, 0.4)),
            ((0.5, 0.4), (1.5, 0.9), (2.5, 0.4), (3.5, 0.4)),
        )
    ),
    "son guajeo": Rhythm((((0, 0.4), (1, 0.4), (1.5, 0.4), (2.5, 0.4), (3.5, 0.4)),)),
    "highlife": Rhythm(
        (((0, 0.3), (0.5, 0.3), (1.25, 0.3), (1.75, 0.3), (2.5, 0.3), (3.0, 0.3), (3.5, 0.3)),)
    ),
}
