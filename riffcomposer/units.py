"""Musical time, and the only module that rounds it.

Conventions: tempo is in quarter notes per minute (BPM). A *beat* is the note named by the meter's
denominator, so a bar of 6/8 has six beats of half a quarter note each. Positions are exact
fractions until `round_half_up` turns them into integer samples or frames; a sum of lengths is
always rounded once, at its absolute position, never per part (rounded parts drift: 512 frames
counted as 511 hops slip a beat in 64 clips).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Unit = Literal["bars", "beats", "seconds"]

_SECONDS = {"ms": Fraction(1, 1000), "s": Fraction(1), "min": Fraction(60), "h": Fraction(3600)}
_LENGTH = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(bars|bar|beats|beat|ms|s|min|h)")


CUT_SECONDS = Fraction(5, 1000)
"""Length of the fade that a `cut` is: long enough to avoid a click, too short to soften an attack."""


def cut_samples(sample_rate: int) -> int:
    """Returns the length of a cut's fade in samples."""
    return int(CUT_SECONDS * sample_rate)


def round_half_up(value: Fraction) -> int:
    """Rounds an exact position to the nearest integer, halves up, so that positions keep their order."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def round_up(value: Fraction) -> int:
    """Returns the smallest integer that is not below an exact length: what holds all of it."""
    return math.ceil(value)


def round_down(value: Fraction) -> int:
    """Returns the largest integer that is not above an exact length: what fits into it."""
    return math.floor(value)


def exact(value: int | float | str | Fraction) -> Fraction:
    """Converts a number as the user wrote it to a fraction: 93.75 to 375/4, 97.3 to 973/10.

    A float is converted by its shortest decimal form, so that 97.3 means the decimal number and not
    the nearest binary one.
    """
    if isinstance(value, float):
        return Fraction(repr(value))
    return Fraction(value)


@dataclass(frozen=True)
class Length:
    """A length as a song states it: a number and its unit."""

    value: Fraction
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Length:
        """Reads `2 bars`, `1 bar`, `3 beats`, `250ms`, `20s`, `3min` or `1h`, strictly.

        Raises:
            ValueError: The text is none of these; the message has examples.
        """
        match = _LENGTH.fullmatch(text.strip())
        if match is None:
            raise ValueError(
                f"{text!r} is not a length; write for instance '2 bars', '3 beats', '20s', '3min' or '1h'"
            )
        number, unit = Fraction(match[1]), match[2]
        if unit in ("bar", "bars"):
            return cls(number, "bars")
        if unit in ("beat", "beats"):
            return cls(number, "beats")
        return cls(number * _SECONDS[unit], "seconds")

    def __str__(self) -> str:
        if self.unit == "seconds":
            return f"{float(self.value):g}s"
        return f"{float(self.value):g} {self.unit if self.value != 1 else self.unit[:-1]}"


@dataclass(frozen=True)
class Meter:
    """A time signature."""

    numerator: int
    denominator: int

    @classmethod
    def parse(cls, text: str) -> Meter:
        """Reads `4/4`, `3/4`, `6/8`.

        Raises:
            ValueError: The text has another form, its numerator is outside 1..16, or its denominator is
                not 2, 4, 8 or 16.
        """
        match = re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})", text.strip())
        if match is None or not 1 <= int(match[1]) <= 16 or int(match[2]) not in (2, 4, 8, 16):
            raise ValueError(f"{text!r} is not a meter; write for instance 4/4, 3/4 or 6/8")
        return cls(int(match[1]), int(match[2]))

    @property
    def quarters_per_bar(self) -> Fraction:
        return Fraction(4 * self.numerator, self.denominator)

    @property
    def quarters_per_beat(self) -> Fraction:
        return Fraction(4, self.denominator)

    @property
    def is_compound(self) -> bool:
        """Whether its beats are felt in threes, as in 6/8, 9/8 and 12/8."""
        return self.denominator >= 8 and self.numerator > 3 and self.numerator % 3 == 0

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


@dataclass(frozen=True)
class Timebase:
    """Tempo, meter and sample rate, which convert lengths to exact seconds and samples."""

    tempo: Fraction
    meter: Meter
    sample_rate: int = 44100

    @property
    def seconds_per_quarter(self) -> Fraction:
        return Fraction(60) / self.tempo

    @property
    def seconds_per_bar(self) -> Fraction:
        return self.seconds_per_quarter * self.meter.quarters_per_bar

    @property
    def samples_per_bar(self) -> Fraction:
        return self.seconds_per_bar * self.sample_rate

    def seconds(self, length: Length) -> Fraction:
        """Returns the exact length in seconds."""
        if length.unit == "bars":
            return length.value * self.seconds_per_bar
        if length.unit == "beats":
            return length.value * self.meter.quarters_per_beat * self.seconds_per_quarter
        return length.value

    def samples(self, length: Length) -> int:
        """Returns the length in whole samples, rounded once."""
        return round_half_up(self.seconds(length) * self.sample_rate)

    def fade(self, length: Length | None, most: int) -> int:
        """Returns the length of a fade in samples, at most `most`; 0 for none."""
        return 0 if length is None else min(self.samples(length), most)

    def bars(self, length: Length) -> Fraction:
        """Returns the exact length in bars."""
        return self.seconds(length) / self.seconds_per_bar
