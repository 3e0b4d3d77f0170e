"""Two versions of a song, from git or from its folder, and what differs between them."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from riffcomposer.cli.git_history import SongHistory
from riffcomposer.cli.git_index import STAGED, staged_tree
from riffcomposer.cli.git_repository import NotThere, lfs_digest
from riffcomposer.cli.git_revisions import commit_of, merge_base, read_revisions
from riffcomposer.errors import ModelError, SongError, UsageError

if TYPE_CHECKING:
    from riffcomposer.diagnostics import NodePath
    from riffcomposer.plan.section_settings import InputFile
    from riffcomposer.plan.song_diff import FieldChange, SongDiff
    from riffcomposer.plan.types import Plan
    from riffcomposer.song.reader import LoadedSong
    from riffcomposer.store.store import Store

WORKING_TREE = "working tree"
_POINTER_BYTES = 1024


@dataclass(frozen=True)
class _FilesAt:
    """A song's files as they were at a commit, by digest."""

    history: SongHistory
    commit: str
    folder: str

    def __call__(self, name: str, purpose: Literal["init", "mask", "lora"], where: NodePath) -> InputFile:
        from riffcomposer.errors import SongError
        from riffcomposer.plan.inputs import MAX_BYTES
        from riffcomposer.plan.section_settings import InputFile
        from riffcomposer.song.paths import path_fault

        problem = path_fault(name)
        if problem is not None:
            raise SongError.fault("bad-file", problem, where)
        full = posixpath.normpath(posixpath.join(self.folder, name))
        try:
            digest = self.history.repository.digest(self.commit, full, MAX_BYTES[purpose])
        except NotThere as reason:
            raise SongError.fault("bad-file", f"{name} {reason} in that revision", where) from None
        return InputFile(self.history.path.parent / name, digest)


@dataclass(frozen=True)
class _FilesHere:
    """A song's files on disk; an unreplaced git-lfs pointer counts as its file."""

    folder: Path

    def __call__(self, name: str, purpose: Literal["init", "mask", "lora"], where: NodePath) -> InputFile:
        from riffcomposer.plan.inputs import SongFiles
        from riffcomposer.plan.section_settings import InputFile
        from riffcomposer.song.paths import PathError, resolve_inside

        try:
            path = resolve_inside(self.folder, name, max_bytes=_POINTER_BYTES)
            digest = lfs_digest(path.read_bytes())
        except (PathError, OSError):
            digest = None
        if digest is not None:
            return InputFile(path, digest)
        return SongFiles(self.folder)(name, purpose, where)


@dataclass(frozen=True)
class _Version:
    """One side of the comparison."""

    name: str
    song: LoadedSong
    files: Any
    file: str


def _version_at(history: SongHistory, revision: str, commit: str, other: str | None) -> _Version:
    from riffcomposer.song.reader import parse_song

    name, content = history.read(commit, revision, other)
    folder = posixpath.dirname(name)
    # Files and a model beside the song are searched at its old path.
    path = history.path.parent / os.path.relpath(name, posixpath.dirname(history.name) or ".")
    song = parse_song(content, path, f"{revision}:{name}")
    return _Version(revision, song, _FilesAt(history, commit, folder), name)


def _version_here(history: SongHistory, old_revision: str) -> _Version:
    from riffcomposer.song.reader import load_song

    if history.repository.is_bare:
        raise UsageError("this is a bare repository, without files to compare with: name a second revision")
    if not os.path.lexists(history.path):
        raise UsageError(
            f"{history.path} is in revision {old_revision!r}, but not on disk (removed, renamed, or left out "
            "by a sparse checkout): name a second revision to compare with"
        )
    song = load_song(history.path)
    return _Version(WORKING_TREE, song, _FilesHere(history.path.parent), history.name)


def _plan(song: LoadedSong, files: Any, store: Store | None) -> Plan:
    from riffcomposer.checkpoints.locate import locate_model
    from riffcomposer.loops.catalogue import catalogue
    from riffcomposer.plan.planner import plan_song
    from riffcomposer.render.session import Session
    from riffcomposer.song.default_init import with_default_init

    model = locate_model(song.resolved.model, song.folder)
    return plan_song(
        with_default_init(song.resolved, model.profile.default_init),
        song_path=song.path,
        model=model,
        catalogue=catalogue(),
        backend=Session(store=store).backend,
        files=files,
    )


def clips_to_render(old: Collection[str], new: Plan) -> dict[tuple[str, str], list[int]]:
    """Returns [clips that the old version lacks, all clips] of each section and layer, in the new order.

    Args:
        old: The keys of the old version's clips.
        new: The new version. The layer's name is empty for a section without layers.
    """
    counts: dict[tuple[str, str], list[int]] = {}
    for clip in new.clips:
        count = counts.setdefault((new.sections[clip.section].name, clip.layer), [0, 0])
        count[0] += clip.key not in old
        count[1] += 1
    return counts


@dataclass(frozen=True)
class Comparison:
    """Two versions of a song, and what differs.

    Attributes:
        counts: See `clips_to_render`; None where one of the songs cannot be planned.
        why_not: The reason for that.
        to_render: Clips that the new version has and the old one lacks, and all clips of the new version.
    """

    song: str
    old: _Version
    new: _Version
    changes: SongDiff
    counts: dict[tuple[str, str], list[int]] | None
    why_not: str
    to_render: tuple[int, int]

    @property
    def is_new(self) -> bool:
        """Whether the old revision does not have the song."""
        return not self.old.song.resolved.sections


def compare(song_text: str, given: Sequence[str], store: Store | None = None) -> Comparison:
    """Compares two revisions of a song, or a revision with its file.

    Args:
        song_text: The song's path as the user gave it.
        given: One or two revisions, or a range.
        store: The store that knows this machine's class of device; the user's own if None.

    Raises:
        UsageError: The song has no such revision.
        SongError: One of the versions has faults.
    """
    old_revision, new_revision, parted = read_revisions(given)
    history = SongHistory.of(Path(song_text))
    repository = history.repository
    new_commit = None if new_revision is None else commit_of(repository, new_revision)
    old_commit = merge_base(repository, old_revision, new_revision) if parted and new_revision else None
    old_commit = old_commit or commit_of(repository, old_revision)
    old = _version_at(history, old_revision, old_commit, new_commit)
    if new_revision is None or new_commit is None:
        new = _version_here(history, old_revision)
    else:
        new = _version_at(history, new_revision, new_commit, old_commit)
    return _compared(song_text, old, new, store)


def compare_staged(song_text: str, given: Sequence[str], store: Store | None = None) -> Comparison:
    """Compares a revision of a song with what is staged.

    Arguments and errors are those of `compare`, but one revision is given at most; HEAD if none is. A song
    that the revision does not have is new, before the first commit too.
    """
    if len(given) > 1:
        raise UsageError("--staged takes one revision at most: riffcompose diff --staged HEAD song.yaml")
    old_revision, new_revision, _ = read_revisions(given or ["HEAD"])
    if new_revision is not None:
        raise UsageError(f"{given[0]} is two revisions; what is staged is compared with one")
    history = SongHistory.of(Path(song_text))
    unborn = not given and not history.repository.answer("rev-parse", "--verify", "--quiet", "HEAD")
    old_commit = None if unborn else commit_of(history.repository, old_revision)
    with staged_tree(history.repository) as (repository, tree):
        history = replace(history, repository=repository)
        new = _version_at(history, STAGED, tree, old_commit or tree)
        if old_commit is None or not history.has(old_commit, tree):
            return _compared(song_text, _nothing(old_revision, new), new, store)
        old = _version_at(history, old_revision, old_commit, tree)
        return _compared(song_text, old, new, store)


def _nothing(revision: str, new: _Version) -> _Version:
    """The old side of a song that a revision does not have: the same song without a section."""
    return replace(
        new, name=revision, song=replace(new.song, resolved=replace(new.song.resolved, sections=()))
    )


def _compared(song_text: str, old: _Version, new: _Version, store: Store | None) -> Comparison:
    from riffcomposer.plan.song_diff import diff_songs

    changes = diff_songs(old.song.resolved, new.song.resolved)
    try:
        new_plan = _plan(new.song, new.files, store)
        old_jobs = {} if not old.song.resolved.sections else _plan(old.song, old.files, store).jobs
    except (SongError, ModelError) as error:
        return Comparison(song_text, old, new, changes, None, str(error).splitlines()[0], (0, 0))
    rendered = len(new_plan.jobs.keys() - old_jobs.keys())
    counts = clips_to_render(old_jobs, new_plan)
    return Comparison(song_text, old, new, changes, counts, "", (rendered, len(new_plan.jobs)))


def comparison_json(found: Comparison) -> dict[str, Any]:
    """The comparison for programs."""
    old, new, changes = found.old, found.new, found.changes

    def listed(entries: tuple[FieldChange, ...]) -> list[dict[str, str]]:
        return [{"field": entry.field, "old": entry.old, "new": entry.new} for entry in entries]

    clips = [
        {"section": name, "layer": layer or None, "to_render": count, "clips": whole}
        for (name, layer), (count, whole) in (found.counts or {}).items()
    ]
    return {
        "song": found.song,
        "old": old.name,
        "new": new.name,
        "renamed_from": old.file if old.file != new.file else None,
        "changes": listed(changes.changes),
        "sections": [
            {
                "name": section.name,
                "kinds": section.kinds,
                "old_name": section.old_name,
                "old_place": section.old_place,
                "new_place": section.new_place,
                "changes": listed(section.changes),
            }
            for section in changes.sections
        ],
        "clips": None if found.counts is None else clips,
        "clips_unknown": found.why_not,
    }
