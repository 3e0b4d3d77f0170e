"""Fingerprints of arrays, compared with a tolerance: digests of floats would flip at every rounding.

An array is cut along its last axis (time) into `PARTS` equal parts, and its first and last `EDGE` columns
are looked at once more by themselves, since fades and starts are short. Each of these pieces is summed up
under `SKETCHES` fixed patterns of signs. Such sums keep distances (Johnson and Lindenstrauss 1984): whatever
changes in a piece by a share `d` of its spread changes each of its sums by about `d` times that spread,
whether the change is one loud sample or a little of everything, level, phase or shape.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

PARTS = 8
EDGE = 256
SKETCHES = 4
FLOOR = 0.01
"""The least spread of a piece, as a share of the whole array's: silence is compared with that."""

Fingerprint = dict[str, Any]


def uniform(seed: int, *shape: int) -> NDArray[np.float64]:
    """Numbers in 0..1 from the bits of PCG64, which numpy promises to keep, unlike its distributions."""
    bits = np.random.PCG64(seed).random_raw(math.prod(shape))
    return np.asarray((bits >> np.uint64(11)) * 2.0**-53, np.float64).reshape(shape)


def _signs(seed: int, size: int) -> NDArray[np.int8]:
    bits = np.unpackbits(np.random.PCG64(seed).random_raw(-(-size // 64)).astype("<u8").view(np.uint8))
    return bits[:size].astype(np.int8) * 2 - 1


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def fingerprint(array: NDArray[Any]) -> Fingerprint:
    """The fingerprint of an array of any shape: its `shape`, and `spread` and `sums` of its pieces."""
    wide = np.asarray(array, np.float64)
    length = wide.shape[-1]
    edge = min(EDGE, length)
    borders = [length * part // PARTS for part in range(PARTS + 1)]
    ranges = [(0, edge), *pairwise(borders), (length - edge, length)]
    floor = max(FLOOR * float(wide.std()), 1e-12)
    spread, sums = [], []
    for number, (start, stop) in enumerate(ranges):
        piece = wide[..., start:stop].ravel()
        if not piece.size:
            continue
        spread.append(_short(max(float(piece.std()), floor)))
        sums.append(
            [
                _short(float(piece @ _signs(SKETCHES * number + index, piece.size)) / math.sqrt(piece.size))
                for index in range(SKETCHES)
            ]
        )
    return {"shape": list(wide.shape), "spread": spread, "sums": sums}


def figures(**values: float | None) -> Fingerprint:
    """Single numbers by name, each compared by itself."""
    return {name: None if value is None else _short(value) for name, value in values.items()}


def difference(before: Fingerprint, now: Fingerprint) -> float:
    """How far two fingerprints are apart: for arrays as a share of a piece's spread, for figures as numbers.

    Returns:
        Infinite if they cannot be compared: another shape, other names, or a number that is not finite.
    """
    if before.keys() != now.keys() or before.get("shape") != now.get("shape"):
        return math.inf
    if "sums" in before:
        apart = np.abs(np.array(now["sums"]) - np.array(before["sums"])) / np.array(before["spread"])[:, None]
        worst = float(apart.max())
        return worst if math.isfinite(worst) else math.inf
    pairs = [(before[name], now[name]) for name in before]
    if any((old is None) != (new is None) for old, new in pairs):
        return math.inf
    apart = [abs(new - old) for old, new in pairs if old is not None]
    return max(apart) if all(map(math.isfinite, apart)) else math.inf
