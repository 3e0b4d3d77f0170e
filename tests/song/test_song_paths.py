"""Files that a song names stay under its folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from riffcomposer.song.paths import PathError, is_path, resolve_inside


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A song's folder with a file, and another file beside the folder."""
    folder = tmp_path / "song"
    (folder / "clips").mkdir(parents=True)
    (folder / "clips" / "a.wav").write_bytes(b"inside")
    (tmp_path / "secret.wav").write_bytes(b"outside")
    return folder


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("lofi-keys", False),
        ("beats_80", False),
        ("a.wav", True),
        ("clips/a", True),
        ("..", True),
        ("C:a", True),
        ("~", True),
        ("lo-fi.2", True),
    ],
)
def test_is_path(text: str, path: bool) -> None:
    assert is_path(text) is path


@pytest.mark.parametrize("text", ["clips/a.wav", "./clips/a.wav", "clips/./a.wav", "clips//a.wav"])
def test_found(folder: Path, text: str) -> None:
    assert resolve_inside(folder, text) == (folder / "clips" / "a.wav").resolve()


@pytest.mark.parametrize(
    "text",
    [
        "../secret.wav",
        "clips/../../secret.wav",
        "clips/../clips/a.wav",
        "/etc/passwd",
        "~/a.wav",
        "~root/a.wav",
        "http://example.org/a.wav",
        "file:///etc/passwd",
        "C:/a.wav",
        "clips\\a.wav",
        "clips/a.wav\0.png",
        "clips/a\n.wav",
        "clips",
        ".",
        "none.wav",
        "clips/a.wav/b.wav",
        "x" * 5000,
        "\ud800.wav",
    ],
)
def test_refused(folder: Path, text: str) -> None:
    with pytest.raises(PathError):
        resolve_inside(folder, text)


@pytest.mark.skipif(os.name == "nt", reason="Windows takes no colon in a name")
def test_a_colon_is_a_character_like_another(folder: Path) -> None:
    (folder / "take:1.wav").write_bytes(b"inside")
    assert resolve_inside(folder, "take:1.wav").read_bytes() == b"inside"


def test_links(folder: Path, tmp_path: Path) -> None:
    (folder / "inside.wav").symlink_to("clips/a.wav")
    (folder / "outside.wav").symlink_to("../secret.wav")
    (folder / "folder").symlink_to(tmp_path)
    (folder / "circle.wav").symlink_to("circle.wav")
    (folder / "nowhere.wav").symlink_to("gone.wav")
    assert resolve_inside(folder, "inside.wav").read_bytes() == b"inside"
    for text in ("outside.wav", "folder/secret.wav", "circle.wav", "nowhere.wav"):
        with pytest.raises(PathError):
            resolve_inside(folder, text)


def test_a_broken_link_is_named_as_one(folder: Path) -> None:
    (folder / "loop.wav").symlink_to("gone.wav")
    with pytest.raises(
        PathError, match=r"'loop\.wav' is a link to a file that is not there; copy"
    ) as refused:
        resolve_inside(folder, "loop.wav")
    assert "did you mean" not in str(refused.value)


def test_a_song_folder_behind_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert resolve_inside(tmp_path / "link", "clips/a.wav").read_bytes() == b"inside"


def test_allowed_folders(folder: Path, tmp_path: Path) -> None:
    (folder / "outside.wav").symlink_to("../secret.wav")
    assert resolve_inside(folder, "outside.wav", allowed=(tmp_path,)).read_bytes() == b"outside"
    with pytest.raises(PathError):
        resolve_inside(folder, "../secret.wav", allowed=(tmp_path,))


def test_only_regular_files(folder: Path) -> None:
    os.mkfifo(folder / "fifo.wav")
    with pytest.raises(PathError, match="not a regular file"):
        resolve_inside(folder, "fifo.wav")
    (folder / "null.wav").symlink_to("/dev/null")
    with pytest.raises(PathError):
        resolve_inside(folder, "null.wav", allowed=(Path("/dev"),))


def test_a_size_cap(folder: Path) -> None:
    with open(folder / "sparse.wav", "wb") as handle:
        handle.truncate(10 << 30)
    with pytest.raises(PathError, match="larger than 512 MiB"):
        resolve_inside(folder, "sparse.wav")
