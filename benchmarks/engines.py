"""Measures what engines cost besides the model: speed-up, overhead per clip, losses, the driver's memory.

    python benchmarks/engines.py simulate              1,000 clips on 64 simulated workers, one slow, one lost
    python benchmarks/engines.py processes [CLIPS]     sleeping workers: 1, 2, 4 and 8 processes
    python benchmarks/engines.py memory [CLIPS]        the driver's memory, 2 workers that do not sleep

The simulation runs the driver's own code (`PoolEngine`, `BatchQueue`) on a clock of its own.
"""

from __future__ import annotations

import heapq
import resource
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.plan.types import ClipJob, Place, Point
from riffcomposer.render.engines.fake import FakeEngine, fake_level
from riffcomposer.render.engines.fleet import Gone
from riffcomposer.render.engines.interface import Done, Versions
from riffcomposer.render.engines.levels import FileLevels, LevelReader
from riffcomposer.render.engines.pool import PoolEngine
from riffcomposer.render.engines.processes import ProcessFleet, Seat
from riffcomposer.render.engines.wire import Ended, Loaded, Message, Ready
from riffcomposer.render.engines.worker_requests import Drop, Load, Render, Request
from riffcomposer.store.store import Store

SLEEP_S = 0.15


def jobs_of(count: int) -> dict[str, ClipJob]:
    """Returns clips that differ by their seed alone."""
    point = Point("drums", 0, 1.0, 7.0)
    job = ClipJob(
        "0" * 64, "cpu-float32", 512, Fraction(64), Fraction(8), Place(point, point, 0.0), "", 10, "ddim"
    )
    return {
        f"{number:064x}": replace(job, place=Place(replace(point, seed=number), point, 0.0))
        for number in range(count)
    }


class SimulatedFleet:
    """Workers on a clock that jumps from event to event.

    Args:
        seconds: Seconds per clip of each worker.
        dies: Which worker dies, and when in seconds; None for none.
    """

    def __init__(self, seconds: list[float], dies: tuple[int, float] | None = None) -> None:
        self._seconds = {f"worker {number}": each for number, each in enumerate(seconds)}
        self._dies = None if dies is None else (f"worker {dies[0]}", dies[1])
        self._time = 0.0
        self._order = 0
        self._events: list[tuple[float, int, str, Message | Gone]] = []
        self._busy_until = dict.fromkeys(self._seconds, 0.0)
        self._dropped: set[tuple[str, int]] = set()
        self._numbers: dict[int, int] = {}
        self.made = 0

    def begin(self) -> None:
        for worker in self._seconds:
            self._post(0.0, worker, Ready(worker, "cpu-float32", Versions()))
        if self._dies is not None:
            self._post(self._dies[1], self._dies[0], Gone("simulated", False))

    @property
    def workers(self) -> Collection[str]:
        return self._seconds.keys()

    @property
    def hopeful(self) -> bool:
        return bool(self._seconds)

    def send(self, worker: str, request: Request) -> None:
        if worker not in self._seconds:
            return
        match request:
            case Load(model):
                self._post(self._time, worker, Loaded(model.digest, 0))
            case Render(number, jobs):
                at = max(self._time, self._busy_until[worker])
                for key, job in jobs.items():
                    at += self._seconds[worker]
                    self._post(at, worker, Done(key, fake_level(key, job.width_frames)), number)
                self._post(at, worker, Ended(number), number)
                self._busy_until[worker] = at
            case Drop(number):
                self._dropped.add((worker, number))
                left = [event for event in self._events if event[2] == worker and self._of(event) == number]
                if left:
                    self._events = [event for event in self._events if event not in left]
                    heapq.heapify(self._events)
                    self._busy_until[worker] = self._time
                    self._post(self._time, worker, Ended(number), number)
            case _:
                pass

    def receive(self, timeout_s: float) -> list[tuple[str, Message | Gone]]:
        if not self._events or self._events[0][0] > self._time + timeout_s:
            self._time += timeout_s
            return []
        self._time, _, worker, message = heapq.heappop(self._events)
        if worker not in self._seconds:
            return []
        if isinstance(message, Gone):
            del self._seconds[worker]
        self.made += isinstance(message, Done)
        return [(worker, message)]

    def dismiss(self, worker: str) -> None:
        del self._seconds[worker]

    def levels(self, store: Store, keys: Collection[str]) -> LevelReader:
        del store, keys
        return FileLevels({})

    def now(self) -> float:
        return self._time

    def close(self) -> None:
        self._events.clear()

    def _post(self, at: float, worker: str, message: Message | Gone, number: int = 0) -> None:
        self._order += 1
        self._numbers[self._order] = number
        heapq.heappush(self._events, (at, self._order, worker, message))

    def _of(self, event: tuple[float, int, str, Message | Gone]) -> int:
        return self._numbers[event[1]]


def simulate(clips: int = 1000, workers: int = 64) -> None:
    """Prints how a cluster copes with a worker ten times as slow, and with the loss of one."""
    cases: list[tuple[str, list[float], tuple[int, float] | None]] = [
        ("all alike", [2.0] * workers, None),
        ("one ten times as slow", [20.0] + [2.0] * (workers - 1), None),
        ("one lost after 15 s", [2.0] * workers, (5, 15.1)),
        ("both", [20.0] + [2.0] * (workers - 1), (5, 15.1)),
        ("half of them twice as fast", [1.0, 2.0] * (workers // 2), None),
    ]
    print(f"{clips} clips of 2 s on {workers} simulated workers; one worker takes {2 * clips} s")
    for name, seconds, dies in cases:
        fleet = SimulatedFleet(list(seconds), dies)
        engine = PoolEngine(fleet)
        engine.start()
        engine.load(locate_model("default"))
        done = {result.key for result in engine.render(jobs_of(clips)) if isinstance(result, Done)}
        rate = sum(1 / each for each in seconds)
        ideal = clips / rate
        if dies is not None:
            ideal = dies[1] + (clips - dies[1] * rate) / (rate - 1 / seconds[dies[0]])
        print(
            f"  {name}: {len(done)} of {clips} in {fleet.now():.1f} s, ideal {ideal:.1f} s "
            f"({fleet.now() / ideal:.2f}x); {fleet.made - clips} made twice"
        )


def sleeper(seconds: float, device: str) -> FakeEngine:
    """Makes an engine that sleeps for each clip."""
    del device
    return FakeEngine(seconds_per_clip=seconds, steps=4)


def rendered(clips: int, workers: int, seconds: float) -> Iterator[float]:
    """Renders with processes; yields the seconds that starting took, then those that rendering took."""
    fleet = ProcessFleet(
        [Seat("cpu", f"cpu {number + 1}") for number in range(workers)], partial(sleeper, seconds)
    )
    engine = PoolEngine(fleet)
    try:
        began = time.monotonic()
        engine.start()
        engine.load(locate_model("default"))
        yield time.monotonic() - began
        began = time.monotonic()
        count = sum(isinstance(result, Done) for result in engine.render(jobs_of(clips)))
        assert count == clips, "every clip must come back"
        yield time.monotonic() - began
    finally:
        engine.close()


def processes(clips: int = 200) -> None:
    """Prints the speed-up of sleeping workers, and what a clip costs besides its sleep."""
    alone = SLEEP_S * clips
    print(f"{clips} clips that sleep {SLEEP_S} s")
    for workers in (1, 2, 4, 8):
        start, wall = rendered(clips, workers, SLEEP_S)
        ideal = alone / workers
        overhead_ms = 1000 * (wall - ideal) * workers / clips
        print(
            f"  {workers} workers: {wall:.2f} s, ideal {ideal:.2f} s, speed-up {alone / wall:.2f}, "
            f"{overhead_ms:.1f} ms per clip and worker; start {start:.1f} s"
        )


def memory(clips: int = 2000) -> None:
    """Prints the driver's memory before and after many clips."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _, wall = rendered(clips, 2, 0.0)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{clips} clips in {wall:.1f} s; driver's memory {before:.0f} MB before, at most {after:.0f} MB")


if __name__ == "__main__":
    command, *rest = sys.argv[1:] or ["simulate"]
    {"simulate": simulate, "processes": processes, "memory": memory}[command](*map(int, rest))
