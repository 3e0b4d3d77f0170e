"""Batches: clips of one kind, whole on a processor, cut for workers where a device takes many."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_song import Studio

from riffcomposer.api import plan_song
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.engines.batches import SMALL_BATCH, clip_batches


@pytest.fixture
def job(studio: Studio) -> ClipJob:
    return next(iter(plan_song(studio.song, store=studio.store).plan.jobs.values()))


def many(job: ClipJob, count: int, **changes: object) -> dict[str, ClipJob]:
    return {f"{changes}{number}": replace(job, **changes) for number in range(count)}  # type: ignore[arg-type]


def test_clips_of_one_kind_are_batched_across_songs(job: ClipJob) -> None:
    first, other = many(job, 3), many(job, 3, width_frames=2 * job.width_frames)
    jobs = dict(pair for pairs in zip(first.items(), other.items(), strict=True) for pair in pairs)
    batches = clip_batches(jobs, 4 * job.width_frames)
    assert [len(batch) for batch in batches] == [3, 2, 1]
    assert {key for batch in batches for key in batch} == jobs.keys()
    assert all(len({jobs[key].width_frames for key in batch}) == 1 for batch in batches)


def test_a_device_that_takes_one_clip_gets_one(job: ClipJob) -> None:
    assert {len(batch) for batch in clip_batches(many(job, 5), 0)} == {1}
    assert {len(batch) for batch in clip_batches(many(job, 5), job.width_frames - 1)} == {1}


@pytest.mark.parametrize("workers", [2, 8, 64])
def test_small_batches_do_not_depend_on_the_number_of_workers(job: ClipJob, workers: int) -> None:
    jobs, frames = many(job, 21), SMALL_BATCH * job.width_frames
    assert clip_batches(jobs, frames, workers) == clip_batches(jobs, frames)


def test_large_batches_are_cut_for_workers(job: ClipJob) -> None:
    batches = clip_batches(many(job, 100), 50 * job.width_frames, 4)
    assert [len(batch) for batch in batches] == [13] * 7 + [9]
