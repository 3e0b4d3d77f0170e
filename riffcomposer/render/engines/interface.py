"""What every engine does, and what it says while it works.

    engine = engines.open("auto")
    info = engine.start()                      # its class of device and its versions
    engine.load(model)
    for result in engine.render(jobs, on_event):
        ...                                    # Done with a level, or Failed with a message
    engine.close()

An engine belongs to one thread; only `cancel` may be called from any thread or a signal handler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from riffcomposer import __version__
from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.passage_work import DecodeSettings, PassageWork
from riffcomposer.store.store import Store
from riffcomposer.versions import (
    AUDIO_READER_VERSION,
    DECODER_VERSION,
    LORA_VERSION,
    MIDI_VERSION,
    SAMPLER_VERSION,
    SYNTH_VERSION,
)

Level = NDArray[np.floating]
"""A level image: `[channels, n_mels, width]`, float16 or float32, 0..1."""


@dataclass(frozen=True)
class Versions:
    """The versions of all code that decides a clip or a passage."""

    riffcomposer: str = __version__
    sampler: int = SAMPLER_VERSION
    decoder: int = DECODER_VERSION
    audio_reader: int = AUDIO_READER_VERSION
    lora: int = LORA_VERSION
    midi: int = MIDI_VERSION
    synth: int = SYNTH_VERSION

    def difference(self, theirs: Versions) -> str:
        """Returns what differs, in words: `sampler 2 instead of 1`; empty if nothing does."""
        own, other = asdict(self), asdict(theirs)
        return ", ".join(
            f"{name} {other[name]} instead of {own[name]}" for name in own if own[name] != other[name]
        )


@dataclass(frozen=True)
class EngineInfo:
    """What an engine is.

    Attributes:
        backend: Class of device and number format, as it is in a clip's key.
        versions: Versions of its code.
        workers: How many workers have been started.
        in_driver: Whether it works in this very process, so that its memory must be freed before decoding.
    """

    backend: str
    versions: Versions
    workers: int = 1
    in_driver: bool = True


@dataclass(frozen=True)
class Step:
    """A clip has come one step further: `step` of `of`."""

    key: str
    step: int
    of: int


@dataclass(frozen=True)
class Notice:
    """Something that a person should know: a worker was lost, refused, or has joined."""

    message: str


@dataclass(frozen=True)
class Done:
    """A clip is rendered."""

    key: str
    level: Level


@dataclass(frozen=True)
class Failed:
    """A clip could not be rendered.

    Attributes:
        message: Why.
        final: Whether trying again is pointless: it has been tried often enough.
    """

    key: str
    message: str
    final: bool = False


@dataclass(frozen=True)
class SoundBlock:
    """The next stretch of a passage that is being decoded: float32 `[channels, samples]`."""

    key: str
    sound: NDArray[np.float32]


@dataclass(frozen=True)
class Restarted:
    """A passage is decoded from its beginning again, since its worker was lost."""

    key: str


@dataclass(frozen=True)
class Decoded:
    """A passage's last block has been sent."""

    key: str


EventObserver = Callable[[Step | Notice], None]


def ignore_events(event: Step | Notice) -> None:
    """Does nothing: the observer that is used if none is given."""
    del event


class ClipEngine(Protocol):
    """Renders clips, wherever that is."""

    def start(self) -> EngineInfo:
        """Makes the engine ready; loads no model.

        Raises:
            UsageError: The device or the cluster is not there.
        """
        ...

    def load(self, model: LocatedModel, on_event: EventObserver = ...) -> None:
        """Loads a checkpoint, in place of the one before.

        Raises:
            ModelError: The checkpoint is missing, damaged or does not fit.
            Cancelled: The engine was cancelled.
        """
        ...

    def render(self, jobs: Mapping[str, ClipJob], on_event: EventObserver = ...) -> Iterator[Done | Failed]:
        """Renders jobs with the loaded checkpoint, in any order, and yields each result when it is there.

        Args:
            jobs: Jobs by key.
            on_event: Called on the caller's thread while the iterator is advanced; what it raises ends the
                render.

        Raises:
            Cancelled: The engine was cancelled; results yielded before are complete.
            RenderError: Nobody is left to render.
        """
        ...

    def release(self) -> None:
        """Frees the checkpoint's memory; `load` may follow."""
        ...

    def cancel(self) -> None:
        """Ends the render that runs, and every later one, at its next step. Never blocks."""
        ...

    def close(self) -> None:
        """Frees everything; the engine can do nothing after that. Never raises."""
        ...


@runtime_checkable
class DecodingEngine(ClipEngine, Protocol):
    """An engine whose workers decode passages too."""

    def decode(
        self,
        passages: Mapping[str, PassageWork],
        settings: DecodeSettings,
        store: Store,
        on_event: EventObserver = ...,
    ) -> Iterator[SoundBlock | Restarted | Decoded | Failed]:
        """Decodes passages, several at once, and yields their sound block by block.

        Args:
            passages: Passages by key.
            settings: How they are decoded.
            store: Has their clips; nothing is written to it here.
            on_event: As for `render`.

        Raises:
            Cancelled: The engine was cancelled.
            RenderError: Nobody is left to decode, or a clip vanished from the store.
        """
        ...


@runtime_checkable
class ScoringEngine(ClipEngine, Protocol):
    """An engine that judges clips with its loaded checkpoint."""

    def nearness(self, job: ClipJob, level: Level) -> float:
        """Returns how near a rendered clip is to its prompt; see `riffcomposer.diffusion.nearness`.

        Raises:
            RenderError: No checkpoint is loaded.
        """
        ...


class WorkerEngine(ClipEngine, Protocol):
    """An engine that can work in a worker."""

    def frames_per_batch(self) -> int:
        """Returns how many frames of clips the loaded checkpoint renders at once; 0 for one clip."""
        ...


class EngineSource(Protocol):
    """Opens engines: the choice between `inproc`, `processes` and `ray`.

    Attributes:
        has_workers: Whether its engines work outside this process, and so decode passages too.
    """

    has_workers: bool

    def backend(self, device: str) -> str:
        """Returns the class of device and number format of an engine on `device`; loads no model.

        Raises:
            UsageError: The device is not there.
        """
        ...

    def open(self, device: str) -> ClipEngine:
        """Returns an engine on `device` that is not started yet."""
        ...
