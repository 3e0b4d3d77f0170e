"""Threads of the decoder: one inside each operation, several side by side over blocks.

Math libraries cut a product, a long transform or a sum by the number of threads they may use, and the
places of the cuts decide how the result is rounded. So every operation runs in one thread, and work that is
cut at places of its own (blocks of frames) is spread over threads of ours, which decide nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")

Spread = Callable[..., Iterable[torch.Tensor]]
"""`map`, or a form of it that works on several items at once."""


def available_cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Inside:
    """How many callers are inside `one_thread`, and how many threads torch had before the first."""

    lock = threading.Lock()
    callers = 0
    before = 1


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread inside each torch operation that the calling thread starts.

    The number holds for the calling thread, but threads begun later take over the last one that was set
    anywhere. So it is read by the first of several callers only, and each puts that back.
    """
    with _Inside.lock:
        if not _Inside.callers:
            _Inside.before = torch.get_num_threads()
        _Inside.callers += 1
        before = _Inside.before
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _Inside.lock:
            _Inside.callers -= 1
            torch.set_num_threads(before)


@contextmanager
def spread_over(threads: int) -> Iterator[Spread]:
    """A `map` over `threads` threads, in inference mode, with one thread inside each operation.

    Results come in the order of the items. With one thread it is the built-in `map`.
    """
    with one_thread():
        if threads <= 1:
            yield map
            return
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:

            def spread(
                function: Callable[[Item], torch.Tensor], items: Iterable[Item]
            ) -> Iterable[torch.Tensor]:
                return pool.map(torch.inference_mode()(function), items)

            yield spread
