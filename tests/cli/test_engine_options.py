"""`render --engine`: what the options choose, and which do not go together."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_song import Studio, make_studio

from riffcomposer.cli.engine_options import EngineOptions, engine_source, rendering_device
from riffcomposer.cli.main import main
from riffcomposer.errors import UsageError
from riffcomposer.render.engines.in_process import InProcessEngines
from riffcomposer.render.engines.processes import ProcessEngines
from riffcomposer.render.engines.ray_cluster import RayEngines


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return make_studio(tmp_path)


def test_the_engine_is_chosen_by_name() -> None:
    assert isinstance(engine_source(EngineOptions()), InProcessEngines)
    assert isinstance(engine_source(EngineOptions("processes", "3")), ProcessEngines)
    assert isinstance(engine_source(EngineOptions("ray", cpus_per_worker=4)), RayEngines)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (EngineOptions("threads"), "--engine threads: give one of inproc, processes, ray"),
        (EngineOptions("inproc", "2"), "add --engine processes"),
        (EngineOptions("ray", "2"), "--cpus-per-worker decides"),
        (EngineOptions("processes", "many"), "give a number, or auto"),
        (EngineOptions("processes", "0"), "give 1 to 256"),
        (EngineOptions("processes", "-1"), "give a number, or auto"),
        (EngineOptions(address="auto"), "--address: is for --engine ray"),
        (EngineOptions("processes", cpus_per_worker=1), "--cpus-per-worker: is for --engine ray"),
        (EngineOptions("ray", backend="cuda"), "give one of cpu-float32, cuda-float16"),
    ],
)
def test_wrong_options_say_what_to_do(options: EngineOptions, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        engine_source(options)


def test_the_command_refuses_before_it_plans(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["render", str(studio.song), "--engine", "threads"])
    assert stop.value.code == 2
    assert "--engine threads" in capsys.readouterr().err


def test_a_class_of_device_is_what_songs_are_planned_for() -> None:
    assert rendering_device("auto", "cuda-float16") == "cuda"
    assert rendering_device("auto", "cpu-float32") == "cpu"
    assert rendering_device("cuda:1", None) == "cuda:1"
