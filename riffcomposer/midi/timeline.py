"""The bars, meters and tempi of a MIDI file, in quarter notes.

A meter change begins a bar: where it comes inside one, that bar is as short as the change makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

MAX_BARS = 20_000
"""Most bars of a file."""

_MAJOR_KEYS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR_KEYS = ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")

DEFAULT_MICROS = 500_000
"""Microseconds per quarter note where a file says nothing: 120 BPM."""


@dataclass(frozen=True)
class Bar:
    """A bar of a file.

    Attributes:
        start, length: In quarter notes from the file's start.
        meter: As it is written, `7/8`.
    """

    start: Fraction
    length: Fraction
    meter: str

    @property
    def end(self) -> Fraction:
        return self.start + self.length


@dataclass(frozen=True)
class MeterEvent:
    """A meter that a file names.

    Attributes:
        start: Where it begins, in quarter notes.
        numerator, denominator: As they are written.
    """

    start: Fraction
    numerator: int
    denominator: int


def lay_bars(meters: Sequence[MeterEvent], length: Fraction) -> tuple[Bar, ...]:
    """Divides a file into bars; the last one may end after it. Before the first meter it is 4/4.

    Args:
        meters: Rising by start; of several at one place the last counts.
        length: Of the file, in quarter notes, more than 0.

    Raises:
        ValueError: There are more than `MAX_BARS`.
    """
    named = {meter.start: meter for meter in meters if meter.start < length}
    named.setdefault(Fraction(0), MeterEvent(Fraction(0), 4, 4))
    spans = sorted(named.values(), key=lambda meter: meter.start)
    bars: list[Bar] = []
    for meter, following in pairwise([*spans, None]):
        assert meter is not None
        end = length if following is None else following.start
        bar = Fraction(4 * meter.numerator, meter.denominator)
        name = f"{meter.numerator}/{meter.denominator}"
        at = meter.start
        while at < end:
            if len(bars) == MAX_BARS:
                raise ValueError(f"has more than {MAX_BARS:,} bars")
            bars.append(Bar(at, bar if following is None else min(bar, end - at), name))
            at += bar
    return tuple(bars)


def lay_tempi(tempi: Sequence[tuple[Fraction, int]]) -> tuple[tuple[Fraction, Fraction], ...]:
    """Turns microseconds per quarter note into BPM, each with where it begins; the first begins at 0.

    Files hold whole microseconds; BPM are rounded to a thousandth, so that 92 is 92 again.

    Args:
        tempi: Rising by place, in quarter notes; of several at one place the last counts.
    """
    named = dict(tempi)
    named.setdefault(Fraction(0), next(iter(named.values()), DEFAULT_MICROS))
    laid: list[tuple[Fraction, Fraction]] = []
    for start, micros in sorted(named.items()):
        tempo = Fraction(round(Fraction(60_000_000_000, micros)), 1000)
        if not laid or laid[-1][1] != tempo:
            laid.append((start, tempo))
    return tuple(laid)


def longest_tempo(tempi: Sequence[tuple[Fraction, Fraction]], length: Fraction) -> Fraction:
    """The tempo that holds for most quarter notes."""
    held: dict[Fraction, Fraction] = {}
    for (start, tempo), following in zip(tempi, [*tempi[1:], None], strict=True):
        end = max(length, start) if following is None else min(following[0], max(length, start))
        held[tempo] = held.get(tempo, Fraction(0)) + max(Fraction(0), end - start)
    return max(held, key=lambda tempo: held[tempo])


def key_name(sharps: int, *, minor: bool) -> str:
    """The name of a key signature: `F# minor`."""
    names = _MINOR_KEYS if minor else _MAJOR_KEYS
    return f"{names[sharps + 7]} {'minor' if minor else 'major'}"
