"""Melodies from motifs: a rhythm and a contour that repeat, move with the harmony and end in a cadence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Motif:
    """A bar of melody without its harmony: rhythm cell and scale steps between its notes."""

    cell: tuple[float, ...]
    steps: tuple[int, ...]


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


def play(
    cells: str,
    chords: Sequence[Chord],
    tonic: int,
    scale: str,
    bar_beats: float,
    instrument: Instrument,
    rng: Random,
    *,
    pentatonic: bool = False,
    ornaments: float = 0.0,
    bends: float = 0.0,
    chromatic: float = 0.0,
    leaps: float = 0.2,
) -> list[Note]:
    """Plays a melody over the chords, one chord a bar.

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
        pentatonic: Use the five-note scale over the mode.
        ornaments: Chance of a grace note before a strong note.
        bends: Chance that a note glides up from below.
        chromatic: Chance that a strong note is enclosed from above and below.
        leaps: Chance of a step larger than a third.
    """
    span = rng.choice([12, 14, 17])
    centre_choices = [c for c in (60, 64, 67, 72, 76, 55) if instrument.low + 5 <= c <= instrument.high - 5]
    centre = rng.choice(centre_choices or [(instrument.low + instrument.high) // 2])
    low, high = max(instrument.low, centre - span // 2 - 2), min(instrument.high, centre + span // 2 + 3)
    name = PENTATONIC.get(scale, scale) if pentatonic else scale
    ladder = scale_pitches(tonic, name, low, high)
    letters = {letter: _motif(CELLS[cells], leaps, rng) for letter in "ABC"}
    letters["C"] = Motif(letters["A"].cell, tuple(-step for step in letters["A"].steps))
    form = rng.choice(FORMS)
    starts = {letter: rng.uniform(0.25, 0.75) for letter in "ABC"}
    level = rng.randint(90, 106)
    place = len(ladder) // 2
    notes: list[Note] = []
    for bar, chord in enumerate(chords):
        letter = form[bar % 4]
        motif = letters[letter]
        last_of_phrase = bar % 4 == 3
        tones = [i for i, pitch in enumerate(ladder) if pitch % 12 in chord.pitch_classes]
        arc = 1.0 - abs((bar % 4) - 1.5) / 3
        goal = (starts[letter] * 0.7 + arc * 0.3) * (len(ladder) - 1)
        place = _closest(round(0.5 * place + 0.5 * goal), tones) if tones else place
        at = bar * bar_beats
        index = 0
        lengths = _fit(motif.cell, bar_beats)
        final = max((place for place, length in enumerate(lengths) if length > 0), default=-1)
        for number, length in enumerate(lengths):
            if length < 0:
                at += -length
                continue
            offset = at - bar * bar_beats
            strong = abs(offset % 2) < 0.01
            step = motif.steps[index % len(motif.steps)]
            index += 1
            if rng.random() < 0.1:
                step = rng.choice([-1, 1])
            if offset > 0:
                place += step
            if place < 0 or place >= len(ladder):
                place -= 2 * step
            place = max(0, min(len(ladder) - 1, place))
            if strong and tones:
                place = _closest(place, tones)
            if last_of_phrase and number == final:
                home = [i for i, pitch in enumerate(ladder) if pitch % 12 in (tonic, chord.root)] or [place]
                place = _closest(place, home)
            pitch = ladder[place]
            loud = int(min(124, max(40, rng.gauss(level + (8 if strong else 0), 6))))
            bend = rng.choice([-2.0, -1.0, -1.0, 1.0]) if rng.random() < bends and length >= 0.5 else 0.0
            if strong and length >= 0.5 and rng.random() < ornaments:
                above = ladder[min(place + 1, len(ladder) - 1)]
                notes.append(Note(max(0.0, at - 0.09), 0.08, above, max(30, loud - 20)))
            if (
                strong
                and offset >= 0.99
                and rng.random() < chromatic
                and notes
                and notes[-1].start > at - 1.1
            ):
                notes[-1] = notes[-1]._replace(pitch=pitch + rng.choice([1, -1]))
            legato = 0.97 if instrument.sustained else 0.9
            notes.append(Note(at, length * legato, pitch, loud, bend))
            at += length
    return sorted(notes)


def _closest(place: int, choices: Sequence[int]) -> int:
    return nearest(place, choices)
