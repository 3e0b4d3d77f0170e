"""riffcomposer as a library: what the command line does, in a few lines of Python.

from riffcomposer.api import load_song, plan, render

song = load_song("songs/night-bus-home.yaml")   # SongError with line and column if it is wrong
print(plan(song).assessment.budget)             # what it will cost; nothing is rendered
track = render(song, out="renders")             # what the store has is not made again
print(track.files, track.report["outputs"][0]["integrated_lufs"])
track                                           # in a notebook: plays
"""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.device import BACKENDS, guess_basis, named_device
from riffcomposer.errors import SongError, StoreError
from riffcomposer.files import is_read_only, sweep_stale
from riffcomposer.plan.budget import Limits
from riffcomposer.plan.types import Plan
from riffcomposer.render.clip_stage import ClipEngine, EngineSource
from riffcomposer.render.events import Observer, StageClock, ignore
from riffcomposer.render.output_names import TrackFiles, check_folder, check_owner, slug
from riffcomposer.render.renderer import RenderJob, RenderResult, Stopwatch, finished, run
from riffcomposer.render.settings import RenderSettings, section_alone
from riffcomposer.render.stopping import StopFlag
from riffcomposer.song.reader import LoadedSong, load_song
from riffcomposer.store.keeping import named_by_locks
from riffcomposer.store.lock import changes, lock_path, write_lock
from riffcomposer.store.prepared_song import PreparedSong, prepare_song
from riffcomposer.store.store import Store, default_root

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Track", "load_song", "plan", "render"]

_MIME = {"mp3": "audio/mpeg", "ogg": "audio/ogg", "flac": "audio/flac", "wav": "audio/wav"}

_LARGEST_IN_A_PAGE = 16_000_000
"""Bytes of a file that a notebook's page holds: seven minutes of MP3, two of FLAC."""


@dataclass(frozen=True)
class Track:
    """A finished track.

    Attributes:
        title: Of the song.
        files: The finished files, one for each format.
        report: Content of its `report.json`.
        result: What was rendered, what came from the store, and how long it took.
        warnings: What did not work out beside the track, a sentence each.
    """

    title: str
    files: tuple[Path, ...]
    report: dict[str, Any]
    result: RenderResult
    warnings: tuple[str, ...] = ()

    def audio(self) -> tuple[np.ndarray, int]:
        """The samples, float32 `[channels, samples]`, and their rate in Hz."""
        import soundfile

        samples, rate = soundfile.read(self.files[0], dtype="float32", always_2d=True)
        return samples.T, rate

    def _repr_html_(self) -> str:
        """A player, for notebooks: the smallest of the files is put into the page if it is not large."""
        path = min(self.files, key=lambda file: file.stat().st_size)
        if path.stat().st_size > _LARGEST_IN_A_PAGE:
            megabytes = path.stat().st_size / 1e6
            where = f"{escape(str(path))} ({megabytes:.0f} MB, too large for the page)"
            return f"<p>{escape(self.title)}: {where}</p>"
        content = base64.b64encode(path.read_bytes()).decode()
        kind = _MIME[path.suffix[1:]]
        return f'<p>{escape(self.title)}</p><audio controls src="data:{kind};base64,{content}"></audio>'


def plan(
    song: LoadedSong | Path | str,
    *,
    store: Store | None = None,
    device: str = "auto",
    draft: bool = False,
    limits: Limits | None = None,
    allowed_folders: tuple[Path, ...] = (),
) -> PreparedSong:
    """Plans a song: its grid, its clips, which of them the store has, and what the rest will cost.

    Loads no weights and writes nothing. Raises as `riffcomposer.store.prepared_song.prepare_song`.
    """
    store = store or Store(default_root())
    return prepare_song(
        song, store, device=device, draft=draft, limits=limits, allowed_folders=allowed_folders
    )


def prepare(
    song: LoadedSong | Path | str,
    settings: RenderSettings,
    store: Store,
    *,
    limits: Limits | None = None,
    allowed_folders: tuple[Path, ...] = (),
) -> PreparedSong:
    """Reads, checks and plans what `settings` ask for. Raises as `render` does."""
    loaded = song if isinstance(song, LoadedSong) else load_song(song)
    if settings.only is not None:
        loaded = section_alone(loaded, settings.only)
    return prepare_song(
        loaded,
        store,
        device=settings.device,
        draft=settings.draft,
        limits=limits,
        allowed_folders=allowed_folders,
    )


def render(
    song: LoadedSong | Path | str,
    out: Path | str | None = None,
    *,
    settings: RenderSettings | None = None,
    store: Store | None = None,
    limits: Limits | None = None,
    allowed_folders: tuple[Path, ...] = (),
    observer: Observer = ignore,
    stop: StopFlag | None = None,
    engines: EngineSource | None = None,
    prepared: PreparedSong | None = None,
) -> Track:
    """Renders a song into finished files; run again after an edit, only what changed is made again.

    Args:
        song: The song, or its file.
        out: Folder for the files; `renders/` beside the song if None.
        settings: Everything else a user may say.
        store: Where clips are kept; the user's own if None.
        limits: How much the plan may ask for.
        allowed_folders: Folders beside the song's own in which its files may lie.
        observer: Told of progress, on the calling thread.
        stop: Raise it from another thread or a signal handler to stop between steps.
        engines: Makes the engine; the diffusion engine if None.
        prepared: The song already prepared for the same settings and store; its own limits and
            allowed folders then hold.

    Returns:
        The track.

    Raises:
        SongError: The song has faults, asks for more than the limits, or under `locked` is not what the
            lock says.
        UsageError: Settings that do not go together, a section or a device that is not there, or files in
            the output folder that belong to another song.
        ModelError: The checkpoint is missing or damaged.
        RenderError: Clips failed twice; the others are kept.
        StoreError: The store or the output folder cannot be written. A song's folder that is read-only is
            no error if the files go elsewhere: the track then has a warning, and the song no lock.
        Cancelled: Stopped; finished clips are kept.
    """
    settings = settings or RenderSettings()
    store = store or Store(default_root())
    engines = engines or _DiffusionEngines()
    # torch makes this folder as soon as its compiler is imported; its default is in the system's folder
    # for temporary files.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(store.root / "torch"))
    prepared = prepared or prepare(song, settings, store, limits=limits, allowed_folders=allowed_folders)
    # What killed runs left half written goes first, also if there is nothing else to do. Beside the
    # song, the lock is the only thing that is ever written.
    store.sweep()
    job = _job(prepared, settings, out)
    sweep_stale(job.files.folder)
    sweep_stale(prepared.song.path.parent)
    watch = Stopwatch()
    result = finished(job, store, watch)
    if result is None or (settings.locked and changes(prepared.lock, prepared.plan)):
        # The plan rests on a guess of the device. Before any work, or any refusal, torch is asked.
        if settings.force or any(state.status != "cached" for state in prepared.assessment.states.values()):
            StageClock(observer, "load", 0, "files")
        backend = engines.backend(settings.device)
        watch.lap("load")
        if backend != prepared.backend:
            _remember_compute(store, settings.device, backend)
            prepared = prepared.planned_for(backend, store)
            job = _job(prepared, settings, out)
            result = finished(job, store, watch)
    if settings.locked and (different := changes(prepared.lock, prepared.plan)):
        raise SongError(
            f"{lock_path(prepared.song.path)}: the lock does not match the song ({different[0]}, "
            f"{len(different)} in all); render without --locked to bring it up to date"
        )
    if result is None:
        check_folder(job.files.folder)
        check_owner(job.files, prepared.plan.title)
        if prepared.assessment.budget.clips_to_render:
            check_folder(store.root, "the store needs one; RIFFCOMPOSER_STORE names another")
        model = prepared.model
        result = run(
            job,
            store,
            load=lambda: engines.load(model, settings.device),
            watch=watch,
            observer=observer,
            stop=stop,
        )
    warnings: list[str] = []
    if not settings.draft and settings.only is None:
        path = lock_path(prepared.song.path)
        if unwritten := _write_lock(path, prepared.plan, result.passage_keys):
            warnings.append(unwritten)
        try:
            # Also when there was nothing to do: the run that made the track may have died before this line.
            store.remember_lock(path, {"passage": result.passage_keys, "track": [result.track_key]})
        except StoreError:
            # A read-only store that has the whole track: nothing can be evicted from it either.
            if result.mastered:
                raise
    if result.mastered:
        store.gc(named_by_locks(store)[0])
    return Track(prepared.plan.title, result.outputs, result.report, result, tuple(warnings))


def _job(prepared: PreparedSong, settings: RenderSettings, out: Path | str | None) -> RenderJob:
    return RenderJob(
        plan=prepared.plan,
        song=prepared.song.resolved,
        song_content=prepared.song.content,
        model=prepared.model,
        files=track_files(prepared.song, settings, out),
        draft=settings.draft,
        force=settings.force,
        decode_device="cuda" if prepared.backend.startswith("cuda") else "cpu",
    )


def track_files(song: LoadedSong, settings: RenderSettings, out: Path | str | None = None) -> TrackFiles:
    """The files that a render of a song writes."""
    folder = Path(out) if out is not None else settings.out or song.path.parent / "renders"
    formats = tuple(settings.formats or song.resolved.output.formats)
    return TrackFiles(folder, output_name(song.path, settings), formats, settings.stems, song.path)


def output_name(song_path: Path, settings: RenderSettings) -> str:
    """First part of the output files' names: the song file's, the section's, `draft`."""
    parts = [slug(song_path.stem)]
    if settings.only is not None:
        parts.append(slug(settings.only))
    if settings.draft:
        parts.append("draft")
    return ".".join(parts)


class _DiffusionEngines:
    """Makes diffusion engines."""

    def backend(self, device: str) -> str:
        from riffcomposer.diffusion.loading import choose_device

        return BACKENDS[choose_device(device).type]

    def load(self, model: LocatedModel, device: str) -> ClipEngine:
        from riffcomposer.diffusion.engine import Engine

        return Engine(model, device=device)


def _write_lock(path: Path, plan: Plan, passages: tuple[str, ...]) -> str:
    """Writes a finished song's lock. Gives a warning where the song's folder takes none.

    Raises:
        StoreError: It cannot be written for another reason; the disk is full, for instance.
    """
    consequence = "the track is finished, but the song has no record of its clips"
    if not path.parent.is_dir():
        return f"{path}: cannot be written (the song's folder is gone); {consequence}"
    try:
        write_lock(path, plan, passages)
    except StoreError as error:
        if not is_read_only(error):
            raise
        return f"{error}; {consequence}"
    return ""


def _remember_compute(store: Store, device: str, backend: str) -> None:
    """Notes what torch found, so that the next plan guesses right; a read-only store just goes without."""
    if named_device(device) == "auto":
        with suppress(StoreError):
            store.remember_compute(guess_basis(), backend)
