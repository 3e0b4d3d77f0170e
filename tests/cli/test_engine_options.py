"""`render --engine`: what the options choose, and which do not go together."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_song import Studio, make_studio

from riffcomposer.cli.engine_options import engine_source
from riffcomposer.cli.main import main
from riffcomposer.errors import UsageError
from riffcomposer.render.engines.in_process import InProcessEngines
from riffcomposer.render.engines.processes import ProcessEngines


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return make_studio(tmp_path)


def test_the_engine_is_chosen_by_name() -> None:
    assert isinstance(engine_source("inproc", "auto"), InProcessEngines)
    assert isinstance(engine_source("processes", "3"), ProcessEngines)


@pytest.mark.parametrize(
    ("engine", "workers", "words"),
    [
        ("threads", "auto", "--engine threads: give one of inproc, processes"),
        ("inproc", "2", "add --engine processes"),
        ("processes", "many", "give a number, or auto"),
        ("processes", "0", "give 1 to 256"),
        ("processes", "-1", "give a number, or auto"),
    ],
)
def test_wrong_options_say_what_to_do(engine: str, workers: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        engine_source(engine, workers)


def test_the_command_refuses_before_it_plans(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["render", str(studio.song), "--engine", "threads"])
    assert stop.value.code == 2
    assert "--engine threads" in capsys.readouterr().err
