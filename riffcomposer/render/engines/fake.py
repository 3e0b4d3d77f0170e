"""An engine without a model: for tests, and to measure what engines cost besides the model.

    session = Session(store=folder, engines=FakeEngines(FakeEngine()))

A clip is a function of its key alone: chords that are struck twice.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.errors import Cancelled
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.engines.interface import (
    Done,
    EngineInfo,
    EventObserver,
    Failed,
    Level,
    Step,
    Versions,
    ignore_events,
)


def fake_level(key: str, width: int) -> Level:
    """A level image `[1, 512, width]`: eight partials that are struck twice."""
    rng = np.random.default_rng(int(hashlib.sha256(key.encode()).hexdigest()[:8], 16))
    level = np.full((1, 512, width), 0.05, np.float32)
    frames = np.arange(width)
    for band in rng.integers(20, 400, 8):
        envelope = 0.8 * np.exp(-(frames % (width // 2)) / 20)
        level[0, band - 1 : band + 2] = np.maximum(level[0, band - 1 : band + 2], envelope)
    return level


@dataclass
class FakeEngine:
    """Renders nothing, but keeps an engine's promises.

    Attributes:
        backend: The class of device that it says it has.
        versions: The versions that it says it has.
        steps: Steps per clip.
        seconds_per_clip: How long it sleeps per clip.
        in_driver: Whether it says that it works in this process.
        rendered: Keys in the order in which they were made.
        failures: How often each key still fails.
        loads: Digests of the checkpoints that it was to load.
        closed: How often it was closed.
    """

    backend: str = "cpu-float32"
    versions: Versions = field(default_factory=Versions)
    steps: int = 2
    seconds_per_clip: float = 0.0
    in_driver: bool = True
    rendered: list[str] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    loads: list[str] = field(default_factory=list)
    closed: int = 0
    _cancelled: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    def start(self) -> EngineInfo:
        return EngineInfo(self.backend, self.versions, 1, self.in_driver)

    def load(self, model: LocatedModel, on_event: EventObserver = ignore_events) -> None:
        del on_event
        self.loads.append(model.digest)

    def frames_per_batch(self) -> int:
        """Returns 0: it renders one clip after the other."""
        return 0

    def render(
        self, jobs: Mapping[str, ClipJob], on_event: EventObserver = ignore_events
    ) -> Iterator[Done | Failed]:
        for key, job in jobs.items():
            for step in range(1, self.steps):
                time.sleep(self.seconds_per_clip / self.steps)
                on_event(Step(key, step, self.steps))
                if self._cancelled.is_set():
                    raise Cancelled
            time.sleep(self.seconds_per_clip / self.steps)
            if self.failures.get(key, 0):
                self.failures[key] -= 1
                yield Failed(key, "out of luck")
                continue
            self.rendered.append(key)
            yield Done(key, fake_level(key, job.width_frames))

    def release(self) -> None:
        """Frees nothing, since nothing is held."""

    def cancel(self) -> None:
        self._cancelled.set()

    def close(self) -> None:
        self.closed += 1


@dataclass
class FakeEngines:
    """Opens one engine again and again.

    Attributes:
        asked, opened: How often its class of device was asked for, and the engine itself.
        has_workers: Always false: a fake engine decodes nothing.
    """

    engine: FakeEngine = field(default_factory=FakeEngine)
    asked: int = 0
    opened: int = 0
    has_workers: bool = False

    def backend(self, device: str) -> str:
        del device
        self.asked += 1
        return self.engine.backend

    def open(self, device: str) -> FakeEngine:
        del device
        self.opened += 1
        return self.engine
