"""Keys, scales, notes, chords and voice leading; how chords are written is in `chord_names`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import NamedTuple

PITCH_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "blues": (0, 3, 5, 6, 7, 10),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
}

# Which five- or six-note scale sits over each mode when a lead should sound pentatonic.
PENTATONIC = {
    "major": "major pentatonic",
    "lydian": "major pentatonic",
    "mixolydian": "major pentatonic",
    "minor": "minor pentatonic",
    "dorian": "minor pentatonic",
    "phrygian": "minor pentatonic",
    "harmonic minor": "minor pentatonic",
}


class Note(NamedTuple):
    """One note: start and length in quarter notes, MIDI pitch, velocity 1..127.

    `bend` is the distance in semitones that the pitch glides from at its start (0: none). `tuned` is how many
    semitones of its part's pitch wheel are already in `pitch` (see `Part.bends`).
    """

    start: float
    length: float
    pitch: int
    velocity: int
    bend: float = 0.0
    tuned: int = 0


@dataclass(frozen=True)
class Chord:
    """A chord: root pitch class and intervals above it in semitones."""

    root: int
    intervals: tuple[int, ...]

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys((self.root + interval) % 12 for interval in self.intervals))

    @property
    def third(self) -> int:
        """Semitones from the root to the third (4 where there is none)."""
        return 3 if 3 in self.intervals else 4

    @property
    def fifth(self) -> int:
        """Semitones from the root to the fifth: 6 in a diminished chord, else 7."""
        return 6 if 6 in self.intervals and 7 not in self.intervals else 7


@dataclass(frozen=True)
class Key:
    """A key.

    Attributes:
        tonic: Pitch class.
        scale: A key of `SCALES`.
    """

    tonic: int
    scale: str

    @property
    def minor(self) -> bool:
        """Whether its third is minor."""
        return 3 in SCALES[self.scale] and 4 not in SCALES[self.scale]

    @property
    def name(self) -> str:
        """`A minor`."""
        return f"{PITCH_NAMES[self.tonic]} {self.scale}"


def scale_pitches(tonic: int, scale: str, low: int, high: int) -> list[int]:
    """All pitches of a scale from `low` to `high`, both included, rising."""
    steps = {(tonic + step) % 12 for step in SCALES[scale]}
    return [pitch for pitch in range(low, high + 1) if pitch % 12 in steps]


def at_or_above(pitch_class: int, low: int) -> int:
    """The lowest pitch of a class that is not below `low`."""
    return low + (pitch_class - low) % 12


def nearest(pitch: int, choices: Sequence[int]) -> int:
    """The choice closest to `pitch` (the lower of two equally close ones)."""
    return min(choices, key=lambda choice: (abs(choice - pitch), choice))


def voicings(chord: Chord, low: int, high: int, voices: int, rootless: bool = False) -> list[tuple[int, ...]]:
    """Close and open voicings of a chord within a range, each tuple rising.

    Five-note chords drop the fifth and then the root before they drop a colour tone.
    """
    classes = list(chord.pitch_classes)
    if rootless and len(classes) > 3:
        classes.remove(chord.root)
    fifth = (chord.root + 7) % 12
    while len(classes) > voices:
        classes.remove(fifth if fifth in classes and len(classes) > 2 else classes[0])
    lists = [[pitch for pitch in range(low, high + 1) if pitch % 12 == each] for each in classes]
    found = {tuple(sorted(choice)) for choice in product(*lists)}
    return sorted(v for v in found if len(set(v)) == len(classes) and v[-1] - v[0] <= 19 and _clear(v))


def _clear(voicing: tuple[int, ...]) -> bool:
    """No semitone clash at the bottom and no muddy close interval below C3."""
    gaps = [upper - lower for lower, upper in pairwise(voicing)]
    return all(gap > (4 if lower < 48 else 1) for lower, gap in zip(voicing, gaps, strict=False))


def lead_voices(
    chords: Sequence[Chord],
    low: int,
    high: int,
    voices: int = 4,
    rootless: bool = False,
    centre: int | None = None,
) -> list[tuple[int, ...]]:
    """Gives the chords of a progression voicings that each move as little as possible from the one before.

    The first chord is the one nearest `centre` (the middle of the range if None), and every later
    one is pulled weakly to it, so that a long progression does not drift out of its register.
    """
    middle = (low + high) / 2 if centre is None else centre
    result: list[tuple[int, ...]] = []
    for chord in chords:
        choices = voicings(chord, low, high, voices, rootless) or [
            tuple(sorted(at_or_above(each, low) for each in chord.pitch_classes[:voices]))
        ]

        def cost(voicing: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
            pull = abs(sum(voicing) / len(voicing) - middle)
            if not result:
                return pull, voicing
            last = result[-1]
            motion = sum(min(abs(pitch - other) for other in last) for pitch in voicing)
            motion += sum(min(abs(pitch - other) for pitch in voicing) for other in last)
            return motion + 0.35 * pull + 1.5 * (voicing[-1] == last[-1] and voicing[0] == last[0]), voicing

        result.append(min(choices, key=cost))
    return result
