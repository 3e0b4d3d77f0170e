"""The files that a song names are checked before they are used."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from riffcomposer.errors import SongError
from riffcomposer.plan.inputs import Purpose, SongFiles

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def wav(channels: int = 1, rate: int = 44_100, claimed: int = 100) -> bytes:
    """A WAV file of 100 bytes of sound whose header claims `claimed`."""
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2 % 2**32, channels * 2 % 2**16, 16)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", claimed) + bytes(100)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def look(folder: Path, name: str, purpose: Purpose = "init") -> str:
    return SongFiles(folder)(name, purpose, ("sections", 0, "init")).sha256


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_sound_is_found_by_its_content(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"loop{suffix}"
    soundfile.write(path, np.sin(np.arange(44_100) / 20) * 0.1, 44_100)
    assert look(tmp_path, path.name) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_real_silence_compresses_well_and_is_no_forgery(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.flac", np.zeros(44_100 * 20), 44_100)
    look(tmp_path, "silence.flac")


def test_a_picture(tmp_path: Path) -> None:
    Image.new("L", (512, 512), 200).save(tmp_path / "x.png")
    look(tmp_path, "x.png")
    look(tmp_path, "x.png", "mask")


def snow() -> bytes:
    """A whole PNG file of noise."""
    content = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64)).astype(np.uint8)
    Image.fromarray(pixels).save(content, format="PNG")
    return content.getvalue()


SNOW = snow()
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 451628\n" % 7

BAD: dict[str, bytes] = {
    "empty.wav": b"",
    "header.wav": wav()[:44],
    "channels.wav": wav(channels=65_535),
    "still.wav": wav(rate=0),
    "page.mp3": b"<!DOCTYPE html><html><body>not found</body></html>",
    "text.png": b"hello",
    "huge.png": PNG + struct.pack(">II", 60_000, 60_000),
    "flat.png": PNG + struct.pack(">II", 0, 10),
    "short.png": PNG,
    "other.txt": b"hello",
    "cut.png": SNOW[: len(SNOW) // 2],
    "pointer.wav": LFS_POINTER,
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_faults_of_the_song(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(BAD[name])
    with pytest.raises(SongError) as caught:
        look(tmp_path, name)
    assert caught.value.diagnostics[0].path == ("sections", 0, "init")
    assert name in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", struct.pack("<Q", 2**60) + b"{}"])
def test_a_lora_must_look_like_safetensors(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(SongError, match="not a safetensors file"):
        look(tmp_path, "x.safetensors", "lora")


def outside(folder: Path) -> str:
    (folder.parent / "secret.wav").write_bytes(wav())
    return "../secret.wav"


def link_out(folder: Path) -> str:
    outside(folder)
    (folder / "link.wav").symlink_to(folder.parent / "secret.wav")
    return "link.wav"


def pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe.wav")
    return "pipe.wav"


def sparse(folder: Path) -> str:
    with open(folder / "sparse.wav", "wb") as handle:
        handle.truncate(10 << 30)
    return "sparse.wav"


@pytest.mark.parametrize(
    "trap", [outside, link_out, pipe, sparse, lambda _: "/etc/passwd", lambda _: "~/x.wav"]
)
def test_nothing_outside_and_no_traps(tmp_path: Path, trap: Callable[[Path], str]) -> None:
    folder = tmp_path / "song"
    folder.mkdir()
    with pytest.raises(SongError):
        look(folder, trap(folder))


def test_a_link_inside_and_an_allowed_folder_are_fine(tmp_path: Path) -> None:
    folder = tmp_path / "song"
    folder.mkdir()
    Image.new("L", (512, 512), 200).save(folder / "real.png")
    (folder / "link.png").symlink_to("real.png")
    assert look(folder, "link.png") == look(folder, "real.png")
    soundfile.write(tmp_path / "shared.wav", np.zeros(1000), 44_100)
    (folder / "out.wav").symlink_to(tmp_path / "shared.wav")
    SongFiles(folder, (tmp_path,))("out.wav", "init", ())
