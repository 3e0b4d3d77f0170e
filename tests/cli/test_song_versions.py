"""What the studio says about a song's state in git."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from song_repositories import commit, git, text

from riffcomposer.cli.song_versions import GitVersions

pytestmark = pytest.mark.usefixtures("repository_of_songs")


def test_line_ends_of_windows_are_no_change() -> None:
    """With core.autocrlf, a fresh clone has other bytes than its commit."""
    git("config", "core.autocrlf", "true")
    commit(("song.yaml", text()))
    Path("song.yaml").unlink()
    git("checkout", "-q", "song.yaml")
    assert b"\r\n" in Path("song.yaml").read_bytes()
    assert GitVersions().state(Path("song.yaml"))["changed"] is False
    Path("song.yaml").write_bytes(text("fast keys").replace("\n", "\r\n").encode())
    assert GitVersions().state(Path("song.yaml"))["changed"] is True


def test_a_detached_head_is_named_by_its_commit() -> None:
    commit(("song.yaml", text()))
    git("checkout", "-q", "--detach")
    assert GitVersions().state(Path("song.yaml"))["branch"] == git("rev-parse", "HEAD")[:10]
    git("checkout", "-q", "-b", "side")
    assert GitVersions().state(Path("song.yaml"))["branch"] == "side"


def test_a_name_that_is_not_utf_8_can_be_sent() -> None:
    name = Path(os.fsdecode(b"s\xf6ng.yaml"))
    name.write_text(text())
    git("commit", "-q", "--allow-empty", "-m", "a version")
    for state in (GitVersions().state(name), GitVersions().compare(name, "HEAD")):
        json.dumps(state, ensure_ascii=False).encode()
    assert GitVersions().state(name)["tracked"] is False
