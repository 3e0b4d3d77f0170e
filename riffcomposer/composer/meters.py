"""Meters: where a bar's pulses and accents are, and how a rhythm written in 4/4 is played in another meter.

Grooves, chord rhythms and bass lines are written once, over the four beats of a 4/4 bar. Every other meter
builds its bar out of those beats:

- 2/4 and 6/8 play beats 1 and 2 in one bar and 3 and 4 in the next, so that backbeats stay backbeats.
- 3/4 plays beats 1, 3 and 4; 5/4 (3+2) plays 1, 2, 2 again, 3 and 4, so that beat 3's accent begins its
  second group; 7/8 (3+2+2) plays 1, half of 2, 3 and 4. A beat played again is a *filler*: it goes on, but
  has no accent.
- 6/8 and 12/8 are compound: a beat lasts three eighths, and what is written in halves and quarters of a beat
  is played in its triplets.

Conventions: positions are quarter notes from the start of the bar.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise


@dataclass(frozen=True)
class Pulse:
    """A stretch of a bar that one beat of 4/4 is played in.

    Attributes:
        start, length: In quarter notes.
        source: Which beat of 4/4 it plays, 0 to 3.
        weight: Accent: 3 for the first of the bar, 2 for the first of a group, 1 for other beats, 0 for half
            of a beat.
        filler: Whether it plays a beat of 4/4 again that the bar has played already.
    """

    start: float
    length: float
    source: int
    weight: int
    filler: bool = False


@dataclass(frozen=True)
class Carried:
    """A hit of a 4/4 rhythm in the place where another meter has it.

    Attributes:
        start, length: In quarter notes from the bar's start.
        index: Which of the hits that were given.
        filler: Whether it is in a filler pulse.
    """

    start: float
    length: float
    index: int
    filler: bool


# Groups of beats, as lengths in quarter notes; the beats of 4/4 that they play, in turn from bar to bar (a
# negative number is a filler: -2 plays beat 2 again); where the second half of the bar begins.
_METERS: dict[str, tuple[tuple[tuple[float, ...], ...], tuple[tuple[int, ...], ...], float]] = {
    "2/4": (((1, 1),), ((1, 2), (3, 4)), 1),
    "3/4": (((1, 1, 1),), ((1, 3, 4),), 2),
    "4/4": (((1, 1), (1, 1)), ((1, 2, 3, 4),), 2),
    "5/4": (((1, 1, 1), (1, 1)), ((1, 2, -2, 3, 4),), 3),
    "6/8": (((1.5,), (1.5,)), ((1, 2), (3, 4)), 1.5),
    "7/8": (((1, 0.5), (1,), (1,)), ((1, -2, 3, 4),), 1.5),
    "12/8": (((1.5, 1.5), (1.5, 1.5)), ((1, 2, 3, 4),), 3),
}
METERS = tuple(_METERS)
"""Names of the meters that can be composed in."""

# Where the written positions of a beat (quarters, thirds) are in a beat of three eighths, in shares of it.
_TRIPLETS = (
    (0.0, 0.0),
    (0.25, 1 / 3),
    (1 / 3, 1 / 3),
    (0.5, 2 / 3),
    (2 / 3, 2 / 3),
    (0.75, 5 / 6),
    (1.0, 1.0),
)


def _in_triplets(share: float) -> float:
    for (left, low), (right, high) in pairwise(_TRIPLETS):
        if share <= right:
            return low + (high - low) * (share - left) / (right - left)
    return share


@dataclass(frozen=True)
class Meter:
    """A meter.

    Attributes:
        name: As it is written, `7/8`.
        beats: Quarter notes in a bar.
        half: Where the second half of a bar begins, in quarter notes.
        bars: The pulses of a bar; meters of half a 4/4 bar have two kinds of bars in turn.
        compound: Whether a beat has three eighths.
    """

    name: str
    beats: Fraction
    half: float
    bars: tuple[tuple[Pulse, ...], ...]
    compound: bool

    def pulses(self, bar: int) -> tuple[Pulse, ...]:
        """The pulses of a bar, by its number."""
        return self.bars[bar % len(self.bars)]

    def weight(self, at: float) -> int:
        """How strong a position is: 3 the downbeat, 2 a group's first beat, 1 another beat, 0 between."""
        for pulse in self.bars[0]:
            if abs(pulse.start - at) < 0.02:
                return pulse.weight
        return 0

    @property
    def strong(self) -> tuple[float, ...]:
        """Where the accented beats are: the downbeat, and the first beat of every group."""
        return tuple(pulse.start for pulse in self.bars[0] if pulse.weight >= 2)

    def off_pulse(self, at: float) -> float:
        """How far a position is behind the beat before it."""
        return min((at - pulse.start for pulse in self.bars[0] if pulse.start <= at + 1e-6), default=at)

    def carry(self, hits: Iterable[tuple[float, float]], bar: int) -> Iterator[Carried]:
        """Plays a rhythm that is written in 4/4 (start and length in quarter notes, 0 to 4) in a bar.

        A length counts beats, so that a note held for two beats of 4/4 is held for two beats here. Hits on
        beats that the meter leaves out are left out; of hits that come to the same place all are given.
        """
        written = list(hits)
        pulses = self.pulses(bar)
        for number, pulse in enumerate(pulses):
            for index, (at, length) in enumerate(written):
                within = at - pulse.source
                if not -1e-6 <= within < 1 - 1e-6:
                    continue
                start = self._place(max(0.0, within), pulse)
                if start >= pulse.length - 1e-6:
                    continue
                end = self._end(within + length, number, pulses)
                yield Carried(pulse.start + start, max(0.1, end - pulse.start - start), index, pulse.filler)

    def _place(self, within: float, pulse: Pulse) -> float:
        return _in_triplets(within) * pulse.length if self.compound else within

    def _end(self, beats: float, number: int, pulses: tuple[Pulse, ...]) -> float:
        """Where a note ends that lasts to some beats after the start of a pulse, a filler counting with the
        pulse before it."""
        at, pulse = pulses[number].start, pulses[number]
        while beats >= 1 - 1e-6:
            at += pulse.length
            beats -= 1
            number += 1
            while number < len(pulses) and pulses[number].filler:
                at += pulses[number].length
                number += 1
            pulse = pulses[number % len(pulses)]
        return at + (self._place(beats, pulse) if beats > 1e-6 else 0.0)


@cache
def parse_meter(text: str) -> Meter:
    """Reads a meter such as `7/8`.

    Raises:
        ValueError: It is not one of `METERS`.
    """
    name = text.replace(" ", "")
    if name not in _METERS:
        raise ValueError(
            f"{text!r} is not a meter that can be composed in: choose one of {', '.join(METERS)}"
        )
    groups, sources, half = _METERS[name]
    bars = []
    for beats in sources:
        pulses: list[Pulse] = []
        at, place = 0.0, 0
        for group in groups:
            for first, length in enumerate(group):
                source = beats[place]
                weight = 3 if not pulses else 2 if not first else 1 if length >= 1 else 0
                pulses.append(Pulse(at, float(length), abs(source) - 1, weight, source < 0))
                at, place = at + length, place + 1
        bars.append(tuple(pulses))
    top, bottom = name.split("/")
    compound = bottom == "8" and int(top) % 3 == 0
    return Meter(name, Fraction(4 * int(top), int(bottom)), float(half), tuple(bars), compound)
