"""Plain figures of a composed section: how much is played, where, how loudly, and how much of it is new."""

from __future__ import annotations

from dataclasses import dataclass

from riffcomposer.composer.section import Composition

_EARLY = 0.12
"""In quarter notes: a note so little before a bar line belongs to the bar that follows."""


@dataclass(frozen=True)
class PartFigures:
    """Figures of one part.

    Attributes:
        notes: How many.
        notes_per_bar: Over all bars of the section.
        silent_bars: Share of bars in which it has no note, 0 to 1.
        distinct_bars: Share of its bars that are unlike every bar of it before, in pitch or rhythm, 0 to 1.
        strong_share: Share of notes on accented beats, 0 to 1.
        lowest, highest: MIDI pitch.
        softest, loudest: Velocity.
    """

    notes: int
    notes_per_bar: float
    silent_bars: float
    distinct_bars: float
    strong_share: float
    lowest: int
    highest: int
    softest: int
    loudest: int


@dataclass(frozen=True)
class Figures:
    """Figures of a section.

    Attributes:
        parts: By role; parts without notes have none.
        chords: How many chords are heard.
        distinct_chords: How many of them differ.
    """

    parts: dict[str, PartFigures]
    chords: int
    distinct_chords: int


def figures(composition: Composition) -> Figures:
    """Counts what a section consists of."""
    meter, bars = composition.score.measure, float(composition.score.bars)
    beats = float(meter.beats)
    found = {}
    for part in composition.parts:
        if not part.notes:
            continue
        by_bar: dict[int, list[int]] = {}
        strong = 0
        for note in part.notes:
            number = int((note.start + _EARLY) // beats)
            at = note.start - number * beats
            by_bar.setdefault(number, []).extend((round(at * 6), note.pitch))
            strong += any(abs(at - place) <= _EARLY for place in meter.strong)
        velocities = [note.velocity for note in part.notes]
        pitches = [note.pitch for note in part.notes]
        found[part.role] = PartFigures(
            len(part.notes),
            len(part.notes) / bars,
            max(0.0, 1 - len([number for number in by_bar if number >= 0]) / len(part.active)),
            len({tuple(bar) for bar in by_bar.values()}) / len(by_bar),
            strong / len(part.notes),
            min(pitches),
            max(pitches),
            min(velocities),
            max(velocities),
        )
    names = [chord.name for chord in composition.chords]
    return Figures(found, len(names), len(set(names)))
