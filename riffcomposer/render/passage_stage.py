"""The second stage: each passage that the store lacks is decoded from its clips' mels into sound.

A passage's audio is stored as float32 `[channels, samples]` in numpy's own format, so that the
mix can map it into memory instead of reading an hour of sound. Passages are decoded in threads of this
process, or by an engine's workers; either way they are written block by block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from riffcomposer.errors import Cancelled, RenderError
from riffcomposer.plan.keys import passage_key
from riffcomposer.plan.types import Passage, Plan
from riffcomposer.render.clip_stage import load_level
from riffcomposer.render.engines.interface import Decoded, DecodingEngine, Failed, Notice, SoundBlock, Step
from riffcomposer.render.events import Observer, StageClock
from riffcomposer.render.passage_work import DecodeSettings, PassageWork, decoder_for
from riffcomposer.render.stopping import StopFlag
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.store.store import Store

if TYPE_CHECKING:
    from riffcomposer.mix.mel_timeline import MelTimeline
    from riffcomposer.spectrogram.decoder import Decoder


def passage_keys(plan: Plan, settings: DecodeSettings) -> tuple[str, ...]:
    """Returns the key of every passage's audio, in order."""
    return tuple(
        passage_key(
            plan,
            passage,
            decoder=settings.preset,
            decoder_version=settings.version,
            phase_seed=settings.phase_seed,
            extra=(settings.device.partition(":")[0],),
        )
        for passage in plan.passages
    )


def passage_timeline(
    plan: Plan, passage: Passage, store: Store, parameters: SpectrogramParameters
) -> MelTimeline:
    """Returns the passage's clips laid on the grid; levels are read from the store when they are needed."""
    work = PassageWork.of(plan, passage, parameters)
    return work.timeline(lambda key: load_level(store, key))


def missing_passages(
    plan: Plan, keys: tuple[str, ...], store: Store, parameters: SpectrogramParameters, force: bool = False
) -> dict[str, PassageWork]:
    """Returns what is to be done for each passage that the store does not have, by key, in order."""
    return {
        key: PassageWork.of(plan, passage, parameters)
        for key, passage in zip(keys, plan.passages, strict=True)
        if force or store.path("passage", key) is None
    }


class PassageFile:
    """A passage on its way into the store: written block by block, and stored when it is whole.

    Args:
        store: Where it goes.
        key: Its key.
        work: The passage.
    """

    def __init__(self, store: Store, key: str, work: PassageWork) -> None:
        self._store, self._key, self._work = store, key, work
        self._stack = ExitStack()
        self._file: BinaryIO | None = None
        self._channels = self._start = 0
        self._filled = 0

    def write(self, block: np.ndarray) -> None:
        """Writes the next block, `[channels, samples]`.

        Raises:
            RenderError: It has values that are not finite, or other channels than the first block.
            StoreError: It cannot be written.
        """
        name, samples = self._work.name, self._work.samples
        if not np.isfinite(block).all():
            raise RenderError(f"section {name}: the decoder returned numbers that are not finite")
        try:
            file = self._file or self._opened(block.shape[0])
            if block.shape[0] != self._channels or self._filled + block.shape[1] > samples:
                raise RenderError(
                    f"section {name}: the decoder returned {list(block.shape)} samples after {self._filled} "
                    f"of {[self._channels, samples]}"
                )
            # The file is written, not mapped: pages of a map count as memory of the process.
            for channel, row in enumerate(block.astype("<f4", copy=False)):
                file.seek(self._start + 4 * (channel * samples + self._filled))
                file.write(row.tobytes())
        except OSError as error:
            # The store knows what it means, and removes what was written.
            stack, self._stack, self._file = self._stack, ExitStack(), None
            stack.__exit__(OSError, error, error.__traceback__)
            raise
        self._filled += block.shape[1]

    def finish(self) -> None:
        """Stores the passage.

        Raises:
            RenderError: It is too short.
            StoreError: It cannot be stored.
        """
        if self._filled != self._work.samples:
            raise RenderError(
                f"section {self._work.name}: decoded {self._filled} samples instead of {self._work.samples}"
            )
        self._stack.close()

    def abandon(self) -> None:
        """Removes what was written; the next block begins anew. Does nothing once the passage is stored."""
        stack, self._stack, self._file, self._filled = self._stack, ExitStack(), None, 0
        reason = RenderError("abandoned")
        try:
            stack.__exit__(RenderError, reason, None)
        except RenderError as error:
            if error is not reason:
                raise

    def _opened(self, channels: int) -> BinaryIO:
        samples = self._work.samples
        path = self._stack.enter_context(
            self._store.put_file("passage", self._key, needed_bytes=4 * channels * samples)
        )
        self._file = self._stack.enter_context(path.open("wb"))
        header = {"descr": "<f4", "fortran_order": False, "shape": (channels, samples)}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._channels, self._start = channels, self._file.tell()
        return self._file


def decode_passages(
    missing: Mapping[str, PassageWork],
    settings: DecodeSettings,
    store: Store,
    observer: Observer,
    stop: StopFlag,
) -> None:
    """Decodes passages in threads of this process.

    The first passage that fails ends the stage: no other one is started, and those that run stop at their
    next block.

    Args:
        missing: Passages by key.
        settings: How they are decoded.
        store: Has their clips, and takes their sound.
        observer: Called with each event of progress.
        stop: Checked between blocks.

    Raises:
        Cancelled: The flag was raised; finished passages are stored.
        RenderError: A passage came out with the wrong length or with numbers that are not finite.
        StoreError: A passage could not be stored.
    """
    from riffcomposer.spectrogram.threads import available_cores

    if not missing:
        return
    progress = _Progress(missing, observer)
    # Passages share the cores; each decoder uses what is left per passage.
    cores = available_cores() if settings.device == "cpu" else 1
    workers = min(len(missing), cores)
    decoder = decoder_for(next(iter(missing.values())).parameters, settings, cores // workers)
    abandoned = threading.Event()
    # Workers report through here, since observers are called on the caller's thread only.
    reports: SimpleQueue[tuple[int, str] | Future[None]] = SimpleQueue()

    def decode(key: str, work: PassageWork) -> None:
        def report(block: np.ndarray) -> None:
            stop.check()
            if abandoned.is_set():
                raise Cancelled
            reports.put((block.shape[1], work.name))

        timeline = work.timeline(lambda clip: load_level(store, clip))
        decode_passage(decoder, timeline, PassageFile(store, key, work), report)

    # The longest is first, so that they end together.
    order = sorted(missing.items(), key=lambda entry: -entry[1].body_samples)
    with ThreadPoolExecutor(workers, "decode") as pool:
        try:
            for key, work in order:
                pool.submit(decode, key, work).add_done_callback(reports.put)
            waiting = len(order)
            while waiting:
                report = reports.get()
                if isinstance(report, Future):
                    report.result()
                    waiting -= 1
                else:
                    progress.add(*report)
        except BaseException:
            # The waiting passages are dropped; the running ones stop at their next block.
            abandoned.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def decode_passage(
    decoder: Decoder, timeline: MelTimeline, file: PassageFile, report: Callable[[np.ndarray], None]
) -> None:
    """Decodes one passage into the store.

    Args:
        decoder: The decoder.
        timeline: The passage's clips.
        file: Where it goes.
        report: Called with each block, float32 `[channels, samples]`, in order; what it raises ends the work.

    Raises:
        RenderError: The passage came out with the wrong length or with numbers that are not finite.
        StoreError: The passage could not be stored.
    """
    try:
        for block in decoder.decode_stream(
            lambda first, count: timeline.read(first, first + count),
            timeline.frames,
            timeline.samples,
            wraps=timeline.wraps,
        ):
            file.write(block)
            report(block)
        file.finish()
    finally:
        file.abandon()


def decode_by_workers(
    missing: Mapping[str, PassageWork],
    settings: DecodeSettings,
    store: Store,
    engine: DecodingEngine,
    observer: Observer,
    stop: StopFlag,
) -> None:
    """Decodes passages by an engine's workers; holds one block at a time. Arguments as `decode_passages`.

    Raises:
        Cancelled, RenderError, StoreError: As `decode_passages`.
    """
    if not missing:
        return
    progress = _Progress(missing, observer)
    files = {key: PassageFile(store, key, work) for key, work in missing.items()}
    written = dict.fromkeys(missing, 0)

    def on_event(event: Step | Notice) -> None:
        if isinstance(event, Notice):
            progress.add(0, "", event.message)

    try:
        for event in engine.decode(missing, settings, store, on_event):
            stop.check()
            key = event.key
            match event:
                case SoundBlock(sound=sound):
                    files[key].write(sound)
                    written[key] += sound.shape[1]
                    progress.add(sound.shape[1], missing[key].name)
                case Decoded():
                    files[key].finish()
                case Failed(message=message):
                    raise RenderError(f"section {missing[key].name}: {message}")
                case _:
                    files[key].abandon()
                    progress.add(-written[key], missing[key].name)
                    written[key] = 0
    except Cancelled:
        stop.check()
        raise
    finally:
        for file in files.values():
            file.abandon()


class _Progress:
    """Counts decoded samples and tells an observer."""

    def __init__(self, missing: Mapping[str, PassageWork], observer: Observer) -> None:
        self._rate = next(iter(missing.values())).parameters.sample_rate
        total = sum(work.samples for work in missing.values()) / self._rate
        self._clock = StageClock(observer, "decode", total, "seconds", 1.0)
        self._done = 0

    def add(self, samples: int, name: str, notice: str = "") -> None:
        self._done += samples
        self._clock.tell(self._done / self._rate, name, notice)
