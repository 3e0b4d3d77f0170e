"""Reads revisions as a user of git types them, and says why there is none of that name."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from riffcomposer.cli.git_repository import Repository
from riffcomposer.errors import UsageError

_RANGE = re.compile(r"(?P<old>[^{}:]*?)(?P<dots>\.{2,3})(?P<new>[^{}:]*)")
_ONE_COMMIT = re.compile(r"(?P<commit>[^:]+)\^(?:!|-(?P<parent>\d*))")
_ANCESTOR = re.compile(r"(?P<commit>.+?)(?:~\d*|\^1?)+")
_PARENT = re.compile(r"(?P<commit>.+)\^[2-9]\d*")
_OBJECTS = {"blob": "is a file", "tree": "is a folder"}


def read_revisions(given: Sequence[str]) -> tuple[str, str | None, bool]:
    """Reads `A B`, `A..B`, `A...B`, `A^!` and `A^-` as git does.

    Returns:
        The old revision, the new one (None for the working tree), and whether the form is `A...B`.

    Raises:
        UsageError: There is a range and another revision, or a revision that excludes (`^A`).
    """
    for place, revision in enumerate(given):
        if revision.startswith("^"):
            other = given[1 - place] if len(given) == 2 else "HEAD"
            raise UsageError(
                f"write the two revisions as a range: riffcompose diff {revision[1:]}..{other} song.yaml"
            )
        if len(given) == 2 and (_RANGE.fullmatch(revision) or _ONE_COMMIT.fullmatch(revision)):
            raise UsageError(f"{revision} is two revisions already: riffcompose diff {revision} song.yaml")
    if match := _RANGE.fullmatch(given[0]):
        return match["old"] or "HEAD", match["new"] or "HEAD", match["dots"] == "..."
    if match := _ONE_COMMIT.fullmatch(given[0]):
        return f"{match['commit']}^{match['parent'] or 1}", match["commit"], False
    return given[0], given[1] if len(given) == 2 else None, False


def commit_of(repository: Repository, revision: str) -> str:
    """Returns the full name of a commit.

    Raises:
        UsageError: There is no such revision, or it is no commit.
    """
    # In two steps: `:/words^{commit}` would look for the words with the suffix.
    found = repository.answer("rev-parse", "--verify", "--quiet", "--end-of-options", revision)
    name = repository.answer("rev-parse", "--verify", "--quiet", f"{found or 'HEAD'}^{{commit}}")
    if found.isalnum() and name.isalnum():
        return name
    raise UsageError(_why(repository, revision, found))


def merge_base(repository: Repository, one: str, other: str) -> str:
    """Returns the last common ancestor of two commits.

    Raises:
        UsageError: They have no common ancestor.
    """
    found = repository.answer("merge-base", commit_of(repository, one), commit_of(repository, other))
    if not found:
        raise UsageError(f"{one} and {other} have no commit in common")
    return found.split()[0]


def _why(repository: Repository, revision: str, found: str) -> str:
    """Returns why a revision cannot be used.

    Args:
        found: The object that it names; empty if there is none.
    """
    here, start = repository.folder, _ANCESTOR.fullmatch(revision)
    base = start["commit"] if start else revision
    if kind := _OBJECTS.get(repository.answer("cat-file", "-t", f"{found}^{{}}") if found.isalnum() else ""):
        named, colon, _ = revision.partition(":")
        staged = "; --staged compares what is staged" if colon and not named else ""
        commit = named if colon and named else "HEAD"
        return (
            f"{revision!r} {kind}, not a revision; name a commit: riffcompose diff {commit} song.yaml{staged}"
        )
    if not repository.answer("rev-list", "--all", "--max-count=1"):
        return f"the repository of {here} has no commit yet to compare with"
    if base in ("HEAD", "@") and not repository.answer("rev-parse", "--verify", "--quiet", "HEAD"):
        branch = repository.answer("symbolic-ref", "--short", "--quiet", "HEAD")
        return f"the branch {branch or 'HEAD'} has no commit yet; name another one (`git branch` lists them)"
    if os.path.lexists(revision) and not found:
        kind = "folder" if os.path.isdir(revision) else "file"
        return (
            f"{revision} is a {kind}, not a revision; diff compares versions of one song: "
            f"riffcompose diff HEAD {revision}"
        )
    missing = f"there is no revision {revision!r}"
    if repository.answer("rev-parse", "--is-shallow-repository") == "true":
        return (
            f"{missing} here: the clone is shallow, and its history ends before; "
            "`git fetch --deepen=20` brings more of it, `git fetch --unshallow` all"
        )
    if start and (commit := _found(repository, base)):
        count = int(repository.answer("rev-list", "--count", "--first-parent", commit) or 1) - 1
        commits = f"has {count} commit{'s' * (count != 1)} before it" if count else "is the first commit"
        return f"{missing}: {base} {commits}"
    several = _PARENT.fullmatch(revision)
    if several and (commit := _found(repository, several["commit"])):
        count = len(repository.answer("rev-list", "--parents", "--max-count=1", commit).split()) - 1
        return f"{missing}: {several['commit']} has {count} parent{'s' * (count != 1)}"
    if whole := repository.answer("rev-parse", "--show-superproject-working-tree"):
        return (
            f"{missing} in the repository of {here}, a submodule of {whole}: "
            "only the submodule's own revisions can be compared"
        )
    return f"{missing} in the repository of {here}"


def _found(repository: Repository, revision: str) -> str:
    """Returns the full name of a commit, or an empty string."""
    asked = f"{revision}^{{commit}}"
    return repository.answer("rev-parse", "--verify", "--quiet", "--end-of-options", asked)
