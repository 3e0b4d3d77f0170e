"""Weights in prompts: what brackets mean."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

import riffcomposer.song.emphasis as module
from riffcomposer.song.emphasis import MAX_WEIGHT, brackets, lone_brackets, parse_emphasis


@pytest.mark.parametrize(
    ("prompt", "pieces"),
    [
        ("", []),
        ("jazz", [("jazz", 1.0)]),
        ("(bells)", [("bells", 1.1)]),
        ("[bells]", [("bells", 1 / 1.1)]),
        ("a (bells:1.3) b", [("a ", 1.0), ("bells", 1.3), (" b", 1.0)]),
        ("((x))", [("x", 1.1 * 1.1)]),
        ("(a [b] c:2)", [("a ", 2.0), ("b", 2.0 / 1.1), (" c", 2.0)]),
        ("(x:0)", [("x", 0.0)]),
        (r"\(x\) \[y\] \\", [(r"(x) [y] " + "\\", 1.0)]),
        ("smile :)", [("smile :)", 1.0)]),
        ("(open", [("(open", 1.0)]),
        ("(a]", [("(a]", 1.0)]),
        ("[a:1.5]", [("a:1.5", 1 / 1.1)]),
        ("(tempo: fast)", [("tempo: fast", 1.1)]),
        ("()", []),
    ],
)
def test_emphasis(prompt: str, pieces: list[tuple[str, float]]) -> None:
    assert parse_emphasis(prompt) == pieces


@given(st.text(alphabet="ab :.12()[]\\", max_size=40))
def test_emphasis_never_fails_and_weights_are_bounded(prompt: str) -> None:
    pieces = parse_emphasis(prompt)
    assert all(0 <= weight <= MAX_WEIGHT for _, weight in pieces)
    if not set(prompt) & set("()[]\\"):
        assert "".join(text for text, _ in pieces) == prompt


def test_very_deep_brackets_are_no_trouble() -> None:
    assert parse_emphasis("(" * 5000 + "x" + ")" * 50)[-1][0] == "x"


@pytest.mark.parametrize(
    "prompt", ["(x:99999)", "((((x:9):9):9):9)", "(" * 400 + "x" + ")" * 400, f"(x:{'9' * 400})"]
)
def test_weights_end_at_the_largest(prompt: str) -> None:
    assert parse_emphasis(prompt) == [("x", MAX_WEIGHT)]


def test_a_weight_of_nothing_stays_nothing() -> None:
    assert parse_emphasis(f"((x:0):{'9' * 400})") == [("x", 0.0)]


def test_pairs_of_brackets_with_their_weights() -> None:
    found = [
        (pair.text, pair.words, pair.weight, pair.total) for pair in brackets(r"a (b [c] (d:2):3) \(e [f]")
    ]
    assert found == [
        ("(b [c] (d:2):3)", "b [c] (d:2)", 3.0, 3.0),
        ("[c]", "c", 1 / 1.1, 3.0 / 1.1),
        ("(d:2)", "d", 2.0, 6.0),
        ("[f]", "f", 1 / 1.1, 1 / 1.1),
    ]


@pytest.mark.parametrize(
    ("prompt", "lone"),
    [
        ("(a) [b]", ""),
        ("(a", "("),
        ("a)] (b", ")]("),
        ("([)]", "[]"),
        (r"\( (a)", ""),
        (":)", ")"),
        ("((a)", "("),
    ],
)
def test_brackets_without_a_partner(prompt: str, lone: str) -> None:
    assert lone_brackets(prompt) == lone


def test_the_doctests() -> None:
    assert doctest.testmod(module).failed == 0
