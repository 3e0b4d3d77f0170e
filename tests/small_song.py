"""A small song and a small model folder, rendered with the fake engine in less than a second.

It asks for the fastest decoder and for so quiet a master that no limiter works: most tests that render it
ask what is made and what is not. `test_renderer.py` renders it with the song language's own defaults too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hollow_checkpoint import write_hollow_checkpoint

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.errors import Cancelled
from riffcomposer.render.engines.fake import FakeEngine, FakeEngines, fake_level
from riffcomposer.store.store import Store

__all__ = ["FakeEngine", "FakeEngines", "Studio", "fake_level", "make_studio", "write_model"]

SONG = """\
title: Small Song
tempo: 400
seed: 5
model: ./model
sections:
  - name: first
    prompt: steady drums
    clips: 3
    fade_in: 1 beat
  - name: second
    prompt: bright bells
    seed: 9
    clips: 2
    transition: {type: bridge, clips: 1}
  - name: third
    prompt: low hum
    clips: 2
    gain_db: -3
    transition: {type: crossfade, length: 1 beat}
master: {integrated_lufs: -30}
output: {formats: [flac], decoder: fast}
"""


def write_model(folder: Path) -> Path:
    """A folder that planning takes for a checkpoint; it cannot be loaded."""
    profile = ModelProfile(
        name="test",
        image_width=64,
        width_step=16,
        max_width=128,
        image_channels=1,
        num_inference_steps=4,
        memory_bytes=1 << 20,
    )
    return write_hollow_checkpoint(folder, profile)


@dataclass
class Studio:
    """A song with its store and outputs in a folder of their own."""

    folder: Path

    @property
    def song(self) -> Path:
        return self.folder / "song.yaml"

    @property
    def store(self) -> Store:
        return Store(self.folder / "store")

    def edit(self, old: str, new: str) -> None:
        text = self.song.read_text()
        assert old in text
        self.song.write_text(text.replace(old, new))

    def render(self, engine: FakeEngine | FakeEngines | None = None, **arguments: Any) -> Any:
        from riffcomposer.api import render_song

        engines = engine if isinstance(engine, FakeEngines) else FakeEngines(engine or FakeEngine())
        return render_song(
            self.song,
            out=self.folder / "out",
            store=arguments.pop("store", None) or self.store,
            engines=engines,
            **arguments,
        )

    def make_clips(self, engine: FakeEngine | FakeEngines | None = None, **arguments: Any) -> None:
        """Renders until the last clip is stored, for tests that ask nothing of passages and files."""
        from riffcomposer.render.stopping import StopFlag

        stop = StopFlag()

        told = arguments.pop("observer", lambda event: None)

        def observer(event: Any) -> None:
            told(event)
            if event.stage == "clips" and event.done == event.total:
                stop.raise_flag()

        try:
            self.render(engine, observer=observer, stop=stop, **arguments)
        except Cancelled:
            return
        raise AssertionError("the render went on after its last clip")

    def to_make(self) -> tuple[int, int, bool]:
        """What a render would make, as it finds out itself: clips, passages, and whether a master."""
        from riffcomposer.render.clip_stage import missing_clips
        from riffcomposer.render.passage_stage import missing_passages
        from riffcomposer.render.renderer import _keys
        from riffcomposer.render.session import Session
        from riffcomposer.render.settings import RenderSettings

        with Session(store=self.store, engines=FakeEngines()) as session:
            begun = session._begin(session.plan(self.song), RenderSettings(out=self.folder / "out"))
            job = begun.job
            clips = missing_clips(job.plan, session.store, False)
            passages = missing_passages(
                job.plan, _keys(job).passages, session.store, job.model.profile.spectrogram
            )
        return len(clips), len(passages), begun.result is None

    def outputs(self) -> dict[str, bytes]:
        """Content of the output files; temporaries of killed runs left out."""
        files = [
            path for path in sorted((self.folder / "out").glob("*")) if not path.name.startswith(".tmp-")
        ]
        return {path.name: path.read_bytes() for path in files}


def make_studio(folder: Path, song: str = SONG) -> Studio:
    write_model(folder / "model")
    (folder / "song.yaml").write_text(song)
    return Studio(folder)
