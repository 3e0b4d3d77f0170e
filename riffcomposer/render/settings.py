"""Options of one render."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from riffcomposer.errors import UsageError
from riffcomposer.song.reader import LoadedSong
from riffcomposer.song.resolved import TransitionSpec
from riffcomposer.text import did_you_mean


@dataclass(frozen=True)
class RenderSettings:
    """Options of one render; the song decides everything else.

    Attributes:
        out: Folder for the files; None is `renders/` beside the song.
        formats: Formats to write, if not the song's own.
        only: Name of the one section to render; None for all.
        draft: Whether to use fewer steps and the fast decoder, with the same seeds and grid; files are named
            `NAME.draft.*`.
        stems: Whether each section is also written on its own, dry and mastered.
        locked: Whether to fail if the plan differs from the lock file.
        force: Whether to render and decode everything again, whatever the store has.
    """

    out: Path | None = None
    formats: tuple[str, ...] | None = None
    only: str | None = None
    draft: bool = False
    stems: bool = False
    locked: bool = False
    force: bool = False


def section_alone(song: LoadedSong, name: str) -> LoadedSong:
    """Returns the song with one section only: the same clips, on a track that starts with it.

    Raises:
        UsageError: The song has no section of that name.
    """
    sections = {section.name: section for section in song.resolved.sections}
    if name not in sections:
        known = ", ".join(sections)
        hint = did_you_mean(name, sections) or f"there are {known}"
        raise UsageError(f"--only {name}: no such section; {hint}")
    alone = replace(sections[name], transition=TransitionSpec("cut"))
    resolved = replace(song.resolved, sections=(alone,), loop=False, length=None, whole=song.resolved)
    return replace(song, resolved=resolved)
