"""Automation in the plan: numbers that move over a section's bars, and what an edit of them renders anew."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from planned_songs import planned, read, section, song

from riffcomposer.curves import Curve
from riffcomposer.plan.song_diff import diff_songs
from riffcomposer.plan.types import Plan

BAR = 112_896
"""A bar at 93.75 BPM in samples."""

RISING = {"0": 0.2, "6": 0.5}


def strengths(plan: Plan, index: int) -> list[float]:
    return [plan.jobs[clip.key].strength for clip in plan.clips if clip.section == index]


def guidance(plan: Plan, index: int) -> list[float]:
    return [plan.jobs[clip.key].guidance_scale for clip in plan.clips if clip.section == index]


def test_each_clip_has_the_values_of_its_first_bar() -> None:
    plan = planned(
        song(section("a", bars=10, strength=RISING, guidance_scale={"0": 3, "4": 7, "ease": "step"}))
    )
    assert strengths(plan, 0) == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.5])
    assert guidance(plan, 0) == pytest.approx([3, 3, 7, 7, 7])


def test_the_shipped_default_and_a_number_plan_as_before() -> None:
    level = planned(song(section("a", strength={"0": 0.5, "4": 0.5})))
    assert [clip.key for clip in level.clips] == [clip.key for clip in planned(song(section("a"))).clips]


def test_a_point_of_a_walk_keeps_its_own_strength() -> None:
    walk = [{"prompt": "bells", "strength": 0.7}, {"prompt": "jazz"}]
    plan = planned(song(section("a", walk=walk, bars=10, strength=RISING)))
    # From 0.7 to the section's value of that bar, a quarter of the way at each clip.
    assert strengths(plan, 0) == pytest.approx([0.7, 0.6, 0.55, 0.55, 0.5])


def test_a_bridge_leaves_at_the_strength_last_heard() -> None:
    bridge = {"type": "bridge", "clips": 1}
    plan = planned(song(section("a", strength=RISING), section("b", strength=0.7, transition=bridge)))
    (clip,) = [clip for clip in plan.clips if clip.kind == "bridge"]
    assert plan.jobs[clip.key].strength == pytest.approx((0.5 + 0.7) / 2)


@pytest.mark.parametrize(
    ("change", "clips"),
    [
        ({"strength": {"0": 0.2, "6": 0.6}}, {1, 2, 3}),
        ({"strength": {"0": 0.2, "6": 0.5, "8": 0.9}}, set()),
        ({"gain_db": {"0": -12, "8": 0}}, set()),
        ({"chain": [{"lowpass": {"cutoff_frequency_hz": {"0": 200, "8": 9000}}}]}, set()),
        ({"guidance_scale": {"0": 7, "6": 8}}, {1, 2, 3}),
    ],
)
def test_an_edit_renders_the_clips_whose_numbers_change(change: dict[str, Any], clips: set[int]) -> None:
    base = planned(song(section("a", strength=RISING, guidance_scale=7), section("b")))
    edited = planned(song(section("a", **({"strength": RISING, "guidance_scale": 7} | change)), section("b")))
    known = {clip.key for clip in base.clips}
    assert {clip.index for clip in edited.clips if clip.key not in known} == clips


def test_gains_are_over_samples_from_the_sections_own_first_bar() -> None:
    moving = {"0": -12, "4": -3, "ease": "ease"}
    bridge = {"type": "bridge", "clips": 1}
    plan = planned(song(section("a"), section("b", gain_db=moving, transition=bridge)))
    body = (8 + 2) * BAR
    assert plan.sections[1].body_start_sample == body
    assert plan.sections[1].gain_db == Curve(
        ((Fraction(body), -12.0), (Fraction(body + 4 * BAR), -3.0)), "ease"
    )


def test_layers_move_too() -> None:
    layers = [
        {"name": "drums", "strength": RISING, "gain_db": {"0": -20, "8": 0}},
        {"name": "keys", "prompt": "rhodes", "pan": {"0": -1, "8": 1}},
    ]
    plan = planned(song(section("a", layers=layers)))
    drums, keys = plan.sections[0].layers
    assert drums.gain_db.values == (-20, 0)
    assert keys.pan == Curve(((Fraction(0), -1.0), (Fraction(8 * BAR), 1.0)))
    found = [plan.jobs[clip.key].strength for clip in plan.clips if clip.layer == "drums"]
    assert found == pytest.approx([0.2, 0.3, 0.4, 0.5])


def test_the_diff_shows_what_moves() -> None:
    old = read(song(section("a", gain_db=-3))).resolved
    new = read(
        song(
            section(
                "a",
                strength=RISING,
                gain_db={"0": -12, "8": 0},
                chain=[{"gain": {"gain_db": {"0": -6, "4": 0}}}],
            )
        )
    ).resolved
    (changed,) = diff_songs(old, new).sections
    assert {change.field: (change.old, change.new) for change in changed.changes} == {
        "strength": ("0.5", "{0: 0.2, 6: 0.5}"),
        "gain_db": ("-3", "{0: -12, 8: 0}"),
        "chain": ("none", "gain(gain_db={0: -6, 4: 0})"),
    }


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("gain_db", {"0": 40}, "gain_db must be -60 to 24 at bar '0' (got 40)"),
        ("gain_db", {"one": 0}, "gain_db must have bars as its keys"),
        ("gain_db", {}, "gain_db must have a value"),
        ("gain_db", "-3", "gain_db must be a number, or points such as {0: 0.2, 8: 0.7} (got '-3')"),
        ("strength", {"0": 0.2, "0.0": 0.3}, "strength must name each bar once"),
        ("strength", {"0": 0.2, "ease": "bouncy"}, "strength must have an ease of linear, ease, step"),
        ("chain", [{"gain": {"gain_db": {"0": 99}}}], "gain_db must be -60 to 36 at bar '0' (got 99)"),
        ("chain", [{"ladder_filter": {"mode": {"0": "LPF12"}}}], "mode must be"),
    ],
)
def test_what_is_no_curve_is_refused_in_words(key: str, value: Any, words: str) -> None:
    from riffcomposer.errors import SongError

    with pytest.raises(SongError) as caught:
        read(song(section("a", **{key: value})))
    assert words in str(caught.value)
