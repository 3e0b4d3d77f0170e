"""What is staged in a git repository, as a tree that can be read as a commit can."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from riffcomposer.cli.git_repository import Repository
from riffcomposer.errors import UsageError

STAGED = "staged"
"""What users call the index: the name of that side of a comparison."""


@contextmanager
def staged_tree(repository: Repository) -> Iterator[tuple[Repository, str]]:
    """Writes the index as a tree, beside the repository, which stays as it is.

    In a hook it is the index of the commit at hand, which with `git commit FILE` is not the repository's own.

    Yields:
        The repository with the tree among its objects, and the tree's name.

    Raises:
        UsageError: There is no index, or a merge in it is not resolved.
    """
    if repository.is_bare:
        raise UsageError("this is a bare repository, in which nothing is staged")
    index = _index(repository)
    with tempfile.TemporaryDirectory(prefix="riffcompose-") as folder:
        objects = Path(folder, "objects")
        objects.mkdir()
        # git may write to an index that it reads.
        own = Path(folder, "index")
        if index.exists():
            shutil.copyfile(index, own)
        others = [_git_path(repository, "objects")]
        if known := repository.environment.get("GIT_ALTERNATE_OBJECT_DIRECTORIES"):
            others.append(known)
        environment = {
            **repository.environment,
            "GIT_INDEX_FILE": str(own),
            "GIT_OBJECT_DIRECTORY": str(objects),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": os.pathsep.join(others),
        }
        reader = replace(repository, environment=environment)
        unmerged = reader.git("ls-files", "--unmerged", "-z").stdout.split(b"\0")[0].partition(b"\t")[2]
        if unmerged:
            name = unmerged.decode("utf-8", "replace")
            raise UsageError(f"a merge is not resolved ({name}): nothing is staged before it is")
        written = reader.git("write-tree", "--missing-ok")
        if written.returncode:
            said = written.stderr.decode("utf-8", "replace").replace(str(own), str(index))
            reason = said.strip().splitlines()
            raise UsageError(f"git cannot read what is staged ({reason[0] if reason else 'no reason given'})")
        yield reader, written.stdout.decode().strip()


def _index(repository: Repository) -> Path:
    """Returns the index of the commit at hand: a hook's, if the hook is of this repository, or its own."""
    own = Path(_git_path(repository, "index"))
    named = os.environ.get("GIT_INDEX_FILE")
    if named and os.path.realpath(os.path.dirname(named)) == os.path.realpath(own.parent):
        return Path(os.path.abspath(named))
    return own


def _git_path(repository: Repository, name: str) -> str:
    """Returns the absolute path of a file or folder of git's own."""
    return os.path.join(repository.folder.absolute(), repository.answer("rev-parse", "--git-path", name))
