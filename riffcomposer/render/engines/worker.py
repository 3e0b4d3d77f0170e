"""A worker: an engine that is served to a driver, whatever the transport between them is."""

from __future__ import annotations

import platform
from collections.abc import Callable

import numpy as np

from riffcomposer.errors import Cancelled, RiffcomposerError
from riffcomposer.render.engines.interface import Failed, Notice, SoundBlock, Step, WorkerEngine
from riffcomposer.render.engines.wire import Ended, Loaded, LoadFailed, Message, Ready
from riffcomposer.render.engines.worker_requests import Decode, Drop, Load, Release, Render, Request
from riffcomposer.render.passage_work import decoder_for

EngineMaker = Callable[[], WorkerEngine]
"""Makes a worker's engine; a function of a module, so that its name can be sent."""


class Worker:
    """Serves requests one after the other.

    Args:
        engine: Does the work.
        send: Takes each message to the driver.
        is_dropped: Whether the driver no longer wants a batch; asked between steps.
        threads: CPU threads of the decoder.
        device: The worker's device, in words.
    """

    def __init__(
        self,
        engine: WorkerEngine,
        send: Callable[[Message], None],
        is_dropped: Callable[[int], bool],
        threads: int = 1,
        device: str = "",
    ) -> None:
        self._engine, self._send, self._is_dropped = engine, send, is_dropped
        self._threads, self._device = threads, device

    def begin(self) -> None:
        """Starts the engine and says what it is."""
        info = self._engine.start()
        place = f"{platform.node()} {self._device}".strip()
        self._send(Ready(place, info.backend, info.versions))

    def serve(self, request: Request) -> None:
        """Does what is asked; errors of the work itself become messages."""
        match request:
            case Load(model):
                try:
                    self._engine.load(model)
                except RiffcomposerError as error:
                    self._send(LoadFailed(model.digest, str(error)))
                else:
                    self._send(Loaded(model.digest, self._engine.frames_per_batch()))
            case Render():
                self._render(request)
            case Decode():
                self._decode(request)
            case Release():
                self._engine.release()
            case Drop():
                pass  # the transport has noted it

    def _render(self, request: Render) -> None:
        def on_event(event: Step | Notice) -> None:
            if self._is_dropped(request.number):
                raise Cancelled
            if isinstance(event, Step):
                self._send(event)

        try:
            if self._is_dropped(request.number):
                raise Cancelled
            for result in self._engine.render(request.jobs, on_event):
                self._send(result)
        except Cancelled:
            pass  # it is said by Ended, like every end
        except RiffcomposerError as error:
            for key in request.jobs:
                self._send(Failed(key, str(error)))
        self._send(Ended(request.number))

    def _decode(self, request: Decode) -> None:
        work, settings = request.work, request.settings
        decoder = decoder_for(work.parameters, settings, self._threads)
        try:
            timeline = work.timeline(request.levels)
            for block in decoder.decode_stream(
                lambda first, count: timeline.read(first, first + count),
                timeline.frames,
                work.samples,
                wraps=work.wraps,
            ):
                if self._is_dropped(request.number):
                    raise Cancelled
                self._send(SoundBlock(request.key, block.astype(np.float32, copy=False)))
        except Cancelled:
            pass
        except (RiffcomposerError, OSError) as error:
            self._send(Failed(request.key, str(error)))
        self._send(Ended(request.number))
