"""A song's versions in git, for the studio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from riffcomposer.cli.git_history import SongHistory
from riffcomposer.cli.git_revisions import commit_of
from riffcomposer.cli.song_comparison import compare, comparison_json
from riffcomposer.errors import SongError, UsageError


class GitVersions:
    """Reads versions of songs from the repository that their folder is in."""

    def state(self, path: Path) -> dict[str, Any]:
        """Whether the song is in a repository, its branch, and whether it differs from the last commit.

        Returns:
            `tracked`, and where it is true `branch` and `changed`; else `reason`. A detached head has its
            commit for a branch. Line ends are no change: git may convert them.
        """
        try:
            history = SongHistory.of(path)
            repository = history.repository
            head = commit_of(repository, "HEAD")
            _, committed = history.read(head, "HEAD", None)
        except UsageError as error:
            return {"tracked": False, "reason": str(error)}
        branch = repository.git("symbolic-ref", "--short", "--quiet", "HEAD").stdout or head[:10].encode()
        changed = _without_line_ends(path.read_bytes()) != _without_line_ends(committed)
        return {"tracked": True, "branch": branch.decode("utf-8", "replace").strip(), "changed": changed}

    def text_at(self, path: Path, revision: str) -> bytes:
        """The song's content at a revision. Raises `UsageError` if there is none."""
        history = SongHistory.of(path)
        return history.read(commit_of(history.repository, revision), revision, None)[1]

    def compare(self, path: Path, revision: str) -> dict[str, Any]:
        """What changed since a revision; `unreadable` says why, if a version cannot be read."""
        try:
            return comparison_json(compare(str(path), [revision]))
        except (UsageError, SongError) as error:
            return {"unreadable": str(error), "changes": [], "sections": [], "clips": None}


def _without_line_ends(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")
