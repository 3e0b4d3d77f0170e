"""`riffcompose new`: a song to start from, which passes `check`."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import jsonschema
import pytest
import yaml

from riffcomposer.checkpoints.profile import LocatedModel, ModelProfile
from riffcomposer.cli.main import main
from riffcomposer.cli.starter_songs import starter_song
from riffcomposer.cli.starter_styles import NAMES, STARTERS
from riffcomposer.composer.styles import STYLES
from riffcomposer.loops import catalogue as seeds
from riffcomposer.loops.catalogue import Catalogue, Loop
from riffcomposer.render.session import Session
from riffcomposer.song.reader import load_song

Run = Callable[..., tuple[int, str, str]]

CATALOGUE = Catalogue(
    {
        name: Loop(name, style, "", Fraction(375, 4), 2, "4/4", "", (), Path("x.png"), "0" * 64)
        for name, style in (
            ("techno-drums", "techno"),
            ("lofi-keys", "lo-fi hip hop"),
            ("lofi-beat", "lo-fi hip hop"),
        )
    },
    {},
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.setattr(seeds, "catalogue", lambda: CATALOGUE)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(list(arguments))
        captured = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return stop.value.code, captured.out, captured.err

    return run


def test_a_starter_song(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("new", "my-first_song")
    assert code == 0
    assert "my-first_song.yaml" in out
    text = (tmp_path / "my-first_song.yaml").read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=schemas/song.schema.json\n")
    schema = json.loads((tmp_path / "schemas" / "song.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(json.dumps(yaml.safe_load(text))), schema)
    song = load_song(tmp_path / "my-first_song.yaml")
    assert song.resolved.title == "My First Song"
    assert {section.init.name for section in song.resolved.sections if section.init} == {"score"}
    assert text.count(" # ") > 10


@pytest.mark.parametrize("shipped", [True, False], ids=["with seeds", "without seeds"])
@pytest.mark.parametrize("style", STYLES)
def test_every_style_passes_check(
    style: str, shipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a warning, from the song or from its plan; with the shipped seeds and without any."""
    catalogue = seeds.catalogue() if shipped else Catalogue({}, {})
    model = LocatedModel("default", tmp_path, ModelProfile("test model"), "d" * 64)
    monkeypatch.setattr("riffcomposer.render.prepare.catalogue", lambda: catalogue)
    monkeypatch.setattr("riffcomposer.render.prepare.locate_model", lambda *_, **__: model)
    monkeypatch.setattr("riffcomposer.render.prepare.verify_model", lambda *_, **__: None)
    path = tmp_path / "song.yaml"
    path.write_text(starter_song("It's: 'new' #1", style, "x.json", catalogue), encoding="utf-8")
    assert Session().check(path) == []
    song = load_song(path).resolved
    assert song.title == "It's: 'new' #1"
    assert {section.score.style for section in song.sections} == {style}


def test_there_is_a_song_for_each_style_and_each_has_its_own_music() -> None:
    assert set(STARTERS) == set(STYLES)
    assert set(NAMES.values()) <= set(STARTERS)
    assert len({starter.main for starter in STARTERS.values()}) == len(STARTERS)
    for name, starter in STARTERS.items():
        low, high = STYLES[name].tempo
        assert low <= starter.tempo <= high, name
        assert float(Fraction(starter.meter)) * 4 in STYLES[name].meters, name


@pytest.mark.parametrize(
    ("name", "style"),
    [("lofi", "lo-fi hip hop"), ("dnb", "drum and bass"), ("DNB", "drum and bass"), ("Jazz", "jazz")],
)
def test_short_names_of_styles(run: Run, tmp_path: Path, name: str, style: str) -> None:
    assert run("new", "a.yaml", "--style", name)[0] == 0
    assert load_song(tmp_path / "a.yaml").resolved.sections[0].score.style == style


def test_all_styles_are_listed(run: Run) -> None:
    code, out, _ = run("new", "--list-styles")
    assert code == 0
    assert [line[:14].strip() for line in out.splitlines()] == sorted(STYLES)


def test_it_fits_the_style(run: Run, tmp_path: Path) -> None:
    assert run("new", "beat.yaml", "--style", "techno", "--title", "Beat: one")[0] == 0
    song = load_song(tmp_path / "beat.yaml").resolved
    assert song.title == "Beat: one"
    assert song.sections[0].score.style == "techno"


def test_a_schema_above_is_used(run: Run, tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "song.schema.json").write_text("{}", encoding="utf-8")
    assert run("new", "songs/a/b.yaml")[0] == 0
    text = (tmp_path / "songs" / "a" / "b.yaml").read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../../schemas/song.schema.json\n")
    assert (tmp_path / "schemas" / "song.schema.json").read_text(encoding="utf-8") == "{}"


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("mine", encoding="utf-8")
    code, _, err = run("new", "mine")
    assert code == 2
    assert "--force" in err
    assert (tmp_path / "mine.yaml").read_text(encoding="utf-8") == "mine"
    assert run("new", "mine", "--force")[0] == 0
    assert load_song(tmp_path / "mine.yaml").resolved.title == "Mine"


def test_an_unknown_style(run: Run, tmp_path: Path) -> None:
    code, _, err = run("new", "a", "--style", "tecno")
    assert code == 2
    assert "did you mean 'techno'?" in err
    assert list(tmp_path.iterdir()) == []


def test_a_title_that_cannot_be(run: Run, tmp_path: Path) -> None:
    code, _, err = run("new", "a", "--title", "x" * 201)
    assert code == 1
    assert "title must have at most 200 characters" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["", ".", "..", "/", "a/.."])
def test_a_folder_is_no_name(run: Run, tmp_path: Path, path: str) -> None:
    code, _, err = run("new", path)
    assert code == 2
    assert "name the song to write" in err
    assert list(tmp_path.iterdir()) == []
