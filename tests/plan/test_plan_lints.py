"""Warnings that show only in the plan."""

from __future__ import annotations

from typing import Any

import pytest
from planned_songs import planned, read, section, song

from riffcomposer.plan.plan_lints import lint_plan

POINTS = [{"prompt": prompt, "seed": 3} for prompt in ("bells", "jazz", "rain")]


def codes(whole: dict[str, Any]) -> list[tuple[str, tuple[str | int, ...]]]:
    return [(item.code, item.path) for item in lint_plan(planned(whole), read(whole).resolved)]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (section("a"), []),
        (section("a", walk=POINTS), []),
        (section("a", walk=POINTS, clips=12), []),
        (section("a", walk=POINTS, interpolation_steps=4, clips=12), [("little-variety", "clips")]),
        (section("a", walk=POINTS, interpolation_steps=4, bars=8), [("walk-cut-short", "bars")]),
        (section("a", walk=POINTS, clips=2), [("walk-cut-short", "clips")]),
        (section("a", strength=0, clips=3), [("little-variety", "clips")]),
        (section("a", strength=0, clips=1), []),
    ],
)
def test_variety(part: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    found = [item for item in codes(song(part)) if item[0] != "repeats-loop"]
    assert found == [(code, ("sections", 0, field)) for code, field in expected]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (section("a", bars=8), False),
        (section("a", bars=9), True),
        (section("a", bars=9, strength=0.85), True),
        (section("a", bars=9, strength=0.9), False),
        ({"name": "a", "prompt": "rain", "init": "none", "bars": 9}, False),
        (section("a", bars=16, init={"path": "x.wav", "bars": 4}), False),
        (section("a", bars=17, init={"path": "x.wav", "bars": 4}), True),
        (section("a", clips=5), True),
        (section("a", clips=5, walk=[*POINTS[:2], POINTS[2] | {"strength": 0.95}]), False),
    ],
)
def test_a_section_that_repeats_its_loop(part: dict[str, Any], expected: bool) -> None:
    found = lint_plan(planned(song(part)), read(song(part)).resolved)
    repeats = [item for item in found if item.code == "repeats-loop"]
    assert len(repeats) == expected
    if expected:
        assert repeats[0].path == ("sections", 0, "clips" if "clips" in part else "bars")


def test_what_is_said_of_a_repeated_loop() -> None:
    [found] = lint_plan(planned(song(section("a", bars=12))), read(song(section("a", bars=12))).resolved)
    assert found.message == (
        "section a plays its loop of 2 bars 6 times, and strength 0.5 keeps the loop's harmony each time"
    )
    assert found.hint == "give it a longer init, a score, or several sections with other loops"


def test_a_crossfade_longer_than_a_clip() -> None:
    fade = {"type": "crossfade", "length": "3 bars"}
    assert codes(song(section("a"), section("b", transition=fade))) == [
        ("long-crossfade", ("sections", 1, "transition"))
    ]


def test_a_section_that_length_never_reaches() -> None:
    assert codes(song(section("a"), section("b"), length="8s")) == [("never-played", ("sections", 1))]


def test_rounds_are_not_looked_at_twice() -> None:
    assert len(codes(song(section("a", strength=0), length="2min"))) == 1


@pytest.mark.parametrize(
    ("sections", "loop", "expected"),
    [
        ([section("a", fade_in="1 bar")], True, [("loop-fades", ("sections", 0, "fade_in"))]),
        ([section("a"), section("b", fade_out="1 bar")], True, [("loop-fades", ("sections", 1, "fade_out"))]),
        (
            [section("a", fade_in="1 beat", fade_out="1 beat")],
            True,
            [("loop-fades", ("sections", 0, "fade_in")), ("loop-fades", ("sections", 0, "fade_out"))],
        ),
        ([section("a", fade_out="1 bar"), section("b", fade_in="1 bar")], True, []),
        ([section("a", fade_in="1 bar", fade_out="1 bar")], False, []),
        ([section("a")], True, []),
    ],
)
def test_fades_at_the_seam_of_a_loop(
    sections: list[dict[str, Any]], loop: bool, expected: list[tuple[str, tuple[str | int, ...]]]
) -> None:
    assert codes(song(*sections, loop=loop)) == expected


def test_the_seam_of_a_loop_of_some_length_is_where_it_ends() -> None:
    sections = [section("a", fade_out="1 bar"), section("b", seed=4)]
    assert codes(song(*sections, loop=True, length="61.44s")) == [("loop-fades", ("sections", 0, "fade_out"))]
    assert codes(song(*sections, loop=True, length="81.92s")) == []
