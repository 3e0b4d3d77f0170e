"""One loaded model that renders, takes and jams share, so that a short render need not load it again."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.errors import Cancelled, RenderError
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.clip_stage import load_level
from riffcomposer.render.engines.in_process import InProcessEngines
from riffcomposer.render.engines.interface import (
    ClipEngine,
    Done,
    EngineInfo,
    EngineSource,
    EventObserver,
    Failed,
    Level,
    Notice,
    ScoringEngine,
    Step,
    ignore_events,
)
from riffcomposer.render.engines.levels import pack_level
from riffcomposer.render.stopping import StopFlag
from riffcomposer.store.store import Store

POLL_S = 0.1


class SharedEngine:
    """A view of the kept engine, for one render: cancelling or closing it leaves the model loaded."""

    def __init__(self, engine: ClipEngine, at_work: threading.Lock) -> None:
        self._engine, self._at_work = engine, at_work
        self._model: LocatedModel | None = None
        self._cancelled = threading.Event()

    def start(self) -> EngineInfo:
        """As `ClipEngine.start`."""
        return self._engine.start()

    def load(self, model: LocatedModel, on_event: EventObserver = ignore_events) -> None:
        """As `ClipEngine.load`; waits for another render to end."""
        with self._turn():
            self._engine.load(model, on_event)
        self._model = model

    def render(
        self, jobs: Mapping[str, ClipJob], on_event: EventObserver = ignore_events
    ) -> Iterator[Done | Failed]:
        """As `ClipEngine.render`; waits for another render to end."""
        if self._model is None:
            raise RenderError("no checkpoint is loaded")

        def tell(event: Step | Notice) -> None:
            if self._cancelled.is_set():
                raise Cancelled
            on_event(event)

        with self._turn():
            # Another render may have loaded another model since.
            self._engine.load(self._model)
            yield from self._engine.render(jobs, tell)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Holds the engine; waits for another render to end, or for this one to be cancelled."""
        while not self._at_work.acquire(timeout=POLL_S):
            if self._cancelled.is_set():
                raise Cancelled
        try:
            yield
        finally:
            self._at_work.release()

    def nearness(self, job: ClipJob, level: Level) -> float | None:
        """As `ScoringEngine.nearness`; None if the kept engine does not judge clips."""
        if self._model is None:
            raise RenderError("no checkpoint is loaded")
        with self._turn():
            if not isinstance(self._engine, ScoringEngine):
                return None
            self._engine.load(self._model)
            return self._engine.nearness(job, level)

    def release(self) -> None:
        """Keeps the model for the next render."""

    def cancel(self) -> None:
        """Ends this render at its next step, and no other."""
        self._cancelled.set()

    def close(self) -> None:
        """Keeps the model for the next render; `KeptEngines.close` frees it."""


class KeptEngines:
    """Opens views of one engine, which is opened when it is first needed.

    Args:
        engines: What opens it; engines in this process if None.
    """

    has_workers = False

    def __init__(self, engines: EngineSource | None = None) -> None:
        self._engines = engines or InProcessEngines()
        self._lock = threading.Lock()
        self._at_work = threading.Lock()
        self._kept: tuple[str, ClipEngine] | None = None

    def backend(self, device: str) -> str:
        """As `EngineSource.backend`."""
        return self._engines.backend(device)

    def open(self, device: str) -> SharedEngine:
        """As `EngineSource.open`; the model that was used last is loaded already."""
        with self._lock:
            if self._kept is None or self._kept[0] != device:
                self._free()
                self._kept = device, self._engines.open(device)
            return SharedEngine(self._kept[1], self._at_work)

    def close(self) -> None:
        """Frees the model's memory, once no render uses it."""
        with self._lock:
            self._free()

    def _free(self) -> None:
        if self._kept is not None:
            with self._at_work:
                self._kept[1].close()
            self._kept = None


def level_of(
    key: str,
    job: ClipJob,
    model: LocatedModel,
    engine: SharedEngine,
    store: Store,
    stop: StopFlag | None = None,
) -> np.ndarray:
    """Returns one clip's level, float32 `[channels, n_mels, width]`; it is rendered if the store lacks it.

    Args:
        key: The clip's key.
        job: How it is rendered.
        model: Its checkpoint.
        engine: Renders it.
        store: Keeps it.
        stop: Ends the render.

    Raises:
        RenderError: The clip failed.
        Cancelled: The flag was raised.
        ModelError: The checkpoint is missing or damaged.
        StoreError: The clip could not be stored.
    """
    if not store.has("clip", key):
        stop = stop or StopFlag()
        stop.on_raise(engine.cancel)
        try:
            engine.load(model)
            for result in engine.render({key: job}):
                if isinstance(result, Failed):
                    raise RenderError(f"the clip failed: {result.message}")
                store.put("clip", key, pack_level(result.level))
        finally:
            stop.forget(engine.cancel)
    return load_level(store, key)
