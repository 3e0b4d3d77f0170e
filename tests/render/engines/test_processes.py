"""Workers that are processes: equal clips, and what becomes of clips when processes die."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import worker_engines
from killed_driver import killed_in_mid_render
from small_song import FakeEngine, Studio, fake_level, make_studio

from riffcomposer.api import plan_song
from riffcomposer.errors import Cancelled, ModelError, RenderError, UsageError
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.engines.interface import Done, Failed, Notice, Step
from riffcomposer.render.engines.pool import PoolEngine
from riffcomposer.render.engines.processes import (
    THREAD_VARIABLES,
    ProcessEngines,
    ProcessFleet,
    Seat,
    SeatEngine,
    seats,
)
from riffcomposer.render.prepare import PreparedSong
from riffcomposer.render.stopping import StopFlag

PLACES = (Seat("cpu", "cpu 1"), Seat("cpu", "cpu 2"))


@pytest.fixture
def prepared(studio: Studio) -> PreparedSong:
    return plan_song(studio.song, store=studio.store)


@dataclass
class Crew:
    """An engine with its fleet, and what it said."""

    fleet: ProcessFleet
    engine: PoolEngine
    said: list[str]

    def on_event(self, event: Step | Notice) -> None:
        if isinstance(event, Notice):
            self.said.append(event.message)

    def render(self, jobs: dict[str, ClipJob]) -> dict[str, Done | Failed]:
        return {result.key: result for result in self.engine.render(jobs, self.on_event)}


@pytest.fixture
def crews() -> Iterator[list[Crew]]:
    made: list[Crew] = []
    yield made
    for crew in made:
        crew.engine.close()


def crew(crews: list[Crew], maker: SeatEngine, places: tuple[Seat, ...] = PLACES) -> Crew:
    fleet = ProcessFleet(places, maker)
    crews.append(Crew(fleet, PoolEngine(fleet), []))
    return crews[-1]


def right(results: dict[str, Done | Failed], jobs: dict[str, ClipJob]) -> bool:
    return results.keys() == jobs.keys() and all(
        isinstance(result, Done)
        and (result.level == fake_level(key, jobs[key].width_frames).astype("f2")).all()
        for key, result in results.items()
    )


def test_a_song_is_the_same_with_workers(studio: Studio, rendered: Studio) -> None:
    expected = rendered.outputs()
    for path in (*studio.folder.glob("out/*"), studio.folder / "song.lock"):
        path.unlink()
    (studio.folder / "store").rename(studio.folder / "old-store")
    from riffcomposer.api import render_song

    render_song(
        studio.song,
        store=studio.store,
        out=studio.folder / "out",
        device="cpu",
        engines=ProcessEngines(2, worker_engines.quick),
    )
    assert studio.outputs() == expected
    assert not list((studio.folder / "store").rglob(".tmp-*"))


def test_a_killed_worker_is_replaced_and_its_clip_is_made_again(
    prepared: PreparedSong, crews: list[Crew]
) -> None:
    team = crew(crews, worker_engines.slow)
    assert team.engine.start().workers == 2
    team.engine.load(prepared.model)
    before = team.fleet.processes
    jobs = dict(list(prepared.plan.jobs.items())[:4])
    results: dict[str, Done | Failed] = {}
    killed = False

    def on_event(event: Step | Notice) -> None:
        nonlocal killed
        team.on_event(event)
        if isinstance(event, Step) and not killed:
            killed = True
            os.kill(next(iter(before.values())), signal.SIGKILL)

    for result in team.engine.render(jobs, on_event):
        assert result.key not in results
        results[result.key] = result
    assert right(results, jobs)
    after = set(team.fleet.processes.values())
    assert len(after) == 2
    assert len(after & set(before.values())) == 1
    assert any("ended by SIGKILL" in line and "another one is started" in line for line in team.said)


def test_a_driver_that_is_killed_and_run_again_loses_nothing(
    forkserver: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(worker_engines.LOG, str(tmp_path / "log"))
    studio = make_studio(tmp_path / "song")
    kept, in_flight = killed_in_mid_render(studio, "processes", forkserver)
    ends = worker_engines.noted("end")
    assert len(ends) == 8
    assert all(ends[key] == 1 for key in kept), "a clip that was stored is not rendered again"
    assert {key for key, times in ends.items() if times > 1} <= set(in_flight)
    assert len(in_flight) <= 2, "workers end with the driver"
    expected = make_studio(tmp_path / "expected")
    expected.render()
    assert studio.outputs() == expected.outputs()


def test_a_clip_that_kills_its_worker_is_given_up_and_the_others_are_made(
    prepared: PreparedSong, crews: list[Crew], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = dict(prepared.plan.jobs)
    poison = list(jobs)[2]
    monkeypatch.setenv(worker_engines.POISON, poison)
    team = crew(crews, worker_engines.deadly)
    team.engine.start()
    team.engine.load(prepared.model)
    results = team.render(jobs)
    failure = results.pop(poison)
    assert isinstance(failure, Failed)
    assert failure.final
    assert "3 workers ended" in failure.message
    del jobs[poison]
    assert right(results, jobs)


def test_workers_of_another_version_or_device_are_refused_by_name(
    prepared: PreparedSong, crews: list[Crew]
) -> None:
    team = crew(crews, worker_engines.mixed, (PLACES[0], Seat("other", "odd one")))
    assert team.engine.start().workers == 1
    team.engine.load(prepared.model, team.on_event)
    assert len(team.said) == 1
    assert "odd one is not used: sampler 2 instead of 1" in team.said[0]
    assert right(team.render(dict(prepared.plan.jobs)), dict(prepared.plan.jobs))
    stranger = crew(crews, worker_engines.graphic, PLACES[:1])
    stranger.engine = PoolEngine(stranger.fleet, backend="cpu-float32")
    with pytest.raises(RenderError, match="cuda-float16 instead of cpu-float32"):
        stranger.engine.start()


def test_a_model_that_no_worker_can_load_is_the_models_fault(
    prepared: PreparedSong, crews: list[Crew]
) -> None:
    team = crew(crews, worker_engines.modelless)
    team.engine.start()
    with pytest.raises(ModelError, match="weights are damaged"):
        team.engine.load(prepared.model)


def test_a_worker_that_cannot_work_at_all_is_not_started_for_ever(
    prepared: PreparedSong, crews: list[Crew]
) -> None:
    team = crew(crews, worker_engines.broken, PLACES[:1])
    team.engine.start()
    with pytest.raises(RenderError, match="ZeroDivisionError: a mistake in the program"):
        team.engine.load(prepared.model)


def test_cancelled_workers_are_gone_within_seconds(prepared: PreparedSong, crews: list[Crew]) -> None:
    team = crew(crews, worker_engines.slow)
    team.engine.start()
    team.engine.load(prepared.model)
    pids = list(team.fleet.processes.values())

    def on_event(event: Step | Notice) -> None:
        team.engine.cancel()

    began = time.monotonic()
    with pytest.raises(Cancelled):
        for _ in team.engine.render(prepared.plan.jobs, on_event):
            pass
    team.engine.close()
    assert time.monotonic() - began < 10
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_ctrl_c_leaves_finished_clips_and_the_next_run_makes_the_rest(studio: Studio) -> None:
    stop = StopFlag()

    def observer(event: object) -> None:
        if getattr(event, "stage", "") == "clips" and getattr(event, "done", 0) >= 2:
            stop.raise_flag()

    from riffcomposer.api import render_song

    engines = ProcessEngines(2, worker_engines.quick)
    with pytest.raises(Cancelled):
        render_song(
            studio.song, store=studio.store, device="cpu", engines=engines, stop=stop, observer=observer
        )
    kept = {path.name for path in (studio.folder / "store" / "clip").rglob("*.npy")}
    assert len(kept) >= 2
    rest = FakeEngine()
    studio.render(rest)
    assert len(rest.rendered) == 8 - len(kept)


def test_seats_share_the_cores_and_keep_what_the_user_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("riffcomposer.spectrogram.threads.available_cores", lambda: 8)
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert [seat.threads for seat in seats(None, "cpu")] == [2, 2, 2, 2]
    assert seats(2, "cpu")[0].environment["OMP_NUM_THREADS"] == "4"
    assert len(seats(9, "cpu")) == 9
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert seats(2, "cpu")[0].environment == {}, "the worker inherits it"
    with pytest.raises(UsageError, match="1 to 256"):
        ProcessEngines(0)


def test_gpus_get_a_worker_each(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr("riffcomposer.render.engines.processes.device_backend", lambda device: "cuda-float16")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = seats(None, "cuda")
    assert [seat.environment["CUDA_VISIBLE_DEVICES"] for seat in found] == ["0", "1", "2"]
    assert {seat.device for seat in found} == {"cuda"}
    assert [seat.label for seat in seats(None, "cuda:1")] == ["GPU 1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert [seat.label for seat in seats(3, "auto")] == ["GPU 5", "GPU 7", "GPU 5"]
