"""A small song and a small model folder, rendered with the fake engine in a second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hollow_checkpoint import write_hollow_checkpoint

from riffcomposer.checkpoints.profile import ModelProfile
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
output: {formats: [flac]}
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
