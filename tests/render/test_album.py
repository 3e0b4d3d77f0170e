"""Albums: shared clips are rendered once, one failure stops nobody else, and every outcome is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_song import FakeEngine, FakeEngines, Studio, make_studio

from riffcomposer.cli.main import main
from riffcomposer.errors import Cancelled, ModelError, RenderError, SongError
from riffcomposer.render.album import AlbumEntry
from riffcomposer.render.engines.interface import Done, Failed, ignore_events
from riffcomposer.render.session import Session
from riffcomposer.render.settings import RenderSettings
from riffcomposer.render.stopping import StopFlag

HEAD = """\
tempo: 400
seed: 5
model: ./model
master: {integrated_lufs: -30}
output: {formats: [flac], decoder: fast}
"""
SHARED = "  - {name: shared, prompt: steady drums, seed: 1, clips: 3}\n"


def song(title: str, prompt: str, shared: bool = True) -> str:
    own = f"  - {{name: own, prompt: {prompt}, seed: 2, clips: 2}}\n"
    return f"title: {title}\n{HEAD}sections:\n{SHARED if shared else ''}{own}"


class Shelf(Studio):
    """Several songs in one folder."""

    def add(self, name: str, text: str) -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(text)
        return path

    def album(
        self, songs: list[Path], engine: FakeEngine | None = None, **arguments: Any
    ) -> list[AlbumEntry]:
        engines = FakeEngines(engine or FakeEngine())
        settings = RenderSettings(out=self.folder / "out")
        with Session(store=self.store, engines=engines, **arguments) as session:
            return session.render_album(songs, settings)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(make_studio(tmp_path).folder)


def test_shared_clips_are_rendered_once_and_files_are_as_of_one_song_alone(
    shelf: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> None:
    songs = [shelf.add("one", song("One", "hum")), shelf.add("two", song("Two", "whistle"))]
    engine = FakeEngine()
    entries = shelf.album(songs, engine)
    assert len(engine.rendered) == len(set(engine.rendered)) == 7
    assert engine.closed == 1
    assert [entry.path for entry in entries] == songs
    results = [entry.track.result for entry in entries if entry.track]
    assert [len(result.rendered) for result in results] == [5, 2]
    assert [len(result.cached) for result in results] == [0, 3]
    assert all((shelf.folder / f"{path.stem}.lock").is_file() for path in songs)
    alone = Shelf(make_studio(tmp_path_factory.mktemp("alone")).folder)
    for path in songs:
        alone.album([alone.add(path.stem, path.read_text())])
    assert shelf.outputs() == alone.outputs()


def test_a_finished_album_loads_nothing(shelf: Shelf) -> None:
    songs = [shelf.add("one", song("One", "hum")), shelf.add("two", song("Two", "whistle"))]
    shelf.album(songs)
    engine = FakeEngine()
    entries = shelf.album(songs, engine)
    assert engine.loads == []
    assert all(entry.track and not entry.track.result.mastered for entry in entries)


def test_one_failure_does_not_stop_the_others(shelf: Shelf) -> None:
    songs = [
        shelf.add("one", song("One", "hum")),
        shelf.add("wrong", "title: [\n"),
        shelf.add("lost", song("Lost", "hum").replace("./model", "./nothing")),
        shelf.add("two", song("Two", "whistle", shared=False)),
        shelf.add("three", song("Three", "clap")),
    ]

    class Picky(FakeEngine):
        def render(self, jobs: Any, on_event: Any = ignore_events) -> Iterator[Done | Failed]:
            for key, job in jobs.items():
                if job.place.a.prompt == "hum":
                    yield Failed(key, "out of luck")
                else:
                    yield from super().render({key: job}, on_event)

    entries = shelf.album(songs, Picky())
    errors = [type(entry.error) for entry in entries]
    assert errors == [RenderError, SongError, ModelError, type(None), type(None)]
    assert "One: own clip 1" in str(entries[0].error)
    assert {path.name for path in (shelf.folder / "out").glob("*.flac")} == {"two.flac", "three.flac"}


def test_a_shared_clip_that_fails_fails_every_song_with_it(shelf: Shelf) -> None:
    songs = [
        shelf.add("one", song("One", "hum")),
        shelf.add("two", song("Two", "whistle")),
        shelf.add("three", song("Three", "clap", shared=False)),
    ]
    probe = FakeEngine()
    shelf.album(songs[:1], probe)
    (shelf.folder / "store").rename(shelf.folder / "old")
    for path in (shelf.folder / "out").iterdir():
        path.unlink()
    entries = shelf.album(songs, FakeEngine(failures={probe.rendered[0]: 2}))
    assert [entry.error is None for entry in entries] == [False, False, True]


def test_songs_with_two_models_load_each_once(shelf: Shelf) -> None:
    import shutil

    shutil.copytree(shelf.folder / "model", shelf.folder / "other")
    config = shelf.folder / "other" / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"note": "another model"}))
    songs = [
        shelf.add("one", song("One", "hum")),
        shelf.add("two", song("Two", "hum").replace("./model", "./other")),
        shelf.add("three", song("Three", "clap")),
    ]
    engine = FakeEngine()
    assert all(entry.track for entry in shelf.album(songs, engine))
    assert len(engine.loads) == len(set(engine.loads)) == 2


def test_engines_with_workers_finish_songs_while_others_are_rendered(shelf: Shelf) -> None:
    songs = [shelf.add("one", song("One", "hum")), shelf.add("two", song("Two", "whistle"))]
    seen: list[tuple[str, str]] = []
    engine = FakeEngine(in_driver=False, seconds_per_clip=1.0, steps=20)
    entries = shelf.album(songs, engine, observer=lambda event: seen.append((event.song, event.stage)))
    assert all(entry.track for entry in entries)
    last_clip = max(place for place, event in enumerate(seen) if event == ("", "clips"))
    first_mix = min(place for place, event in enumerate(seen) if event[0] == "One")
    assert first_mix < last_clip


def test_a_raised_flag_ends_the_album_and_the_next_run_goes_on(shelf: Shelf) -> None:
    songs = [shelf.add("one", song("One", "hum")), shelf.add("two", song("Two", "whistle"))]
    stop = StopFlag()

    def observer(event: Any) -> None:
        if event.stage == "clips" and event.done >= 6:
            stop.raise_flag(143)

    with pytest.raises(Cancelled) as stopped:
        shelf.album(songs, observer=observer, stop=stop)
    assert stopped.value.exit_code == 143
    rest = FakeEngine()
    assert all(entry.track for entry in shelf.album(songs, rest))
    assert 1 <= len(rest.rendered) <= 2


def test_an_observer_that_raises_ends_the_album(shelf: Shelf) -> None:
    songs = [shelf.add("one", song("One", "hum")), shelf.add("two", song("Two", "whistle"))]

    def observer(event: Any) -> None:
        if event.stage == "decode":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        shelf.album(songs, observer=observer)


def test_the_command_tells_what_failed_and_exits_with_it(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIFFCOMPOSER_STORE", str(shelf.folder / "store"))
    monkeypatch.setattr("riffcomposer.render.engines.in_process.InProcessEngines", FakeEngines)
    songs = [
        shelf.add("one", song("One", "hum")),
        shelf.add("wrong", "title: [\n"),
        shelf.add("two", song("Two", "whistle")),
    ]
    command = ["render", *map(str, songs), "--out", str(shelf.folder / "out"), "--progress", "plain"]
    with pytest.raises(SystemExit) as stop:
        main(command)
    said = capsys.readouterr()
    assert stop.value.code == SongError.exit_code
    assert "wrong.yaml" in said.err
    assert "2 of 3 songs finished, 7 clips rendered; 1 failed" in said.out
    with pytest.raises(SystemExit) as stop:
        main([*command, "--json"])
    assert stop.value.code == SongError.exit_code
    told = json.loads(capsys.readouterr().out)
    assert [each["title"] for each in told] == ["One", "Two"]
    assert [each["mastered"] for each in told] == [False, False]
