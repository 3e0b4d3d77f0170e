"""Reads songs and their files from a git repository, and follows links and renames.

Only objects are read; no filter, hook, text conversion or pager of the repository runs.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import posixpath
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from riffcomposer.errors import UsageError
from riffcomposer.song.paths import existing, same_name
from riffcomposer.song.yaml_text import MAX_BYTES
from riffcomposer.text import shorten

_TIMEOUT_S = 60
# Variables that select another repository, in git's hooks for instance; the song's folder decides instead.
_OF_ANOTHER_REPOSITORY = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
)
_LFS_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:([0-9a-f]{64})\nsize [0-9]+\n"
)
_ANNEX_KEY = re.compile(rb"/SHA256E?-s[0-9]+--([0-9a-f]{64})[^/]*\Z")
_MAX_LINK_BYTES = 4096
_GIT_CRYPT = b"\0GITCRYPT\0"
_SONG_SUFFIXES = (".yaml", ".yml", ".json")
_SAME_SONG = 0.5
"""Share of equal lines from which a missing file and a new one count as renamed, as in git."""
_MAX_CANDIDATES = 50


class NotThere(Exception):
    """A revision has no file of this name; the message says what it has instead."""


def lfs_digest(content: bytes) -> str | None:
    """Returns the SHA-256 of the file that a git-lfs pointer refers to, or None for other content."""
    match = _LFS_POINTER.fullmatch(content)
    return None if match is None else match[1].decode()


@dataclass(frozen=True)
class Repository:
    """A git repository, seen from a folder in it.

    Attributes:
        folder: An existing folder of the repository.
        prefix: That folder's path in the repository, with `/` at its end, or empty.
        environment: Environment variables for git.
    """

    folder: Path
    prefix: str
    environment: Mapping[str, str]

    @staticmethod
    def around(folder: Path) -> Repository:
        """Finds the repository of a folder.

        Raises:
            UsageError: The folder is in no repository, or git refuses to read it.
        """
        own = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        here = {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY}
        found = Repository(folder, "", here | own)
        done = found.git("rev-parse", "--show-prefix")
        if done.returncode and "GIT_DIR" in os.environ:
            # The working tree is elsewhere; the path of git's folder is relative to the user's.
            named = {"GIT_DIR": os.path.abspath(os.environ["GIT_DIR"])}
            named["GIT_WORK_TREE"] = os.path.abspath(os.environ.get("GIT_WORK_TREE", "."))
            found = Repository(folder, "", here | own | named)
            done = found.git("rev-parse", "--show-prefix")
        if done.returncode:
            raise UsageError(_refusal(folder, done.stderr.decode("utf-8", "replace")))
        prefix = done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")
        return Repository(folder, prefix, found.environment)

    def git(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Runs git in the folder."""
        command = ["git", "-c", "core.fsmonitor=false", "-C", str(self.folder), *arguments]
        try:
            return subprocess.run(
                command,
                capture_output=True,
                check=False,
                timeout=_TIMEOUT_S,
                env=dict(self.environment),
                input=stdin,
            )
        except FileNotFoundError:
            raise UsageError("git is not installed, and `diff` reads revisions with it") from None
        except subprocess.TimeoutExpired:
            raise UsageError(f"git did not answer within {_TIMEOUT_S} s") from None

    def _answer(self, *arguments: str) -> str:
        """Returns git's answer of one line, or an empty string."""
        done = self.git(*arguments)
        return "" if done.returncode else done.stdout.decode("utf-8", "surrogateescape").strip()

    @cached_property
    def is_bare(self) -> bool:
        """Whether there is no working tree."""
        return self._answer("rev-parse", "--is-bare-repository") == "true"

    @cached_property
    def top(self) -> str:
        """Returns the root of the working tree, or an empty string if there is none."""
        return self._answer("rev-parse", "--show-toplevel")

    def commit(self, revision: str) -> str:
        """Returns the full name of a commit.

        Raises:
            UsageError: There is no such revision.
        """
        # In two steps: `:/words^{commit}` would look for the words with the suffix.
        found = self._answer("rev-parse", "--verify", "--quiet", "--end-of-options", revision)
        name = self._answer("rev-parse", "--verify", "--quiet", f"{found or 'HEAD'}^{{commit}}")
        if found.isalnum() and name.isalnum():
            return name
        if not self._answer("rev-list", "--all", "--max-count=1"):
            raise UsageError(f"the repository of {self.folder} has no commit yet to compare with")
        if self._answer("rev-parse", "--is-shallow-repository") == "true":
            raise UsageError(
                f"there is no revision {revision!r} here: the clone is shallow, and its history ends before; "
                "`git fetch --deepen=20` brings more of it, `git fetch --unshallow` all"
            )
        message = f"there is no revision {revision!r} in the repository of {self.folder}"
        if whole := self._answer("rev-parse", "--show-superproject-working-tree"):
            message += f", a submodule of {whole}: only the submodule's own revisions can be compared"
        raise UsageError(message)

    def merge_base(self, one: str, other: str) -> str:
        """Returns the last common ancestor of two commits.

        Raises:
            UsageError: They have no common ancestor.
        """
        found = self._answer("merge-base", self.commit(one), self.commit(other))
        if not found:
            raise UsageError(f"{one} and {other} have no commit in common")
        return found

    def blob(self, commit: str, name: str, max_bytes: int) -> bytes:
        """Reads a file at a commit, and follows links within the repository and into its submodules.

        Args:
            commit: Full name of the commit.
            name: The file's path in the repository.
            max_bytes: Size of the largest file that is read.

        Raises:
            NotThere: There is no such file, or it is too large.
        """
        try:
            object_name, kind, size = self._look(commit, name)
        except NotThere:
            if (submodule := self._submodule(commit, name)) is None:
                raise
            repository, commit, name = submodule
            return repository.blob(commit, name, max_bytes)
        if kind == "tree":
            raise NotThere("is a folder")
        if kind != "blob":
            raise NotThere("is a submodule")
        if size > max_bytes:
            raise NotThere(f"is larger than {max_bytes >> 10:,} KiB")
        content = self.git("cat-file", "blob", object_name)
        if content.returncode:
            raise NotThere("cannot be read (a part of the history is not on this disk)")
        return content.stdout

    def digest(self, commit: str, name: str, max_bytes: int) -> str:
        """Returns the SHA-256 of a file at a commit; the content of git-lfs and git-annex need not exist.

        Raises:
            NotThere: There is no such file, it is too large, or it is encrypted.
        """
        try:
            content = self.blob(commit, name, max_bytes)
        except NotThere:
            link = self.git("cat-file", "blob", f"{commit}:{name}")
            annexed = None if link.returncode else _ANNEX_KEY.search(link.stdout[:_MAX_LINK_BYTES])
            if annexed is None:
                raise
            return annexed[1].decode()
        if content.startswith(_GIT_CRYPT):
            raise NotThere("is encrypted (git-crypt)")
        return lfs_digest(content) or hashlib.sha256(content).hexdigest()

    def _look(self, commit: str, name: str) -> tuple[str, str, int]:
        """Returns object, kind and size of a name."""
        if "\n" in name:
            raise NotThere("has a line break in its name")
        asked = f"{commit}:{name}".encode("utf-8", "surrogateescape")
        answer = self.git("cat-file", "--batch-check", "--follow-symlinks", stdin=asked + b"\n").stdout
        word, _, rest = answer.decode("utf-8", "surrogateescape").partition(" ")
        if word == "symlink":
            raise NotThere("is a link that leads out of the repository")
        if word in ("dangling", "loop", "notdir"):
            raise NotThere("is a link that leads nowhere" if word != "notdir" else "is not there")
        kind, _, size = rest.strip().partition(" ")
        if not size.isdigit():
            if self._answer("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{name}"):
                raise NotThere("cannot be read (its content is missing from the repository)")
            raise NotThere("is not there")
        return word, kind, int(size)

    def _submodule(self, commit: str, name: str) -> tuple[Repository, str, str] | None:
        """Returns the submodule that a name is in, its commit and the name there; None for other names.

        Raises:
            NotThere: The submodule or that commit of it is not on this disk.
        """
        folders = [str(folder) for folder in PurePosixPath(name).parents if folder.name]
        if not folders:
            return None
        listed = self.git("ls-tree", "-z", "--full-tree", commit, "--", *folders).stdout
        for entry in listed.decode("utf-8", "surrogateescape").split("\0"):
            kind, _, folder = entry.partition("\t")
            if not kind.startswith("160000 commit "):
                continue
            inner = kind.removeprefix("160000 commit ")
            place = Path(self.top, folder)
            if not self.top or not (place / ".git").exists():
                raise NotThere(f"is in the submodule {folder}, which is not checked out here,")
            repository = Repository.around(place)
            if repository.git("cat-file", "-e", f"{inner}^{{commit}}").returncode:
                raise NotThere(
                    f"is in the submodule {folder}, whose commit {inner[:10]} is not on this disk,"
                )
            return repository, inner, posixpath.relpath(name, folder)
        return None

    def names(self, commit: str) -> list[str]:
        """Returns all files of a commit."""
        listed = self.git("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit).stdout
        return [name for name in listed.decode("utf-8", "surrogateescape").split("\0") if name]

    def renames(self, old: str, new: str) -> Iterator[tuple[str, str]]:
        """Returns old and new name of each file that git considers renamed between two commits."""
        done = self.git("diff-tree", "-r", "-z", "-M", "--name-status", "--diff-filter=R", old, new)
        parts = done.stdout.decode("utf-8", "surrogateescape").split("\0")
        for place in range(0, len(parts) - 2, 3):
            yield parts[place + 1], parts[place + 2]


def _refusal(folder: Path, said: str) -> str:
    """Returns why git does not read the repository of a folder."""
    lines = [line for line in said.splitlines() if line.strip()]
    if "dubious ownership" in said:
        top = re.search(r"at '([^']*)'", said)
        name = top[1] if top else str(folder)
        return (
            f"git does not read the repository at {name}, because it belongs to another user (dubious "
            f"ownership); if you trust it: git config --global --add safe.directory {name}"
        )
    if any((parent / ".git").exists() for parent in (folder.absolute(), *folder.absolute().parents)):
        reason = lines[0].removeprefix("fatal: ") if lines else "no reason given"
        return f"git cannot read the repository of {folder} ({reason})"
    return f"{folder} is in no git repository, so there are no revisions to compare"


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
        reason = ""
        for name in self._names_at(commit, other):
            try:
                content = self.repository.blob(commit, name, MAX_BYTES)
            except NotThere as problem:
                reason = reason or str(problem)
                continue
            if lfs_digest(content) is not None:
                raise UsageError(
                    f"{name} is kept by git-lfs: git itself has a pointer to it only; songs are small texts, "
                    "take them out of .gitattributes"
                )
            return name, content
        raise UsageError(self._why(commit, revision, reason))

    def _names_at(self, commit: str, other: str | None) -> Iterator[str]:
        """Yields possible names of the song at a commit, the likeliest first."""
        repository = self.repository
        yield self.name
        if self.path.is_symlink():
            # The commit may lack a link but have the file that it leads to.
            with suppress(UsageError):
                target = SongHistory.of(self.path.resolve())
                if target.repository.top == repository.top:
                    yield target.name
        if not self.name.isascii():
            yield from (name for name in repository.names(commit) if same_name(name) == same_name(self.name))
        if other is None and not repository.is_bare:
            other = repository.commit("HEAD")
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
        if reason != "is not there":
            return f"{shown} {reason} in revision {revision!r}"
        if not self.path.exists() and not self.path.parent.is_dir():
            return f"there is no folder {self.path.parent}, and no {self.name} in revision {revision!r}"
        if not self.path.exists():
            return f"{shown} is neither on disk nor in revision {revision!r}"
        said = f"{shown} is not in revision {revision!r}"
        missing = self._missing(commit)
        if missing:
            return f"{said}; was it renamed from {missing[0]}? The two differ too much to tell"
        try:
            self.repository.blob(self.repository.commit("HEAD"), self.name, MAX_BYTES)
        except (NotThere, UsageError):
            return f"{said}: it has never been committed, so there is nothing to compare it with"
        return f"{said}: it was added later"
