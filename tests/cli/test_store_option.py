"""`--store`: every command that reads the store can be told which one, and leaves the user's own alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer.main
from small_song import FakeEngines, Studio, make_studio

from riffcomposer.cli.main import COMMANDS, build_app, main
from riffcomposer.cli.store_option import chosen_store

STORELESS = ("new", "pick", "loops", "models", "clip", "inspect")
"""Commands that have nothing to do with rendered clips of songs."""


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setenv("RIFFCOMPOSER_STORE", str(tmp_path / "own"))
    monkeypatch.setattr("riffcomposer.render.engines.in_process.InProcessEngines", FakeEngines)
    return make_studio(tmp_path)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def test_every_command_that_reads_the_store_has_the_option() -> None:
    group = typer.main.get_command(build_app())
    for name in COMMANDS:
        command = group.commands[name]  # type: ignore[attr-defined]
        for each in getattr(command, "commands", {"": command}).values():
            options = {option for parameter in each.params for option in parameter.opts}
            assert ("--store" in options) is (name not in STORELESS), f"{name} {each.name}"


def test_a_render_uses_the_store_that_is_named_and_no_other(
    studio: Studio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = tmp_path / "shared" / "store"
    out = tmp_path / "out"
    assert run("render", studio.song, "--store", shared, "--out", out, "--progress", "none") == 0
    assert len(list((shared / "clip").rglob("*.npy"))) == 8
    assert not (tmp_path / "own").exists()
    assert run("plan", studio.song, "--store", shared, "--exit-code") == 0
    assert run("plan", studio.song, "--exit-code") == 10
    capsys.readouterr()
    assert run("cache", "info", "--store", shared, "--json") == 0
    assert json.loads(capsys.readouterr().out)["entries"]["clip"]["count"] == 8


def test_something_else_than_a_folder_is_refused(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", studio.song, "--store", studio.song) == 2
    assert "song.yaml: is no folder" in capsys.readouterr().err


def test_a_folder_may_begin_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert chosen_store(Path("~/clips")).root == tmp_path / "clips"
