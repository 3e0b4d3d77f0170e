"""An engine that is started when it is first needed, and is closed at the end whatever happens."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from riffcomposer.render.engines.interface import ClipEngine, DecodingEngine, EngineInfo, EngineSource
from riffcomposer.render.stopping import StopFlag


class EngineLease:
    """Lends one engine to the stages of a render.

        with EngineLease(engines, "auto", stop) as lease:
            info = lease.started()
            lease.engine.render(...)

    The stop flag cancels the engine. After `free_for_decoding` an engine that works in this process is
    gone; the next `started` opens another one.

    Args:
        source: Opens engines.
        device: Where they work.
        stop: The flag that ends the render.
    """

    def __init__(self, source: EngineSource, device: str, stop: StopFlag) -> None:
        self._source, self._device, self._stop = source, device, stop
        self._engine: ClipEngine | None = None
        self._info: EngineInfo | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def engine(self) -> ClipEngine:
        """The engine, opened if there is none; `started` starts it."""
        if self._engine is None:
            self._engine = self._source.open(self._device)
            self._stop.on_raise(self._engine.cancel)
        return self._engine

    def started(self) -> EngineInfo:
        """Starts the engine if it does not run yet, and returns what it is.

        Raises:
            UsageError: The device or the cluster is not there.
        """
        if self._info is None:
            self._info = self.engine.start()
        return self._info

    def decoder(self) -> DecodingEngine | None:
        """Returns the engine, started, if its workers decode passages; None if this process has to.

        Raises:
            UsageError: The device or the cluster is not there.
        """
        if not self._source.has_workers:
            return None
        self.started()
        return self.engine if isinstance(self.engine, DecodingEngine) else None

    def free_for_decoding(self) -> None:
        """Frees what the checkpoint takes: of an engine in this process, everything."""
        if self._info is None or self._engine is None:
            return
        if self._info.in_driver:
            self.close()
        else:
            self._engine.release()

    def close(self) -> None:
        """Closes the engine, if there is one."""
        engine, self._engine, self._info = self._engine, None, None
        if engine is not None:
            self._stop.forget(engine.cancel)
            engine.close()
