"""A worker on a node of a Ray cluster: an actor whose one stream brings messages to the driver.

What the stream carries is bytes: messages of `wire`, and the digests of files that the node lacks.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from riffcomposer.errors import RiffcomposerError
from riffcomposer.render.engines.interface import WorkerEngine
from riffcomposer.render.engines.levels import unpack_level
from riffcomposer.render.engines.node_files import ModelFiles, NodeCache, cache_folder
from riffcomposer.render.engines.wire import Dying, LoadFailed, Message, encode
from riffcomposer.render.engines.worker import Worker
from riffcomposer.render.engines.worker_requests import Drop, Load, Render, Request

if TYPE_CHECKING:
    import ray

WANT = b"WANT"
"""What a message begins with that asks for a file: a digest in hex follows."""

_AHEAD = 8
"""Messages that wait for the driver before a worker does: a few blocks of sound."""


@dataclass(frozen=True)
class Parts:
    """The content of a file in the object store; in a list, so that nothing is fetched unasked."""

    sha256: str
    parts: Sequence[ray.ObjectRef[bytes]]


@dataclass(frozen=True)
class LoadFiles:
    """Load a checkpoint whose files are had by digest."""

    files: ModelFiles


@dataclass(frozen=True)
class ObjectLevels:
    """Reads levels from the object store."""

    refs: Mapping[str, Sequence[ray.ObjectRef[bytes]]]

    def __call__(self, key: str) -> NDArray[np.float32]:
        import ray

        return unpack_level(ray.get(self.refs[key][0]))


@dataclass(frozen=True)
class Place:
    """Where a worker is, and what it may use.

    Attributes:
        device: Its device, as its engine is told.
        label: Its device, in words.
        threads: CPU threads.
    """

    device: str
    label: str
    threads: int


@dataclass
class _Arrivals:
    """Files that the driver has sent."""

    parts: dict[str, Parts] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, parts: Parts) -> None:
        with self.changed:
            self.parts[parts.sha256] = parts
            self.changed.notify_all()

    def take(self, sha256: str) -> Parts:
        with self.changed:
            self.changed.wait_for(lambda: sha256 in self.parts)
            return self.parts.pop(sha256)


class RayWorker:
    """The actor. `stream` runs in one thread as long as the actor lives, `put` in another one."""

    def __init__(self, maker: Callable[[str], WorkerEngine], place: Place) -> None:
        self._maker, self._place = maker, place
        self._requests: queue.SimpleQueue[Request | LoadFiles] = queue.SimpleQueue()
        self._messages: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
        self._dropped: set[int] = set()
        self._arrivals = _Arrivals()
        self._cache = NodeCache(cache_folder(), self._fetched, _file_lock)

    def put(self, request: Request | LoadFiles | Parts) -> None:
        """Takes a request; never waits for the work at hand."""
        if isinstance(request, Drop):
            self._dropped.add(request.number)
        elif isinstance(request, Parts):
            self._arrivals.put(request)
        else:
            self._requests.put(request)

    def stream(self) -> Iterator[bytes]:
        """Yields every message; ends only if the worker fails."""
        threading.Thread(target=self._work, name="work", daemon=True).start()
        while (message := self._messages.get()) is not None:
            yield message

    def _work(self) -> None:
        try:
            worker = Worker(
                self._maker(self._place.device),
                self._send,
                self._dropped.__contains__,
                self._place.threads,
                self._place.label,
            )
            worker.begin()
            while True:
                request = self._requests.get()
                if (ready := self._with_files(request)) is not None:
                    worker.serve(ready)
        except Exception as error:  # noqa: BLE001 - the driver says it, and starts another worker
            self._send(Dying(f"{type(error).__name__}: {error}"))
        self._messages.put(None)

    def _with_files(self, request: Request | LoadFiles) -> Request | None:
        """Returns a request whose files are on this node; None if they cannot be had, which is said."""
        if isinstance(request, LoadFiles):
            try:
                return Load(self._cache.model(request.files))
            except (RiffcomposerError, OSError) as error:
                self._send(LoadFailed(request.files.model.digest, str(error)))
                return None
        if isinstance(request, Render):
            return replace(request, jobs={key: self._cache.job(job) for key, job in request.jobs.items()})
        return request

    def _send(self, message: Message) -> None:
        self._messages.put(encode(message))

    def _fetched(self, sha256: str) -> Iterator[bytes]:
        """Asks the driver for a file, and yields it part by part."""
        import ray

        self._messages.put(WANT + sha256.encode())
        for part in self._arrivals.take(sha256).parts:
            yield ray.get(part)


def _file_lock(path: Path) -> AbstractContextManager[object]:
    from filelock import FileLock

    lock: AbstractContextManager[object] = FileLock(path)
    return lock
