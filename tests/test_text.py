"""Clocks, sizes and cut text as every command shows them."""

from __future__ import annotations

import pytest

from riffcomposer.text import clock, cut, duration, printable_lines, size


@pytest.mark.parametrize(
    ("seconds", "decimals", "shown"),
    [
        (0, 0, "0:00"),
        (59.6, 0, "1:00"),
        (59.9996, 3, "1:00.000"),
        (179.2, 1, "2:59.2"),
        (3599.96, 1, "1:00:00.0"),
        (5400, 0, "1:30:00"),
    ],
)
def test_clock(seconds: float, decimals: int, shown: str) -> None:
    assert clock(seconds, decimals) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0.0 MiB"), (400_000, "0.4 MiB"), (12 << 20, "12 MiB"), (1 << 30, "1.0 GiB"), (9 << 30, "9.0 GiB")],
)
def test_size(count: int, shown: str) -> None:
    assert size(count) == shown


def test_duration() -> None:
    assert [duration(seconds) for seconds in (40, 720, 9660)] == ["40 s", "12 min", "2 h 41 min"]


def test_lines_stay_and_control_characters_do_not() -> None:
    assert printable_lines("a\nb\x1b[2J\u202e") == "a\nb\ufffd[2J\ufffd"
    assert cut("abcdef", 4) == "abc\u2026"
