"""Layers in the plan: their clips and passages, what an edit changes, gates, and transitions."""

from __future__ import annotations

import copy
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned_songs import planned, read, section, song

from riffcomposer.curves import Curve
from riffcomposer.errors import BudgetError, SongError
from riffcomposer.plan.budget import Limits
from riffcomposer.plan.keys import passage_key
from riffcomposer.plan.plan_lints import lint_plan
from riffcomposer.plan.planned_layers import energy_gate
from riffcomposer.plan.score_types import ScoreInit
from riffcomposer.plan.song_diff import diff_songs
from riffcomposer.plan.types import Plan

Place = tuple[str, str]

DRUMS: dict[str, Any] = {"name": "drums", "prompt": "dusty drums", "score": {"parts": ["drums"]}}
BAND: dict[str, Any] = {"name": "band", "prompt": "rhodes", "score": {"parts": ["bass", "comp"]}, "seed": 4}


def layered(name: str = "verse", *layers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return section(name, layers=copy.deepcopy(list(layers or (DRUMS, BAND))), **({"init": "score"} | fields))


def clips(plan: Plan) -> dict[Place, list[str]]:
    """Keys of the clips of each section and layer."""
    found: dict[Place, list[str]] = {}
    for clip in plan.clips:
        found.setdefault((plan.sections[clip.section].name, clip.layer), []).append(clip.key)
    return found


def passages(plan: Plan) -> dict[Place, str]:
    """Keys of the passages by their first section and layer."""
    return {
        (plan.sections[passage.sections[0]].name, passage.layer): passage_key(
            plan, passage, decoder="fast", decoder_version=1, phase_seed=0
        )
        for passage in plan.passages
    }


def test_each_layer_has_its_own_clips_and_passage_on_one_grid() -> None:
    plan = planned(song(section("a"), layered(bars=7), section("c")))
    drums, band = (
        [
            (clip.kind, clip.index, clip.start_sample, clip.slot_samples)
            for clip in plan.clips
            if clip.layer == name
        ]
        for name in ("drums", "band")
    )
    assert drums == band
    assert len(drums) == 4
    whole = [passage for passage in plan.passages if passage.layer]
    assert [passage.layer for passage in whole] == ["drums", "band"]
    assert len({(p.start_sample, p.body_samples, p.tail_samples, p.sections) for p in whole}) == 1
    assert whole[0].tail_samples == plan.sections[2].transition.length_samples > 0
    for passage in plan.passages:
        assert {clip.layer for clip in plan.clips[slice(*passage.clips)]} == {passage.layer}
    assert [passage.clips[0] for passage in plan.passages[1:]] == [p.clips[1] for p in plan.passages[:-1]]
    assert plan.passages[-1].clips[1] == len(plan.clips)


def test_a_long_crossfade_has_a_tail_in_every_layer() -> None:
    fade = {"type": "crossfade", "length": "6 beats"}
    plan = planned(song(layered(), layered("chorus", transition=fade)))
    tails = [clip.layer for clip in plan.clips if clip.kind == "tail"]
    assert tails == ["drums", "band"]


def test_one_composition_feeds_all_layers() -> None:
    plan = planned(song(layered()))
    found = [plan.jobs[clip.key].init for clip in plan.clips]
    inits = [init for init in found if isinstance(init, ScoreInit)]
    assert len(inits) == len(found)
    assert len({init.stretch.digest for init in inits}) == 1
    assert {(clip.layer, init.heard) for clip, init in zip(plan.clips, inits, strict=True)} == {
        ("drums", ("drums",)),
        ("band", ("bass", "comp")),
    }


def test_layers_may_start_from_different_things() -> None:
    loop = {"name": "loop", "init": "lofi-keys"}
    rain = {"name": "rain", "prompt": "rain", "init": "none"}
    plan = planned(song(layered("verse", DRUMS, loop, rain)))
    kinds = {clip.layer: type(plan.jobs[clip.key].init).__name__ for clip in plan.clips}
    assert kinds == {"drums": "ScoreInit", "loop": "InitClip", "rain": "NoneType"}


# An edit of the first layer, and whether its clips change.
EDITS: dict[str, tuple[dict[str, Any], bool]] = {
    "prompt": ({"prompt": "tape drums"}, True),
    "strength": ({"strength": 0.3}, True),
    "seed": ({"seed": 99}, True),
    "init": ({"init": "bells", "score": None}, True),
    "heard": ({"score": {"parts": ["drums", "pad"]}}, True),
    "negative prompt": ({"negative_prompt": "hiss"}, True),
    "steps": ({"num_inference_steps": 30}, True),
    "walk": ({"walk": [{"seed": 1}, {"seed": 2}]}, True),
    "gain": ({"gain_db": -3}, False),
    "pan": ({"pan": 0.5}, False),
    "fade": ({"fade_in": "2 bars"}, False),
    "gate": ({"from_energy": 0.2}, False),
    "chain": ({"chain": [{"reverb": {}}]}, False),
    "name": ({"name": "kit"}, False),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_one_layer_renders_that_layer_only(edit: str) -> None:
    fields, renders = EDITS[edit]
    edited = {key: value for key, value in (DRUMS | fields).items() if value is not None}
    before = planned(song(section("a"), layered(), layered("chorus")))
    after = planned(song(section("a"), layered("verse", edited, BAND), layered("chorus")))
    old, new = (clips(plan) | passages_listed(plan) for plan in (before, after))
    name = edited["name"]
    changed = {place for place in new if new[place] != old.get(place)}
    mine = {("verse", name), ("verse", name, "passage")}
    assert changed == mine if renders or edit == "name" else changed == set()
    if edit == "name":
        assert new["verse", "kit"] == old["verse", "drums"]
        assert new["verse", "kit", "passage"] == old["verse", "drums", "passage"]


def passages_listed(plan: Plan) -> dict[Any, Any]:
    return {(*place, "passage"): key for place, key in passages(plan).items()}


def test_an_edit_of_the_score_renders_all_layers_that_start_from_it() -> None:
    loop = {"name": "loop", "init": "lofi-keys"}
    before, after = (
        clips(planned(song(layered("verse", DRUMS, BAND, loop, score={"key": key}), section("b"))))
        for key in ("C", "D")
    )
    assert {place for place in after if after[place] != before[place]} == {
        ("verse", "drums"),
        ("verse", "band"),
    }


def test_an_added_layer_leaves_the_others() -> None:
    before, after = (
        clips(planned(song(layered()))),
        clips(planned(song(layered("verse", DRUMS, BAND, DRUMS | {"name": "more", "seed": 1})))),
    )
    assert {place: after[place] for place in before} == before


def test_a_section_without_a_prompt_is_composed_from_those_of_its_layers() -> None:
    whole = layered("verse", DRUMS | {"prompt": "jazz brushes"}, BAND | {"prompt": "jazz piano"})
    del whole["prompt"]
    (music,) = planned(song(whole)).scores
    assert music is not None
    assert music.words.style == "jazz"
    assert {(wish.role, wish.sound) for wish in music.words.parts} == {("drums", "brush"), ("comp", "piano")}


BRIDGE = {"type": "bridge", "clips": 2}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (song(section("a"), layered(transition=BRIDGE)), "into the layers of verse"),
        (song(layered(), section("b", transition=BRIDGE)), "out of the layers of verse"),
        (song(section("a", transition=BRIDGE), layered(), loop=True), "out of the layers of verse"),
        (song(layered(transition=BRIDGE), loop=True), "into the layers of verse"),
        (song(layered(transition=BRIDGE), length="2min"), "into the layers of verse"),
    ],
)
def test_a_bridge_of_layers_is_refused_where_it_is_written(content: dict[str, Any], words: str) -> None:
    with pytest.raises(SongError) as caught:
        planned(content)
    (fault,) = caught.value.diagnostics
    assert words in fault.message
    assert fault.path[-1] == "transition"
    assert "crossfade" in fault.hint


@pytest.mark.parametrize("kind", ["cut", "crossfade"])
def test_a_loop_of_layers_joins_its_ends(kind: str) -> None:
    plan = planned(song(layered(transition=kind), loop=True))
    assert [passage.tail_samples for passage in plan.passages] == [plan.sections[0].entry_samples] * 2
    assert plan.sections[0].entry_samples > 0
    assert not any(passage.wraps for passage in plan.passages)


def test_layers_count_for_the_limit_of_clips() -> None:
    assert len(planned(song(layered()), limits=Limits(jobs=8)).clips) == 8
    with pytest.raises(BudgetError):
        planned(song(layered()), limits=Limits(jobs=7))


def test_a_gate_opens_for_bars_with_enough_energy() -> None:
    energy = {"0": 0.2, "4": 0.7, "6": 0.2, "ease": "step"}
    gated = DRUMS | {"from_energy": 0.7}
    plan = planned(song(layered("verse", gated, BAND, score={"energy": energy})))
    bar = int(plan.grid.samples_per_bar)
    drums, band = plan.sections[0].layers
    assert drums.gate == ((3 * bar, 0.0), (4 * bar, 1.0), (6 * bar, 1.0), (7 * bar, 0.0))
    assert band.gate == ()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.booleans(), min_size=1, max_size=12),
    st.fractions(Fraction(0), Fraction(9, 10), max_denominator=10),
)
def test_a_gate_is_open_in_all_bars_that_reach_it_and_closes_between(
    heard: list[bool], cut: Fraction
) -> None:
    energy = Curve(tuple((Fraction(bar), 0.5 + 0.1 * on) for bar, on in enumerate(heard)), "step")
    gate = energy_gate(energy, 0.6, len(heard) - cut, lambda bar: round(bar * 1000))
    assert list(gate) == sorted(gate, key=lambda point: point[0])
    assert (not gate) == all(heard)

    def gain(at: float) -> float:
        return float(np.interp(at, [x for x, _ in gate], [y for _, y in gate])) if gate else 1.0

    for bar, on in enumerate(heard):
        if on:
            assert min(gain(1000 * bar + step) for step in (0, 1, 500, 999)) == 1
        elif not on:
            assert min(gain(1000 * bar + step) for step in (0, 500, 1000)) == 0


def test_a_layer_that_is_never_heard_is_warned_of() -> None:
    content = song(layered("verse", DRUMS | {"from_energy": 0.9}, BAND, score={"energy": 0.5}))
    plan = planned(content)
    assert plan.sections[0].layers[0].is_silent
    (warning,) = lint_plan(plan, read(content).resolved)
    assert (warning.code, warning.path) == ("silent-layer", ("sections", 0, "layers", 0, "from_energy"))


def test_a_loop_under_a_layer_that_moves_on_may_repeat() -> None:
    loop = {"name": "loop", "init": "lofi-keys"}
    moving, still = (
        song(layered("verse", loop, {"name": "other", "init": init}, bars=32))
        for init in ("score", "lofi-keys")
    )
    codes = [
        {warning.code for warning in lint_plan(planned(each), read(each).resolved)}
        for each in (moving, still)
    ]
    assert codes == [set(), {"repeats-loop"}]


def test_tracks_of_a_file_change_by_layer_in_the_diff() -> None:
    old, new = (
        song(layered("verse", BAND, {"name": "keys", "init": {"path": "a.mid", "tracks": [track]}}))
        for track in ("Piano", "Organ")
    )
    (change,) = diff_songs(read(old).resolved, read(new).resolved).sections
    assert [(each.field, each.old, each.new) for each in change.changes] == [
        ("layer keys init", "a.mid tracks=Piano", "a.mid tracks=Organ")
    ]


def test_the_diff_says_what_changed_about_which_layer() -> None:
    old = song(layered(), section("b"))
    new = song(layered("verse", DRUMS | {"strength": 0.3, "pan": -0.5}, BAND), section("b"))
    (change,) = diff_songs(read(old).resolved, read(new).resolved).sections
    assert change.name == "verse"
    assert [(each.field, each.old, each.new) for each in change.changes] == [
        ("layer drums strength", "0.5", "0.3"),
        ("layer drums pan", "0", "-0.5"),
    ]
    assert diff_songs(read(old).resolved, read(old).resolved).is_empty
