"""A render whose guess of the device was wrong: what holds for the plan holds for the new plan too."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from small_song import FakeEngine, FakeEngines, Studio, make_studio

from riffcomposer.api import plan_song
from riffcomposer.errors import BudgetError, SongError
from riffcomposer.plan.budget import Limits
from riffcomposer.render.session import Session
from riffcomposer.render.settings import RenderSettings

METAL = "mps-float16"
LOCKED = RenderSettings(locked=True)


@pytest.fixture(autouse=True, scope="module")
def _guess_cpu() -> Iterator[None]:
    """Wherever the tests run, the CPU is guessed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RIFFCOMPOSER_DEVICE", raising=False)
        patch.setattr("riffcomposer.render.prepare.guess_backend", lambda device="auto": "cpu-float32")
        yield


def metal() -> FakeEngines:
    return FakeEngines(FakeEngine(backend=METAL))


@pytest.fixture(scope="module")
def on_metal_once(_guess_cpu: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the small song was rendered on another device than guessed; a folder not to be changed."""
    studio = make_studio(tmp_path_factory.mktemp("metal"))
    studio.render(metal())
    return studio.folder


@pytest.fixture
def on_metal(on_metal_once: Path, tmp_path: Path) -> Studio:
    """A copy of it, with its store, its lock and its outputs."""
    return Studio(shutil.copytree(on_metal_once, tmp_path / "metal"))


def forget(studio: Studio, *, lock: bool = True) -> None:
    """As if the answer had not been remembered, or on a store that cannot be written.

    Args:
        lock: Whether the lock, which also says what the device was, is forgotten as well.
    """
    if lock:
        (studio.folder / "song.lock").unlink()
    (note,) = (studio.folder / "store" / "devices").iterdir()
    note.unlink()


def states(studio: Studio) -> set[str]:
    return {state.status for state in plan_song(studio.song, store=studio.store).assessment.states.values()}


def test_the_right_device_is_in_the_plan_before_the_model_is_loaded(studio: Studio) -> None:
    engines = metal()
    studio.make_clips(engines)
    assert (engines.asked, engines.opened) == (1, 1)
    assert len(engines.engine.rendered) == 8


def test_what_torch_found_is_remembered(studio: Studio, on_metal: Studio) -> None:
    assert states(studio) == {"new"}
    assert states(on_metal) == {"cached"}
    again = metal()
    assert not on_metal.render(again, settings=LOCKED).result.mastered
    assert again.asked == 0, "nothing has to be asked for an unchanged song"


def test_an_unchanged_song_loads_no_model_though_the_guess_is_wrong(on_metal: Studio) -> None:
    forget(on_metal)
    again = metal()
    assert not on_metal.render(again).result.mastered
    assert again.opened == 0


def test_locked_compares_for_the_device_that_there_is(on_metal: Studio) -> None:
    forget(on_metal, lock=False)
    assert not on_metal.render(metal(), settings=LOCKED).result.mastered
    on_metal.edit("seed: 9", "seed: 10")
    with pytest.raises(SongError, match=r"does not match the song \(section second"):
        on_metal.render(metal(), settings=LOCKED)


def test_a_remembered_answer_that_is_no_device_is_ignored(on_metal: Studio) -> None:
    (note,) = (on_metal.folder / "store" / "devices").iterdir()
    note.write_bytes(b"\xff toaster")
    (on_metal.folder / "song.lock").unlink()
    assert "cached" not in states(on_metal)


def test_limits_hold_for_the_new_plan(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every `Limits()` without numbers allows a single clip.
    defaults = Limits.__init__.__defaults__ or ()
    monkeypatch.setattr(Limits.__init__, "__defaults__", (1, *defaults[1:]))
    with pytest.raises(BudgetError):
        studio.render(metal())
    engine = FakeEngine(backend=METAL)
    studio.make_clips(engine, limits=Limits(jobs=100))
    assert len(engine.rendered) == 8


def outside(studio: Studio) -> Path:
    """Makes the song start from a file outside its folder; gives that file's folder."""
    folder = studio.folder.parent / f"{studio.folder.name}-elsewhere"
    folder.mkdir()
    time = np.arange(26460) / 44100
    soundfile.write(folder / "loop.wav", 0.3 * np.sin(2 * np.pi * 220 * time), 44100)
    (studio.folder / "loops").symlink_to(folder)
    studio.edit("prompt: steady drums", "prompt: steady drums\n    init: loops/loop.wav")
    return folder


def test_allowed_folders_hold_for_the_new_plan(studio: Studio) -> None:
    folder = outside(studio)
    with pytest.raises(SongError):
        studio.render(metal())
    with Session(store=studio.store, allowed_folders=(folder,), engines=metal()) as session:
        track = session.render(session.plan(studio.song), RenderSettings(out=studio.folder / "out"))
    assert track.result.rendered
    assert not studio.render(metal(), allowed_folders=(folder,)).result.mastered


def run(*arguments: Any) -> int:
    from riffcomposer.cli.main import main

    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def test_allow_opens_a_folder_to_check_plan_and_render(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIFFCOMPOSER_STORE", str(studio.folder / "store"))
    monkeypatch.setattr("riffcomposer.render.engines.in_process.InProcessEngines", metal)
    folder = outside(studio)
    render = ("render", studio.song, "--out", studio.folder / "out", "--progress", "none")
    for command in (("check", studio.song), ("plan", studio.song), render):
        assert run(*command) == 1
        said = capsys.readouterr()
        assert "loop.wav" in said.out + said.err
        assert run(*command, "--allow", folder) == 0
        capsys.readouterr()
    assert (studio.folder / "out" / "song.flac").is_file()
    assert run("plan", studio.song, "--allow", folder, "--exit-code") == 0
    forget(studio)
    assert run("plan", studio.song, "--allow", folder, "--exit-code") == 10
