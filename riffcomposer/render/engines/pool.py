"""An engine of many workers.

The driver keeps the queue (`dispatch`), checks each worker before it gets work, and gives the clips of a lost
worker to others. Where the workers are is the fleet's business.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.errors import Cancelled, ModelError, RenderError
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.engines.batches import clip_batches
from riffcomposer.render.engines.dispatch import LOSSES, Batch, BatchQueue
from riffcomposer.render.engines.fleet import Fleet, Gone
from riffcomposer.render.engines.interface import (
    Decoded,
    Done,
    EngineInfo,
    EventObserver,
    Failed,
    Notice,
    Restarted,
    SoundBlock,
    Step,
    Versions,
    ignore_events,
)
from riffcomposer.render.engines.wire import Dying, Ended, Loaded, LoadFailed, Message, Ready
from riffcomposer.render.engines.worker_requests import Decode, Drop, Load, Release, Render, Request
from riffcomposer.render.passage_work import DecodeSettings, PassageWork
from riffcomposer.store.store import Store

POLL_S = 0.25
"""How often the driver looks for a cancelled render and for late batches when no message comes."""

START_S = 120.0
"""How long the first workers may take to start."""


class PoolEngine:
    """Renders with the workers of a fleet.

    Args:
        fleet: The workers.
        backend: The class of device that every worker must have; that of the first worker if empty.
        versions: The versions that every worker must have.
    """

    def __init__(self, fleet: Fleet, backend: str = "", versions: Versions | None = None) -> None:
        self._fleet = fleet
        self._backend = backend
        self._versions = versions or Versions()
        self._cancelled = threading.Event()
        self._accepted: dict[str, str] = {}
        """Workers that may get work, and where each is."""
        self._loaded: dict[str, str] = {}
        """Digest of the checkpoint that each worker has."""
        self._model: LocatedModel | None = None
        self._frames_per_batch = 0
        self._notices: deque[str] = deque()
        self._trouble = ""
        self._last_words: dict[str, str] = {}
        self._faults: dict[str, str] = {}

    # The engine's interface ---------------------------------------------------------------

    def start(self) -> EngineInfo:
        self._fleet.begin()
        until = self._fleet.now() + START_S
        while self._fleet.hopeful and self._fleet.now() < until:
            self._check()
            for worker, message in self._fleet.receive(POLL_S):
                self._meet(worker, message)
            if self._accepted and self._accepted.keys() >= set(self._fleet.workers):
                break
        if not self._accepted:
            self._close_and_raise()
        return EngineInfo(self._backend, self._versions, len(self._accepted), in_driver=False)

    def load(self, model: LocatedModel, on_event: EventObserver = ignore_events) -> None:
        self._model = model
        self._faults.clear()
        for worker in self._accepted:
            if self._loaded.get(worker) != model.digest:
                self._fleet.send(worker, Load(model))
        while not self._accepted or any(
            self._loaded.get(worker) != model.digest for worker in self._accepted
        ):
            self._check()
            for worker, message in self._fleet.receive(POLL_S):
                self._meet(worker, message)
            if not self._accepted:
                self._require_hope()
            self._tell(on_event)

    def render(
        self, jobs: Mapping[str, ClipJob], on_event: EventObserver = ignore_events
    ) -> Iterator[Done | Failed]:
        queue = BatchQueue(
            clip_batches(jobs, self._frames_per_batch, len(self._accepted)), clock=self._fleet.now
        )

        def request(batch: Batch) -> Request:
            return Render(batch.number, {key: jobs[key] for key in batch.keys if key in batch.left})

        for worker, message in self._work(queue, request, on_event):
            match message:
                case Step(key=key) if worker is not None and queue.is_open(worker, key):
                    on_event(message)
                case Done(key=key) | Failed(key=key) if queue.result(worker, key):
                    yield message
                case _:
                    pass

    def decode(
        self,
        passages: Mapping[str, PassageWork],
        settings: DecodeSettings,
        store: Store,
        on_event: EventObserver = ignore_events,
    ) -> Iterator[SoundBlock | Restarted | Decoded | Failed]:
        # The longest is first, so that they end together.
        order = sorted(passages, key=lambda key: -passages[key].samples)
        queue = BatchQueue([(key,) for key in order], copies=False, clock=self._fleet.now)
        lengths = dict.fromkeys(passages, 0)
        sources: dict[str, str] = {}

        def request(batch: Batch) -> Request:
            (key,) = batch.keys
            clips = {clip for _, _, clip in passages[key].clips}
            return Decode(batch.number, key, passages[key], settings, self._fleet.levels(store, clips))

        for worker, message in self._work(queue, request, on_event, needs_model=False):
            match message:
                case SoundBlock(key, sound) if worker is not None and queue.holds(worker, key):
                    if sources.setdefault(key, worker) != worker:
                        # Another worker has taken it over, and begins at the beginning.
                        sources[key], lengths[key] = worker, 0
                        yield Restarted(key)
                    lengths[key] += sound.shape[1]
                    yield message
                    if lengths[key] >= passages[key].samples and queue.result(worker, key):
                        yield Decoded(key)
                case Failed(key=key) if queue.result(worker, key):
                    yield message
                case _:
                    pass

    def release(self) -> None:
        self._model = None
        for worker in self._accepted:
            self._fleet.send(worker, Release())
        self._loaded.clear()

    def cancel(self) -> None:
        self._cancelled.set()

    def close(self) -> None:
        self._fleet.close()

    # Inside -------------------------------------------------------------------------------

    def _work(
        self,
        queue: BatchQueue,
        request: Callable[[Batch], Request],
        on_event: EventObserver,
        *,
        needs_model: bool = True,
    ) -> Iterator[tuple[str | None, Message]]:
        """Keeps the workers busy until every key has a result.

        Yields:
            A worker with its message about a key; None with a failure that the driver itself states.
        """
        try:
            while queue.unfinished:
                self._check()
                for worker in self._accepted:
                    if not needs_model or (self._model and self._loaded.get(worker) == self._model.digest):
                        while (batch := queue.take(worker)) is not None:
                            self._fleet.send(worker, request(batch))
                self._drop(queue.drops())
                self._tell(on_event)
                for worker, message in self._fleet.receive(POLL_S):
                    if isinstance(message, Ended):
                        for key in queue.ended(worker, message.number):
                            yield None, Failed(key, "the worker returned nothing for it")
                    elif isinstance(message, Gone):
                        self._meet(worker, message)
                        loss = queue.lose(worker)
                        if loss.back:
                            self._notices.append(f"{len(loss.back)} in flight there are given to others")
                        for key in loss.given_up:
                            yield None, Failed(key, f"{LOSSES} workers ended while they made it", final=True)
                    elif not self._meet(worker, message):
                        yield worker, message
                        self._drop(queue.drops())
                if queue.unfinished and not self._accepted:
                    self._require_hope()
            self._tell(on_event)
        finally:
            self._drop(queue.drops())
            self._drop(queue.abandon())

    def _drop(self, drops: list[tuple[str, int]]) -> None:
        for worker, number in drops:
            self._fleet.send(worker, Drop(number))

    def _meet(self, worker: str, message: Message | Gone) -> bool:
        """Handles what concerns a worker and no clip. Returns whether the message was of that kind."""
        match message:
            case Ready():
                self._accept(worker, message)
            case Loaded(digest, frames_per_batch):
                self._loaded[worker] = digest
                self._frames_per_batch = max(self._frames_per_batch, frames_per_batch)
            case LoadFailed(digest, reason):
                if self._model is not None and digest == self._model.digest:
                    self._refuse(worker, f"it cannot load the model: {reason}")
                    self._faults[worker] = reason
            case Dying(reason):
                self._last_words[worker] = reason
            case Gone(reason, replaced):
                place = self._accepted.pop(worker, worker)
                self._loaded.pop(worker, None)
                reason = self._last_words.pop(worker, reason)
                self._trouble = reason
                then = "another one is started" if replaced else "it is not replaced"
                self._notices.append(f"the worker at {place} is lost ({reason}); {then}")
            case _:
                return False
        return True

    def _accept(self, worker: str, ready: Ready) -> None:
        """Takes a worker on if it would make what the others make, and has it load the checkpoint."""
        self._backend = self._backend or ready.backend
        different = self._versions.difference(ready.versions)
        if ready.backend != self._backend:
            different = ", ".join(
                part for part in (different, f"{ready.backend} instead of {self._backend}") if part
            )
        if different:
            self._refuse(worker, different, ready.place)
            return
        self._accepted[worker] = ready.place
        if self._model is not None:
            self._fleet.send(worker, Load(self._model))

    def _refuse(self, worker: str, reason: str, place: str = "") -> None:
        place = self._accepted.pop(worker, place or worker)
        self._trouble = f"{place}: {reason}"
        self._notices.append(f"the worker at {place} is not used: {reason}")
        self._fleet.dismiss(worker)

    def _tell(self, on_event: EventObserver) -> None:
        while self._notices:
            on_event(Notice(self._notices.popleft()))

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled

    def _require_hope(self) -> None:
        """Raises if no worker is left and none will come."""
        if not self._fleet.hopeful:
            self._close_and_raise()

    def _close_and_raise(self) -> None:
        self._fleet.close()
        if self._faults:
            raise ModelError(next(iter(self._faults.values())))
        told = "; ".join(dict.fromkeys([*self._notices, *([self._trouble] if self._trouble else [])]))
        raise RenderError(f"no worker can be used: {told or f'none has started in {START_S:g} s'}")
