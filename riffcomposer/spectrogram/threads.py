"""Threads of the decoder, used so that results do not depend on the number of processors.

Math libraries split a product, a long transform or a sum by the number of threads they may use, and the split
decides how the result is rounded. So every torch operation runs in one thread, and work is split into blocks
of frames whose size does not depend on the machine; a thread pool processes several blocks at once.
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
"""The built-in `map`, or a function like it that processes several items at once."""


def available_cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Inside:
    """Number of callers inside `one_thread`, and torch's number of threads before the first of them."""

    lock = threading.Lock()
    callers = 0
    before = 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Limits torch operations of the calling thread to one thread each.

    torch keeps the number per thread, but a new thread takes the number that was set last in any thread. So
    only the first of several callers reads the number to restore, and every caller restores that one.
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
