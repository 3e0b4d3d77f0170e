"""A request reaches the songs and the rendered files of its folder, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from riffcomposer.errors import UsageError
from riffcomposer.studio.workspace import Conflict, NotFound, Workspace, digest_of


@pytest.fixture
def folder(tmp_path: Path) -> Workspace:
    root = tmp_path / "songs"
    (root / "more").mkdir(parents=True)
    (root / ".hidden").mkdir()
    (tmp_path / "secret.yaml").write_text("sections: []\n")
    (root / "a.yaml").write_text("title: A\nsections: []\n")
    (root / "more" / "b.yml").write_text("sections:\n")
    (root / "notes.yaml").write_text("key: value\n")
    (root / ".hidden" / "c.yaml").write_text("sections:\n")
    (root / "page.html").write_text("<script>")
    (root / "a.flac").write_bytes(b"fLaC")
    os.symlink(tmp_path / "secret.yaml", root / "link.yaml")
    return Workspace(root)


def test_songs_are_listed_and_other_files_are_not(folder: Workspace) -> None:
    assert [song.path for song in folder.songs()] == ["a.yaml", "more/b.yml"]


OUTSIDE = [
    "../secret.yaml",
    "more/../../secret.yaml",
    "/etc/passwd.yaml",
    "link.yaml",
    ".hidden/c.yaml",
    "~/x.yaml",
    "c:/x.yaml",
    "no/such.yaml",
    "a.yaml\0.yaml",
    "https://example.org/x.yaml",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_path_leads_out_of_the_folder(folder: Workspace, path: str) -> None:
    with pytest.raises(NotFound):
        folder.read(path)
    with pytest.raises(NotFound):
        folder.write(path, b"x", None)


@pytest.mark.parametrize("path", ["page.html", "a.yaml", "../a.flac", "no.flac"])
def test_only_sound_and_pictures_are_served(folder: Workspace, path: str) -> None:
    with pytest.raises(NotFound):
        folder.media(path)
    assert folder.media("a.flac").name == "a.flac"


def test_a_song_is_saved_over_the_version_that_was_edited_only(folder: Workspace) -> None:
    content, digest = folder.read("a.yaml")
    assert folder.write("a.yaml", b"title: B\n", digest) == digest_of(b"title: B\n")
    with pytest.raises(Conflict, match="changed on disk"):
        folder.write("a.yaml", content, digest)
    with pytest.raises(Conflict, match="exists already"):
        folder.write("a.yaml", content, None)
    (folder.root / "a.yaml").unlink()
    with pytest.raises(Conflict, match="no longer there"):
        folder.write("a.yaml", content, digest)
    folder.write("more/new.yaml", content, None)
    assert (folder.root / "more" / "new.yaml").read_bytes() == content


def test_a_text_that_is_too_large_is_refused(folder: Workspace) -> None:
    with pytest.raises(UsageError, match="256 KiB"):
        folder.write("big.yaml", b"x" * 300_000, None)
