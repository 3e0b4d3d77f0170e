"""Automation: the values of a curve at each sample of a block.

Curves are `riffcomposer.curves.Curve` with absolute samples as positions. A jump (`ease: step`) takes
`JUMP_MS` milliseconds, so that it does not click.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from riffcomposer.curves import Curve

JUMP_MS = 10


def jump_samples(sample_rate: int) -> int:
    """Length of a jump in samples."""
    return max(1, sample_rate * JUMP_MS // 1000)


def values(curve: Curve, positions: NDArray[np.int64], sample_rate: int) -> NDArray[np.float64]:
    """The curve at absolute samples."""
    at = np.array([float(position) for position, _ in curve.points])
    level = np.array(curve.values)
    if curve.ease == "step":
        ends = np.append(at[1:], np.inf)
        reached = np.minimum(at + jump_samples(sample_rate), ends)
        at = np.stack([at[1:], reached[1:]], axis=1).ravel()
        level = np.stack([level[:-1], level[1:]], axis=1).ravel()
        return np.interp(positions, at, level) if len(at) else np.full(len(positions), curve.values[0])
    if curve.ease == "linear" or len(at) == 1:
        return np.interp(positions, at, level)
    leg = np.clip(np.searchsorted(at, positions, side="right") - 1, 0, len(at) - 2)
    share = np.clip((positions - at[leg]) / (at[leg + 1] - at[leg]), 0, 1)
    share = share * share * (3 - 2 * share)
    return np.asarray(level[leg] + share * (level[leg + 1] - level[leg]))


def gains(level_db: Curve | float, start: int, samples: int, sample_rate: int) -> NDArray[np.float32]:
    """Amplitude factors of a level in dB over a block, `[1]` where it does not move, else `[samples]`."""
    return np.asarray(10 ** (over(level_db, start, samples, sample_rate) / 20), np.float32)


def over(curve: Curve | float, start: int, samples: int, sample_rate: int) -> NDArray[np.float64]:
    """A curve over a block, `[1]` where it does not move, else `[samples]`."""
    if not isinstance(curve, Curve):
        return np.array([curve])
    if curve.is_level or not moves(curve, start, start + samples, sample_rate):
        return values(curve, np.array([start]), sample_rate)
    return values(curve, np.arange(start, start + samples), sample_rate)


def moves(curve: Curve, start: int, stop: int, sample_rate: int) -> bool:
    """Whether the curve moves between two samples."""
    jump = jump_samples(sample_rate) if curve.ease == "step" else 0
    for (left, before), (right, after) in pairwise(curve.points):
        first, last = (right, right + jump) if jump else (left, right)
        if before != after and first < stop and last > start:
            return True
    return False


def wrapped(curve: Curve, first: int, last: int) -> Curve:
    """A curve of a loop from `first` to `last`, whose end is heard before its start too."""
    before = [(at - last + first, value) for at, value in curve.points if first <= at < last]
    after = [(at, value) for at, value in curve.points if at > first]
    seam = [(Fraction(first - 1), curve.at(last - 1)), (Fraction(first), curve.at(first))]
    points = [point for point in before if point[0] < first - 1] + seam + after
    return Curve(tuple(points), curve.ease)
