"""Where parts are between left and right, and how wide they are.

Conventions: stereo is held as *mid* and *side*, each float32 [samples]: left is mid + side, right is
mid - side. The mean of both channels is the mid, so nothing here changes what is heard in mono.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from riffcomposer.synth.voices import SAMPLE_RATE, Audio


@dataclass(frozen=True)
class Placement:
    """Where a part is.

    Attributes:
        pan: -1 (left) to 1 (right), 0 the centre.
        width: Level of the decorrelated side signal relative to the mid, 0..1.
    """

    pan: float = 0.0
    width: float = 0.0


_PLACEMENTS: Mapping[str, Placement] = {
    "drums": Placement(),
    "bass": Placement(),
    "lead": Placement(0.1, 0.1),
    "comp": Placement(-0.22, 0.2),
    "second": Placement(0.32, 0.2),
    "pad": Placement(0.0, 0.55),
    "texture": Placement(0.0, 0.6),
    "foley": Placement(0.0, 0.6),
}

DRUM_PANS: Mapping[int, float] = {
    **dict.fromkeys((42, 44, 46), 0.3),
    **dict.fromkeys((49, 55), -0.4),
    **dict.fromkeys((51, 53, 59), 0.4),
    **dict.fromkeys((52, 57), 0.5),
    50: -0.35,
    48: -0.25,
    47: -0.1,
    45: 0.1,
    43: 0.25,
    41: 0.35,
    37: -0.1,
    39: -0.05,
    54: 0.35,
    56: -0.25,
    **dict.fromkeys((60, 62), -0.35),
    **dict.fromkeys((61, 63), -0.2),
    64: 0.2,
    65: 0.3,
    66: 0.4,
    **dict.fromkeys((69, 70), -0.45),
    75: -0.3,
    76: 0.3,
    77: 0.4,
}
"""Pan of each drum by General MIDI number, as the audience sees a kit; the others are in the centre."""

# Delays in milliseconds and signs of the echoes that make a side signal; none divides another.
_ECHOES = ((7.3, 1.0), (11.9, -1.0), (17.7, 1.0), (23.1, -1.0))
_WIDE_ABOVE_HZ = 180.0


def decorrelated(mid: Audio) -> Audio:
    """A signal of the same level and colour that correlates little with `mid`; bass stays in the centre."""
    from riffcomposer.scipy_signal import signal

    out = np.zeros_like(mid)
    for delay_ms, sign in _ECHOES:
        lag = round(delay_ms * SAMPLE_RATE / 1000)
        if lag < len(mid):
            out[lag:] += np.float32(sign / 2) * mid[: len(mid) - lag]
    high_pass = signal.butter(1, _WIDE_ABOVE_HZ, "high", fs=SAMPLE_RATE, output="sos")
    return signal.sosfilt(high_pass, out).astype(np.float32)


def side_of(role: str, mid: Audio, pan: float = 0.0) -> Audio:
    """The side signal of a part that was made in mono.

    Args:
        role: The part's role; an unknown one is in the centre.
        mid: Its sound, [samples].
        pan: Its own place, -1 (left) to 1 (right); 0 is that of its role.
    """
    placement = _PLACEMENTS.get(role, Placement())
    side = np.float32(-(pan or placement.pan)) * mid
    if placement.width:
        side += np.float32(placement.width) * decorrelated(mid)
    return side


def left_and_right(mid: Audio, side: Audio) -> Audio:
    """Mid and side as stereo, [2, samples]."""
    return np.stack([mid + side, mid - side])
