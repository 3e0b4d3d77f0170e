"""Broken chords: the notes of a chord one after another, in the figures of keyboards, guitars and chips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from riffcomposer.composer.theory import Chord, at_or_above

Step = tuple[float, float, int]
"""Start in the bar and length, both in quarter notes, and pitch."""


@dataclass(frozen=True)
class Bar:
    """What a figure is made from.

    Attributes:
        chord: The bar's chord.
        tones: Its voicing, rising.
        beats: Quarter notes in the bar.
        shape: Which of a figure's alternatives; any number of 0 or more.
    """

    chord: Chord
    tones: tuple[int, ...]
    beats: float
    shape: int

    @property
    def middle(self) -> int:
        """The middle note of the voicing."""
        return self.tones[len(self.tones) // 2]


def _even(step: float, order: Sequence[int], bar: Bar) -> list[Step]:
    """Notes of one length through the bar, in an order that starts again when it ends."""
    count = round(bar.beats / step)
    return [(place * step, step * 1.15, order[place % len(order)]) for place in range(count)]


def _there_and_back(tones: tuple[int, ...]) -> tuple[int, ...]:
    return tones + tones[-2:0:-1]


def _eighths(bar: Bar) -> list[Step]:
    tones = bar.tones
    orders = ((*tones, tones[0] + 12), _there_and_back(tones), tones[::-1])
    return _even(0.5, orders[bar.shape % 3], bar)


def _sixteenths(bar: Bar) -> list[Step]:
    tones = bar.tones
    leaping = (tones[0], tones[-1], bar.middle, tones[-1])
    orders = ((*tones, tones[0] + 12), _there_and_back(tones), tones[::-1], leaping)
    return _even(0.25, orders[bar.shape % 4], bar)


def _triplets(bar: Bar) -> list[Step]:
    low = bar.tones[:3]
    return _even(1 / 3, low if bar.shape % 2 else low[::-1], bar)


def _alberti(bar: Bar) -> list[Step]:
    return _even(0.5, (bar.tones[0], bar.tones[-1], bar.middle, bar.tones[-1]), bar)


def _travis(bar: Bar) -> list[Step]:
    """Fingerpicking: the thumb alternates between root and fifth, the fingers play between."""
    tones = bar.tones
    base = at_or_above(bar.chord.root, max(40, tones[0] - 19))
    alternate = base + bar.chord.fifth if base + bar.chord.fifth < tones[0] else base
    upper = tones[-3:]
    middle = upper[len(upper) // 2]
    picks = (base, upper[-1], alternate, upper[0], base, upper[-1], alternate, middle)
    return [
        (place * 0.5, 0.9 if place % 2 == 0 else 0.5, picks[place % 8]) for place in range(int(bar.beats * 2))
    ]


def _ripple(bar: Bar) -> list[Step]:
    """Up through two octaves and part of the way back."""
    raised = tuple(tone + 12 for tone in bar.tones)
    return _even(0.25, bar.tones + raised + raised[-2::-1], bar)


def _chip(bar: Bar) -> list[Step]:
    """Three notes so fast that they blur into a chord, as consoles with few voices play one."""
    return _even(0.125, bar.tones[:3], bar)


def _montuno(bar: Bar) -> list[Step]:
    """Octaves of the lowest note, answered by single notes off the beat."""
    tones = bar.tones
    octave = (tones[0], tones[0] + 12)
    hits = (
        (0, octave),
        (0.5, tones[1:2]),
        (1, octave),
        (1.5, tones[2:3] or tones[1:2]),
        (2.25, octave),
        (2.75, tones[1:2]),
        (3.25, octave),
        (3.75, tones[-1:]),
    )
    return [(at, 0.3, pitch) for at, pitches in hits for pitch in pitches if at < bar.beats]


def _waltz(bar: Bar) -> list[Step]:
    tones = bar.tones
    order = (tones[0] - 12, tones[0], tones[-1], bar.middle, tones[-1], tones[0])
    return _even(bar.beats / 6, order, bar)


FIGURES: dict[str, Callable[[Bar], list[Step]]] = {
    "arp 8": _eighths,
    "arp 16": _sixteenths,
    "arp triplet": _triplets,
    "alberti": _alberti,
    "travis": _travis,
    "ripple": _ripple,
    "chip arp": _chip,
    "montuno": _montuno,
    "waltz arp": _waltz,
}
