"""What a plan costs, and the limits that only the user, never a song, can raise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.diagnostics import NodePath
from riffcomposer.errors import BudgetError
from riffcomposer.plan.types import Budget, ClipJob, Grid, JobStatus, Plan
from riffcomposer.strength import effective_steps
from riffcomposer.text import GIB, size


@dataclass(frozen=True)
class Limits:
    """How much a plan may ask for.

    Attributes:
        jobs: Clips on the grid.
        minutes: Length of the track.
        disk_bytes: Most bytes that a render may write: clips, passages and files.
        memory_bytes: Most memory that a render may hold at once; None for the memory of the machine.
    """

    jobs: int = 10_000
    minutes: float = 600.0
    disk_bytes: int = 64 * GIB
    memory_bytes: int | None = None


def _over(flag: str, what: str, suggestion: str, path: NodePath = ("sections",)) -> BudgetError:
    hint = f"shorten the song, or allow it with {flag} {suggestion}"
    return BudgetError.fault("over-budget", what, path, hint)


def check_minutes(bars: Fraction, grid: Grid, limits: Limits) -> None:
    """Refuses a track longer than its limit, before it is expanded.

    Raises:
        BudgetError: The track is longer than the limit.
    """
    minutes = float(bars * grid.samples_per_bar / grid.sample_rate / 60)
    if minutes > limits.minutes:
        raise _over(
            "--minutes-limit",
            f"the track is at least {minutes:,.1f} minutes long, and {limits.minutes:g} are allowed",
            f"{-(-minutes // 1):.0f}",
        )


def check_clips(clips: int, limits: Limits) -> None:
    """Refuses a plan with more clips than its limit, before they are built.

    Raises:
        BudgetError: The plan has more clips than the limit.
    """
    if clips > limits.jobs:
        raise _over(
            "--jobs-limit",
            f"the track needs at least {clips:,} clips, and {limits.jobs:,} are allowed",
            str(clips),
        )


def physical_memory_bytes() -> int | None:
    """Returns the memory of this machine in bytes, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def estimate(plan: Plan, states: Mapping[str, JobStatus], profile: ModelProfile) -> Budget:
    """Estimates what rendering `plan` costs; clips that are cached according to `states` cost nothing.

    Disk counts the clips to render (float16 levels), each passage (float32, two channels) and one
    24-bit file of the whole track. Time counts UNet evaluations, two per step under guidance
    unless guidance is an input of the model, and half a second to decode a clip's length of sound.
    """
    grid = plan.grid
    todo = [job for key, job in plan.jobs.items() if states[key].status != "cached"]
    channels = 2 if profile.spectrogram.stereo else 1
    clip_bytes = 2 * channels * profile.spectrogram.num_frequencies * grid.width_frames
    sound_samples = sum(passage.body_samples + passage.tail_samples for passage in plan.passages)
    evaluations = sum(_evaluations(job, profile) for job in todo)
    width_factor = grid.width_frames / profile.image_width
    return Budget(
        clips=len(plan.jobs),
        clips_to_render=len(todo),
        minutes=plan.total_samples / grid.sample_rate / 60,
        disk_bytes=len(todo) * clip_bytes + sound_samples * 8 + plan.total_samples * 6,
        memory_bytes=profile.memory_bytes + 64 * clip_bytes + (300 << 20),
        estimated_seconds=evaluations * profile.seconds_per_evaluation * width_factor * _speed(todo)
        + 0.5 * len(plan.clips),
    )


def _evaluations(job: ClipJob, profile: ModelProfile) -> int:
    steps = effective_steps(job.num_inference_steps, job.strength)
    return steps * (1 if profile.guidance_embedding or job.guidance_scale == 1.0 else 2)


def _speed(jobs: list[ClipJob]) -> float:
    """Returns the time of an evaluation relative to two CPU cores; a graphics card is far faster."""
    return 0.005 if jobs and not jobs[0].backend.startswith("cpu") else 1.0


def check_budget(budget: Budget, limits: Limits) -> None:
    """Refuses a plan that needs more disk or memory than its limits.

    Raises:
        BudgetError: The plan needs more; the message names the flag that allows it.
    """
    if budget.disk_bytes > limits.disk_bytes:
        raise _over(
            "--disk-limit",
            f"the render writes about {size(budget.disk_bytes)}, and {size(limits.disk_bytes)} are allowed",
            f"{-(-budget.disk_bytes // GIB)}",
        )
    memory = limits.memory_bytes if limits.memory_bytes is not None else physical_memory_bytes()
    if memory is not None and budget.memory_bytes > memory:
        raise _over(
            "--memory-limit",
            f"the render needs about {size(budget.memory_bytes)} of memory, and "
            f"{size(memory)} are {'allowed' if limits.memory_bytes is not None else 'in this machine'}",
            f"{-(-budget.memory_bytes // GIB)}",
            ("model",),
        )
