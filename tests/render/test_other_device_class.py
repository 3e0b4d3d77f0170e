"""A song that was rendered on a GPU, where there is none: the same master, or a clear refusal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_song import FakeEngine, FakeEngines, Studio, make_studio

from riffcomposer.api import plan_song
from riffcomposer.cli.main import main
from riffcomposer.errors import SongError, UsageError
from riffcomposer.render import passage_stage
from riffcomposer.render.passage_work import decoder_for
from riffcomposer.render.session import Session
from riffcomposer.render.settings import RenderSettings
from riffcomposer.store.store_entries import entry_name

GPU = "cuda-float16"
LOCKED = RenderSettings(locked=True)


class Absent(FakeEngines):
    """Engines of a machine without a GPU, which renders nothing."""

    def backend(self, device: str) -> str:
        if device not in ("auto", "cpu"):
            raise UsageError(f"device {device!r} is not on this machine; use --device cpu")
        return super().backend(device)


@pytest.fixture(autouse=True, scope="module")
def _no_gpu() -> Iterator[None]:
    """A processor is guessed, and passages are decoded on it whatever their key says."""
    with pytest.MonkeyPatch.context() as patch:
        take_away_gpu(patch)
        yield


def take_away_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RIFFCOMPOSER_DEVICE", raising=False)
    monkeypatch.setattr("riffcomposer.render.prepare.guess_backend", guess)
    monkeypatch.setattr(
        passage_stage,
        "decoder_for",
        lambda parameters, settings, threads: decoder_for(
            parameters, replace(settings, device="cpu"), threads
        ),
    )


def guess(device: str = "auto") -> str:
    return GPU if device.startswith("cuda") else "cpu-float32"


def cache(studio: Studio, *arguments: Any) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["cache", *map(str, arguments), "--store", str(studio.folder / "store"), "--json"])
    assert stop.value.code == 0


@pytest.fixture(scope="module")
def rendered_there(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """The song as a teammate with a GPU rendered it; clips and passages are pushed to `shared`.

    Folders not to be changed.
    """
    folder = tmp_path_factory.mktemp("teammate")
    there = make_studio(folder / "there")
    there.render(FakeEngines(FakeEngine(backend=GPU)))
    cache(there, "push", folder / "shared", there.song)
    return there


@pytest.fixture
def here(tmp_path: Path, rendered_there: Studio) -> Studio:
    """The song and its lock on a machine without a GPU; nothing is pulled yet."""
    shutil.copytree(rendered_there.folder.parent / "shared", tmp_path / "shared")
    made = make_studio(tmp_path / "here")
    (made.folder / "song.lock").write_bytes((rendered_there.folder / "song.lock").read_bytes())
    return made


def pull(studio: Studio) -> None:
    cache(studio, "pull", studio.folder.parent / "shared", studio.song)


def remove_clips(studio: Studio, count: int) -> list[str]:
    """Removes some of the GPU's clips from the store."""
    lock = plan_song(studio.song, store=studio.store).lock
    keys = sorted({clip.key for clip in lock.clips.values()})[:count]
    for key in keys:
        (studio.folder / "store" / entry_name("clip", key)).unlink()
    return keys


def test_pulled_clips_give_the_same_master_without_a_gpu(here: Studio, rendered_there: Studio) -> None:
    pull(here)
    prepared = plan_song(here.song, store=here.store)
    assert prepared.from_lock
    assert {state.status for state in prepared.assessment.states.values()} == {"cached"}
    engines = Absent()
    track = here.render(engines, settings=LOCKED)
    assert (engines.asked, engines.opened) == (0, 0)
    assert track.result.decoded[0] == 0
    assert track.warnings == ()
    assert here.outputs() == rendered_there.outputs()
    assert (here.folder / "song.lock").read_bytes() == (rendered_there.folder / "song.lock").read_bytes()
    assert not here.render(Absent(), settings=LOCKED).result.mastered


def test_the_command_line_does_the_same(
    here: Studio,
    rendered_there: Studio,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pull(here)
    monkeypatch.setattr("riffcomposer.render.engines.in_process.InProcessEngines", Absent)
    store, out = here.folder / "store", here.folder / "out"
    for options in (["plan", "--exit-code"], ["render", "--locked", "--out", str(out), "--progress", "none"]):
        with pytest.raises(SystemExit) as stop:
            main([options[0], str(here.song), "--store", str(store), *options[1:]])
        assert stop.value.code == 0
    assert "lock's clips, of cuda-float16" in capsys.readouterr().out
    assert here.outputs() == rendered_there.outputs()


def test_an_album_does_the_same(here: Studio, rendered_there: Studio) -> None:
    pull(here)
    with Session(store=here.store, engines=Absent()) as session:
        (entry,) = session.render_album([here.song], RenderSettings(out=here.folder / "out", locked=True))
    assert entry.error is None
    assert here.outputs() == rendered_there.outputs()


def test_the_device_may_be_named_though_it_is_not_here(here: Studio, rendered_there: Studio) -> None:
    pull(here)
    engines = Absent()
    here.render(engines, device="cuda")
    assert engines.asked == 0
    assert here.outputs() == rendered_there.outputs()


@pytest.mark.parametrize("settings", [None, LOCKED])
def test_missing_clips_are_named_and_none_is_replaced(here: Studio, settings: RenderSettings | None) -> None:
    pull(here)
    remove_clips(here, 5)
    lock = (here.folder / "song.lock").read_bytes()
    engine = FakeEngine()
    with pytest.raises(UsageError) as refusal:
        here.render(Absent(engine), settings=settings)
    said = str(refusal.value)
    assert "song.yaml: 5 of 8 clips of cuda-float16 are not in the store" in said
    assert "(seed " in said
    assert "and 1 more" in said
    assert "riffcompose cache pull URL" in said
    assert "--device cpu renders all" in said
    assert "this machine has cpu-float32" in said
    assert engine.rendered == []
    assert (here.folder / "song.lock").read_bytes() == lock


def test_a_damaged_clip_is_missing(here: Studio) -> None:
    pull(here)
    key = next(iter(plan_song(here.song, store=here.store).plan.jobs))
    path = here.folder / "store" / entry_name("clip", key)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    with pytest.raises(UsageError, match=r"1 of 8 clips of cuda-float16 are not in the store"):
        here.render(Absent())


def test_a_device_that_is_named_and_not_here_renders_nothing(here: Studio) -> None:
    pull(here)
    remove_clips(here, 1)
    with pytest.raises(UsageError, match=r"'cuda' is not on this machine.*1 of 8 clips"):
        here.render(Absent(), device="cuda")


def test_nothing_pulled_is_rendered_here_unless_it_is_locked(here: Studio) -> None:
    with pytest.raises(UsageError, match="8 of 8 clips of cuda-float16"):
        here.render(Absent(), settings=LOCKED)
    engine = FakeEngine()
    here.render(Absent(engine))
    assert len(engine.rendered) == 8
    assert '"cpu-float32"' in (here.folder / "song.lock").read_text()


def test_a_changed_song_does_not_match_its_lock_on_any_device(here: Studio) -> None:
    here.edit("seed: 9", "seed: 10")
    with pytest.raises(SongError, match="does not match the song"):
        here.render(Absent(), settings=LOCKED)


def test_all_of_it_is_rendered_here_when_asked_for(here: Studio) -> None:
    pull(here)
    remove_clips(here, 1)
    engine = FakeEngine()
    here.make_clips(Absent(engine), device="cpu")
    assert len(engine.rendered) == 8
    again = make_studio(here.folder)
    forced = FakeEngine()
    again.make_clips(Absent(forced), settings=RenderSettings(force=True))
    assert len(forced.rendered) == 8


def test_passages_that_were_not_pulled_are_decoded_here_and_that_is_said(here: Studio) -> None:
    pull(here)
    for path in (here.folder / "store" / "passage").rglob("*.npy"):
        path.unlink()
    engine = FakeEngine()
    track = here.render(Absent(engine))
    assert engine.rendered == []
    assert track.result.decoded[0] == track.result.decoded[1] > 0
    assert "decoded on the processor" in track.warnings[0]
    assert not here.render(Absent()).result.mastered, "the second time there is nothing to do"


def test_a_gpu_that_is_here_takes_its_own_class(here: Studio) -> None:
    pull(here)
    remove_clips(here, 2)
    engine = FakeEngine(backend=GPU)
    here.make_clips(FakeEngines(engine))
    assert len(engine.rendered) == 2


def test_a_lock_of_two_classes_decides_nothing(here: Studio) -> None:
    pull(here)
    text = (here.folder / "song.lock").read_text()
    assert text.count(json.dumps(GPU)) == 3
    other = make_studio(here.folder.parent / "other")
    other.render(Absent())
    mine = (other.folder / "song.lock").read_text().split("\nsection ")
    theirs = text.split("\nsection ")
    (here.folder / "song.lock").write_text("\nsection ".join([*theirs[:-1], mine[-1]]))
    prepared = plan_song(here.song, store=here.store)
    assert prepared.lock.backend == ""
    assert prepared.backend == "cpu-float32"
