"""One loaded model that renders, takes and jams share, so that a short render need not load it again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.clip_engine import ClipEngine, DiffusionEngines, EngineSource


class SharedEngine:
    """An engine that stays loaded; one thread renders with it at a time."""

    def __init__(self, engine: ClipEngine, lock: threading.Lock) -> None:
        self._engine, self._lock = engine, lock

    @property
    def backend(self) -> str:
        """As `ClipEngine.backend`."""
        return self._engine.backend

    def render(
        self,
        jobs: Mapping[str, ClipJob],
        *,
        on_event: Callable[[Any], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[str, Any]]:
        """As `ClipEngine.render`; waits for another render to end."""
        with self._lock:
            yield from self._engine.render(jobs, on_event=on_event, cancelled=cancelled)

    def close(self) -> None:
        """Keeps the model for the next render; `KeptEngines.close` frees it."""


class KeptEngines:
    """Makes engines, and keeps the last one.

    Args:
        engines: What makes them; diffusion engines in this process if None.
    """

    def __init__(self, engines: EngineSource | None = None) -> None:
        self._engines = engines or DiffusionEngines()
        self._lock = threading.Lock()
        self._at_work = threading.Lock()
        self._kept: tuple[tuple[str, str], ClipEngine] | None = None

    def backend(self, device: str) -> str:
        """As `EngineSource.backend`."""
        return self._engines.backend(device)

    def load(self, model: LocatedModel, device: str) -> SharedEngine:
        """As `EngineSource.load`; the model that was used last is there already."""
        wanted = (str(model.folder), device)
        with self._lock:
            if self._kept is None or self._kept[0] != wanted:
                self._free()
                self._kept = wanted, self._engines.load(model, device)
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
