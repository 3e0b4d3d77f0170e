"""Curves: numbers that move over the bars of a section.

A song writes a curve as one number, or as `{BAR: VALUE, ...}` with an `ease`. Bars are counted from 0. The
mix has the same curves with samples instead of bars (`Curve.mapped`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal, get_args

Ease = Literal["linear", "ease", "step"]

EASES: tuple[Ease, ...] = get_args(Ease)


@dataclass(frozen=True)
class Curve:
    """A number that moves from point to point.

    Attributes:
        points: Bar and value of each point, by rising bar; before the first and after the last point the
            value holds.
        ease: `linear`, `ease` (slow at both ends) or `step` (a point's value holds until the next).

    Raises:
        ValueError: There is no point, bars do not rise, or the ease is unknown.
    """

    points: tuple[tuple[Fraction, float], ...]
    ease: Ease = "linear"

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError("must have a value: write 0.5, or points such as {0: 0.2, 8: 0.7}")
        if self.ease not in EASES:
            raise ValueError(f"{self.ease!r} is not an ease: choose one of {', '.join(EASES)}")
        if any(later[0] <= earlier[0] for earlier, later in pairwise(self.points)):
            raise ValueError("must have its points at rising bars")

    @classmethod
    def level(cls, value: float) -> Curve:
        """The same value throughout."""
        return cls(((Fraction(0), value),))

    @property
    def values(self) -> tuple[float, ...]:
        """The values of all points."""
        return tuple(value for _, value in self.points)

    @property
    def is_level(self) -> bool:
        """Whether the value never moves."""
        return len(set(self.values)) == 1

    @property
    def plain(self) -> float | dict[str, float | str]:
        """The curve as a song writes it: a number, or a mapping of bars to numbers."""
        if self.is_level:
            return self.points[0][1]
        points: dict[str, float | str] = {f"{float(bar):g}": value for bar, value in self.points}
        return points if self.ease == "linear" else {**points, "ease": self.ease}

    def at(self, bar: float | Fraction) -> float:
        """The value at a bar, counted from 0."""
        bar = float(bar)
        before = self.points[0]
        for point in self.points:
            if point[0] > bar:
                if self.ease == "step" or bar <= before[0]:
                    return before[1]
                share = (bar - float(before[0])) / float(point[0] - before[0])
                if self.ease == "ease":
                    share = share * share * (3 - 2 * share)
                return before[1] + share * (point[1] - before[1])
            before = point
        return before[1]

    def shifted(self, bars: Fraction) -> Curve:
        """The same curve with bars counted from `bars` on; points that are before 0 are kept."""
        if self.is_level or not bars:
            return self
        return Curve(tuple((bar - bars, value) for bar, value in self.points), self.ease)

    def mapped(self, position: Callable[[Fraction], int]) -> Curve:
        """The same curve over samples.

        Args:
            position: Returns the sample of a bar; of points at one sample, the last counts.
        """
        if self.is_level:
            return self
        points = {Fraction(position(bar)): value for bar, value in self.points}
        return Curve(tuple(points.items()), self.ease)

    def __str__(self) -> str:
        if self.is_level:
            return f"{self.points[0][1]:g}"
        points = ", ".join(f"{float(bar):g}: {value:g}" for bar, value in self.points)
        ease = "" if self.ease == "linear" else f", ease: {self.ease}"
        return f"{{{points}{ease}}}"


ZERO = Curve.level(0.0)
"""0 throughout: no gain, or the middle between left and right."""
