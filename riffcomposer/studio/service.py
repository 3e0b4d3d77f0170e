"""What the studio can do, without a web server: check, plan and render the songs of a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from riffcomposer.diagnostics import to_json
from riffcomposer.errors import SongError, UsageError
from riffcomposer.plan.budget import Limits
from riffcomposer.render.engines.interface import EngineSource
from riffcomposer.render.events import RenderEvent
from riffcomposer.render.session import Session
from riffcomposer.render.settings import RenderSettings
from riffcomposer.render.stopping import StopFlag
from riffcomposer.render.track import Track
from riffcomposer.song.reader import LoadedSong, parse_song
from riffcomposer.store.store import Store
from riffcomposer.studio.engines import KeptEngines
from riffcomposer.studio.jobs import Job, JobQueue
from riffcomposer.studio.live_sound import LiveSound
from riffcomposer.studio.plan_view import plan_view
from riffcomposer.studio.workspace import Workspace

HEARD_TRACKS = 12
"""Finished renders that are kept to be compared, the latest ones."""


class History(Protocol):
    """A song's versions; `riffcomposer.cli.song_versions` reads them from git."""

    def state(self, path: Path) -> dict[str, Any]:
        """Whether the song is under version control, and whether it differs from the last commit."""
        ...

    def text_at(self, path: Path, revision: str) -> bytes:
        """The song's content at a revision. Raises `UsageError` if there is none."""
        ...

    def compare(self, path: Path, revision: str) -> dict[str, Any]:
        """What changed since a revision, as `riffcompose diff --json` says it."""
        ...


@dataclass(frozen=True)
class StudioSettings:
    """How the studio checks, plans and renders.

    Attributes:
        starter: Returns the text of a new song from its title and a style; raises `UsageError`.
        styles: Names of the styles.
    """

    store: Store
    history: History
    starter: Callable[[str, str, Path], str]
    styles: tuple[str, ...]
    device: str = "auto"
    limits: Limits = field(default_factory=Limits)
    allowed_folders: tuple[Path, ...] = ()
    engines: EngineSource | None = None


class Studio:
    """One folder of songs, one queue of renders, one loaded model."""

    def __init__(self, workspace: Workspace, settings: StudioSettings) -> None:
        self.workspace, self.settings, self.store = workspace, settings, settings.store
        self.engines = KeptEngines(settings.engines)
        self.queue = JobQueue()
        self._heard = self.store.root / "studio" / f"heard-{os.getpid()}"

    def close(self) -> None:
        """Stops the running job and frees the model."""
        self.queue.close()
        self.engines.close()
        shutil.rmtree(self._heard, ignore_errors=True)

    def session(self, stop: StopFlag | None = None) -> Session:
        """A session with the studio's store, device and limits."""
        return Session(
            store=self.store,
            device=self.settings.device,
            limits=self.settings.limits,
            allowed_folders=self.settings.allowed_folders,
            stop=stop,
            engines=self.engines,
        )

    def check(self, path: Path, content: bytes) -> list[dict[str, Any]]:
        """The diagnostics of a text; it may do no more than `riffcompose check`."""
        return [to_json(each) for each in self.session().check_text(content, path)]

    def view(self, path: Path, content: bytes, draft: bool) -> dict[str, Any]:
        """The plan of a text for the page. Raises as `Session.plan` does."""
        song = parse_song(content, path)
        return plan_view(self.session().plan(song, RenderSettings(draft=draft)))

    def render(self, path: Path, settings: RenderSettings, revision: str | None = None) -> Job:
        """Puts a render into the queue.

        Args:
            revision: A git revision whose text is rendered; None for the file.
        """
        name = self.workspace.name_of(path)
        words = [name, settings.only, "draft" if settings.draft else None, revision and f"at {revision}"]
        title = ", ".join(filter(None, words))

        def work(job: Job) -> dict[str, Any]:
            content = path.read_bytes() if revision is None else self.settings.history.text_at(path, revision)
            return self._rendered(job, parse_song(content, path), settings, record=revision is None)

        return self.queue.submit("render", title, work, song=name, draft=settings.draft, revision=revision)

    def _rendered(
        self, job: Job, song: LoadedSong, settings: RenderSettings, *, record: bool
    ) -> dict[str, Any]:
        if not record:
            settings = RenderSettings(
                out=self._heard / job.id, only=settings.only, draft=settings.draft, formats=("flac",)
            )
        with self.session(job.stop) as session:
            prepared = session.plan(song, settings)
            rate = prepared.plan.grid.sample_rate
            decode, keys = session.decoding(prepared, settings)
            live = LiveSound(
                prepared,
                decode,
                keys,
                self.store,
                job.stop,
                lambda ready: job.tell("sound", ready=ready, rate=rate, total=prepared.plan.total_samples),
            )
            job.resources["sound"] = live

            def observe(event: RenderEvent) -> None:
                job.observe(event)
                live.observe(event)

            session.observer = observe
            try:
                live.begin()
                track = session.render(prepared, settings, record=record)
            finally:
                live.close()
        return self._result(job, track)

    def _result(self, job: Job, track: Track) -> dict[str, Any]:
        """What a finished render is to the page; its first file is kept, to be compared with later ones."""
        kept = self._heard / job.id / f"track{track.files[0].suffix}"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            try:
                # A later render replaces the file's name, not its content.
                os.link(track.files[0], kept)
            except OSError:
                shutil.copyfile(track.files[0], kept)
        job.resources["track"] = kept
        finished = [each for each in self.queue.all() if "track" in each.resources]
        for old in finished[:-HEARD_TRACKS]:
            shutil.rmtree(old.resources.pop("track").parent, ignore_errors=True)
        return {
            "track": f"jobs/{job.id}/track",
            "files": [self._shown(file) for file in (*track.files, *track.result.others)],
            "seconds": track.result.seconds,
            "rendered": len(track.result.rendered),
            "cached": len(track.result.cached),
            "stage_seconds": track.result.stage_seconds,
            "warnings": list(track.warnings),
            "report": track.report,
        }

    def _shown(self, path: Path) -> str:
        with suppress(ValueError):
            return self.workspace.name_of(path.resolve())
        return path.name

    def new_song(self, name: str, style: str) -> str:
        """Writes a song to start from. Returns its path in the folder.

        Raises:
            UsageError: No such style, or the name cannot be a song's.
            Conflict: The file exists.
        """
        if style not in self.settings.styles:
            raise UsageError(f"no style {style!r}; there are {', '.join(self.settings.styles)}")
        path = name if name.lower().endswith((".yaml", ".yml")) else f"{name}.yaml"
        target = self.workspace.song(path, new=True)
        title = target.stem.replace("-", " ").replace("_", " ").strip().title() or "Untitled"
        text = self.settings.starter(title, style, target.parent).encode()
        try:
            parse_song(text, target)
        except SongError as error:
            raise UsageError(f"{path}: this name makes no song ({error})") from None
        self.workspace.write(path, text, None)
        return path
