"""A loop of one's own is checked by reading it, and kept under the digest of its content."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from riffcomposer.errors import UsageError
from riffcomposer.store.store import Store
from riffcomposer.studio import uploads
from riffcomposer.studio.uploads import MAX_UPLOAD_BYTES, keep_upload
from riffcomposer.studio.workspace import Workspace

RATE = 8000


def clicks(seconds: float = 8, bpm: float = 120) -> bytes:
    """A WAV file of clicks on the beat."""
    sound = np.zeros(round(seconds * RATE))
    for at in np.arange(0, seconds, 60 / bpm):
        start = round(at * RATE)
        sound[start : start + 200] = np.hanning(200)[: len(sound) - start]
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, RATE, format="WAV")
    return buffer.getvalue()


def picture(width: int = 64, height: int = 64) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (height, width), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def keep(tmp_path: Path) -> Any:
    root = tmp_path / "songs"
    root.mkdir()
    store = Store(tmp_path / "store")
    return lambda name, content: keep_upload(Workspace(root), store, name, content)


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_loop_is_kept_once_with_its_tempo(keep: Any, tmp_path: Path) -> None:
    first = keep("My Loop.wav", clicks())
    assert first["path"].startswith("recordings/my-loop-")
    assert first["path"].endswith(".wav")
    assert (tmp_path / "songs" / first["path"]).read_bytes() == clicks()
    assert first["seconds"] == 8
    assert first["tempo"] == pytest.approx(120, rel=0.01)
    assert keep("My Loop.wav", clicks()) == first
    assert len(files_of(tmp_path / "songs")) == 1


def test_a_picture_is_kept_by_what_it_is_and_not_by_its_name(keep: Any) -> None:
    found = keep("photo.wav", picture())
    assert found["medium"] == "image"
    assert found["path"].endswith(".png")


@pytest.mark.parametrize(
    "name",
    [
        "../../escape.wav",
        "/etc/cron.d/x.wav",
        "..\\..\\escape.wav",
        "C:\\Windows\\x.wav",
        ".hidden.wav",
        "a\0b.wav",
        "nul",
        "x" * 5000 + ".wav",
        "\u202egnp.wav",
        "song.yaml",
        "page.html",
        "--help",
        "",
        "\ud800.wav",
    ],
)
def test_a_hostile_name_leads_nowhere_else(keep: Any, tmp_path: Path, name: str) -> None:
    found = keep(name, clicks())
    root = tmp_path / "songs"
    assert files_of(root) == {found["path"]}
    assert (root / found["path"]).parent == root / "recordings"
    assert (root / found["path"]).suffix == ".wav"
    assert not Path(found["path"]).name.startswith((".", "-"))
    assert (
        files_of(tmp_path)
        - {path for path in files_of(tmp_path) if path.startswith(("store/", "songs/recordings/"))}
        == set()
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "unknown kind|empty"),
        (b"sections: []\n", "starts from a sound or a picture"),
        (b"<!doctype html><script>alert(1)</script>", "starts from a sound or a picture"),
        (b"MThd" + bytes(100), "starts from a sound or a picture"),
        (b"\x7fELF" + bytes(100), "starts from a sound or a picture"),
        (clicks()[:40], "the file"),
        (picture()[:300], "the file"),
        (picture(8, 4000), "rows"),
    ],
)
def test_what_cannot_be_read_is_not_kept(keep: Any, tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        keep("loop.wav", content)
    assert str(tmp_path) not in str(refused.value)
    assert "/tmp" not in str(refused.value)
    assert files_of(tmp_path / "songs") == set()


def test_length_and_size_are_limited(keep: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="longer than 10 minutes"):
        keep("long.wav", clicks(601))
    with pytest.raises(UsageError, match="at most 32"):
        keep("large.wav", bytes(MAX_UPLOAD_BYTES + 1))
    keep("one.wav", clicks())
    monkeypatch.setattr(uploads, "MAX_FOLDER_BYTES", 1000)
    with pytest.raises(UsageError, match="remove what is not needed"):
        keep("two.wav", clicks(4))


def test_a_folder_that_leads_elsewhere_is_not_written(keep: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "songs" / "recordings")
    with pytest.raises(UsageError, match="leads out"):
        keep("loop.wav", clicks())
    assert files_of(tmp_path / "elsewhere") == set()
