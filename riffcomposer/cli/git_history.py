"""Finds a song in the history of its repository, and follows links, renames and moves."""

from __future__ import annotations

import difflib
import os
import posixpath
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from riffcomposer.cli.git_index import STAGED
from riffcomposer.cli.git_repository import GIT_CRYPT, NotThere, Repository, lfs_digest
from riffcomposer.cli.git_revisions import commit_of
from riffcomposer.errors import UsageError
from riffcomposer.song.paths import existing, same_name
from riffcomposer.song.yaml_text import MAX_BYTES
from riffcomposer.text import shorten

_SONG_SUFFIXES = (".yaml", ".yml", ".json")
_SAME_SONG = 0.5
"""Share of equal lines from which a missing file and a new one count as renamed, as in git."""
_MAX_CANDIDATES = 50
_NOT_THERE = "is not there"


@dataclass(frozen=True)
class SongHistory:
    """One song in a repository.

    Attributes:
        repository: The repository.
        path: The song's path as the user gave it.
        name: The song's path in the repository.
    """

    repository: Repository
    path: Path
    name: str

    @staticmethod
    def of(path: Path) -> SongHistory:
        """Finds the history of a song, whose file and folder may no longer exist.

        Raises:
            UsageError: The song is in no repository.
        """
        path = existing(path)
        folder = path.parent
        while not folder.is_dir() and folder.parent != folder:
            folder = folder.parent
        repository = Repository.around(folder)
        below = os.path.relpath(path, folder).replace(os.sep, "/")
        return SongHistory(repository, path, posixpath.normpath(repository.prefix + below))

    def read(self, commit: str, revision: str, other: str | None) -> tuple[str, bytes]:
        """Reads the song at a commit.

        Args:
            commit: The commit.
            revision: The user's name for the commit.
            other: The commit on the other side of the comparison; None for the working tree.

        Returns:
            The song's path in the repository at that commit, and its content.

        Raises:
            UsageError: The commit does not have the song.
        """
        found = self._find(commit, other)
        if isinstance(found, str):
            raise UsageError(self._why(commit, revision, found))
        return found

    def has(self, commit: str, other: str | None) -> bool:
        """Whether a commit has the song, under this name or another; the arguments are those of `read`."""
        return self._find(commit, other) != _NOT_THERE

    def _find(self, commit: str, other: str | None) -> tuple[str, bytes] | str:
        """Returns the song's path at a commit and its content, or why there is none."""
        reason = _NOT_THERE
        for name in self._names_at(commit, other):
            try:
                content = self.repository.blob(commit, name, MAX_BYTES)
            except NotThere as problem:
                reason = str(problem) if reason == _NOT_THERE else reason
                continue
            if lfs_digest(content) is not None:
                raise UsageError(
                    f"{name} is kept by git-lfs: git itself has a pointer to it only; songs are small texts, "
                    "take them out of .gitattributes"
                )
            if content.startswith(GIT_CRYPT):
                raise UsageError(
                    f"{name} is encrypted (git-crypt) in the repository: git itself cannot show it"
                )
            return name, content
        return reason

    def _names_at(self, commit: str, other: str | None) -> Iterator[str]:
        """Yields possible names of the song at a commit, the likeliest first."""
        repository = self.repository
        yield self.name
        if self.path.is_symlink():
            # The commit may lack a link but have the file that it leads to.
            with suppress(UsageError, OSError, RuntimeError):  # the last two: links in a circle
                target = SongHistory.of(self.path.resolve())
                if target.repository.top == repository.top:
                    yield target.name
        if not self.name.isascii():
            yield from (name for name in repository.names(commit) if same_name(name) == same_name(self.name))
        if other is None and not repository.is_bare:
            other = commit_of(repository, "HEAD")
        if other is not None:
            # The name belongs to the other side; or to this one, and the file has another name there.
            yield from (old for old, new in repository.renames(commit, other) if new == self.name)
            yield from (new for old, new in repository.renames(other, commit) if old == self.name)
        if (gone := self._gone(commit)) is not None:
            yield gone

    def _gone(self, commit: str) -> str | None:
        """Finds the file that the working tree lacks and that is most similar to the song on disk."""
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace")[:MAX_BYTES].splitlines()
        except OSError:
            return None
        likeness: dict[str, float] = {}
        for name in self._missing(commit)[:_MAX_CANDIDATES]:
            try:
                content = self.repository.blob(commit, name, MAX_BYTES)
            except NotThere:
                continue
            before = content.decode("utf-8", "replace").splitlines()
            likeness[name] = difflib.SequenceMatcher(None, before, lines, autojunk=False).ratio()
        best = max(likeness, key=lambda name: likeness[name], default=None)
        return best if best is not None and likeness[best] >= _SAME_SONG else None

    def _missing(self, commit: str) -> list[str]:
        """Returns the songs of a commit that are not in the working tree."""
        top = self.repository.top
        if not top:
            return []
        return [
            name
            for name in self.repository.names(commit)
            if name.endswith(_SONG_SUFFIXES) and not os.path.lexists(os.path.join(top, name))
        ]

    def _why(self, commit: str, revision: str, reason: str) -> str:
        """Returns why a song cannot be read at a commit."""
        shown = shorten(str(self.path), 80)
        if self.path.is_dir():
            return f"{shown} is a folder; name a song in it"
        if reason != _NOT_THERE:
            return f"{shown} {reason} in revision {revision!r}"
        if revision == STAGED:
            return f"{shown} is not staged: `git add` stages it, unless it is to be removed"
        if self.path.is_symlink() and not self.path.exists():
            return f"{shown} is a link that leads nowhere"
        if removal := self._last_touched(commit):
            return f"{shown} is not in revision {revision!r}: commit {removal[:10]} removed or renamed it"
        if not self.path.exists() and not self.path.parent.is_dir():
            return f"there is no folder {self.path.parent}, and no {self.name} in revision {revision!r}"
        if not self.path.exists():
            return f"{shown} is neither on disk nor in revision {revision!r}"
        said = f"{shown} is not in revision {revision!r}"
        missing = self._missing(commit)
        if missing:
            return f"{said}; was it renamed from {missing[0]}? The two differ too much to tell"
        try:
            head = commit_of(self.repository, "HEAD")
            self.repository.blob(head, self.name, MAX_BYTES)
        except (NotThere, UsageError):
            return f"{said}: it has never been committed, so there is nothing to compare it with"
        if self.repository.git("merge-base", "--is-ancestor", commit, head).returncode:
            return f"{said}: HEAD has it, and {revision} does not have it yet"
        return f"{said}: it was added later"

    def _last_touched(self, commit: str) -> str:
        """Returns the last commit up to this one that changed the song's path; empty if none did."""
        name = posixpath.relpath(self.name, self.repository.prefix or ".")
        return self.repository.answer("--literal-pathspecs", "rev-list", "--max-count=1", commit, "--", name)
