"""Walks: the place of each clip of a section between the prompts and seeds of its walk.

A *seed walk* has the seeds seed, seed + 1, seed + 2, ... under one prompt; clip i is on leg
i // steps at alpha (i % steps) / steps. An *explicit walk* visits its key points in
(points - 1) * steps + 1 clips; in a longer section it then runs backwards. A section that states a
length and no `interpolation_steps` spreads the walk evenly over that length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.curves import Curve
from riffcomposer.plan.types import Place, Point
from riffcomposer.song.resolved import ResolvedSection
from riffcomposer.strength import strength_of

SEEDS = 2**63
"""Number of seeds, which are 0 to 2^63 - 1; a walk past the last continues at 0."""


@dataclass(frozen=True)
class Walk:
    """The walk of one section.

    Attributes:
        points: The key points: one for a seed walk, else two or more.
        clips_per_leg: Clips from one point to the next, exact; a fraction if the walk is spread.
    """

    points: tuple[Point, ...]
    clips_per_leg: Fraction
    curve: Literal["linear", "ease", "power"]
    power: float

    def place(self, index: int, seed_shift: int = 0) -> Place:
        """Returns the place of clip `index`.

        Args:
            index: The clip's number from the start of the walk, 0 or more, without upper limit.
            seed_shift: Number to add to the seeds of an explicit walk (in a later round of a song that
                fills a `length`).
        """
        # In integers: a leg is `whole` long and the clip is at `done`.
        whole, done = self.clips_per_leg.numerator, index * self.clips_per_leg.denominator
        legs = len(self.points) - 1
        if not whole:
            whole, done = 1, 0
        if not legs:
            leg, part = divmod(done, whole)
            first = self.points[0]
            return Place(_shifted(first, leg), _shifted(first, leg + 1), self._curved(part, whole))
        done %= 2 * legs * whole
        done = min(done, 2 * legs * whole - done)
        leg = min(done // whole, legs - 1)
        a, b = self.points[leg], self.points[leg + 1]
        return Place(
            _shifted(a, seed_shift), _shifted(b, seed_shift), self._curved(done - leg * whole, whole)
        )

    def _curved(self, part: int, whole: int) -> float:
        if self.curve == "ease":
            return part * part * (3 * whole - 2 * part) / whole**3
        alpha = part / whole
        return alpha**self.power if self.curve == "power" else alpha


def _shifted(point: Point, by: int) -> Point:
    return replace(point, seed=(point.seed + by) % SEEDS) if by else point


def natural_clips(section: ResolvedSection) -> int:
    """Returns how many clips an explicit walk takes to visit each key point once."""
    return (len(section.points) - 1) * section.interpolation_steps + 1


def is_moving(section: ResolvedSection) -> bool:
    """Whether strength or guidance moves over the section's bars."""
    curves = [curve for point in section.points for curve in (point.strength, point.guidance_scale)]
    return any(curve is not None and not curve.is_level for curve in curves)


def is_spread(section: ResolvedSection) -> bool:
    """Whether an explicit walk is stretched over a stated length."""
    stated = {"bars", "clips", "duration"} & section.origins.keys()
    return not section.is_seed_walk and bool(stated) and "interpolation_steps" not in section.origins


def make_walk(
    section: ResolvedSection, clips: int, profile: ModelProfile, bar: Fraction = Fraction(0)
) -> Walk:
    """Makes the walk of a section of `clips` clips, with the model's defaults filled in.

    Args:
        bar: Bar of the section at which strength and guidance are read, where they move.
    """

    def at(curve: Curve | None) -> float | None:
        return None if curve is None else curve.at(bar)

    points = tuple(
        Point(
            prompt=point.prompt,
            seed=point.seed,
            strength=strength_of(at(point.strength), profile.strength, has_init=section.init is not None),
            guidance_scale=(
                profile.guidance_scale if point.guidance_scale is None else point.guidance_scale.at(bar)
            ),
        )
        for point in section.points
    )
    steps = Fraction(section.interpolation_steps)
    if is_spread(section):
        steps = Fraction(clips - 1, len(points) - 1)
    return Walk(points, steps, section.alpha_curve, section.alpha_power)


def bridge(origin: Point, target: Point, clips: int) -> list[Place]:
    """Returns the places of a bridge's clips, spread evenly between two points that are not repeated.

    A point without a prompt (of a section that plays the loop itself) takes the other's.
    """
    origin = origin if origin.prompt else replace(origin, prompt=target.prompt)
    target = target if target.prompt else replace(target, prompt=origin.prompt)
    return [Place(origin, target, k / (clips + 1)) for k in range(1, clips + 1)]
