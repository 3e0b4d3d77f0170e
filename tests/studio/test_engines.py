"""One model is kept for all renders, and one of them works at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from small_song import FakeEngine, FakeEngines, make_studio

from riffcomposer.errors import Cancelled
from riffcomposer.render.prepare import PreparedSong
from riffcomposer.render.session import Session
from riffcomposer.render.stopping import StopFlag
from riffcomposer.studio.engines import KeptEngines, level_of


@pytest.fixture
def prepared(tmp_path: Path) -> PreparedSong:
    studio = make_studio(tmp_path)
    return Session(store=studio.store, device="cpu").plan(studio.song)


def test_two_renders_use_one_engine_and_closing_a_view_leaves_it_open(prepared: PreparedSong) -> None:
    source = FakeEngines(FakeEngine())
    engines = KeptEngines(source)
    for _ in range(2):
        engine = engines.open("cpu")
        engine.load(prepared.model)
        assert len(list(engine.render(prepared.plan.jobs))) == len(prepared.plan.jobs)
        engine.close()
    assert source.opened == 1
    assert source.engine.closed == 0
    engines.close()
    assert source.engine.closed == 1


def test_a_cancelled_render_ends_and_the_next_one_goes_on(prepared: PreparedSong) -> None:
    engines = KeptEngines(FakeEngines(FakeEngine()))
    first, second = engines.open("cpu"), engines.open("cpu")
    for engine in (first, second):
        engine.load(prepared.model)
    results = first.render(prepared.plan.jobs)
    next(results)
    first.cancel()
    with pytest.raises(Cancelled):
        list(results)
    assert len(list(second.render(prepared.plan.jobs))) == len(prepared.plan.jobs)


def test_who_waits_for_another_render_is_cancelled_at_once(prepared: PreparedSong, tmp_path: Path) -> None:
    engines = KeptEngines(FakeEngines(FakeEngine()))
    busy = engines.open("cpu")
    busy.load(prepared.model)
    results = busy.render(prepared.plan.jobs)
    next(results)
    stop, ended = StopFlag(), threading.Event()
    key, job = next(iter(prepared.plan.jobs.items()))
    store = Session(store=tmp_path / "other").store

    def wait() -> None:
        with pytest.raises(Cancelled):
            level_of(key, job, prepared.model, engines.open("cpu"), store, stop)
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not ended.wait(0.3)
    stop.raise_flag()
    assert ended.wait(5)
    thread.join()
    list(results)
