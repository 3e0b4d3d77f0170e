"""Notes a finished track: in the lock beside its song, and in the store, which keeps what the lock names."""

from __future__ import annotations

from pathlib import Path

from riffcomposer.errors import StoreError
from riffcomposer.files import is_read_only
from riffcomposer.lock.lock_file import lock_path, write_lock
from riffcomposer.plan.types import Plan
from riffcomposer.render.prepare import PreparedSong
from riffcomposer.render.renderer import RenderResult
from riffcomposer.store.store import Store


def record_track(prepared: PreparedSong, result: RenderResult, store: Store) -> list[str]:
    """Writes a finished song's lock and notes it in the store.

    Returns:
        A warning if the song's folder cannot be written, else nothing.

    Raises:
        StoreError: The lock or the note cannot be written for another reason: the disk is full, for instance.
    """
    path = lock_path(prepared.song.path)
    unwritten = _write_lock(path, prepared.plan, result.passage_keys)
    try:
        # Also when there was nothing to do: the run that made the track may have died before this line.
        store.notes.remember_lock(path, {"passage": result.passage_keys, "track": [result.track_key]})
    except StoreError:
        # Nothing can be evicted from a read-only store, so a track that was complete needs no note.
        if result.mastered:
            raise
    return [unwritten] if unwritten else []


def _write_lock(path: Path, plan: Plan, passages: tuple[str, ...]) -> str:
    """Writes a finished song's lock. Returns a warning if the song's folder cannot be written."""
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
