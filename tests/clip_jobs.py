"""Clip jobs from flat fields: prompts, seeds, alpha, strength and guidance by the names that keys have."""

from __future__ import annotations

from typing import Any

from riffcomposer.plan.types import ClipJob, Place, Point


def clip_job(**flat: Any) -> ClipJob:
    """A job whose place is given by `prompt_a`, `seed_a`, `prompt_b`, `seed_b`, `alpha`, `strength` and
    `guidance_scale`."""
    numbers = (flat.pop("strength"), flat.pop("guidance_scale"))
    a, b = (Point(flat.pop(f"prompt_{end}"), flat.pop(f"seed_{end}"), *numbers) for end in "ab")
    return ClipJob(place=Place(a, b, flat.pop("alpha")), **flat)
