"""What there is to say about songs that loop, before they are planned."""

from __future__ import annotations

from collections.abc import Iterator

from riffcomposer.song.diagnostics import Diagnostic
from riffcomposer.song.reader import LoadedSong


def lint_loop(song: LoadedSong) -> Iterator[Diagnostic]:
    """A loop that is written as MP3 alone: its encoder puts silence before and behind the music."""
    if song.resolved.loop and set(song.resolved.output.formats) == {"mp3"}:
        message = "most players leave a gap at the seam of an MP3, so that this loop does not join"
        hint = "add wav, flac or ogg to the formats"
        yield song.diagnostic("warning", "loop-as-mp3", message, ("output", "formats"), hint)
