"""A finished track: its files, its report, and a player for notebooks."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffcomposer.text import size

if TYPE_CHECKING:
    import numpy as np

    from riffcomposer.render.renderer import RenderResult

_MIME = {"mp3": "audio/mpeg", "ogg": "audio/ogg", "flac": "audio/flac", "wav": "audio/wav"}

_LARGEST_IN_A_PAGE = 16_000_000
"""Most bytes of a file in a notebook's page: seven minutes of MP3, two of FLAC."""


@dataclass(frozen=True)
class Track:
    """A finished track.

    Attributes:
        title: The song's title.
        files: The finished files, one for each format.
        report: Content of its `report.json`.
        result: What was rendered, what came from the store, and how long it took.
        warnings: Sentences about what failed besides the track (a lock that cannot be written).
    """

    title: str
    files: tuple[Path, ...]
    report: dict[str, Any]
    result: RenderResult
    warnings: tuple[str, ...] = ()

    def audio(self) -> tuple[np.ndarray, int]:
        """Returns the samples, float32 `[channels, samples]`, and their rate in Hz."""
        import soundfile

        samples, rate = soundfile.read(self.files[0], dtype="float32", always_2d=True)
        return samples.T, rate

    def _repr_html_(self) -> str:
        """Returns a player for notebooks; the smallest file is put into the page if it is not too large."""
        path = min(self.files, key=lambda file: file.stat().st_size)
        if path.stat().st_size > _LARGEST_IN_A_PAGE:
            where = f"{escape(str(path))} ({size(path.stat().st_size)}, too large for the page)"
            return f"<p>{escape(self.title)}: {where}</p>"
        content = base64.b64encode(path.read_bytes()).decode()
        kind = _MIME[path.suffix[1:]]
        return f'<p>{escape(self.title)}</p><audio controls src="data:{kind};base64,{content}"></audio>'
