"""Melodies from motifs: a rhythm and a contour that repeat, move with the harmony and end in a cadence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from riffcomposer.composer.instruments import Instrument
from riffcomposer.composer.theory import PENTATONIC, Chord, Note, nearest, scale_pitches

# Rhythm cells of a bar of 4/4: lengths in quarter notes, negative for a rest.
CELLS: dict[str, tuple[tuple[float, ...], ...]] = {
    "sparse": (
        (1.5, -2.5),
        (-1, 1, 2),
        (2, -2),
        (-2, 0.5, 0.5, 1),
        (3, -1),
        (-0.5, 1.5, 2),
        (0.5, 0.5, 1, -2),
    ),
    "singing": (
        (1, 1, 2),
        (1.5, 0.5, 2),
        (1, 0.5, 0.5, 1, 1),
        (2, 1, 1),
        (1, 1, 1, 1),
        (1.5, 0.5, 1, 1),
        (3, 1),
        (0.5, 0.5, 1, 2),
    ),
    "lively": (
        (0.5, 0.5, 0.5, 0.5, 1, 1),
        (1, 0.5, 0.5, 0.5, 0.5, 1),
        (0.5,) * 8,
        (0.75, 0.25, 0.5, 0.5, 1, 1),
        (0.5, 1, 0.5, 1, 1),
        (0.5, 0.5, 1, 0.5, 0.5, 1),
        (-0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1),
    ),
    "bebop": (
        (0.5,) * 8,
        (-0.5,) + (0.5,) * 7,
        (0.5, 0.5, 0.5, 0.5, -1, 0.5, 0.5),
        (1, 0.5, 0.5, 0.5, 0.5, -1),
        (-1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5),
        (1.5, 0.5, -1, 0.5, 0.5),
    ),
    "reel": (
        (0.5,) * 8,
        (1,) + (0.5,) * 6,
        (0.5, 0.5, 0.5, 0.5, 1, 0.5, 0.5),
        (0.5, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5),
    ),
    "syncopated": (
        (0.75, 0.75, 0.5, 0.75, 0.75, 0.5),
        (0.5, 1, 0.5, 0.5, 1, 0.5),
        (-0.5, 0.75, 0.75, 1, 1),
        (0.25, 0.5, 0.25, 1, -0.5, 0.5, 1),
        (0.75, 0.75, 1, -1.5),
    ),
    "stabs": (
        (-0.5, 0.25, -0.25, 0.25, -1.25, 0.5, -1),
        (0.25, -0.5, 0.25, -2, 0.5, -0.5),
        (-3, 0.25, 0.25, 0.5),
        (0.5, -1, 0.25, 0.25, -2),
    ),
    "running": ((0.25,) * 16, (0.5, 0.25, 0.25) * 4, (0.25, 0.25, 0.5) * 4, (0.25,) * 8 + (0.5,) * 4),
    "hymn": ((2, 2), (1, 1, 2), (2, 1, 1), (1, 1, 1, 1), (4,)),
    "three": ((1, 1, 1), (2, 1), (1.5, 0.5, 1), (1, 0.5, 0.5, 1), (3,), (0.5,) * 6),
    "jig": ((0.5,) * 6, (1, 0.5, 0.5, 0.5, 0.5), (1, 0.5, 1, 0.5), (0.5, 0.25, 0.25, 0.5, 1, 0.5)),
}

FORMS = ("AABA", "ABAC", "AAAB", "ABAB", "AABC")
"""Which motif each bar of a four-bar phrase has."""


@dataclass(frozen=True)
class Manner:
    """How a melody is played.

    Attributes:
        pentatonic: Whether the five-note scale over the mode is used.
        ornaments: Chance of a grace note before a strong note.
        bends: Chance that a note glides into its pitch.
        chromatic: Chance that the note before a strong one is a semitone away from it.
        leaps: Chance of a step larger than a third.
    """

    pentatonic: bool = False
    ornaments: float = 0.0
    bends: float = 0.0
    chromatic: float = 0.0
    leaps: float = 0.2


@dataclass(frozen=True)
class Motif:
    """A bar of melody without its harmony.

    Attributes:
        cell: Its rhythm: lengths in quarter notes, negative for a rest.
        steps: Scale steps from note to note.
        register: Where on the ladder it prefers to be, 0 (lowest) to 1.
    """

    cell: tuple[float, ...]
    steps: tuple[int, ...]
    register: float = 0.5


def _motif(cells: Sequence[tuple[float, ...]], leaps: float, rng: Random) -> Motif:
    cell = rng.choice(cells)
    sounding = sum(1 for length in cell if length > 0)
    direction = rng.choice([1, -1])
    steps: list[int] = []
    for _ in range(sounding):
        if rng.random() < 0.3:
            direction = -direction
        size = rng.choice([2, 3, 4]) if rng.random() < leaps else rng.choice([1, 1, 1, 0, 2])
        steps.append(direction * size)
    return Motif(cell, tuple(steps))


def draw_motifs(
    cells: Sequence[tuple[float, ...]], leaps: float, rng: Random
) -> tuple[dict[str, Motif], str]:
    """Motifs by letter, C being A upside down, and the form that they are used in."""
    drawn = {letter: _motif(cells, leaps, rng) for letter in "ABC"}
    drawn["C"] = Motif(drawn["A"].cell, tuple(-step for step in drawn["A"].steps))
    form = rng.choice(FORMS)
    return {letter: replace(motif, register=rng.uniform(0.25, 0.75)) for letter, motif in drawn.items()}, form


def _fit(cell: Sequence[float], bar_beats: float) -> list[float]:
    """Cuts or pads a cell to the bar's length."""
    fitted: list[float] = []
    total = 0.0
    for length in cell:
        left = bar_beats - total
        if left < 0.1:
            break
        fitted.append(min(length, left) if length > 0 else -min(-length, left))
        total += abs(fitted[-1])
    if bar_beats - total > 0.1:
        fitted.append(-(bar_beats - total))
    return fitted


def _ladder(tonic: int, scale: str, instrument: Instrument, rng: Random) -> list[int]:
    """The pitches of a scale that a melody may use: an octave and some more around a drawn centre."""
    span = rng.choice([12, 14, 17])
    centres = [c for c in (60, 64, 67, 72, 76, 55) if instrument.low + 5 <= c <= instrument.high - 5]
    centre = rng.choice(centres or [(instrument.low + instrument.high) // 2])
    low, high = max(instrument.low, centre - span // 2 - 2), min(instrument.high, centre + span // 2 + 3)
    return scale_pitches(tonic, scale, low, high)


@dataclass
class _Line:
    """A melody while it is written.

    Attributes:
        ladder: The pitches that it may use, rising.
        tonic: Pitch class of the key.
        bar_beats: Quarter notes in a bar.
        instrument: Who plays.
        manner: How it is played.
        level: Velocity around which it is played.
        place: Where on the ladder the last note is.
        notes: What is written.
    """

    ladder: list[int]
    tonic: int
    bar_beats: float
    instrument: Instrument
    manner: Manner
    rng: Random
    level: int
    place: int
    notes: list[Note] = field(default_factory=list)

    def write_bar(self, number: int, chord: Chord, motif: Motif) -> None:
        """Writes one bar: the motif, moved to the chord; every fourth bar ends at home."""
        tones = self._places(chord.pitch_classes)
        arc = 1.0 - abs((number % 4) - 1.5) / 3
        goal = (motif.register * 0.7 + arc * 0.3) * (len(self.ladder) - 1)
        if tones:
            self.place = nearest(round(0.5 * self.place + 0.5 * goal), tones)
        lengths = _fit(motif.cell, self.bar_beats)
        final = max((index for index, length in enumerate(lengths) if length > 0), default=-1)
        origin = number * self.bar_beats
        at, sounded = origin, 0
        for index, length in enumerate(lengths):
            if length < 0:
                at += -length
                continue
            offset = at - origin
            strong = abs(offset % 2) < 0.01
            self._move(motif.steps[sounded % len(motif.steps)], moving=offset > 0)
            sounded += 1
            if strong and tones:
                self.place = nearest(self.place, tones)
            if number % 4 == 3 and index == final:
                home = self._places((self.tonic, chord.root))
                self.place = nearest(self.place, home or [self.place])
            self._write_note(at, offset, length, strong)
            at += length

    def _places(self, pitch_classes: Sequence[int]) -> list[int]:
        """Where on the ladder some pitch classes are."""
        return [place for place, pitch in enumerate(self.ladder) if pitch % 12 in pitch_classes]

    def _move(self, step: int, *, moving: bool) -> None:
        """Goes a step along the ladder (now and then another one), and turns round at its ends."""
        if self.rng.random() < 0.1:
            step = self.rng.choice([-1, 1])
        place = self.place + (step if moving else 0)
        if not 0 <= place < len(self.ladder):
            place -= 2 * step
        self.place = max(0, min(len(self.ladder) - 1, place))

    def _write_note(self, at: float, offset: float, length: float, strong: bool) -> None:
        """Writes the note of the current place, with what leads into it."""
        rng, manner, notes = self.rng, self.manner, self.notes
        pitch = self.ladder[self.place]
        loud = int(min(124, max(40, rng.gauss(self.level + (8 if strong else 0), 6))))
        bent = rng.random() < manner.bends and length >= 0.5
        bend = rng.choice([-2.0, -1.0, -1.0, 1.0]) if bent else 0.0
        if strong and length >= 0.5 and rng.random() < manner.ornaments:
            above = self.ladder[min(self.place + 1, len(self.ladder) - 1)]
            notes.append(Note(max(0.0, at - 0.09), 0.08, above, max(30, loud - 20)))
        approached = strong and offset >= 0.99 and rng.random() < manner.chromatic
        if approached and notes and notes[-1].start > at - 1.1:
            notes[-1] = notes[-1]._replace(pitch=pitch + rng.choice([1, -1]))
        legato = 0.97 if self.instrument.sustained else 0.9
        notes.append(Note(at, length * legato, pitch, loud, bend))


def play(
    cells: str,
    chords: Sequence[Chord],
    tonic: int,
    scale: str,
    bar_beats: float,
    instrument: Instrument,
    rng: Random,
    manner: Manner = Manner(),
) -> list[Note]:
    """Plays a melody over the chords, one chord per bar.

    Phrases are four bars in a form such as AABA. Strong beats take chord tones, other notes move
    by the motif's steps in the scale; the line follows an arc and comes home at the end of a phrase.

    Args:
        cells: A key of `CELLS`.
        chords: The chord of each bar.
        tonic: Pitch class of the key.
        scale: A key of `SCALES`.
        bar_beats: Quarter notes in a bar.
        instrument: Who plays; bounds the range.
        rng: Where every draw comes from.
        manner: How it is played.

    Raises:
        ValueError: There is no such kind of melody.
    """
    if cells not in CELLS:
        raise ValueError(f"{cells!r} is not a kind of melody: choose one of {', '.join(CELLS)}")
    name = PENTATONIC.get(scale, scale) if manner.pentatonic else scale
    ladder = _ladder(tonic, name, instrument, rng)
    motifs, form = draw_motifs(CELLS[cells], manner.leaps, rng)
    level = rng.randint(90, 106)
    line = _Line(ladder, tonic, bar_beats, instrument, manner, rng, level, place=len(ladder) // 2)
    for number, chord in enumerate(chords):
        line.write_bar(number, chord, motifs[form[number % 4]])
    return sorted(line.notes)
