"""A session: the store, device and limits that several checks, plans and renders share.

The command line, the library's functions and everything that renders elsewhere are built on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from riffcomposer.device import guess_basis, named_device
from riffcomposer.diagnostics import Diagnostic
from riffcomposer.errors import Cancelled, RiffcomposerError, SongError, StoreError
from riffcomposer.files import sweep_stale
from riffcomposer.lock.kept_keys import named_by_locks
from riffcomposer.lock.lock_file import changes, lock_path
from riffcomposer.plan.budget import Limits
from riffcomposer.render.events import Observer, StageClock, ignore
from riffcomposer.render.output_names import check_folder, check_owner, track_files
from riffcomposer.render.prepare import PlanOptions, PreparedSong, check_song, prepare_song
from riffcomposer.render.settings import RenderSettings, section_alone
from riffcomposer.render.stopping import StopFlag
from riffcomposer.song.reader import LoadedSong, load_song
from riffcomposer.store.store import Store, default_root

if TYPE_CHECKING:
    from riffcomposer.render.album import AlbumEntry
    from riffcomposer.render.engines.interface import EngineSource
    from riffcomposer.render.engines.lease import EngineLease
    from riffcomposer.render.passage_work import DecodeSettings
    from riffcomposer.render.render_job import RenderJob
    from riffcomposer.render.renderer import BegunSong, RenderResult, Stopwatch
    from riffcomposer.render.track import Track

Song = LoadedSong | Path | str
"""A song, or the path of its file."""


class Session:
    """Checks, plans and renders songs with one store, on one device, under the same limits.

        with Session(device="cpu") as session:
            for path in ("songs/one.yaml", "songs/two.yaml"):
                print(session.render(path).files)

    Sessions in several threads of one process may share a store; one session belongs to one thread. Models
    are loaded one at a time. The observer is called on the thread that calls `render`; the stop flag may be
    raised from any thread or from a signal handler.

    Args:
        store: The store, or its folder; the user's own if None.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        limits: The budget; a generous default if None.
        allowed_folders: Folders beside a song's own in which its files may be.
        observer: Called with each event of progress.
        stop: Checked between steps.
        engines: Makes engines; diffusion engines in this process if None.
    """

    def __init__(
        self,
        *,
        store: Store | Path | None = None,
        device: str = "auto",
        limits: Limits | None = None,
        allowed_folders: tuple[Path, ...] = (),
        observer: Observer = ignore,
        stop: StopFlag | None = None,
        engines: EngineSource | None = None,
    ) -> None:
        self.store = store if isinstance(store, Store) else Store(store or default_root())
        self.device = device
        self.limits = limits or Limits()
        self.allowed_folders = tuple(allowed_folders)
        self.observer = observer
        self.stop = stop or StopFlag()
        self._engines = engines
        self._has_written = False

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Reduces the store to its size limit if anything was rendered. The session stays usable.

        Raises:
            StoreError: An entry cannot be moved or removed.
        """
        if self._has_written:
            self._has_written = False
            self.store.gc(named_by_locks(self.store)[0])

    @property
    def backend(self) -> str:
        """The class of device that a render will use, as far as is known before an engine is loaded."""
        return self._options().backend_for(self.store)

    def _options(self, *, draft: bool = False) -> PlanOptions:
        return PlanOptions(self.device, draft=draft, limits=self.limits, allowed_folders=self.allowed_folders)

    def check(self, song: Path | str) -> list[Diagnostic]:
        """Returns all faults and warnings of a song, by position; raises none of them."""
        return check_song(Path(song), self.store, self._options())

    def check_text(self, content: bytes, path: Path) -> list[Diagnostic]:
        """Does the same for a text that is not in its file yet.

        Args:
            content: The text, UTF-8.
            path: The song's file, which need not exist; the song's own files are in its folder.
        """
        return check_song(path, self.store, self._options(), content)

    def plan(self, song: Song, settings: RenderSettings | None = None) -> PreparedSong:
        """Reads, checks and plans a song, and compares the plan with store and lock.

        Loads no weights and writes nothing.

        Raises:
            SongError: The song has faults, or asks for more than the limits.
            UsageError: The section or the device does not exist.
            ModelError: The checkpoint is not on this disk.
            StoreError: The lock or the store refuses to be read.
        """
        settings = settings or RenderSettings()
        loaded = song if isinstance(song, LoadedSong) else load_song(song)
        return prepare_song(
            loaded if settings.only is None else section_alone(loaded, settings.only),
            self.store,
            self._options(draft=settings.draft),
        )

    def render(
        self,
        song: Song | PreparedSong,
        settings: RenderSettings | None = None,
        *,
        record: bool = True,
    ) -> Track:
        """Renders a song into finished files; what the store has is not made again.

        Args:
            song: The song, its file, or what `plan` gave for the same settings.
            settings: Options of this render.
            record: Whether the song's lock is written; not for a version of a song that is not its file's.

        Raises:
            SongError: The song has faults, asks for more than the limits, or under `locked` is not what the
                lock says.
            UsageError: Settings that do not go together, a section or a device that does not exist,
                files in the output folder that belong to another song, or clips that are missing and can
                only be rendered on another class of device, the lock's.
            ModelError: The checkpoint is missing or damaged.
            RenderError: Clips failed twice; the others are kept.
            StoreError: The store or the output folder cannot be written. A song's folder that is read-only
                is no error if the files go elsewhere: the track then has a warning, and the song no lock.
            Cancelled: The stop flag was raised; finished clips are kept.
        """
        from riffcomposer.render.renderer import run

        settings = settings or RenderSettings()
        prepared = song if isinstance(song, PreparedSong) else self.plan(song, settings)
        begun = self._begin(prepared, settings, record=record)
        result = begun.result
        if result is None:
            with self._lease() as lease:
                result = run(
                    begun.job,
                    self.store,
                    lease=lease,
                    watch=begun.watch,
                    observer=self.observer,
                    stop=self.stop,
                )
        return self._track(begun, settings, result, record=record)

    def render_album(
        self,
        songs: Sequence[Song | PreparedSong],
        settings: RenderSettings | None = None,
        on_finished: Callable[[AlbumEntry], None] = lambda entry: None,
    ) -> list[AlbumEntry]:
        """Renders several songs: the clips of all of them first, those that they share once.

        With an engine that has workers, a song is mastered as soon as its clips are there. One that fails
        does not stop the others.

        Args:
            songs: Songs, their files, or what `plan` gave for the same settings.
            settings: Options of this render, the same for all.
            on_finished: Called with each song when it is finished or has failed, on this thread.

        Returns:
            What became of each song, in the order in which they were given.

        Raises:
            Cancelled: The stop flag was raised; finished clips and tracks are kept.
        """
        from riffcomposer.render.album import AlbumEntry, AlbumSong, render_songs

        settings = settings or RenderSettings()
        entries: dict[int, AlbumEntry] = {}
        waiting: dict[int, AlbumSong] = {}

        def settle(number: int, begun: BegunSong | None, outcome: RenderResult | RiffcomposerError) -> None:
            path = begun.prepared.song.path if begun is not None else _path_of(songs[number])
            try:
                if isinstance(outcome, RiffcomposerError):
                    raise outcome
                assert begun is not None, "what has a result was begun"
                entry = AlbumEntry(path, self._track(begun, settings, outcome), None)
            except Cancelled:
                raise
            except RiffcomposerError as error:
                entry = AlbumEntry(path, None, error)
            entries[number] = entry
            on_finished(entry)

        for number, song in enumerate(songs):
            self.stop.check()
            try:
                prepared = song if isinstance(song, PreparedSong) else self.plan(song, settings)
                begun = self._begin(prepared, settings)
            except Cancelled:
                raise
            except RiffcomposerError as error:
                settle(number, None, error)
                continue
            if begun.result is not None:
                settle(number, begun, begun.result)
            else:
                waiting[number] = AlbumSong(begun.job, begun.watch, partial(settle, number, begun))
        with self._lease() as lease:
            render_songs(list(waiting.values()), self.store, lease, self.observer, self.stop)
        return [entries[number] for number in range(len(songs))]

    def _lease(self) -> EngineLease:
        from riffcomposer.render.engines.lease import EngineLease

        return EngineLease(self._source(), self.device, self.stop)

    def _source(self) -> EngineSource:
        from riffcomposer.render.engines.in_process import InProcessEngines

        return self._engines or InProcessEngines()

    def _begin(self, prepared: PreparedSong, settings: RenderSettings, *, record: bool = True) -> BegunSong:
        """Looks for a song's finished files, asks for the device, and refuses what cannot be rendered.

        Raises:
            SongError, UsageError, ModelError, StoreError: As in `render`.
        """
        from riffcomposer.render.device_class import DeviceQuestion
        from riffcomposer.render.renderer import BegunSong, Stopwatch, finished

        # torch makes this folder as soon as its compiler is imported; its default is in the system's folder
        # for temporary files.
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(self.store.root / "torch"))
        # 1. Temporary files of killed runs are removed, even if there is nothing else to do.
        self.store.sweep()
        job = _job(prepared, settings)
        sweep_stale(job.files.folder)
        sweep_stale(prepared.song.path.parent)
        # 2. Nothing to do: this track's files exist and are unchanged.
        watch = Stopwatch()
        result = finished(job, self.store, watch)
        if result is None or (settings.locked and changes(prepared.lock, prepared.plan)):
            # 3. The plan relies on a guess of the device; torch is asked before any work or refusal.
            question = DeviceQuestion(
                self.store,
                settings,
                partial(self._asked_backend, prepared, settings, watch),
                named=named_device(self.device) != "auto",
                replaces_lock=_replaces_lock(settings, record=record),
            )
            planned, prepared = prepared, question.settle(prepared)
            job = _job(prepared, settings)
            device = question.decode_device(prepared, self._decoding(job)[1])
            if prepared is not planned or device != job.decode_device:
                job = replace(job, decode_device=device)
                result = finished(job, self.store, watch)
        # 4. Reasons to refuse.
        if settings.locked and (different := changes(prepared.lock, prepared.plan)):
            raise SongError(
                f"{lock_path(prepared.song.path)}: the lock does not match the song ({different[0]}, "
                f"{len(different)} in all); render without --locked to bring it up to date"
            )
        if result is None:
            check_folder(job.files.folder)
            check_owner(job.files, prepared.plan.title)
            if prepared.assessment.budget.clips_to_render:
                check_folder(self.store.root, "the store needs one; --store names another")
        return BegunSong(prepared, job, watch, result)

    def _asked_backend(self, prepared: PreparedSong, settings: RenderSettings, watch: Stopwatch) -> str:
        """Asks for the class of device that the engine has, and notes what was found."""
        if settings.force or any(each.status != "cached" for each in prepared.assessment.states.values()):
            StageClock(self.observer, "load", 0, "files")
        backend = self._source().backend(self.device)
        watch.lap("load")
        if backend != self.backend:
            self._remember_backend(backend)
        return backend

    def _track(
        self, begun: BegunSong, settings: RenderSettings, result: RenderResult, *, record: bool = True
    ) -> Track:
        """Notes a finished track in its lock."""
        from riffcomposer.render.lock_record import record_track
        from riffcomposer.render.track import Track

        prepared, decoded = begun.prepared, result.decoded[0]
        warnings: list[str] = []
        if decoded and prepared.backend.startswith("cuda") and begun.job.decode_device == "cpu":
            warnings.append(
                f"{decoded} of {result.decoded[1]} passages of {prepared.backend} clips were decoded on the "
                "processor, since the store lacks them: the track differs by rounding from the one made there"
            )
        if _replaces_lock(settings, record=record):
            warnings += record_track(prepared, result, self.store)
        self._has_written |= result.mastered
        return Track(prepared.plan.title, result.outputs, result.report, result, tuple(warnings))

    def decoding(
        self, prepared: PreparedSong, settings: RenderSettings
    ) -> tuple[DecodeSettings, tuple[str, ...]]:
        """Returns how the passages of a render are decoded, and their keys in the store, in order."""
        job = _job(prepared, settings)
        if not self.backend.startswith("cuda"):
            job = replace(job, decode_device="cpu")  # though the clips may be a GPU's
        return self._decoding(job)

    @staticmethod
    def _decoding(job: RenderJob) -> tuple[DecodeSettings, tuple[str, ...]]:
        from riffcomposer.render.passage_stage import passage_keys
        from riffcomposer.render.renderer import decode_settings

        decode = decode_settings(job)
        return decode, passage_keys(job.plan, decode)

    def _remember_backend(self, backend: str) -> None:
        """Notes what torch found, so that the next plan guesses right; a read-only store notes nothing."""
        if named_device(self.device) == "auto":
            with suppress(StoreError):
                self.store.notes.remember("devices", guess_basis(), backend)


def _replaces_lock(settings: RenderSettings, *, record: bool) -> bool:
    return record and not settings.draft and settings.only is None


def _job(prepared: PreparedSong, settings: RenderSettings) -> RenderJob:
    from riffcomposer.render.render_job import RenderJob

    return RenderJob(
        plan=prepared.plan,
        song=prepared.song.resolved,
        song_content=prepared.song.content,
        model=prepared.model,
        files=track_files(prepared.song, settings),
        draft=settings.draft,
        force=settings.force,
        decode_device="cuda" if prepared.backend.startswith("cuda") else "cpu",
        song_text="\n".join(prepared.song.source.lines),
    )


def _path_of(song: Song | PreparedSong) -> Path:
    if isinstance(song, PreparedSong):
        return song.song.path
    return song.path if isinstance(song, LoadedSong) else Path(song)
