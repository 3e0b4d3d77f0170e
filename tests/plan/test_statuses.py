"""Why a clip is rendered, in words."""

from __future__ import annotations

from typing import Any

import pytest
from planned_songs import planned, section, song

from riffcomposer.plan.keys import job_fields
from riffcomposer.plan.statuses import Recorded, job_states, positions
from riffcomposer.plan.types import JobStatus, Plan


def states_after(before: Plan, after: Plan) -> list[JobStatus]:
    """The states of `after` on an empty store, `before` being in the lock."""
    recorded = {
        position: Recorded(clip.key, job_fields(before.jobs[clip.key]))
        for position, clip in positions(before)
    }
    states = job_states(after, lambda _: False, recorded)
    return [states[clip.key] for clip in after.clips]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"prompt": "zzz"}, ("prompt", "prompt of a", "zzz")),
        ({"strength": 0.7}, ("strength", "0.5", "0.7")),
        ({"init": "bells"}, ("init", "lofi-keys (aaaaaaaa)", "bells (bbbbbbbb)")),
        ({"mask": "beats-80"}, ("mask", "none", "beats-80 (cccccccc)")),
        ({"num_inference_steps": 30}, ("num_inference_steps", "20", "30")),
    ],
)
def test_a_changed_field_is_told_with_both_values(change: dict[str, Any], told: tuple[str, str, str]) -> None:
    before, after = planned(song(section("a"))), planned(song(section("a", **change)))
    states = states_after(before, after)
    assert {state.status for state in states} == {"changed"}
    # The names of files are those of this plan; a file that is gone is told by its digest.
    if change.get("init"):
        told = ("init", "a" * 12, told[2])
    assert all(state.changes == (told,) for state in states)


def test_a_new_prompt_that_swaps_the_points_is_still_one_change() -> None:
    def walk(*prompts: str) -> Plan:
        points = [{"prompt": prompt, "seed": 3} for prompt in prompts]
        return planned(song(section("w", walk=points, interpolation_steps=4)))

    states = states_after(walk("bells", "jazz"), walk("zither", "jazz"))
    assert states[1].changes == (("prompt_b", "bells", "zither"),)
    assert states[0].changes == (("prompt", "bells", "zither"),)
    assert states[4] == JobStatus("new")


def test_what_the_store_has_is_cached_and_what_nobody_knows_is_new() -> None:
    plan = planned(song(section("a", clips=2)))
    first, second = (clip.key for clip in plan.clips)
    states = job_states(plan, lambda key: key == first)
    assert states == {first: JobStatus("cached"), second: JobStatus("new")}


def test_a_longer_bridge_does_not_move_the_body() -> None:
    def bridged(clips: int) -> Plan:
        bridge = {"type": "bridge", "clips": clips}
        return planned(song(section("a"), section("b", seed=9, transition=bridge)))

    states = states_after(bridged(2), bridged(3))
    assert [state.status for state in states] == ["new"] * 4 + ["changed"] * 2 + ["new"] + ["new"] * 4


def test_the_players_of_a_score_are_told_in_words() -> None:
    def of(parts: dict[str, str]) -> Plan:
        return planned(song(section("a", init="score", score={"parts": parts})))

    states = states_after(of({"comp": "electric piano"}), of({"comp": "vibraphone", "drums": "none"}))
    told = {field: (old, new) for field, old, new in states[0].changes}
    assert told["score_parts"] == ("comp: electric piano", "comp: vibraphone, drums: silent")
