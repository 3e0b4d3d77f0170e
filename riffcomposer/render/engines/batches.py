"""Which clips are rendered together: a batch of one kind, no larger than a worker's device takes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from riffcomposer.plan.types import ClipJob

LARGEST_BATCH = 64


SMALL_BATCH = 4
"""Batches are not cut smaller than this for the sake of more workers. A processor's batches are no larger, so
that its clips are the same to the bit whatever the engine and the number of workers."""


def clip_batches(
    jobs: Mapping[str, ClipJob], frames_per_batch: int, workers: int = 1
) -> list[tuple[str, ...]]:
    """Cuts jobs into batches; every engine does it here, since a clip's rounding depends on its batch.

    Clips of one kind (width, steps, guidance, LoRAs) stay together, in their order, across sections and
    songs. With several workers large batches are cut until there are two for each worker, so that a slow one
    does not keep the others waiting.

    Args:
        jobs: Jobs by key.
        frames_per_batch: Frames that a worker renders at once; 0 for one clip.
        workers: How many workers there are.
    """
    kinds: dict[Hashable, list[str]] = {}
    for key, job in jobs.items():
        kinds.setdefault(_kind(job), []).append(key)
    batches: list[tuple[str, ...]] = []
    for keys in kinds.values():
        size = max(1, min(LARGEST_BATCH, frames_per_batch // jobs[keys[0]].width_frames))
        if workers > 1:
            size = min(size, max(SMALL_BATCH, -(-len(keys) // (2 * workers))))
        batches += [tuple(keys[at : at + size]) for at in range(0, len(keys), size)]
    return batches


def _kind(job: ClipJob) -> Hashable:
    """What the clips of a batch have in common, as far as it can be told without the checkpoint."""
    steps = int(job.num_inference_steps * job.strength)
    return job.width_frames, job.scheduler, job.num_inference_steps, steps, job.guidance_scale == 1, job.loras
