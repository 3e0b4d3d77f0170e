"""The diffusion engine in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.device import BACKENDS
from riffcomposer.errors import RenderError
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.engines.batches import clip_batches
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

if TYPE_CHECKING:
    from riffcomposer.diffusion.engine import ClipEvent, Engine


class InProcessEngine:
    """Renders with one checkpoint at a time on one device of this machine.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
    """

    def __init__(self, device: str = "auto") -> None:
        self._device = device
        self._engine: Engine | None = None
        self._cancelled = threading.Event()

    def start(self) -> EngineInfo:
        return EngineInfo(device_backend(self._device), Versions())

    def load(self, model: LocatedModel, on_event: EventObserver = ignore_events) -> None:
        del on_event
        from riffcomposer.diffusion.engine import Engine

        if self._engine is not None and self._engine.located.digest == model.digest:
            return
        self.release()
        self._engine = Engine(model, device=self._device)

    def frames_per_batch(self) -> int:
        """Returns how many frames of clips are rendered at once; 0 without a checkpoint."""
        return self._engine.frames_per_batch if self._engine is not None else 0

    def render(
        self, jobs: Mapping[str, ClipJob], on_event: EventObserver = ignore_events
    ) -> Iterator[Done | Failed]:
        if self._engine is None:
            raise RenderError("no checkpoint is loaded")
        from riffcomposer.diffusion.engine import ClipFailure

        def tell(event: ClipEvent) -> None:
            if event.kind in ("started", "step"):
                on_event(Step(event.key, event.step, event.of))

        engine, stop = self._engine, self._cancelled.is_set
        for batch in clip_batches(jobs, engine.frames_per_batch):
            part = {key: jobs[key] for key in batch}
            for key, result in engine.render(part, on_event=tell, cancelled=stop):
                yield Failed(key, result.message) if isinstance(result, ClipFailure) else Done(key, result)

    def nearness(self, job: ClipJob, level: Level) -> float:
        if self._engine is None:
            raise RenderError("no checkpoint is loaded")
        return self._engine.nearness(job, level)

    def release(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def cancel(self) -> None:
        self._cancelled.set()

    def close(self) -> None:
        self.release()


class InProcessEngines:
    """Opens diffusion engines in this process."""

    has_workers = False

    def backend(self, device: str) -> str:
        return device_backend(device)

    def open(self, device: str) -> InProcessEngine:
        return InProcessEngine(device)


def device_backend(device: str) -> str:
    """Asks torch for the class of a device of this machine.

    Raises:
        UsageError: The device is not there.
    """
    from riffcomposer.diffusion.loading import choose_device

    return BACKENDS[choose_device(device).type]
