"""Jobs run one at a time, in order; events are numbered and stay."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from riffcomposer.errors import RenderError, UsageError
from riffcomposer.render.events import RenderEvent
from riffcomposer.studio.jobs import MOST_WAITING, Job, JobQueue


@pytest.fixture
def queue() -> Iterator[JobQueue]:
    queue = JobQueue()
    yield queue
    queue.close()


def over(job: Job) -> Job:
    end = time.monotonic() + 10
    while not job.is_over:
        assert time.monotonic() < end, job
        time.sleep(0.005)
    return job


def test_jobs_run_one_at_a_time_in_order(queue: JobQueue) -> None:
    running, most, done = 0, 0, []

    def work(job: Job) -> dict[str, Any]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        done.append(job.id)
        running -= 1
        return {"id": job.id}

    jobs = [queue.submit("render", "x", work) for _ in range(4)]
    assert [over(job).result for job in jobs] == [{"id": job.id} for job in jobs]
    assert most == 1
    assert done == [job.id for job in jobs]


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_at_its_next_step(queue: JobQueue) -> None:
    began = threading.Event()

    def work(job: Job) -> dict[str, Any]:
        began.set()
        while True:
            job.stop.check()
            time.sleep(0.005)

    first, second = queue.submit("render", "x", work), queue.submit("render", "y", work)
    assert began.wait(5)
    queue.cancel(second)
    assert second.state == "cancelled"
    queue.cancel(first)
    assert over(first).state == "cancelled"
    assert [event.content["state"] for event in first.events_after(0)] == ["queued", "running", "cancelled"]


def test_an_error_is_told_and_the_queue_goes_on(queue: JobQueue) -> None:
    def broken(job: Job) -> dict[str, Any]:
        raise RenderError("out of luck")

    def faulty(job: Job) -> dict[str, Any]:
        raise ZeroDivisionError("ours")

    failed = over(queue.submit("render", "x", broken))
    assert (failed.state, failed.error and failed.error["message"]) == ("failed", "out of luck")
    fault = over(queue.submit("render", "x", faulty))
    assert fault.error is not None
    assert "a fault in riffcomposer" in fault.error["message"]
    assert over(queue.submit("render", "x", lambda job: {})).state == "done"


def test_events_are_read_on_from_where_a_page_was(queue: JobQueue) -> None:
    def work(job: Job) -> dict[str, Any]:
        job.tell("take", number=1)
        return {}

    job = over(queue.submit("render", "x", work))
    numbers = [event.number for event in job.events_after(0)]
    assert numbers == [1, 2, 3, 4]
    assert [event.kind for event in job.events_after(2)] == ["take", "state"]


def test_progress_about_one_clip_is_told_at_most_ten_times_per_second(queue: JobQueue) -> None:
    job = over(queue.submit("render", "x", lambda job: {}))
    before = len(job.events_after(0))
    for step in range(100):
        job.observe(RenderEvent("clips", 0.001 + step / 1000, 4, "clips", 0.1, clip="a"))
    job.observe(RenderEvent("clips", 1.0, 4, "clips", 0.1, clip="a"))
    assert len(job.events_after(0)) - before <= 3


def test_a_queue_that_is_full_says_so(queue: JobQueue) -> None:
    gate = threading.Event()
    jobs = [queue.submit("render", "x", lambda job: {"ok": gate.wait(5)}) for _ in range(MOST_WAITING)]
    time.sleep(0.05)
    queue.submit("render", "x", lambda job: {})
    with pytest.raises(UsageError, match="wait already"):
        queue.submit("render", "x", lambda job: {})
    gate.set()
    assert over(jobs[-1]).state == "done"
