"""Laws that hold for every plan."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from planned_songs import planned, section, song

from riffcomposer.errors import SongError
from riffcomposer.plan.types import Plan

LAWS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])

tempi = st.one_of(st.just(93.75), st.decimals(40, 300, places=2).map(float))
transitions = st.one_of(
    st.just("cut"),
    st.builds(lambda beats: {"type": "crossfade", "length": f"{beats} beats"}, st.integers(1, 4)),
    st.builds(lambda clips: {"type": "bridge", "clips": clips}, st.integers(1, 5)),
)
lengths = st.one_of(
    st.integers(1, 24).map(lambda bars: {"bars": bars}),
    st.integers(1, 12).map(lambda clips: {"clips": clips}),
    st.integers(2, 60).map(lambda seconds: {"duration": f"{seconds}s"}),
)
seeds = st.integers(0, 50)


@st.composite
def sections(draw: st.DrawFn, name: str) -> dict[str, Any]:
    fields = draw(lengths) | {
        "transition": draw(transitions),
        "seed": draw(seeds),
        "interpolation_steps": draw(st.integers(1, 6)),
        "strength": draw(st.sampled_from([0, 0.3, 0.55, 1])),
    }
    if draw(st.booleans()):
        del fields["seed"]
        points = draw(st.lists(st.sampled_from(["bells", "jazz", "rain"]), min_size=2, max_size=4))
        fields["walk"] = [{"prompt": prompt, "seed": draw(seeds)} for prompt in points]
    return section(name, **fields)


@st.composite
def songs(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 5))
    whole = song(*(draw(sections(f"s{index}")) for index in range(count)), tempo=draw(tempi))
    whole["loop"] = draw(st.booleans())
    if draw(st.booleans()):
        whole["length"] = f"{draw(st.integers(10, 600))}s"
    if not whole["loop"] and "length" not in whole:
        del whole["sections"][0]["transition"]
    return whole


def try_plan(whole: dict[str, Any], **options: Any) -> Plan:
    """The plan; a song that the language or the grid refuses is no example."""
    try:
        return planned(whole, **options)
    except SongError:
        assume(False)
        raise


@LAWS
@given(songs())
def test_lengths_add_up(whole: dict[str, Any]) -> None:
    plan = try_plan(whole)
    heard = [clip for clip in plan.clips if clip.kind != "tail"]
    assert sum(clip.slot_samples for clip in heard) == plan.total_samples
    assert sum(passage.body_samples for passage in plan.passages) == plan.total_samples
    assert sum(part.end_sample - part.start_sample for part in plan.sections) == plan.total_samples
    position = 0
    for clip in heard:
        assert clip.start_sample == position
        position += clip.slot_samples
    if plan.loop is False and "length" in whole:
        wanted = Fraction(whole["length"][:-1]) * plan.grid.sample_rate
        assert abs(plan.total_samples - wanted) <= plan.grid.samples_per_bar / 2 + 1 or (
            wanted < plan.grid.samples_per_bar
        )


@LAWS
@given(songs())
def test_every_clip_stands_where_arithmetic_puts_it(whole: dict[str, Any]) -> None:
    plan = try_plan(whole)
    for index, part in enumerate(plan.sections):
        first = Fraction(part.bar)
        inside = [clip for clip in plan.clips if clip.section == index and clip.kind != "tail"]
        bridges = sum(clip.kind == "bridge" for clip in inside)
        for number, clip in enumerate(inside):
            exact = (first + number * plan.grid.clip_bars) * plan.grid.samples_per_bar
            if number < bridges or bridges * plan.grid.clip_bars <= part.bars:
                assert abs(clip.start_sample - exact) <= Fraction(1, 2)


@LAWS
@given(songs())
def test_passages_cover_their_clips_and_fades(whole: dict[str, Any]) -> None:
    plan = try_plan(whole)
    width = plan.grid.width_frames * plan.grid.hop_length
    assert plan.passages[0].clips[0] == 0
    assert plan.passages[-1].clips[1] == len(plan.clips)
    for number, passage in enumerate(plan.passages):
        clips = plan.clips[slice(*passage.clips)]
        position = passage.start_sample
        for clip in clips:
            # No gap: each clip starts where the slot before ends, and its image is wide enough for it.
            assert clip.start_sample == position
            assert clip.slot_samples <= width
            position += clip.slot_samples
        end = passage.start_sample + passage.body_samples + passage.tail_samples
        assert end <= clips[-1].start_sample + width
        following = plan.sections[plan.passages[(number + 1) % len(plan.passages)].sections[0]]
        last = number == len(plan.passages) - 1
        if passage.wraps or (last and not plan.loop):
            assert passage.tail_samples == 0
        else:
            assert passage.tail_samples == following.transition.length_samples
        if passage.tail_samples:
            assert passage.tail_samples <= following.end_sample - following.start_sample


@LAWS
@given(songs())
def test_every_job_is_used_and_every_clip_has_one(whole: dict[str, Any]) -> None:
    plan = try_plan(whole)
    assert {clip.key for clip in plan.clips} == set(plan.jobs)


def shuffled(value: Any) -> Any:
    """The same song with each mapping's keys in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@LAWS
@given(songs(), st.integers(-12, 6))
def test_keys_do_not_move_under_what_does_not_decide_samples(whole: dict[str, Any], gain_db: int) -> None:
    plan = try_plan(whole)
    keys = [clip.key for clip in plan.clips]
    other = copy.deepcopy(whole)
    for part in other["sections"]:
        part["name"] = f"renamed {part['name']}"
        part["gain_db"] = gain_db
        part["chain"] = [{"lowpass": {"cutoff_frequency_hz": 2000}}]
        part["x-note"] = "hello"
    other["title"] = "Another"
    other["master"] = {"integrated_lufs": -20, "chain": [{"highpass": {"cutoff_frequency_hz": 40}}]}
    other["output"] = {"formats": ["mp3"], "stereo_width": 0.9, "decoder": "fast"}
    commented = "# a comment\n" + json.dumps(shuffled(other), indent=1).replace("\n", " # note\n")
    assert [clip.key for clip in planned(commented).clips] == keys


FIELDS: list[tuple[str, Any]] = [
    ("prompt", "something else"),
    ("seed", 4711),
    ("strength", 0.61),
    ("guidance_scale", 3.5),
    ("num_inference_steps", 33),
    ("scheduler", "euler"),
    ("negative_prompt", "hiss"),
    ("init", "bells"),
    ("mask", "beats-80"),
    ("lora", ["loras/tape.safetensors"]),
]


@pytest.mark.parametrize(("field", "value"), FIELDS)
def test_one_changed_field_changes_exactly_the_jobs_that_depend_on_it(field: str, value: Any) -> None:
    parts = [section(name, seed=index * 100) for index, name in enumerate("abc")]
    before = planned(song(*parts))
    parts[1] = parts[1] | {field: value}
    after = planned(song(*parts))
    for old, new in zip(before.clips, after.clips, strict=True):
        assert (old.key != new.key) == (old.section == 1), (field, old.label)


def test_a_changed_key_point_leaves_the_legs_it_is_not_on() -> None:
    points = [{"prompt": prompt, "seed": 3} for prompt in "abcd"]
    before = planned(song(section("w", walk=points, interpolation_steps=3)))
    points[0] = {"prompt": "z", "seed": 3}
    after = planned(song(section("w", walk=points, interpolation_steps=3)))
    changed = [old.key != new.key for old, new in zip(before.clips, after.clips, strict=True)]
    assert changed == [True] * 3 + [False] * 7


def test_reordered_sections_keep_their_clips() -> None:
    parts = [section(name, seed=index * 100) for index, name in enumerate("abc")]
    assert planned(song(*parts)).jobs.keys() == planned(song(*reversed(parts))).jobs.keys()


@pytest.mark.parametrize("tempo", [93.75, 97.3])
def test_the_700th_clip_of_an_hour_stands_within_half_a_sample(tempo: float) -> None:
    plan = planned(song(section("a", clips=4), section("b", clips=5), tempo=tempo, length="1h"))
    seconds_per_clip = Fraction(60) / Fraction(str(tempo)) * 4 * plan.grid.clip_bars
    exact = 699 * seconds_per_clip * 44_100
    assert abs(plan.clips[699].start_sample - exact) <= Fraction(1, 2)
    assert abs(plan.total_samples - 3600 * 44_100) <= plan.grid.samples_per_bar / 2


@LAWS
@given(
    st.lists(st.sampled_from(["bells", "jazz", "rain", "sea"]), min_size=3, max_size=6, unique=True),
    st.integers(1, 5),
)
def test_a_walk_renders_each_point_once(prompts: list[str], steps: int) -> None:
    points = [{"prompt": prompt, "seed": 3} for prompt in prompts]
    plan = planned(song(section("w", walk=points, interpolation_steps=steps)))
    assert len(plan.clips) == len(plan.jobs) == (len(prompts) - 1) * steps + 1
    ends = [job for job in plan.jobs.values() if job.place.alpha == 0]
    assert sorted(job.place.a.prompt for job in ends) == sorted(prompts)


@LAWS
@given(st.lists(st.sampled_from(["bells", "jazz", "rain", "sea"]), min_size=2, max_size=5), st.integers(1, 5))
def test_a_walk_and_its_way_back_are_the_same_jobs(prompts: list[str], steps: int) -> None:
    points = [{"prompt": prompt, "seed": index} for index, prompt in enumerate(prompts)]
    there = planned(song(section("w", walk=points, interpolation_steps=steps)))
    back = planned(song(section("w", walk=points[::-1], interpolation_steps=steps)))
    assert [clip.key for clip in there.clips] == [clip.key for clip in back.clips][::-1]
