"""A small song, a small model folder and an engine that needs no network: renders in a second."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hollow_checkpoint import write_hollow_checkpoint

from riffcomposer.checkpoints.profile import LocatedModel, ModelProfile
from riffcomposer.errors import Cancelled
from riffcomposer.plan.types import ClipJob
from riffcomposer.store.store import Store

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


@dataclass
class Event:
    kind: str
    key: str
    step: int = 0
    of: int = 0


@dataclass
class Failure:
    message: str


@dataclass
class FakeEngine:
    """Makes levels out of a job's key: chords that decay, alike for equal jobs.

    Attributes:
        rendered: Keys in the order in which they were made.
        failures: How often each key still fails.
        closed: How often it was closed.
    """

    backend: str = "cpu-float32"
    rendered: list[str] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    closed: int = 0

    def render(
        self,
        jobs: Mapping[str, ClipJob],
        *,
        on_event: Callable[[Any], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[str, Any]]:
        for key, job in jobs.items():
            if cancelled():
                raise Cancelled
            if on_event is not None:
                on_event(Event("step", key, 1, 2))
            if self.failures.get(key, 0):
                self.failures[key] -= 1
                yield key, Failure("out of luck")
                continue
            self.rendered.append(key)
            yield key, fake_level(key, job.width_frames)

    def close(self) -> None:
        self.closed += 1


@dataclass
class FakeEngines:
    """Hands out one engine.

    Attributes:
        asked, loaded: How often its class of device was asked for, and the engine itself.
    """

    engine: FakeEngine
    asked: int = 0
    loaded: int = 0

    def backend(self, device: str) -> str:
        self.asked += 1
        return self.engine.backend

    def load(self, model: LocatedModel, device: str) -> FakeEngine:
        self.loaded += 1
        return self.engine


def fake_level(key: str, width: int) -> np.ndarray:
    """A level image `[1, 512, width]`: eight partials that are struck twice."""
    rng = np.random.default_rng(int(hashlib.sha256(key.encode()).hexdigest()[:8], 16))
    level = np.full((1, 512, width), 0.05, np.float32)
    frames = np.arange(width)
    for band in rng.integers(20, 400, 8):
        envelope = 0.8 * np.exp(-(frames % (width // 2)) / 20)
        level[0, band - 1 : band + 2] = np.maximum(level[0, band - 1 : band + 2], envelope)
    return level


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
