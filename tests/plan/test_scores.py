"""Scores and timelines in the plan: where each clip starts in its music, and which clips an edit changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from planned_songs import MODEL, PLANNED_WITH, PROFILE, planned, read, section, song

from riffcomposer.plan.inits import InitClip
from riffcomposer.plan.planner import plan_song
from riffcomposer.plan.score_types import ScoreInit
from riffcomposer.plan.types import Plan
from riffcomposer.render.prepare import with_model
from riffcomposer.render.settings import section_alone


def scored(name: str, **fields: Any) -> dict[str, Any]:
    """A section that starts from a score."""
    return section(name, init="score", **fields)


def inits(plan: Plan, name: str) -> list[ScoreInit]:
    """What the clips of a section's body start from, in order."""
    number = [each.name for each in plan.sections].index(name)
    found = [plan.jobs[clip.key].init for clip in plan.clips if (clip.section, clip.kind) == (number, "body")]
    assert all(isinstance(init, ScoreInit) for init in found)
    return [init for init in found if isinstance(init, ScoreInit)]


def keys(plan: Plan) -> dict[str, list[str]]:
    """The keys of each section's clips."""
    return {
        each.name: [clip.key for clip in plan.clips if clip.section == number]
        for number, each in enumerate(plan.sections)
    }


def test_clips_start_where_they_are_in_the_section() -> None:
    plan = planned(song(scored("a", bars=7)))
    assert [init.at_quarters for init in inits(plan, "a")] == [0, 8, 16, 24]
    assert {init.stretch.score.bars for init in inits(plan, "a")} == {Fraction(7)}
    assert all(init.following is None for init in inits(plan, "a"))


def test_a_long_loop_is_read_on_along_the_section() -> None:
    plan = planned(song(section("a", bars=12, init={"path": "take.wav", "bars": 8})))
    jobs = [plan.jobs[clip.key] for clip in plan.clips]
    assert [job.init.at_quarters for job in jobs if isinstance(job.init, InitClip)] == [0, 8, 16, 24, 0, 8]


def test_a_long_section_is_composed_in_stretches_that_vary_its_theme() -> None:
    plan = planned(song(scored("a", bars=200), scored("b", bars=8)))
    (music, after) = plan.scores
    assert music is not None
    assert after is not None
    assert sum(stretch.score.bars for stretch in music.stretches) == 200
    assert all(stretch.score.bars <= 64 for stretch in music.stretches)
    variations = [stretch.score.variation for stretch in music.stretches]
    assert variations == list(range(len(variations)))
    assert after.stretches[0].score.variation == len(variations)
    borders = [init for init in inits(plan, "a") if init.following is not None]
    assert [init.following for init in borders] == list(music.stretches[1:])


def test_the_first_section_opens_and_the_last_closes() -> None:
    plan = planned(song(scored("a"), scored("b"), scored("c")))
    scores = [each.stretches[0].score for each in plan.scores if each is not None]
    assert [(score.opens, score.closes) for score in scores] == [(True, False), (False, False), (False, True)]
    looped = planned(song(scored("a"), scored("b"), loop=True))
    assert not any(each.stretches[0].score.opens for each in looped.scores if each is not None)


def test_repeated_rounds_are_variations() -> None:
    plan = planned(song(scored("a", bars=8), length="2min"))
    scores = [each.stretches[0].score for each in plan.scores if each is not None]
    assert [score.variation for score in scores] == list(range(len(scores)))
    assert len({clip.key for clip in plan.clips}) == len(plan.clips)


def test_words_of_the_prompt_decide_what_the_song_does_not_state() -> None:
    plan = planned(
        song(
            scored("a", prompt="jazz trio with piano and brushes in F minor, calm"),
            scored("b", prompt="something else", score={"parts": {"lead": "flute"}}),
            scored("c", prompt="house with a saw lead", score={"style": "Bossa", "energy": {"0": 0, "4": 1}}),
        )
    )
    first, second, third = (each for each in plan.scores if each is not None)
    score = first.stretches[0].score
    assert (score.style, score.key, score.energy.at(0)) == ("jazz", "F minor", 0.3)
    assert {(wish.role, wish.sound) for wish in score.parts} == {("comp", "piano"), ("drums", "brush")}
    assert first.words.note == "jazz trio, piano, brushes, in F minor, calm: from the prompt"
    assert second.stretches[0].score.style == "jazz"
    assert second.words.note == "jazz: from another section's prompt"
    assert third.stretches[0].score.style == "bossa nova"
    assert third.stretches[0].score.energy.at(4) == 1


def test_a_section_adds_to_the_score_of_defaults() -> None:
    plan = planned(
        song(
            section("a", init="score", score={"energy": 0.9, "parts": {"lead": "flute", "drums": "none"}}),
            section("b", init="score", score={"parts": ["bass", "drums"]}),
            defaults={
                "score": {"style": "folk", "key": "G", "parts": {"drums": "brushes", "bass": "walking"}}
            },
        )
    )
    first, second = (each for each in plan.scores if each is not None)
    assert first.stretches[0].score.style == second.stretches[0].score.style == "folk"
    wishes = {wish.role: wish for wish in first.stretches[0].score.parts}
    assert wishes["drums"].silent
    assert (wishes["bass"].pattern, wishes["lead"].sound) == ("walking", "flute")
    assert second.heard == ("bass", "drums")
    assert first.heard == ()


Edit = Callable[[dict[str, Any]], None]


def _scored_song() -> dict[str, Any]:
    return song(
        *(
            scored(name, bars=8, score={"theme": theme, "chords": "Am7 | Dm7 | G7 | Cmaj7"})
            for name, theme in (("a", "A"), ("b", "B"), ("c", "A"), ("d", "B"))
        ),
        defaults={"score": {"style": "jazz", "key": "A minor"}},
    )


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        (lambda content: content["sections"][1]["score"].update(chords="Am7 | Dm9 | G7 | Cmaj7"), {"b"}),
        (lambda content: content["sections"][2]["score"].update(parts={"lead": "flute"}), {"c"}),
        (lambda content: content["sections"][3]["score"].update(energy=0.9), {"d"}),
        (lambda content: content["sections"][3]["score"].update(theme="C"), {"d"}),
        (lambda content: content["sections"][1]["score"].update(theme="C"), {"b", "d"}),  # d is B's first now
        (lambda content: content["sections"][0].update(strength=0.6), {"a"}),
        (
            lambda content: content["sections"][0]["score"].update(chords="am7 | dm7 | g7 | cmaj7".title()),
            set(),
        ),
        (lambda content: content["sections"][0].update(gain_db=-3), set()),
        (lambda content: content["defaults"]["score"].update(key="C minor"), {"a", "b", "c", "d"}),
    ],
)
def test_an_edit_changes_exactly_these_sections(edit: Edit, changed: set[str]) -> None:
    content = _scored_song()
    before = keys(planned(content))
    edit(content)
    after = keys(planned(content))
    assert {name for name in before if before[name] != after[name]} == changed
    for name in changed:
        assert not set(before[name]) & set(after[name])


def test_the_synth_and_its_font_decide() -> None:
    content = song(scored("a"))
    assert not planned(content, sound="1").jobs.keys() & planned(content, sound="2").jobs.keys()


def test_the_music_turns_round_under_a_bridge_and_a_long_crossfade() -> None:
    plan = planned(
        song(
            scored("a", bars=8),
            scored("b", bars=8, transition={"type": "bridge", "clips": 2}),
            scored("c", bars=8, transition={"type": "crossfade", "length": "3 bars"}),
        )
    )
    last = inits(plan, "a")[-1]
    assert last.following == last.stretch
    bridge = [plan.jobs[clip.key].init for clip in plan.clips if clip.kind == "bridge"]
    assert [init.at_quarters for init in bridge if isinstance(init, ScoreInit)] == [0, 24]
    tails = [plan.jobs[clip.key].init for clip in plan.clips if clip.kind == "tail"]
    assert [init.at_quarters for init in tails if isinstance(init, ScoreInit)][:1] == [0]


def test_a_model_may_start_from_a_score_by_itself() -> None:
    content = {**song(section("a"), section("b")), "model": "default"}
    for each in content["sections"]:
        del each["init"]
    content["sections"][1]["init"] = "none"
    del content["sections"][1]["strength"]
    model = replace(MODEL, profile=replace(PROFILE, default_init="score"))
    resolved = with_model(read(content), model).resolved
    assert [each.init is not None for each in resolved.sections] == [True, False]
    odd = with_model(read({**content, "meter": "11/8"}), model).resolved
    assert [each.init for each in odd.sections] == [None, None]


@pytest.mark.parametrize("more", [{}, {"loop": True}, {"length": "6min"}], ids=["once", "loop", "length"])
def test_a_section_alone_has_the_clips_and_the_music_of_the_song(more: dict[str, Any]) -> None:
    text = song(
        scored("a", prompt="a quiet evening", bars=8),
        scored("b", prompt="jazz with upright bass", bars=8, overlap="1500 ms"),
        scored("c", prompt="a louder evening", bars=8, score={"theme": "A"}),
        scored("d", prompt="rain", bars=100),
        **more,
    )
    whole = planned(text)
    wanted = keys(whole)
    for name in "abcd":
        alone = section_alone(read(text), name)
        plan = plan_song(alone.resolved, **PLANNED_WITH)
        assert keys(plan)[name] == wanted[name], name
        assert [each for each in plan.scores if each] == [whole.scores["abcd".index(name)]]


def test_a_section_alone_that_the_song_cuts_is_composed_by_itself() -> None:
    text = song(scored("a", bars=8), scored("b", bars=16), length="30s")
    plan = plan_song(section_alone(read(text), "b").resolved, **PLANNED_WITH)
    (score,) = plan.scores
    assert score is not None
    assert sum(stretch.score.bars for stretch in score.stretches) == 16
