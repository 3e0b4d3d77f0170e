"""Takes differ in one thing, and the chosen one is written into the song and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_song import FakeEngine, FakeEngines, Studio, make_studio

from riffcomposer.errors import UsageError
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.engines.interface import Level
from riffcomposer.render.session import Session
from riffcomposer.render.settings import RenderSettings
from riffcomposer.song.reader import load_song, parse_song
from riffcomposer.studio.engines import KeptEngines
from riffcomposer.studio.section_takes import Take, Variation, candidates, picked, takes_file, write_takes
from riffcomposer.studio.take_renderer import TakeRenderer

PATH = Path("song.yaml")
WALK = b"""title: T
tempo: 93.75
sections:
  - name: solo
    init: lofi-keys
    strength: 0.5
    walk:
      - {prompt: a, seed: 3}   # bells
      - {prompt: b, seed: 4}
    clips: 5
"""


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return make_studio(tmp_path)


def test_seeds_of_a_walk_all_move(tmp_path: Path) -> None:
    second = candidates(parse_song(WALK, PATH), "solo", 2)[1]
    assert [(edit.path[-2], edit.value) for edit in second.edits] == [(0, 1003), (1, 1004)]


def test_strengths_are_around_the_songs_own() -> None:
    labels = [each.label for each in candidates(parse_song(WALK, PATH), "solo", 5, "strength")]
    assert labels == ["strength 0.5, as it is", *(f"strength {x}" for x in (0.56, 0.44, 0.62, 0.38))]


def test_loops_are_of_the_same_style_first() -> None:
    labels = [each.label for each in candidates(parse_song(WALK, PATH), "solo", 4, "loop")]
    assert labels == ["lofi-keys, as it is", "lofi-drums", "lofi-guitar", "lofi-vibes"]


@pytest.mark.parametrize(("section", "count", "words"), [("sole", 3, "did you mean"), ("solo", 1, "2 to 24")])
def test_what_is_not_possible_is_said(section: str, count: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        candidates(parse_song(WALK, PATH), section, count)


def takes_of(studio: Studio, engine: FakeEngine, out: Path) -> list[Take]:
    engines = KeptEngines(FakeEngines(engine))
    with Session(store=studio.store, device="cpu", engines=engines) as session:
        renderer = TakeRenderer(session, engines, studio.song, studio.song.read_bytes(), "second")
        return [
            renderer.render(each, RenderSettings(out=out))
            for each in candidates(load_song(studio.song), "second", 2)
        ]


class Judge(FakeEngine):
    """Finds every clip as near as its seed."""

    judged = 0

    def nearness(self, job: ClipJob, level: Level) -> float:
        assert level.shape[1] == 512
        self.judged += 1
        return job.place.a.seed / 10000


def test_each_clip_is_judged_once(studio: Studio, tmp_path: Path) -> None:
    judge = Judge()
    first, second = takes_of(studio, judge, tmp_path / "takes")
    assert first.figures["nearness"] < second.figures["nearness"]
    judged = judge.judged
    assert judged >= 4
    assert [take.figures for take in takes_of(studio, judge, tmp_path / "again")] == [
        first.figures,
        second.figures,
    ]
    assert judge.judged == judged


def test_takes_are_rendered_listed_and_picked(studio: Studio) -> None:
    content = studio.song.read_bytes()
    file = takes_file(studio.song, "second")
    made = takes_of(studio, FakeEngine(), file.parent)
    write_takes(file, "second", made)
    assert made[0].file != made[1].file
    assert made[0].file.read_bytes() != made[1].file.read_bytes()
    assert made[0].figures["integrated_lufs"] is not None
    assert 0 < made[0].figures["new_harmony"] <= 1
    assert made[0].figures["nearness"] is None
    assert "does not judge" in made[0].figures["why"]["nearness"]
    assert not (studio.folder / "song.lock").exists(), "takes are not the song"
    assert picked(content, studio.song, "second", 1, file) == content
    second = picked(content, studio.song, "second", 2, file)
    assert second == content.replace(b"seed: 9\n", b"seed: 1009\n")
    assert picked(second, studio.song, "second", 2, file) == second
    assert picked(second, studio.song, "second", 1, file) == content, "the first is what the song was"
    with pytest.raises(UsageError, match="no take 3"):
        picked(content, studio.song, "second", 3, file)


@pytest.mark.parametrize("vary", ["seed", "strength", "loop"])
def test_the_first_take_brings_back_what_another_changed(studio: Studio, vary: Variation) -> None:
    studio.edit("prompt: low hum\n", "prompt: low hum\n    init: lofi-keys\n    strength: 0.5\n")
    content = studio.song.read_bytes()
    found = candidates(parse_song(content, studio.song), "third", 3, vary)
    made = [Take(each, studio.folder / "x", {}, 0) for each in found]
    file = takes_file(studio.song, "third")
    write_takes(file, "third", made)
    assert picked(content, studio.song, "third", 1, file) == content
    third = picked(content, studio.song, "third", 3, file)
    assert third != content
    again = picked(third, studio.song, "third", 1, file)
    before, after = (parse_song(text, studio.song).resolved.sections[2] for text in (content, again))
    assert [(point.seed, point.strength) for point in after.points] == [
        (point.seed, point.strength) for point in before.points
    ]
    assert after.init == before.init


def test_a_take_is_found_again_when_its_section_moved(studio: Studio) -> None:
    file = takes_file(studio.song, "second")
    file.parent.mkdir(parents=True)
    take = {"number": 2, "edits": [[["sections", 1, "seed"], 77]]}
    file.write_text(json.dumps({"section": "second", "takes": [take]}))
    studio.edit("sections:\n", "sections:\n  - {name: opening, prompt: hum, clips: 1}\n")
    after = picked(studio.song.read_bytes(), studio.song, "second", 2, file)
    assert b"name: second\n    prompt: bright bells\n    seed: 77\n" in after


def test_without_takes_the_message_says_how_to_make_them(studio: Studio) -> None:
    with pytest.raises(UsageError, match="riffcompose takes"):
        picked(studio.song.read_bytes(), studio.song, "second", 2, takes_file(studio.song, "second"))
