"""Strength: how far a render moves away from its init, and how many steps that takes.

Conventions: strength is 0 to 1 on Riffusion's scale. 0 is the init itself, decoded without
diffusion; 1 is noise alone. `ModelProfile.model_strength` converts it to a model's own scale.
"""

from __future__ import annotations

FULL = 1.0
"""Strength of a render without init: it starts from noise alone."""

DIGITS = 9
"""Decimals of alpha, strength and guidance in a key: finer than can be heard, coarser than float noise."""


def rounded(value: float) -> float:
    """Rounds a number for a key, without a negative zero."""
    return round(float(value), DIGITS) + 0.0


def strength_of(stated: float | None, default: float, *, has_init: bool) -> float:
    """Returns the strength of a key point.

    Args:
        stated: The song's number, or None where the song has none.
        default: The model's (`ModelProfile.strength`).
        has_init: Whether there is anything to start from; without it the strength is 1.
    """
    if not has_init:
        return FULL
    return default if stated is None else stated


def starts_from_noise(strength: float, *, has_init: bool) -> bool:
    """Whether a render starts from noise alone, so that nothing of an init is left."""
    return not has_init or strength >= FULL


def effective_steps(num_inference_steps: int, strength: float) -> int:
    """Returns how many steps of the schedule are run, as Riffusion and diffusers' img2img count them."""
    return min(int(num_inference_steps * strength), num_inference_steps)
