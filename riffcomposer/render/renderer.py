"""Runs a plan: clips, passages, track, report; whatever the store has is not made again.

The stages and their keys are in `docs/explanation/how-it-works.md`. If a render is stopped at any
moment, the same command continues from what the store has and ends in the same bytes.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.files import file_sha256, write_text
from riffcomposer.render.clip_stage import missing_clips, render_missing
from riffcomposer.render.engines.interface import Notice, Step
from riffcomposer.render.engines.lease import EngineLease
from riffcomposer.render.events import Observer, StageClock, ignore
from riffcomposer.render.output_names import TrackFiles
from riffcomposer.render.passage_stage import (
    decode_by_workers,
    decode_passages,
    missing_passages,
    passage_keys,
)
from riffcomposer.render.passage_work import DecodeSettings
from riffcomposer.render.prepare import PreparedSong
from riffcomposer.render.recipe import make_recipe
from riffcomposer.render.render_job import RenderJob
from riffcomposer.render.stopping import StopFlag
from riffcomposer.render.track_keys import track_key
from riffcomposer.render.track_stage import TrackWork, finish_track
from riffcomposer.store.store import Store
from riffcomposer.versions import DECODER_VERSION

PHASE_SEED = 0


@dataclass(frozen=True)
class RenderResult:
    """The result of a render.

    Attributes:
        outputs: The finished files, one for each format.
        others: Labels, report, timeline, stems.
        report: Content of `report.json`.
        rendered, cached: Keys of clips.
        decoded: Number of passages that were decoded, and of all passages.
        mastered: Whether the track was mixed, mastered and written.
        seconds: Length of the track.
        passage_keys, track_key: Keys of the results in the store.
        stage_seconds: Duration of each stage, and `total`.
    """

    outputs: tuple[Path, ...]
    others: tuple[Path, ...]
    report: dict[str, Any]
    rendered: tuple[str, ...]
    cached: tuple[str, ...]
    decoded: tuple[int, int]
    mastered: bool
    seconds: float
    passage_keys: tuple[str, ...] = ()
    track_key: str = ""
    stage_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def realtime_factor(self) -> float:
        """Seconds of track per second of work."""
        return self.seconds / max(1e-9, self.stage_seconds.get("total", 0.0))


class Stopwatch:
    """Durations by stage: `lap` adds the time since the last lap to a stage."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self.seconds: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self.seconds["total"] = now - self._began
        self._last = now


@dataclass(frozen=True)
class BegunSong:
    """A song whose render has begun.

    Attributes:
        prepared: The song, planned for the device that there is.
        job: Its render.
        watch: The stopwatch that was started at its beginning.
        result: The result, if there is nothing to do.
    """

    prepared: PreparedSong
    job: RenderJob
    watch: Stopwatch
    result: RenderResult | None


@dataclass(frozen=True)
class _Keys:
    """The keys of a render's results."""

    decode: DecodeSettings
    passages: tuple[str, ...]
    recipe: dict[str, Any]
    track: str


def decode_settings(job: RenderJob) -> DecodeSettings:
    """Returns how the passages of a render are decoded."""
    return DecodeSettings(
        preset="fast" if job.draft else job.song.output.decoder,
        version=DECODER_VERSION,
        phase_seed=PHASE_SEED,
        device=job.decode_device,
    )


def _keys(job: RenderJob) -> _Keys:
    decode = decode_settings(job)
    passages = passage_keys(job.plan, decode)
    recipe = make_recipe(job.plan, job.song_content, job.model, draft=job.draft)
    return _Keys(decode, passages, recipe, track_key(job, passages, recipe))


def finished(job: RenderJob, store: Store, watch: Stopwatch) -> RenderResult | None:
    """Returns the result of a render that has nothing to do: this track's files exist and are unchanged.

    Returns:
        None if anything is to be made, or if the job is to be forced.
    """
    if job.force:
        return None
    keys = _keys(job)
    known = _known_files(store, keys.track, job.files)
    watch.lap("look")
    if known is None:
        return None
    return RenderResult(
        **known,
        rendered=(),
        cached=tuple(job.plan.jobs),
        decoded=(0, len(keys.passages)),
        mastered=False,
        seconds=job.plan.total_samples / job.plan.grid.sample_rate,
        passage_keys=keys.passages,
        track_key=keys.track,
        stage_seconds=watch.seconds,
    )


def run(
    job: RenderJob,
    store: Store,
    *,
    lease: EngineLease,
    watch: Stopwatch,
    observer: Observer = ignore,
    stop: StopFlag | None = None,
) -> RenderResult:
    """Renders a track, whether or not its files are there already; ask `finished` first.

    Args:
        job: The render.
        store: The store for clips and passages.
        lease: Lends the engine; it is started only if there is work for it.
        watch: The stopwatch that the caller started.
        observer: Called with each event of progress.
        stop: Checked between steps.

    Raises:
        Cancelled: The flag was raised; finished work is kept.
        RenderError: Clips failed twice, or a passage has a wrong length or values that are not finite.
        StoreError: The store or the output folder cannot be written.
        ModelError: The checkpoint cannot be loaded.
    """
    stop = stop or StopFlag()
    missing = missing_clips(job.plan, store, job.force)
    watch.lap("plan")
    rendered: tuple[str, ...] = ()
    if missing:
        try:
            load_model(job.model, lease, observer)
            watch.lap("load")
            rendered = render_missing(job.plan, store, missing, lease.engine, observer, stop).rendered
        finally:
            lease.free_for_decoding()
        watch.lap("clips")
    decoded = decode(job, store, lease, observer, stop)
    watch.lap("decode")
    return finish(job, store, rendered, decoded, watch=watch, observer=observer, stop=stop)


def load_model(model: LocatedModel, lease: EngineLease, observer: Observer) -> None:
    """Starts the engine, if it does not run, and has it load a checkpoint.

    Raises:
        ModelError: The checkpoint cannot be loaded.
        UsageError: The device or the cluster is not there.
    """
    clock = StageClock(observer, "load", 0, "files")

    def tell(event: Step | Notice) -> None:
        if isinstance(event, Notice):
            clock.tell(0, notice=event.message)

    lease.started()
    lease.engine.load(model, tell)
    clock.tell(0, f"in {clock.elapsed_s:.1f} s")


def decode(
    job: RenderJob,
    store: Store,
    lease: EngineLease | None,
    observer: Observer = ignore,
    stop: StopFlag | None = None,
) -> int:
    """Decodes the passages of a track that the store lacks, by the engine's workers if it has some.

    Args:
        job: The render.
        store: The store, which has all clips.
        lease: Lends the engine; None to decode in this process in any case.
        observer: Called with each event of progress.
        stop: Checked between blocks.

    Returns:
        How many passages were decoded.

    Raises:
        Cancelled, RenderError, StoreError: As in `run`.
    """
    stop, keys = stop or StopFlag(), _keys(job)
    undecoded = missing_passages(job.plan, keys.passages, store, job.model.profile.spectrogram, job.force)
    engine = lease.decoder() if undecoded and lease is not None else None
    if engine is not None:
        decode_by_workers(undecoded, keys.decode, store, engine, observer, stop)
    else:
        decode_passages(undecoded, keys.decode, store, observer, stop)
    return len(undecoded)


def finish(
    job: RenderJob,
    store: Store,
    rendered: tuple[str, ...],
    decoded: int,
    *,
    watch: Stopwatch,
    observer: Observer = ignore,
    stop: StopFlag | None = None,
) -> RenderResult:
    """Makes a track whose passages the store has: mixes, masters, writes, reports.

    Args:
        job: The render.
        store: The store, which has all clips and passages.
        rendered: Keys of the clips that were rendered for it, for the result.
        decoded: How many passages were decoded for it, for the result.
        watch: The stopwatch that the caller started.
        observer: Called with each event of progress.
        stop: Checked between steps.

    Raises:
        Cancelled, RenderError, StoreError: As in `run`.
    """
    stop = stop or StopFlag()
    plan = job.plan
    keys = _keys(job)
    parameters = job.model.profile.spectrogram
    cached = tuple(name for name in plan.jobs if name not in set(rendered))
    from riffcomposer.mix.tags import Tags
    from riffcomposer.mix.timeline_image import import_matplotlib
    from riffcomposer.render.quality import measure_passages, write_quality_report
    from riffcomposer.render.report_page import report_page

    tags = Tags(title=plan.title, comment="made with riffcomposer", recipe=keys.recipe)
    needless = StopFlag()
    cache_folder = store.root / "matplotlib"
    with ThreadPoolExecutor(1, "joins") as beside:
        # Mixing, mastering and the slowest encoder keep one core busy; the other one measures the joins
        # and imports the picture's library meanwhile.
        measured = beside.submit(measure_passages, plan, keys.passages, store, parameters, needless)
        ready = beside.submit(import_matplotlib, cache_folder)
        try:
            work = TrackWork(plan, job.song, keys.passages, store, job.files, tags)
            track = finish_track(work, observer, stop)
        except BaseException:
            needless.raise_flag()
            raise
        watch.lap("mix")
        passages = measured.result()
        ready.result()
    extra, report = write_quality_report(plan, passages, job.files, track, job.song.master, cache_folder)
    page = job.files.beside("report.html")
    write_text(page, report_page(report, plan.grid.sample_rate, job.song_text, extra[-1]))
    watch.lap("report")
    names = [
        *(output.path for output in track.outputs),
        job.files.beside("labels.txt"),
        *extra,
        page,
        *track.extra,
    ]
    _note(store, keys.track, names, len(track.outputs))
    outputs = len(track.outputs)
    return RenderResult(
        outputs=tuple(names[:outputs]),
        others=tuple(names[outputs:]),
        report=report,
        rendered=rendered,
        cached=cached,
        decoded=(decoded, len(keys.passages)),
        mastered=True,
        seconds=plan.total_samples / plan.grid.sample_rate,
        passage_keys=keys.passages,
        track_key=keys.track,
        stage_seconds=watch.seconds,
    )


def _note(store: Store, key: str, paths: list[Path], outputs: int) -> None:
    """Stores names, sizes and digests of a track's files, so that the next run can compare them."""
    entries = [[path.name, path.stat().st_size, file_sha256(path)] for path in paths]
    content = {"outputs": outputs, "files": entries}
    store.put("track", key, json.dumps(content, separators=(",", ":")).encode())


def _known_files(store: Store, key: str, files: TrackFiles) -> dict[str, Any] | None:
    """Returns the files of a finished track if all exist and are unchanged, else None."""
    payload = store.get("track", key)
    if payload is None:
        return None
    content = json.loads(payload)
    paths = []
    for name, size, sha256 in content["files"]:
        path = files.folder / name
        try:
            if path.stat().st_size != size or file_sha256(path) != sha256:
                return None
        except OSError:
            return None
        paths.append(path)
    report = json.loads(files.beside("report.json").read_text(encoding="utf-8"))
    outputs = content["outputs"]
    return {"outputs": tuple(paths[:outputs]), "others": tuple(paths[outputs:]), "report": report}
