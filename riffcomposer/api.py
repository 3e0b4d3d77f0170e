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
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffcomposer.errors import SongError, StoreError
from riffcomposer.files import sweep_stale
from riffcomposer.models.profile import LocatedModel
from riffcomposer.plan.budget import Limits
from riffcomposer.plan.model import Plan
from riffcomposer.render.clip_stage import ClipEngine
from riffcomposer.render.events import Observer, ignore
from riffcomposer.render.renderer import RenderJob, RenderResult, run
from riffcomposer.render.settings import RenderSettings, section_alone
from riffcomposer.render.stopping import StopFlag
from riffcomposer.render.track_stage import TrackFiles, slug
from riffcomposer.song.reader import LoadedSong, load_song
from riffcomposer.store.keeping import named_by_locks
from riffcomposer.store.lock import changes, lock_path, write_lock
from riffcomposer.store.prepared_song import PreparedSong, prepare_song
from riffcomposer.store.store import Store, default_root

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Track", "load_song", "plan", "render"]

_MIME = {"mp3": "audio/mpeg", "ogg": "audio/ogg", "flac": "audio/flac", "wav": "audio/wav"}


@dataclass(frozen=True)
class Track:
    """A finished track.

    Attributes:
        title: Of the song.
        files: The finished files, one for each format.
        report: Content of its `report.json`.
        result: What was rendered, what came from the store, and how long it took.
    """

    title: str
    files: tuple[Path, ...]
    report: dict[str, Any]
    result: RenderResult

    def audio(self) -> tuple[np.ndarray, int]:
        """The samples, float32 `[channels, samples]`, and their rate in Hz."""
        import soundfile

        samples, rate = soundfile.read(self.files[0], dtype="float32", always_2d=True)
        return samples.T, rate

    def _repr_html_(self) -> str:
        """A player, for notebooks; the smallest of the files is put into the page."""
        path = min(self.files, key=lambda file: file.stat().st_size)
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
) -> Plan:
    """Plans a song: its grid, its clips, which of them the store has, and what the rest will cost.

    Loads no weights and writes nothing. Raises as `riffcomposer.store.prepared_song.prepare_song`.
    """
    store = store or Store(default_root())
    return prepare_song(song, store, device=device, draft=draft, limits=limits).plan


class _OtherCompute(Exception):
    """The engine runs on another class of device than was planned for, so that keys differ."""

    def __init__(self, engine: ClipEngine) -> None:
        self.engine = engine


def prepare(
    song: LoadedSong | Path | str,
    settings: RenderSettings,
    store: Store,
    *,
    limits: Limits | None = None,
    allowed_folders: tuple[Path, ...] = (),
    compute: str | None = None,
) -> PreparedSong:
    """Reads, checks and plans what `settings` ask for. Raises as `render` does."""
    loaded = song if isinstance(song, LoadedSong) else load_song(song)
    if settings.only is not None:
        loaded = section_alone(loaded, settings.only)
    return prepare_song(
        loaded,
        store,
        device=settings.device,
        compute=compute,
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
    observer: Observer = ignore,
    stop: StopFlag | None = None,
    engine: Callable[[LocatedModel, str], ClipEngine] | None = None,
    prepared: PreparedSong | None = None,
) -> Track:
    """Renders a song into finished files; run again after an edit, only what changed is made again.

    Args:
        song: The song, or its file.
        out: Folder for the files; `renders/` beside the song if None.
        settings: Everything else a user may say.
        store: Where clips are kept; the user's own if None.
        limits: How much the plan may ask for.
        observer: Told of progress.
        stop: Raise it from another thread or a signal handler to stop between steps.
        engine: Makes the engine from a checkpoint and a device; the diffusion engine if None.
        prepared: The song already prepared with the same arguments.

    Returns:
        The track.

    Raises:
        SongError: The song has faults, asks for more than the limits, or under `locked` is not what the
            lock says.
        UsageError: Settings that do not go together, or a section that is not there.
        ModelError: The checkpoint is missing or damaged.
        RenderError: Clips failed twice; the others are kept.
        StoreError: The store or the output folder cannot be written.
        Cancelled: Stopped; finished clips are kept.
    """
    settings = settings or RenderSettings()
    store = store or Store(default_root())
    prepared = prepared or prepare(song, settings, store, limits=limits)
    if settings.locked and (different := changes(prepared.lock, prepared.plan)):
        raise SongError(
            f"{lock_path(prepared.song.path)}: the lock does not match the song ({different[0]}, "
            f"{len(different)} in all); render without --locked to bring it up to date"
        )
    # The lock is the only thing written beside the song; what a killed run left of it goes.
    sweep_stale(prepared.song.path.parent)
    made: ClipEngine | None = None

    def attempt(ready: PreparedSong) -> RenderResult:
        def ready_engine() -> ClipEngine:
            nonlocal made
            made = made or (engine or _diffusion_engine)(ready.model, settings.device)
            if any(job.compute != made.compute for job in ready.plan.jobs.values()):
                raise _OtherCompute(made)
            return made

        return run(_job(ready, settings, out), store, engine=ready_engine, observer=observer, stop=stop)

    try:
        result = attempt(prepared)
    except _OtherCompute as other:
        # The guess without torch was wrong: plan again for the device that there really is.
        prepared = prepare(prepared.song, settings, store, limits=limits, compute=other.engine.compute)
        result = attempt(prepared)
    if not settings.draft and settings.only is None:
        path = lock_path(prepared.song.path)
        write_lock(path, prepared.plan, result.passage_keys)
        try:
            # Also when there was nothing to do: the run that made the track may have died before this line.
            store.remember_lock(path, {"passage": result.passage_keys, "track": [result.track_key]})
        except StoreError:
            # A read-only store that has the whole track: nothing can be evicted from it either.
            if result.mastered:
                raise
    if result.mastered:
        store.gc(named_by_locks(store)[0])
    return Track(prepared.plan.title, result.outputs, result.report, result)


def _job(prepared: PreparedSong, settings: RenderSettings, out: Path | str | None) -> RenderJob:
    path, song = prepared.song.path, prepared.song.resolved
    folder = Path(out) if out is not None else settings.out or path.parent / "renders"
    formats = settings.formats or song.output.formats
    on_cuda = any(job.compute.startswith("cuda") for job in prepared.plan.jobs.values())
    return RenderJob(
        plan=prepared.plan,
        song=song,
        song_content=prepared.song.content,
        model=prepared.model,
        files=TrackFiles(folder, output_name(path, settings), tuple(formats), settings.stems),
        draft=settings.draft,
        force=settings.force,
        decode_device="cuda" if on_cuda else "cpu",
    )


def output_name(song_path: Path, settings: RenderSettings) -> str:
    """First part of the output files' names: the song file's, the section's, `draft`."""
    parts = [slug(song_path.stem)]
    if settings.only is not None:
        parts.append(slug(settings.only))
    if settings.draft:
        parts.append("draft")
    return ".".join(parts)


def _diffusion_engine(model: LocatedModel, device: str) -> ClipEngine:
    from riffcomposer.diffusion.engine import Engine

    return Engine(model, device=device)
