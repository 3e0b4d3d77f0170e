"""Engines for workers in tests, made by functions that a worker's process can import."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from small_song import FakeEngine

from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.errors import ModelError
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.engines.interface import Done, EventObserver, Failed, Versions, ignore_events

POISON = "RIFFCOMPOSER_TEST_POISON"
"""Environment variable with the key of a clip that ends the worker that makes it."""

POISONED = "f" * 64
"""Key of a clip that does so too."""


def quick(device: str) -> FakeEngine:
    """An engine that makes clips at once."""
    return FakeEngine()


def slow(device: str) -> FakeEngine:
    """An engine that takes a second and a half per clip."""
    return FakeEngine(seconds_per_clip=1.5, steps=15)


class Deadly(FakeEngine):
    """Ends its process when it comes to one clip."""

    def render(
        self, jobs: Mapping[str, ClipJob], on_event: EventObserver = ignore_events
    ) -> Iterator[Done | Failed]:
        for key, job in jobs.items():
            if key in (os.environ.get(POISON), POISONED):
                os.kill(os.getpid(), signal.SIGKILL)
            yield from super().render({key: job}, on_event)


def deadly(device: str) -> FakeEngine:
    return Deadly()


def outdated(device: str) -> FakeEngine:
    """An engine whose sampler is of another version."""
    return FakeEngine(versions=replace(Versions(), sampler=Versions().sampler + 1))


def graphic(device: str) -> FakeEngine:
    """An engine with another class of device."""
    return FakeEngine(backend="cuda-float16")


def mixed(device: str) -> FakeEngine:
    """A good engine on `cpu`, an outdated one elsewhere."""
    return quick(device) if device == "cpu" else outdated(device)


class Modelless(FakeEngine):
    def load(self, model: LocatedModel, on_event: Any = ignore_events) -> None:
        raise ModelError("weights are damaged")


def modelless(device: str) -> FakeEngine:
    return Modelless()


class Broken(FakeEngine):
    def load(self, model: LocatedModel, on_event: Any = ignore_events) -> None:
        raise ZeroDivisionError("a mistake in the program")


def broken(device: str) -> FakeEngine:
    return Broken()


LOG = "RIFFCOMPOSER_TEST_LOG"
"""Environment variable with the file in which `Counted` notes each clip that it begins and ends."""


class Counted(FakeEngine):
    """Takes half a second per clip, and notes when it begins and ends one."""

    def __init__(self) -> None:
        super().__init__(seconds_per_clip=0.5, steps=5)

    def render(
        self, jobs: Mapping[str, ClipJob], on_event: EventObserver = ignore_events
    ) -> Iterator[Done | Failed]:
        for key, job in jobs.items():
            note("begin", key)
            for result in super().render({key: job}, on_event):
                note("end", key)
                yield result


def counted(device: str) -> FakeEngine:
    return Counted()


def note(what: str, key: str) -> None:
    """Adds a line in one write, so that several processes may do it at once."""
    with open(os.environ[LOG], "ab", buffering=0) as file:
        file.write(f"{what} {key}\n".encode())


def noted(what: str) -> Counter[str]:
    """How often each clip was begun or ended, by all workers together."""
    path = Path(os.environ[LOG])
    lines = path.read_text().split("\n") if path.exists() else []
    return Counter(line.partition(" ")[2] for line in lines if line.startswith(f"{what} "))
