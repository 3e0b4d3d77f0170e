"""Which worker gets which batch: a queue that outlives its workers.

- A worker has at most two batches: one at work and one that waits there, so that it never idles.
- A worker that is lost gives its batches back. Only the batch at work is suspect: its clips are then tried
  one by one, and a clip that has cost three workers is given up.
- A worker with nothing to do takes over a batch that waits at another worker. If there is none, it makes
  a copy of one that takes much longer than batches usually take; whichever comes first counts.

The queue knows no time but its clock's and no transport, so that a simulation can use it as it is.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from statistics import median

OUTSTANDING = 2
LOSSES = 3
"""Workers that a clip may cost before it is given up."""

LATE = 3.0
"""A batch is late when it takes this many times what batches usually take."""


_NUMBERS = count(1)


@dataclass
class Batch:
    """Clips, or one passage, that a worker makes at once.

    Attributes:
        number: Names it between driver and workers.
        keys: What it consists of, in order.
        left: Keys without a result so far.
        holders: Workers that have it.
        began_at: When it was first at the head of a worker's batches; None before.
    """

    number: int
    keys: tuple[str, ...]
    left: set[str]
    holders: list[str] = field(default_factory=list)
    began_at: float | None = None


@dataclass(frozen=True)
class Loss:
    """What the loss of a worker means.

    Attributes:
        back: Keys that go back into the queue.
        given_up: Keys that have cost too many workers.
    """

    back: tuple[str, ...]
    given_up: tuple[str, ...]


class BatchQueue:
    """Batches waiting and batches at workers.

    Args:
        batches: Keys of each batch, in order.
        outstanding: Batches that a worker may have at once.
        losses: Workers that a clip may cost.
        copies: Whether late batches may be made twice.
        clock: Seconds, rising.
    """

    def __init__(
        self,
        batches: Iterable[Sequence[str]],
        *,
        outstanding: int = OUTSTANDING,
        losses: int = LOSSES,
        copies: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outstanding, self._losses, self._copies, self._clock = outstanding, losses, copies, clock
        self._given: dict[str, set[str]] = {}
        self._waiting: deque[Batch] = deque(self._batch(keys) for keys in batches)
        self._held: dict[str, deque[Batch]] = {}
        self._lost: Counter[str] = Counter()
        self._open = {key for batch in self._waiting for key in batch.keys}
        self._durations: deque[float] = deque(maxlen=101)
        self._drops: list[tuple[str, int]] = []

    @property
    def unfinished(self) -> bool:
        """Whether there are keys without a result."""
        return bool(self._open)

    def held(self, worker: str) -> int:
        """Returns how many batches a worker has."""
        return len(self._held.get(worker, ()))

    def is_open(self, worker: str, key: str) -> bool:
        """Whether a result for `key` is awaited, and the worker was asked for it."""
        return key in self._open and worker in self._given.get(key, ())

    def holds(self, worker: str, key: str) -> bool:
        """Whether a result for `key` is awaited from this worker, and no other one has taken it over."""
        return key in self._open and any(key in batch.left for batch in self._held.get(worker, ()))

    def take(self, worker: str) -> Batch | None:
        """Returns the batch to send to a worker next; None if it should get none now."""
        own = self._held.setdefault(worker, deque())
        if len(own) >= self._outstanding:
            return None
        if self._waiting:
            batch: Batch | None = self._waiting.popleft()
        else:
            batch = None if own else self._stolen(worker) or self._late(worker)
        if batch is None:
            return None
        batch.holders.append(worker)
        own.append(batch)
        for key in batch.keys:
            self._given.setdefault(key, set()).add(worker)
        self._note_begin(worker)
        return batch

    def result(self, worker: str | None, key: str) -> bool:
        """Notes a result. Returns whether it is the first one for `key`, and was asked of this worker.

        Args:
            worker: Whose result it is; None for the driver's own, which gives a clip up.
            key: The clip or passage.
        """
        if key not in self._open or (worker is not None and not self.is_open(worker, key)):
            return False
        self._open.discard(key)
        for batch in {id(batch): batch for own in self._held.values() for batch in own}.values():
            if key in batch.left:
                batch.left.discard(key)
                if not batch.left:
                    self._drops += [(holder, batch.number) for holder in batch.holders if holder != worker]
        return True

    def ended(self, worker: str, number: int) -> tuple[str, ...]:
        """Notes that a worker is through with a batch. Returns the keys that it owes a result."""
        own = self._held.get(worker, deque())
        batch = next((each for each in own if each.number == number), None)
        if batch is None:
            return ()
        own.remove(batch)
        batch.holders.remove(worker)
        if batch.began_at is not None and not batch.left:
            self._durations.append(self._clock() - batch.began_at)
        self._note_begin(worker)
        return () if batch.holders else tuple(key for key in batch.keys if key in batch.left & self._open)

    def lose(self, worker: str) -> Loss:
        """Takes a worker's batches back."""
        back: list[str] = []
        given_up: list[str] = []
        returning: list[Batch] = []
        for place, batch in enumerate(self._held.pop(worker, ())):
            batch.holders.remove(worker)
            left = [key for key in batch.keys if key in batch.left]
            if place == 0:
                self._lost.update(left)
                given_up += [key for key in left if self._lost[key] >= self._losses]
                batch.left.difference_update(given_up)
                left = [key for key in left if key not in given_up]
            if batch.holders or not left:
                continue
            back += left
            # The clips of the batch at work are tried one by one: one of them may be what ended the worker.
            returning += [self._batch([key]) for key in left] if place == 0 else [self._batch(left)]
        self._waiting.extendleft(reversed(returning))
        return Loss(tuple(back), tuple(given_up))

    def drops(self) -> list[tuple[str, int]]:
        """Returns, once, which workers need not make which batches any more."""
        drops, self._drops = self._drops, []
        return drops

    def abandon(self) -> list[tuple[str, int]]:
        """Returns all batches that workers still have, for a render that ends early."""
        return [(worker, batch.number) for worker, own in self._held.items() for batch in own]

    def _batch(self, keys: Sequence[str]) -> Batch:
        return Batch(next(_NUMBERS), tuple(keys), set(keys))

    def _note_begin(self, worker: str) -> None:
        """Notes when the batch at the head of a worker's batches began."""
        own = self._held.get(worker)
        if own and own[0].began_at is None:
            own[0].began_at = self._clock()

    def _stolen(self, thief: str) -> Batch | None:
        """Takes over the last batch that waits at another worker."""
        victims = [name for name, own in self._held.items() if name != thief and len(own) > 1]
        if not victims:
            return None
        victim = max(victims, key=lambda name: len(self._held[name]))
        batch = self._held[victim].pop()
        batch.holders.remove(victim)
        self._drops.append((victim, batch.number))
        return self._batch([key for key in batch.keys if key in batch.left])

    def _late(self, worker: str) -> Batch | None:
        """Returns a batch that takes far too long at another worker, to be made a second time here."""
        if not self._copies or not self._durations:
            return None
        limit = self._clock() - LATE * median(self._durations)
        heads = [own[0] for name, own in self._held.items() if name != worker and own]
        late = [
            (batch.began_at, batch.number, batch)
            for batch in heads
            if len(batch.holders) == 1 and batch.began_at is not None and batch.began_at < limit
        ]
        return min(late)[2] if late else None
