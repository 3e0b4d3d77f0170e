"""Strength: how far a render moves away from its init, and how many steps that takes.

Conventions: strength is 0 to 1 on Riffusion's scale. 0 is the init itself, decoded without
diffusion; 1 is noise alone. `ModelProfile.model_strength` converts it to a model's own scale.
"""

from __future__ import annotations

FULL = 1.0
"""Strength of a render without init: it starts from noise alone."""

KEPT_UNTIL = 0.8
"""Start on the model's scale up to which a loop's notes are kept; strength 0.75 of the default model."""

DIGITS = 9
"""Decimals of alpha, strength and guidance in a key: finer than can be heard, coarser than float noise."""


def rounded(value: float) -> float:
    """Rounds a number for a key, without a negative zero."""
    return round(float(value), DIGITS) + 0.0


def strength_of(stated: float | None, default: float = FULL, *, has_init: bool) -> float:
    """Returns the strength of a key point or a clip.

    Args:
        stated: The song's number; None if it states none.
        default: The number for None: the model's (`ModelProfile.strength`).
        has_init: Whether there is anything to start from; without it the strength is 1.
    """
    if not has_init:
        return FULL
    return default if stated is None else stated


def effective_steps(num_inference_steps: int, strength: float) -> int:
    """Returns how many steps of the schedule are run, as Riffusion and diffusers' img2img count them."""
    return min(int(num_inference_steps * strength), num_inference_steps)


def noise_share(start: float) -> float:
    """How far a clip is from its loop: 0 for a start on the model's scale up to `KEPT_UNTIL`, 1 at 1."""
    return min(max((start - KEPT_UNTIL) / (1 - KEPT_UNTIL), 0.0), 1.0)
