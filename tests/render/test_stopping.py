"""Signals raise the flag; what the caller had set comes back."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from types import FrameType

import pytest

from riffcomposer.errors import Cancelled
from riffcomposer.render.stopping import StopFlag, stop_on_signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@pytest.fixture
def hangup() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_raises_the_flag_with_its_exit_code(name: str, code: int) -> None:
    number = signal.Signals[name]
    before = signal.getsignal(number)
    with stop_on_signals(StopFlag()) as flag:
        signal.raise_signal(number)
        with pytest.raises(Cancelled) as stopped:
            flag.check()
    assert stopped.value.exit_code == code
    assert signal.getsignal(number) is before


def test_under_nohup_a_closed_terminal_stops_nothing(hangup: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stop_on_signals(StopFlag()) as flag:
        signal.raise_signal(signal.SIGHUP)
        assert not flag()


def test_the_callers_handler_comes_back(hangup: None) -> None:
    def own(number: int, frame: FrameType | None) -> None:
        raise AssertionError((number, frame))

    signal.signal(signal.SIGHUP, own)
    with stop_on_signals(StopFlag()) as flag:
        signal.raise_signal(signal.SIGHUP)
        assert flag()
    assert signal.getsignal(signal.SIGHUP) is own
