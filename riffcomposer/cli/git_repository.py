"""Reads files from a git repository, and follows links into its submodules.

Only objects are read; no filter, hook, text conversion or pager of the repository runs.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from riffcomposer.errors import UsageError

_TIMEOUT_S = 60
# Variables that select another repository, in git's hooks for instance; the song's folder decides instead.
_OF_ANOTHER_REPOSITORY = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
)
_OBJECTS_ELSEWHERE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")
_LFS_POINTER = re.compile(
    rb"version https://(?:git-lfs|hawser)\.github\.com/spec/v1\r?\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:([0-9a-f]{64})\r?\nsize [0-9]+\s*"
)
_ANNEX_KEY = re.compile(rb"/SHA256E?-s[0-9]+--([0-9a-f]{64})[^/]*\Z")
_MAX_LINK_BYTES = 4096
GIT_CRYPT = b"\0GITCRYPT\0"


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
        # In quarantine, a push waits for the hooks to agree.
        elsewhere = () if "GIT_QUARANTINE_PATH" in os.environ else _OBJECTS_ELSEWHERE
        strange = (*_OF_ANOTHER_REPOSITORY, *elsewhere)
        here = {name: value for name, value in os.environ.items() if name not in strange}
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
        except OSError as error:
            raise UsageError(f"git cannot be started ({error.strerror}); install it again") from None
        except subprocess.TimeoutExpired:
            raise UsageError(f"git did not answer within {_TIMEOUT_S} s") from None

    def answer(self, *arguments: str) -> str:
        """Returns git's answer of one line, or an empty string."""
        done = self.git(*arguments)
        return "" if done.returncode else done.stdout.decode("utf-8", "surrogateescape").strip()

    @cached_property
    def is_bare(self) -> bool:
        """Whether there is no working tree."""
        return self.answer("rev-parse", "--is-bare-repository") == "true"

    @cached_property
    def top(self) -> str:
        """Returns the root of the working tree, or an empty string if there is none."""
        return self.answer("rev-parse", "--show-toplevel")

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
            raise NotThere(self._unread())
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
        if content.startswith(GIT_CRYPT):
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
            if self.answer("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{name}"):
                raise NotThere(self._unread())
            if self.git("ls-tree", "-z", "--full-tree", commit, "--", name).returncode:
                raise NotThere(self._unread())
            raise NotThere("is not there")
        return word, kind, int(size)

    def _unread(self) -> str:
        """Returns why an object that must be there cannot be read."""
        filters = self.answer("config", "--get-regexp", r"^remote\..*\.partialclonefilter$")
        partial = (
            "; the clone is partial, and the server that has the rest does not give it" if filters else ""
        )
        return f"cannot be read (its content is missing from the repository{partial})"

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
        if "/worktrees/" in reason:
            reason += (
                "; `git worktree repair`, in the repository that it belongs to, finds one that was moved"
            )
        return f"git cannot read the repository of {folder} ({reason})"
    return f"{folder} is in no git repository, so there are no revisions to compare"
