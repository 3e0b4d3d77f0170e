"""The second stage: each passage that the store lacks is decoded from its clips' mels into sound.

A passage's audio is stored as float32 `[channels, samples]` in numpy's own format, so that the
mix can map it into memory instead of reading an hour of sound.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np

from riffcomposer.errors import Cancelled, RenderError
from riffcomposer.plan.keys import passage_key
from riffcomposer.plan.types import Passage, Plan
from riffcomposer.render.clip_stage import load_level
from riffcomposer.render.events import Observer, StageClock
from riffcomposer.render.stopping import StopFlag
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.store.store import Store

if TYPE_CHECKING:
    from riffcomposer.mix.mel_timeline import MelTimeline
    from riffcomposer.spectrogram.decoder import Decoder

PASSAGE_KIND = "passage"


@dataclass(frozen=True)
class DecodeSettings:
    """The settings that decide a passage's sound besides its clips.

    Attributes:
        preset: `fast`, `default` or `best`.
        version: Version of the decoding code.
        phase_seed: Seed of the phase.
        device: Device of the decoder; its class is in the key, since results differ between devices.
    """

    preset: str
    version: int
    phase_seed: int
    device: str = "cpu"


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
    plan: Plan,
    passage: Passage,
    store: Store,
    parameters: SpectrogramParameters,
    level: Callable[[str], np.ndarray] | None = None,
) -> MelTimeline:
    """Returns the passage's clips laid on the grid; levels are read when they are needed.

    Args:
        level: Returns the level image of a clip's key; by default it is read from the store.
    """
    from riffcomposer.mix.mel_timeline import MelClip, MelTimeline

    def loader(key: str) -> Callable[[], np.ndarray]:
        return lambda: load_level(store, key) if level is None else level(key)

    loaders = {clip.key: loader(clip.key) for clip in plan.clips[slice(*passage.clips)]}
    return MelTimeline(
        [
            MelClip(clip.start_sample, clip.slot_samples, loaders[clip.key], clip.key)
            for clip in plan.clips[slice(*passage.clips)]
        ],
        start_sample=passage.start_sample,
        body_samples=passage.body_samples,
        tail_samples=passage.tail_samples,
        params=parameters,
        join_samples=plan.grid.join_samples,
        wraps=passage.wraps,
    )


def decode_passages(
    plan: Plan,
    keys: tuple[str, ...],
    store: Store,
    parameters: SpectrogramParameters,
    settings: DecodeSettings,
    observer: Observer,
    stop: StopFlag,
    force: bool = False,
) -> tuple[str, ...]:
    """Decodes the passages that the store lacks and returns their keys.

    The first passage that fails ends the stage: no other one is started, and those that run stop at their
    next block.

    Raises:
        Cancelled: The flag was raised; finished passages are stored.
        RenderError: A passage came out with the wrong length or with numbers that are not finite.
        StoreError: A passage could not be stored.
    """
    from riffcomposer.spectrogram.threads import available_cores

    missing = [
        (key, passage)
        for key, passage in zip(keys, plan.passages, strict=True)
        if force or store.path(PASSAGE_KIND, key) is None
    ]
    if not missing:
        return ()
    rate = plan.grid.sample_rate
    total = sum(passage.body_samples + passage.tail_samples for _, passage in missing) / rate
    clock = StageClock(observer, "decode", total, "seconds", 1.0)
    # Passages share the cores; each decoder uses what is left per passage.
    cores = available_cores() if settings.device == "cpu" else 1
    workers = min(len(missing), cores)
    decoder = passage_decoder(parameters, settings, cores // workers)
    abandoned = threading.Event()
    # Workers report through here, since observers are called on the caller's thread only.
    reports: SimpleQueue[tuple[int, str] | Future[None]] = SimpleQueue()

    def decode(key: str, passage: Passage) -> None:
        name = passage_name(plan, passage)

        def report(block: np.ndarray) -> None:
            stop.check()
            if abandoned.is_set():
                raise Cancelled
            reports.put((block.shape[1], name))

        decode_passage(decoder, passage_timeline(plan, passage, store, parameters), store, key, name, report)

    # The longest is first, so that they end together.
    order = sorted(dict(missing).items(), key=lambda entry: -entry[1].body_samples)
    with ThreadPoolExecutor(workers, "decode") as pool:
        try:
            for key, passage in order:
                pool.submit(decode, key, passage).add_done_callback(reports.put)
            done, waiting = 0, len(order)
            while waiting:
                report = reports.get()
                if isinstance(report, Future):
                    report.result()
                    waiting -= 1
                else:
                    done += report[0]
                    clock.tell(done / rate, report[1])
        except BaseException:
            # The waiting passages are dropped; the running ones stop at their next block.
            abandoned.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(key for key, _ in missing)


def passage_name(plan: Plan, passage: Passage) -> str:
    """The passage's first section, and its layer, for messages."""
    return ", ".join(filter(None, [plan.sections[passage.sections[0]].name, passage.layer]))


def decode_passage(
    decoder: Decoder,
    timeline: MelTimeline,
    store: Store,
    key: str,
    name: str,
    report: Callable[[np.ndarray], None],
) -> None:
    """Decodes one passage into the store.

    Args:
        name: The passage in words, for messages.
        report: Called with each block, float32 `[channels, samples]`, in order; may raise to stop.

    Raises:
        RenderError: The passage came out with the wrong length or with numbers that are not finite.
        StoreError: The passage could not be stored.
    """
    channels, samples = timeline.channels, timeline.samples
    with (
        store.put_file(PASSAGE_KIND, key, needed_bytes=4 * channels * samples) as temporary,
        open(temporary, "wb") as file,
    ):
        header = {"descr": "<f4", "fortran_order": False, "shape": (channels, samples)}
        np.lib.format.write_array_header_1_0(file, header)
        start, filled = file.tell(), 0
        for block in decoder.decode_stream(
            lambda first, count: timeline.read(first, first + count),
            timeline.frames,
            samples,
            wraps=timeline.wraps,
        ):
            if not np.isfinite(block).all():
                raise RenderError(f"section {name}: the decoder returned numbers that are not finite")
            # The file is written, not mapped: pages of a map count as memory of the process.
            for channel, row in enumerate(block.astype("<f4", copy=False)):
                file.seek(start + 4 * (channel * samples + filled))
                file.write(row.tobytes())
            filled += block.shape[1]
            report(block)
        if filled != samples:
            raise RenderError(f"section {name}: decoded {filled} samples instead of {samples}")


@lru_cache(maxsize=2)
def passage_decoder(parameters: SpectrogramParameters, settings: DecodeSettings, threads: int) -> Decoder:
    """Returns a decoder, built once for several songs: it holds matrices and no state."""
    from riffcomposer.spectrogram.decoder import Decoder

    return Decoder(
        parameters, settings.preset, device=settings.device, seed=settings.phase_seed, threads=threads
    )
