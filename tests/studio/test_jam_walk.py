"""A jam's walk, and the sections that say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from riffcomposer.errors import UsageError
from riffcomposer.render.session import Session
from riffcomposer.song.edit import with_sections
from riffcomposer.song.reader import parse_song
from riffcomposer.studio.jam_walk import JamPoint, JamStart, JamWalk

PATH = Path("jam.yaml")
START = JamStart("loop", "lofi-keys")


def walk(steps: int = 4) -> JamWalk:
    return JamWalk.of(START, JamPoint("rhodes", 7, 0.5), steps)


def keys(content: bytes, tmp_path: Path) -> list[str]:
    plan = Session(store=tmp_path, device="cpu").plan(parse_song(content, PATH)).plan
    return [clip.key for clip in plan.clips if clip.kind == "body"]


def test_left_alone_the_seed_counts_up_and_sections_follow_each_other() -> None:
    jam = walk()
    assert [point.seed for point in jam.sections[0].points[:4]] == [7, 8, 9, 10]
    assert jam.section_at(31) == 0
    assert jam.section_at(32) == 1
    assert jam.sections[1].points[0] == JamPoint("rhodes", 15, 0.5)
    assert jam.section_at(100) == 3


def test_a_new_prompt_is_the_next_point_under_the_same_seed() -> None:
    jam = walk()
    jam.fixed = 5
    assert jam.steer("jazz", 0.6, 4) == 12
    points = jam.sections[0].points
    assert points[:4] == [
        JamPoint("rhodes", 7, 0.5),
        JamPoint("rhodes", 8, 0.5),
        JamPoint("rhodes", 9, 0.5),
        JamPoint("jazz", 9, 0.6),
    ]
    assert points[4] == JamPoint("jazz", 10, 0.6)


def test_what_is_fixed_does_not_change_when_the_jam_is_steered(tmp_path: Path) -> None:
    jam = walk()
    before = keys(jam.song(), tmp_path)
    jam.fixed = 6
    jam.steer("jazz", 0.6, 4)
    after = keys(jam.song(), tmp_path)
    assert before[:9] == after[:9]
    assert before[9] != after[9]


def test_another_number_of_clips_begins_a_section(tmp_path: Path) -> None:
    jam = walk()
    jam.fixed = 6
    assert jam.steer("jazz", 0.6, 2) == 10
    assert [(section.first, section.steps) for section in jam.sections] == [(0, 4), (8, 2)]
    assert jam.sections[0].clips == 8
    assert len(keys(jam.song(), tmp_path)) == 8 + 32


def test_seed_zero_is_a_seed() -> None:
    jam = walk()
    jam.steer("rhodes", 0.5, 4, seed=0)
    assert jam.sections[0].points[1].seed == 0


def test_what_was_kept_has_the_very_clips_that_were_heard(tmp_path: Path) -> None:
    jam = walk()
    jam.fixed = 5
    jam.steer("jazz", 0.6, 4)
    heard = keys(jam.song(), tmp_path)
    song = b"title: T\ntempo: 93.75\nsections:\n  - {name: a, prompt: x, clips: 1}\n"
    kept = with_sections(song, PATH, jam.kept(4, 11, "kept"))
    assert keys(kept, tmp_path)[1:] == heard[4:11]


def test_nothing_that_was_heard_is_no_section() -> None:
    with pytest.raises(UsageError, match="nothing was heard"):
        walk().kept(0, 0, "kept")


@pytest.mark.parametrize("steps", [0, 17])
def test_steps_are_bounded(steps: int) -> None:
    with pytest.raises(UsageError, match="1 to 16"):
        walk(steps)
