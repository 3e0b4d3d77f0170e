"""The planner on songs whose plan is known."""

from __future__ import annotations

from fractions import Fraction

import pytest
from planned_songs import PROFILE, planned, section, song

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.errors import BudgetError, SongError
from riffcomposer.plan.budget import Limits
from riffcomposer.plan.inits import InitClip
from riffcomposer.plan.types import Plan

SLOT = 225_792
"""Two bars at 93.75 BPM in samples."""


def kinds(plan: Plan, index: int) -> list[str]:
    return [clip.kind for clip in plan.clips if clip.section == index]


def keys(plan: Plan, index: int) -> list[str]:
    return [clip.key for clip in plan.clips if clip.section == index and clip.kind == "body"]


def alphas(plan: Plan) -> list[float]:
    return [plan.jobs[clip.key].place.alpha for clip in plan.clips]


def test_grid_of_riffusion() -> None:
    plan = planned(song(section("a", bars=8)))
    assert (plan.grid.clip_bars, plan.grid.width_frames, plan.grid.overlap_frames) == (2, 576, 64)
    assert plan.total_samples == 4 * SLOT
    assert [clip.start_sample for clip in plan.clips] == [0, SLOT, 2 * SLOT, 3 * SLOT]


@pytest.mark.parametrize(
    ("tempo", "meter", "clip_bars", "width"),
    [
        (93.75, "3/4", 2, 448),  # 2 bars are 384 frames; three would be 576
        (187.5, "4/4", 4, 576),
        (60, "4/4", 1, 512),  # 400 frames and half a second
        (97.3, "4/4", 2, 576),
        (30, "4/4", 1, 960),  # a bar of 800 frames: wider than trained, within max_width
        (120, "6/8", 3, 512),
    ],
)
def test_grid_at_other_tempi(tempo: float, meter: str, clip_bars: int, width: int) -> None:
    plan = planned(song(section("a"), tempo=tempo, meter=meter))
    assert (plan.grid.clip_bars, plan.grid.width_frames) == (clip_bars, width)


def test_a_tempo_too_slow_for_the_image_is_a_fault_at_the_tempo() -> None:
    with pytest.raises(SongError, match="at least 27 BPM") as caught:
        planned(song(section("a"), tempo=21, meter="4/4"))
    assert caught.value.diagnostics[0].path == ("tempo",)
    planned(song(section("a"), tempo=27, meter="4/4"))
    planned(song(section("a", overlap="0s"), tempo=23.5, meter="4/4"))


def test_an_overlap_too_long_is_a_fault_at_the_overlap() -> None:
    with pytest.raises(SongError, match="do not fit") as caught:
        planned(song(section("a"), section("b", overlap="9s")))
    assert caught.value.diagnostics[0].path == ("sections", 1, "overlap")


def test_an_image_of_fixed_width_leaves_room_for_the_overlap() -> None:
    fixed = ModelProfile("fixed", image_width=512, max_width=512)
    plan = planned(song(section("a")), fixed)
    assert (plan.grid.clip_bars, plan.grid.width_frames) == (1, 320)


def test_lengths_by_bars_clips_and_duration() -> None:
    plan = planned(song(section("a", bars=7), section("b", clips=3), section("c", duration="20s")))
    assert [part.bars for part in plan.sections] == [7, 6, 8]
    assert [clip.slot_samples for clip in plan.clips if clip.section == 0] == [SLOT] * 3 + [SLOT // 2]


def test_seed_walk() -> None:
    plan = planned(song(section("a", clips=6, seed=7, interpolation_steps=4)))
    assert alphas(plan) == [0, 0.25, 0.5, 0.75, 0, 0.25]
    assert [clip.label for clip in plan.clips][::4] == ["seed 7", "seed 8"]
    assert plan.clips[1].label == "seed 7 -> 8, 0.25"


def test_explicit_walk_renders_shared_points_once() -> None:
    points = [{"prompt": prompt, "seed": 3} for prompt in ("bells", "jazz", "bells")]
    plan = planned(song(section("a", walk=points, interpolation_steps=4)))
    assert len(plan.clips) == 9
    # B once, A once, and the way back is the way there.
    assert len(plan.jobs) == 5
    assert [clip.label for clip in plan.clips][::4] == ['"bells"', '"jazz"', '"bells"']


def test_a_longer_section_goes_back_the_way_it_came() -> None:
    points = [{"prompt": prompt, "seed": 3} for prompt in ("bells", "jazz")]
    plan = planned(song(section("a", walk=points, interpolation_steps=2, clips=6)))
    assert keys(plan, 0) == [keys(plan, 0)[index] for index in (0, 1, 2, 1, 0, 1)]


def test_a_stated_length_spreads_the_walk() -> None:
    points = [{"prompt": prompt, "seed": 3} for prompt in ("bells", "jazz")]
    plan = planned(song(section("a", walk=points, clips=11)))
    assert sorted(plan.jobs[key].place.alpha for key in plan.jobs) == pytest.approx(
        sorted([0, 0] + [k / 10 for k in range(1, 10)])
    )


@pytest.mark.parametrize(
    ("curve", "expected"),
    [({}, 0.25), ({"alpha_curve": "ease"}, 0.15625), ({"alpha_curve": "power"}, 0.0625)],
)
def test_alpha_curves(curve: dict[str, object], expected: float) -> None:
    plan = planned(song(section("a", clips=2, **curve)))
    assert alphas(plan)[1] == expected


def test_strength_and_guidance_walk_too() -> None:
    points = [
        {"prompt": "x", "seed": 3, "strength": 0.4, "guidance_scale": 4},
        {"prompt": "x", "seed": 3, "strength": 0.6, "guidance_scale": 8},
    ]
    walk = section("a", walk=points, interpolation_steps=2)
    del walk["strength"]
    plan = planned(song(walk))
    jobs = [plan.jobs[clip.key] for clip in plan.clips]
    assert [(job.strength, job.guidance_scale) for job in jobs] == [(0.4, 4), (0.5, 6), (0.6, 8)]


def test_a_seed_clip_as_it_is_needs_one_job_whatever_the_prompt() -> None:
    plan = planned(song(section("a", strength=0, clips=3), section("b", strength=0, clips=2, seed=9)))
    assert len(plan.jobs) == 1
    job = next(iter(plan.jobs.values()))
    assert (job.strength, job.num_inference_steps, job.place.a.prompt) == (0, 0, "")


def test_full_strength_does_not_depend_on_the_seed_clip() -> None:
    with_init = planned(song(section("a", strength=1, clips=1)))
    without = section("a", clips=1)
    del without["init"], without["strength"]
    assert with_init.jobs.keys() == planned(song(without)).jobs.keys()


def test_a_bridge_grows_the_track_and_joins_passages() -> None:
    plan = planned(
        song(
            section("a", bars=4, seed=1, init="bells"),
            section("b", bars=4, seed=5, transition={"type": "bridge", "clips": 3}),
            section("c", bars=4),
        )
    )
    assert kinds(plan, 1) == ["bridge"] * 3 + ["body"] * 2
    assert plan.sections[1].body_start_sample - plan.sections[1].start_sample == 3 * SLOT
    assert [passage.sections for passage in plan.passages] == [(0, 2), (2, 3)]
    jobs = [plan.jobs[clip.key] for clip in plan.clips if clip.kind == "bridge"]
    assert [job.init.name for job in jobs if isinstance(job.init, InitClip)] == [
        "bells",
        "lofi-keys",
        "lofi-keys",
    ]
    # The last clip of `a` stands between seeds 1 and 2, nearer to 1.
    assert {(job.place.a.seed, job.place.b.seed) for job in jobs} == {(1, 5)}
    assert [job.place.alpha for job in jobs] == [0.25, 0.5, 0.75]


def test_a_bridge_from_noise_borrows_the_seed_clip() -> None:
    first = section("a", bars=4)
    del first["init"], first["strength"]
    plan = planned(song(first, section("b", transition={"type": "bridge", "clips": 3})))
    jobs = [plan.jobs[clip.key] for clip in plan.clips if clip.kind == "bridge"]
    assert [job.strength for job in jobs] == [0.875, 0.75, 0.625]
    assert all(job.init is not None for job in jobs)


def test_crossfade_within_the_surplus_needs_no_more_clips() -> None:
    plan = planned(song(section("a", bars=4), section("b", bars=4)))
    assert plan.sections[1].transition.type == "crossfade"
    assert plan.passages[0].tail_samples == plan.sections[1].transition.length_samples == 28_224
    assert "tail" not in kinds(plan, 0)


def test_a_long_crossfade_walks_on_under_the_next_section() -> None:
    fade = {"type": "crossfade", "length": "3 bars"}
    plan = planned(song(section("a", clips=2, seed=7), section("b", transition=fade)))
    tail = [clip for clip in plan.clips if clip.kind == "tail"]
    assert [clip.label for clip in tail] == ["seed 7 -> 8, 0.5", "seed 7 -> 8, 0.75"]
    assert tail[0].start_sample == plan.sections[1].start_sample
    assert plan.passages[0].tail_samples == 3 * SLOT // 2
    assert plan.total_samples == 6 * SLOT


def test_a_crossfade_longer_than_its_section_is_a_fault() -> None:
    fade = {"type": "crossfade", "length": "3 bars"}
    with pytest.raises(SongError, match="longer than the section") as caught:
        planned(song(section("a"), section("b", bars=2, transition=fade)))
    assert caught.value.diagnostics[0].path == ("sections", 1, "transition")


def test_a_cut_fades_for_five_milliseconds() -> None:
    plan = planned(song(section("a"), section("b", transition="cut")))
    assert plan.passages[0].tail_samples == 220
    assert plan.sections[1].transition.length_samples == 220


def test_a_loop_of_one_passage_wraps() -> None:
    bridge = {"type": "bridge", "clips": 2}
    plan = planned(song(section("a", transition=bridge), section("b", transition=bridge), loop=True))
    assert len(plan.passages) == 1
    assert plan.passages[0].wraps
    assert plan.passages[0].tail_samples == 0
    assert kinds(plan, 0)[:2] == ["bridge", "bridge"]
    first = plan.jobs[plan.clips[0].key]
    assert {first.place.a.prompt, first.place.b.prompt} == {"prompt of a", "prompt of b"}


def test_a_loop_with_a_crossfade_gives_the_last_passage_a_tail() -> None:
    fade = {"type": "crossfade", "length": "1 beat"}
    plan = planned(song(section("a", transition=fade), section("b"), loop=True))
    assert [passage.tail_samples for passage in plan.passages] == [28_224, 28_224]
    assert plan.sections[0].transition.length_samples == 28_224
    assert not any(passage.wraps for passage in plan.passages)


def test_a_bridged_loop_of_several_passages_crossfades_at_the_seam() -> None:
    bridge = {"type": "bridge", "clips": 2}
    plan = planned(song(section("a", transition=bridge), section("b", transition="cut"), loop=True))
    assert [passage.wraps for passage in plan.passages] == [False, False]
    assert plan.sections[0].transition.type == "crossfade"
    assert plan.passages[1].tail_samples == plan.grid.overlap_frames * plan.grid.hop_length


def test_length_repeats_the_sections_and_seeds_walk_on() -> None:
    plan = planned(song(section("a", clips=3, seed=7), section("b", clips=1, seed=1), length="1min"))
    # A minute is 23.4 bars.
    assert plan.total_samples == 23 * SLOT // 2
    assert [part.name for part in plan.sections] == ["a", "b", "a (2)", "b (2)", "a (3)", "b (3)"]
    assert next(clip.label for clip in plan.clips if clip.section == 2) == "seed 7 -> 8, 0.75"
    assert len(plan.jobs) == len(plan.clips)
    assert plan.sections[-1].bars == 1


def test_length_moves_the_seeds_of_an_explicit_walk() -> None:
    points = [{"prompt": prompt, "seed": 3} for prompt in ("bells", "jazz")]
    plan = planned(song(section("a", walk=points, interpolation_steps=1), length="20s"))
    assert [plan.jobs[clip.key].place.a.seed for clip in plan.clips] == [3, 3, 4, 4]


def test_length_can_cut_a_single_round_short() -> None:
    plan = planned(song(section("a", bars=8), section("b", bars=8), length="4 bars"))
    assert len(plan.sections) == 1
    assert plan.total_samples == 2 * SLOT


def test_fades_are_samples_within_their_section() -> None:
    plan = planned(song(section("a", bars=8, fade_in="2 bars", fade_out="1s")))
    assert (plan.sections[0].fade_in_samples, plan.sections[0].fade_out_samples) == (SLOT, 44_100)


def test_draft_changes_nothing_but_the_steps() -> None:
    whole = planned(song(section("a", clips=5), section("b", strength=0.2)))
    draft = planned(song(section("a", clips=5), section("b", strength=0.2)), draft=True)
    assert draft.grid == whole.grid
    assert [clip.label for clip in draft.clips] == [clip.label for clip in whole.clips]
    for old, new in zip(whole.clips, draft.clips, strict=True):
        before, after = vars(whole.jobs[old.key]).copy(), vars(draft.jobs[new.key]).copy()
        assert after.pop("num_inference_steps") <= before.pop("num_inference_steps")
        assert before == after
    assert {job.num_inference_steps for job in draft.jobs.values()} == {10}


def test_the_budget_stops_a_plan_before_it_is_built() -> None:
    with pytest.raises(BudgetError, match="--minutes-limit"):
        planned(song(section("a"), length="24h"))
    with pytest.raises(BudgetError, match="--jobs-limit 11"):
        planned(song(section("a", clips=11)), limits=Limits(jobs=10))
    with pytest.raises(BudgetError, match="--jobs-limit"):
        planned(song(section("a", bars=0.0001), length="9h"))


def test_an_unknown_seed_clip_is_named_with_a_guess() -> None:
    with pytest.raises(SongError, match="did you mean 'bells'"):
        planned(song(section("a", init="bels")))


def test_a_users_file_is_one_clip_of_the_grid_at_the_songs_tempo() -> None:
    plan = planned(
        song(section("a", init="clips/guitar.wav"), section("b", init={"path": "x.png", "bars": 1}))
    )
    inits = {job.init.name: job.init for job in plan.jobs.values() if isinstance(job.init, InitClip)}
    guitar, picture = inits["clips/guitar.wav"], inits["x.png"]
    assert (guitar.kind, guitar.tempo, guitar.loop_quarters) == ("audio", Fraction(375, 4), 8)
    assert (picture.kind, picture.loop_quarters) == ("image", 4)


def test_start_counts_in_the_files_own_tempo() -> None:
    init = {"path": "g.wav", "start": "2 beats", "tempo": 120, "bars": 2}
    plan = planned(song(section("a", init=init)))
    job = next(iter(plan.jobs.values()))
    assert isinstance(job.init, InitClip)
    assert job.init.start_seconds == 1


def test_model_defaults_fill_what_the_song_leaves_open() -> None:
    bare = section("a")
    del bare["strength"]
    job = next(iter(planned(song(bare)).jobs.values()))
    assert (job.strength, job.num_inference_steps, job.scheduler) == (
        PROFILE.strength,
        PROFILE.num_inference_steps,
        PROFILE.scheduler,
    )
