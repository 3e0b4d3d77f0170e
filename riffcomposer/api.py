"""The library's functions: a session for one song each.

import riffcomposer

song = riffcomposer.load_song("songs/night-bus-home.yaml")   # SongError with line and column if it is wrong
print(riffcomposer.plan_song(song).assessment.budget)             # what it will cost; nothing is rendered
track = riffcomposer.render_song(song, out="renders")             # what the store has is not made again
print(track.files, track.report["outputs"][0]["integrated_lufs"])
track                                                        # in a notebook: plays
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from riffcomposer.plan.budget import Limits
from riffcomposer.render.events import Observer, ignore
from riffcomposer.render.prepare import PreparedSong
from riffcomposer.render.session import Session
from riffcomposer.render.settings import RenderSettings
from riffcomposer.render.stopping import StopFlag
from riffcomposer.song.reader import LoadedSong, load_song
from riffcomposer.store.store import Store

if TYPE_CHECKING:
    from riffcomposer.render.engines.interface import EngineSource
    from riffcomposer.render.track import Track

__all__ = ["load_song", "plan_song", "render_song"]


def plan_song(
    song: LoadedSong | Path | str,
    settings: RenderSettings | None = None,
    *,
    store: Store | Path | None = None,
    device: str = "auto",
    limits: Limits | None = None,
    allowed_folders: tuple[Path, ...] = (),
) -> PreparedSong:
    """Plans a song: its grid, its clips, which of them the store has, and what the rest will cost.

    See `riffcomposer.Session.plan`, also for the errors, and `riffcomposer.Session` for the arguments.
    """
    with Session(store=store, device=device, limits=limits, allowed_folders=allowed_folders) as session:
        return session.plan(song, settings)


def render_song(
    song: LoadedSong | Path | str,
    settings: RenderSettings | None = None,
    *,
    store: Store | Path | None = None,
    device: str = "auto",
    limits: Limits | None = None,
    allowed_folders: tuple[Path, ...] = (),
    out: Path | str | None = None,
    observer: Observer = ignore,
    stop: StopFlag | None = None,
    engines: EngineSource | None = None,
) -> Track:
    """Renders a song into finished files; run again after an edit, only what changed is made again.

    See `riffcomposer.Session.render`, also for the errors, and `riffcomposer.Session` for the arguments.
    `out` is the folder for the files, instead of the settings' own.
    """
    settings = settings or RenderSettings()
    if out is not None:
        settings = replace(settings, out=Path(out))
    with Session(
        store=store,
        device=device,
        limits=limits,
        allowed_folders=allowed_folders,
        observer=observer,
        stop=stop,
        engines=engines,
    ) as session:
        return session.render(song, settings)
