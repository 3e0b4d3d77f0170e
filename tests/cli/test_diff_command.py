"""`riffcompose diff` on real git histories."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from planned_songs import CATALOGUE, section, song, write_song

from riffcomposer.cli.main import main
from riffcomposer.loops import catalogue as seeds


@pytest.fixture
def repository_of_songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("RIFFCOMPOSER_DEVICE", "cpu")
    monkeypatch.setattr(seeds, "read_catalogue", lambda: CATALOGUE)
    monkeypatch.chdir(tmp_path)
    seeds.catalogue.cache_clear()
    git("init", "-q")
    yield tmp_path
    seeds.catalogue.cache_clear()


def git(*arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def commit(content: dict[str, Any]) -> None:
    write_song(Path(), content)
    git("add", "-A")
    git("commit", "-q", "-m", "a version")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    return int(stop.value.code or 0)


def diff_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run("diff", *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("repository_of_songs")
def test_what_changed_between_two_revisions(capsys: pytest.CaptureFixture[str]) -> None:
    parts = [section(name, clips=2, seed=number * 10) for number, name in enumerate(["a", "b", "c", "d"])]
    commit(song(*parts))
    renamed = parts[0] | {"name": "intro"}
    louder = parts[3] | {"gain_db": -2, "strength": 0.6}
    commit(
        song(renamed, parts[2], parts[1], louder, section("e", clips=1, seed=99), tempo=93.75, title="New")
    )
    assert run("diff", "HEAD~1", "HEAD", "song.yaml") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "title: Test -> New",
        "~ section intro: renamed from a",
        "~ section c: moved from place 3 to 2",
        "~ section d: changed",
        "    strength: 0.5 -> 0.6",
        "    gain_db: 0 -> -2",
        "+ section e: added",
        "clips to render again: 3 of 9",
        "    d: 2 of 2",
        "    e: 1 of 1",
    ]


@pytest.mark.usefixtures("repository_of_songs")
def test_the_working_tree_is_the_other_side(capsys: pytest.CaptureFixture[str]) -> None:
    commit(song(section("a", clips=2), section("b", clips=1)))
    write_song(Path(), song(section("a", clips=3)))
    found = diff_json(capsys, "HEAD", "song.yaml")
    assert (found["old"], found["new"]) == ("HEAD", "working tree")
    assert [(part["name"], part["kinds"]) for part in found["sections"]] == [
        ("a", ["changed"]),
        ("b", ["removed"]),
    ]
    assert found["clips"] == [{"section": "a", "layer": None, "to_render": 1, "clips": 3}]


@pytest.mark.usefixtures("repository_of_songs")
def test_an_edit_of_one_layer(capsys: pytest.CaptureFixture[str]) -> None:
    drums, keys = {"name": "drums", "prompt": "brushes"}, {"name": "keys", "prompt": "rhodes"}
    commit(song(section("a", clips=2), section("b", clips=2, layers=[drums, keys])))
    louder = drums | {"gain_db": 2, "prompt": "sticks"}
    commit(song(section("a", clips=2), section("b", clips=2, layers=[louder, keys])))
    assert run("diff", "HEAD~1", "HEAD", "song.yaml") == 0
    assert capsys.readouterr().out.splitlines() == [
        "~ section b: changed",
        "    layer drums prompt: brushes -> sticks",
        "    layer drums gain_db: 0 -> 2",
        "clips to render again: 2 of 6",
        "    b, drums: 2 of 2",
    ]


@pytest.mark.usefixtures("repository_of_songs")
def test_an_added_layer_and_a_new_chord(capsys: pytest.CaptureFixture[str]) -> None:
    layers = [{"name": "drums"}, {"name": "keys"}]
    content = section("a", clips=1, layers=layers, init="score", score={"chords": "Am"})
    commit(song(content))
    commit(song(content | {"layers": [*layers, {"name": "pad"}], "score": {"chords": "Dm"}}))
    assert run("diff", "HEAD~1", "HEAD", "song.yaml") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "    score chords: Am -> Dm" in lines
    assert "    layer pad prompt: none -> prompt of a" in lines
    assert lines[-4:] == [
        "clips to render again: 1 of 1",
        "    a, drums: 1 of 1",
        "    a, keys: 1 of 1",
        "    a, pad: 1 of 1",
    ]


@pytest.mark.usefixtures("repository_of_songs")
def test_a_file_that_changed_renders_its_clips_again(capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (512, 512), 200).save("x.png")
    commit(song(section("a", clips=2, init="x.png"), section("b", clips=1)))
    Image.new("L", (512, 512), 100).save("x.png")
    found = diff_json(capsys, "HEAD", "song.yaml")
    assert found["sections"] == []
    assert [entry["to_render"] for entry in found["clips"]] == [2, 0]


@pytest.mark.usefixtures("repository_of_songs")
def test_nothing_changed_under_comments_and_key_order(capsys: pytest.CaptureFixture[str]) -> None:
    commit(song(section("a", clips=2)))
    Path("song.yaml").write_text("# a note\n" + Path("song.yaml").read_text())
    assert run("diff", "HEAD", "song.yaml") == 0
    assert capsys.readouterr().out.splitlines() == [
        "no audible change",
        "clips to render again: 0 of 2",
    ]


@pytest.mark.usefixtures("repository_of_songs")
@pytest.mark.parametrize(
    "revision", ["nosuch", "--help-me", "--output=x", "HEAD:song.yaml", "", "HEAD; touch x"]
)
def test_a_revision_is_never_an_option(capsys: pytest.CaptureFixture[str], revision: str) -> None:
    commit(song(section("a")))
    assert run("diff", "--", revision, "song.yaml") == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not Path("x").exists()


@pytest.mark.usefixtures("repository_of_songs")
def test_a_song_that_was_broken_then_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    commit(song(section("a", strength=1.7)))
    write_song(Path(), song(section("a")))
    assert run("diff", "HEAD", "song.yaml") == 1
    assert "HEAD:song.yaml:" in capsys.readouterr().err


def test_outside_of_a_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_song(tmp_path, song(section("a")))
    assert run("diff", "HEAD", str(path)) == 2
    assert "no git repository" in capsys.readouterr().err
    assert run("diff", str(path)) == 2
