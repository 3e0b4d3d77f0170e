"""What a render asks of any engine: a checkpoint, clips of the right form, and an end when it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from small_song import FakeEngine, FakeEngines, Studio, fake_level

from riffcomposer.errors import Cancelled, RenderError
from riffcomposer.render.engines.interface import Done, Failed, Notice, Versions, ignore_events
from riffcomposer.render.engines.lease import EngineLease
from riffcomposer.render.events import RenderEvent
from riffcomposer.render.stopping import StopFlag


def spoilt(level: np.ndarray, how: str) -> np.ndarray:
    if how == "shape":
        return level[:, :, 1:]
    if how == "type":
        return level.astype(np.float64)
    changed = level.copy()
    changed[0, 3, 5] = {"infinite": np.nan, "range": 1.5}[how]
    return changed


@dataclass
class Spoiling(FakeEngine):
    """Returns something that is no clip."""

    how: str = ""

    def render(self, *arguments: Any) -> Iterator[Done | Failed]:
        for result in super().render(*arguments):
            assert isinstance(result, Done)
            yield Done(result.key, spoilt(result.level, self.how))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("shape", "its shape is"),
        ("type", "float64"),
        ("infinite", "not finite"),
        ("range", "not within 0 to 1"),
    ],
)
def test_what_is_no_clip_is_never_stored(studio: Studio, how: str, words: str) -> None:
    with pytest.raises(RenderError, match=words):
        studio.render(Spoiling(how=how))
    assert not list((studio.folder / "store").rglob("*.npy"))


def test_a_clip_that_fails_for_good_is_not_tried_again(studio: Studio) -> None:
    tried: list[str] = []

    class Hopeless(FakeEngine):
        def render(self, jobs: Any, *arguments: Any) -> Iterator[Done | Failed]:
            tried.extend(jobs)
            for key in jobs:
                yield Failed(key, "it kills its worker", final=True)

    with pytest.raises(RenderError, match=r"8 of 8 clips failed, .*kills its worker"):
        studio.render(Hopeless())
    assert len(tried) == 8


def test_a_checkpoint_is_loaded_once_for_a_song(studio: Studio) -> None:
    engine = FakeEngine()
    studio.make_clips(engine)
    assert len(engine.loads) == 1


def test_a_notice_reaches_the_observer(studio: Studio) -> None:
    class Talking(FakeEngine):
        def render(self, jobs: Any, on_event: Any = ignore_events) -> Iterator[Done | Failed]:
            on_event(Notice("worker 2 is gone"))
            yield from super().render(jobs, on_event)

    seen: list[str] = []
    stop = StopFlag()

    def observer(event: RenderEvent) -> None:
        seen.append(event.notice)
        if event.done == event.total > 0:
            stop.raise_flag()

    with pytest.raises(Cancelled):
        studio.render(Talking(), observer=observer, stop=stop)
    assert seen.count("worker 2 is gone") == 1


def test_the_stop_flag_cancels_an_engine_that_sends_no_events(studio: Studio) -> None:
    stop = StopFlag()

    class Silent(FakeEngine):
        def render(self, jobs: Any, on_event: Any = ignore_events) -> Iterator[Done | Failed]:
            stop.raise_flag(143)
            return super().render(jobs)

    with pytest.raises(Cancelled) as stopped:
        studio.render(Silent(), stop=stop)
    assert stopped.value.exit_code == 143


def test_a_lease_opens_late_and_closes_once() -> None:
    engines = FakeEngines()
    with EngineLease(engines, "cpu", StopFlag()) as lease:
        assert engines.opened == 0
        assert lease.started().backend == "cpu-float32"
        lease.free_for_decoding()
        assert engines.engine.closed == 1
        lease.started()
    assert (engines.opened, engines.engine.closed) == (2, 2)


def test_versions_say_what_differs() -> None:
    own = Versions()
    assert own.difference(own) == ""
    other = Versions(riffcomposer="9.9", sampler=own.sampler + 1)
    assert own.difference(other) == (
        f"riffcomposer 9.9 instead of {own.riffcomposer}, sampler {own.sampler + 1} instead of {own.sampler}"
    )


def test_fake_levels_depend_on_the_key_alone() -> None:
    assert np.array_equal(fake_level("a", 64), fake_level("a", 64))
    assert not np.array_equal(fake_level("a", 64), fake_level("b", 64))
