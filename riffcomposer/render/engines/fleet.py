"""What an engine of many workers needs of its transport: to start workers, and to carry messages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from riffcomposer.render.engines.levels import LevelReader
from riffcomposer.render.engines.wire import Message
from riffcomposer.render.engines.worker_requests import Request
from riffcomposer.store.store import Store


@dataclass(frozen=True)
class Gone:
    """A worker is lost.

    Attributes:
        reason: Why, as far as it is known.
        replaced: Whether another one is being started in its place.
    """

    reason: str
    replaced: bool


class Fleet(Protocol):
    """Workers, by name, wherever they are."""

    def begin(self) -> None:
        """Starts the first workers; each says `Ready` in its own time.

        Raises:
            UsageError: There is nowhere to start them.
        """
        ...

    @property
    def workers(self) -> Collection[str]:
        """Names of the workers that run or are being started."""
        ...

    @property
    def hopeful(self) -> bool:
        """Whether a worker runs, is being started, or may yet join."""
        ...

    def send(self, worker: str, request: Request) -> None:
        """Sends a request; to a worker that is gone, nothing. Never blocks for long."""
        ...

    def receive(self, timeout_s: float) -> list[tuple[str, Message | Gone]]:
        """Returns what has come, by worker, each worker's in order; waits for the first at most so long."""
        ...

    def dismiss(self, worker: str) -> None:
        """Ends a worker for good: none is started in its place, and nothing more comes from it."""
        ...

    def levels(self, store: Store, keys: Collection[str]) -> LevelReader:
        """Returns what a worker reads the levels of these clips with.

        Raises:
            RenderError: A clip vanished from the store.
        """
        ...

    def now(self) -> float:
        """Returns the time in seconds; only differences mean anything."""
        ...

    def close(self) -> None:
        """Ends all workers. Never raises."""
        ...
