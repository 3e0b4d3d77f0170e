"""A render is heard while it is made, and what is made beside it is what the render uses."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_song import FakeEngine, FakeEngines, Studio, make_studio

from riffcomposer.render.engines.interface import ignore_events
from riffcomposer.render.session import Session
from riffcomposer.render.settings import RenderSettings
from riffcomposer.render.stopping import StopFlag
from riffcomposer.studio.live_sound import LiveSound


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return make_studio(tmp_path)


def render(
    studio: Studio, engine: Any, stop: StopFlag | None = None
) -> tuple[LiveSound, list[int], Any, list[Any]]:
    """Renders with live sound; returns it, how it grew, the track, and the render's events."""
    stop = stop or StopFlag()
    grown: list[int] = []
    events: list[Any] = []
    settings = RenderSettings()
    with Session(store=studio.store, device="cpu", stop=stop, engines=FakeEngines(engine)) as session:
        prepared = session.plan(studio.song, settings)
        live = LiveSound(prepared, *session.decoding(prepared, settings), studio.store, stop, grown.append)

        def observe(event: Any) -> None:
            events.append(event)
            live.observe(event)

        session.observer = observe
        try:
            live.begin()
            track = session.render(prepared, settings)
        finally:
            live.close()
    return live, grown, track, events


@dataclass(frozen=True)
class Rendered:
    """The small song, rendered with live sound; tests only read it."""

    studio: Studio
    live: LiveSound
    track: Any


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    studio = make_studio(tmp_path_factory.mktemp("rendered"))
    live, _, track, _ = render(studio, FakeEngine())
    return Rendered(studio, live, track)


def test_the_first_passage_is_decoded_before_the_last_clip_is_rendered(studio: Studio) -> None:
    heard = threading.Event()

    class Waiting(FakeEngine):
        def render(self, jobs: Any, on_event: Any = ignore_events) -> Any:
            for number, result in enumerate(super().render(jobs, on_event)):
                if number + 1 == len(jobs):
                    assert heard.wait(30), "no sound before the last clip"
                yield result

    grown: list[int] = []
    stop, settings = StopFlag(), RenderSettings()
    with Session(store=studio.store, device="cpu", engines=FakeEngines(Waiting())) as session:
        prepared = session.plan(studio.song, settings)

        def grow(ready: int) -> None:
            grown.append(ready)
            heard.set()

        live = LiveSound(prepared, *session.decoding(prepared, settings), studio.store, stop, grow)
        session.observer = live.observe
        live.begin()
        track = session.render(prepared, settings)
        live.close()
    assert grown == sorted(grown)
    assert live.ready == prepared.plan.total_samples
    assert track.result.rendered


def test_the_files_are_the_same_as_without_it(rendered: Rendered, studio: Studio) -> None:
    plain = studio.render(FakeEngine())
    assert rendered.track.files[0].read_bytes() == plain.files[0].read_bytes()


def test_it_is_the_mix_without_effects_times_one_gain(rendered: Rendered, tmp_path: Path) -> None:
    from riffcomposer.mix.mixdown import mixdown
    from riffcomposer.render.track_stage import mix_passages

    studio, live, track = rendered.studio, rendered.live, rendered.track
    with Session(store=studio.store, device="cpu") as session:
        prepared = session.plan(studio.song)
    plan, song = prepared.plan, prepared.song.resolved
    passages = mix_passages(plan, song, track.result.passage_keys, studio.store)
    mix, _ = mixdown(
        passages,
        total_samples=plan.total_samples,
        sample_rate=plan.grid.sample_rate,
        stereo_width=0.0,
        loop=False,
        path=tmp_path / "mix",
    )
    # The first and last milliseconds are under the mix's own fades.
    inside = slice(2_000, plan.total_samples - 2_000)
    dry, wet = live.read(0, plan.total_samples)[:, inside], mix.read(0, plan.total_samples)[:, inside]
    gain = float(np.vdot(dry, wet) / np.vdot(wet, wet))
    np.testing.assert_allclose(dry, gain * wet, atol=1e-4)


def test_pieces_add_up_to_the_whole(rendered: Rendered) -> None:
    live = rendered.live
    whole = live.read(0, live.ready)
    parts = [live.read(at, min(at + 10_007, live.ready)) for at in range(0, live.ready, 10_007)]
    np.testing.assert_array_equal(whole, np.concatenate(parts, axis=1))


def test_a_clip_that_fails_ends_the_sound_and_not_the_program(studio: Studio) -> None:
    from riffcomposer.errors import RenderError

    with Session(store=studio.store, device="cpu") as session:
        keys = list(session.plan(studio.song).plan.jobs)
    with pytest.raises(RenderError, match="failed twice"):
        render(studio, FakeEngine(failures={keys[1]: 2}))


def test_clips_that_are_there_are_heard_before_the_render_goes_on(studio: Studio) -> None:
    render(studio, FakeEngine())
    for path in (studio.store.root / "passage").rglob("*"):
        if path.is_file():
            path.unlink()
    live, grown, track, _ = render(studio, FakeEngine())
    assert not track.result.rendered
    assert grown
    assert live.ready == grown[-1]
    assert all(studio.store.has("clip", key) for key in track.result.cached)
