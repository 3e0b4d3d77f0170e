"""Engines for workers in tests, made by functions that a worker's process can import."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
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
