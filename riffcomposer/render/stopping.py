"""The stop flag, which SIGINT, SIGTERM and SIGHUP raise and stages check between steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from riffcomposer.errors import Cancelled


class StopFlag:
    """A flag that is raised once, with an exit code."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._exit_code = 130
        self._listeners: tuple[Callable[[], None], ...] = ()

    def raise_flag(self, exit_code: int = 130) -> None:
        """Asks the render to stop at the next step."""
        self._exit_code = exit_code
        self._event.set()
        for listener in self._listeners:
            listener()

    def on_raise(self, listener: Callable[[], None]) -> None:
        """Has `listener` called once the flag is raised, at once if it is already.

        It is called by whoever raises the flag, maybe in a signal handler: it must not block.
        """
        self._listeners = (*self._listeners, listener)
        if self():
            listener()

    def forget(self, listener: Callable[[], None]) -> None:
        """Takes back `on_raise`."""
        self._listeners = tuple(other for other in self._listeners if other != listener)

    def __call__(self) -> bool:
        """Whether the flag is raised."""
        return self._event.is_set()

    def check(self) -> None:
        """Raises `Cancelled` if the flag is raised."""
        if self._event.is_set():
            raise Cancelled(exit_code=self._exit_code)


@contextmanager
def stop_on_signals(flag: StopFlag) -> Iterator[StopFlag]:
    """Raises `flag` on SIGINT (130), SIGTERM (143) and, where a terminal that closes sends it, SIGHUP (129).

    A second signal ends the process at once. SIGHUP stays ignored under `nohup`. Does nothing outside the
    main thread, where Python allows no handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if flag():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        flag.raise_flag(128 + number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.append(hangup)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
