"""Finds faults in the samples of a sound, and corrects some of them when a loop is read.

Corrected, with a warning by `check`: samples at the scale of integers, a constant offset, channels
that cancel each other in a mono mix. Warned of only: near silence, a file that ends before its loop.
Refused: NaN and infinity. A sound without these faults stays unchanged, bit by bit.

Conventions: samples are float32 `[channels, samples]`, full scale 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from riffcomposer.diagnostics import Diagnostic

LARGEST_PEAK = 32.0
"""Peak from which samples are at integer scale: 30 dB over full scale, louder than any mix."""

_INTEGER_SCALES = (1 << 15, 1 << 23, 1 << 31)

OFFSET_SHARE = 0.01
"""Share of an offset in a sound's energy from which it is removed; music has far less."""

_OFFSET_SECONDS = 0.5
"""Length from which an offset is removed; the mean of a shorter part is a matter of chance."""

CANCELLED_SHARE = 0.01
"""Share of the channels' mean energy (-20 dB) below which a mono mix has lost the sound."""

NEARLY_SILENT_PEAK = 0.003
"""Peak (-50 dBFS) below which a sound is nearly silent."""


@dataclass(frozen=True)
class SoundFacts:
    """Measures of a part of a sound, after its scale is corrected.

    Attributes:
        unusable: Number of samples that are NaN, infinite, or beyond the scale of any integer.
        integer_scale: Number that the samples are divided by; 1 for a sound without this fault.
        peak: Largest magnitude, full scale 1.
        offsets: Mean of each channel.
        offset_share: Share of the offsets in the energy.
        mix_share: Energy of the mono mix over the channels' mean energy, offsets left out; 1 for mono.
    """

    unusable: int
    integer_scale: int
    peak: float
    offsets: tuple[float, ...]
    offset_share: float
    mix_share: float

    @property
    def has_offset(self) -> bool:
        return self.offset_share > OFFSET_SHARE

    @property
    def cancels(self) -> bool:
        return self.mix_share < CANCELLED_SHARE


def measure(samples: np.ndarray, sample_rate: int) -> SoundFacts:
    """Measures a part of a sound, `[channels, samples]`, in one pass per channel."""
    channels, count = samples.shape
    peak = float(max(samples.max(), -samples.min())) if count else 0.0
    if not peak <= _INTEGER_SCALES[-1]:  # NaN is not
        unusable = int(samples.size - (np.abs(samples) <= _INTEGER_SCALES[-1]).sum())
        return SoundFacts(unusable, 1, peak, (0.0,) * channels, 0.0, 1.0)
    scale = 1
    if peak > LARGEST_PEAK:
        scale = next(step for step in _INTEGER_SCALES if peak <= step)
    means = samples.mean(axis=1, dtype=np.float64)
    energy = float(np.einsum("cn,cn->", samples, samples, dtype=np.float64)) / max(1, samples.size)
    offset_share = 0.0
    if energy > 0 and count >= _OFFSET_SECONDS * sample_rate:
        offset_share = float((means**2).mean()) / energy
    mix_share = 1.0
    moving = energy - float((means**2).mean())
    if channels > 1 and moving > 1e-12 * scale**2:
        mix = samples.mean(axis=0, dtype=np.float64) - means.mean()
        mix_share = float((mix**2).mean()) / moving
    offsets = tuple(float(mean) / scale for mean in means)
    return SoundFacts(0, scale, peak / scale, offsets, offset_share, mix_share)


def put_right(samples: np.ndarray, facts: SoundFacts, *, mono: bool) -> np.ndarray:
    """Returns a sound with its correctable faults corrected, mixed to one channel if `mono`.

    Args:
        samples: `[channels, samples]`, as read.
        facts: The result of `measure` for these samples.
        mono: Whether to return the mean of the channels, or the first one if they cancel each other.
    """
    if facts.integer_scale != 1:
        samples = samples / np.float32(facts.integer_scale)
    if facts.has_offset:
        samples = samples - np.array(facts.offsets, dtype=np.float32)[:, None]
    if mono and len(samples) > 1:
        samples = samples[:1] if facts.cancels else samples.mean(axis=0, keepdims=True)
    return samples


def faults_of(facts: SoundFacts, *, mono: bool) -> list[Diagnostic]:
    """Finds the faults of a sound, the worst first.

    Args:
        mono: Whether the sound will be mixed to one channel.
    """
    if facts.unusable:
        message = f"has samples that are NaN, infinite or beyond any scale ({facts.unusable:,} of them)"
        return [Diagnostic("error", "sound-nan", message, hint="export the file again from its source")]
    if facts.peak == 0.0:
        message = "is silent in the part that is used"
        return [Diagnostic("warning", "sound-silent", message, hint="check its start and its level")]
    found = []
    if facts.integer_scale != 1:
        bits = facts.integer_scale.bit_length()
        message = f"has floating-point samples at the scale of {bits}-bit integers, and is read divided by it"
        hint = f"divide its samples by {facts.integer_scale:,} and save it again"
        found.append(Diagnostic("warning", "sound-integer-scale", message, hint=hint))
    if facts.has_offset:
        largest = max(facts.offsets, key=abs)
        message = (
            f"has a constant (DC) offset of {largest:.3g}, {facts.offset_share:.0%} of its energy, "
            "which is taken out"
        )
        hint = "remove the offset in an audio editor to silence this warning"
        found.append(Diagnostic("warning", "sound-offset", message, hint=hint))
    if mono and facts.cancels:
        message = "has channels that cancel each other in a mono mix: its first channel alone is used"
        found.append(
            Diagnostic("warning", "sound-cancels", message, hint="invert the polarity of one channel")
        )
    if facts.peak < NEARLY_SILENT_PEAK:
        message = f"is nearly silent: its peak is {20 * math.log10(facts.peak):.0f} dBFS"
        found.append(Diagnostic("warning", "sound-quiet", message, hint="raise its level"))
    return found
