"""Clip jobs for tiny checkpoints, from flat fields.

Prompts, seeds, alpha, strength and guidance have the names that they have in keys.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from riffcomposer.plan.types import ClipJob, Place, Point

FIELDS: dict[str, Any] = {
    "model_digest": "",
    "backend": "cpu-float32",
    "width_frames": 64,
    "frames_per_quarter": Fraction(32),
    "clip_quarters": Fraction(2),
    "prompt_a": "church bells",
    "prompt_b": "jazz piano trio",
    "seed_a": 3,
    "seed_b": 4,
    "alpha": 0.0,
    "negative_prompt": "harsh noise",
    "strength": 0.6,
    "guidance_scale": 5.0,
    "num_inference_steps": 10,
    "scheduler": "ddim",
}


def clip_job(**changed: Any) -> ClipJob:
    """A job of `FIELDS` but for those that are given.

    `prompt_a`, `seed_a`, `prompt_b`, `seed_b`, `alpha`, `strength` and `guidance_scale` give its place.
    """
    flat = {**FIELDS, **changed}
    numbers = (flat.pop("strength"), flat.pop("guidance_scale"))
    a, b = (Point(flat.pop(f"prompt_{end}"), flat.pop(f"seed_{end}"), *numbers) for end in "ab")
    return ClipJob(place=Place(a, b, flat.pop("alpha")), **flat)
