"""riffcomposer: a declarative song renderer.

A YAML song file goes in; a planner turns it into diffusion renders on mel-spectrogram images; these are
decoded into sound, joined on a bar grid and mastered into a finished track.

    import riffcomposer

    song = riffcomposer.load_song("song.yaml")
    track = riffcomposer.render_song(song, out="renders")

The names in `__all__` are public. Each is imported when it is first used (PEP 562). The functions end in
`_song` because `riffcomposer.plan` and `riffcomposer.render` are packages.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_PLACES = {
    "load_song": "riffcomposer.song.reader",
    "LoadedSong": "riffcomposer.song.reader",
    "plan_song": "riffcomposer.api",
    "render_song": "riffcomposer.api",
    "Session": "riffcomposer.render.session",
    "RenderSettings": "riffcomposer.render.settings",
    "PreparedSong": "riffcomposer.render.prepare",
    "Track": "riffcomposer.render.track",
    "Plan": "riffcomposer.plan.types",
    "Limits": "riffcomposer.plan.budget",
    "Store": "riffcomposer.store.store",
    "StopFlag": "riffcomposer.render.stopping",
    "RenderEvent": "riffcomposer.render.events",
    "RiffcomposerError": "riffcomposer.errors",
    "SongError": "riffcomposer.errors",
}

__all__ = [*sorted(_PLACES), "__version__"]  # noqa: PLE0604 (all of them are strings)

if TYPE_CHECKING:
    from riffcomposer.api import plan_song as plan_song
    from riffcomposer.api import render_song as render_song
    from riffcomposer.errors import RiffcomposerError as RiffcomposerError
    from riffcomposer.errors import SongError as SongError
    from riffcomposer.plan.budget import Limits as Limits
    from riffcomposer.plan.types import Plan as Plan
    from riffcomposer.render.events import RenderEvent as RenderEvent
    from riffcomposer.render.prepare import PreparedSong as PreparedSong
    from riffcomposer.render.session import Session as Session
    from riffcomposer.render.settings import RenderSettings as RenderSettings
    from riffcomposer.render.stopping import StopFlag as StopFlag
    from riffcomposer.render.track import Track as Track
    from riffcomposer.song.reader import LoadedSong as LoadedSong
    from riffcomposer.song.reader import load_song as load_song
    from riffcomposer.store.store import Store as Store


def __getattr__(name: str) -> object:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
