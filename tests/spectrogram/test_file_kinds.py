"""A file that is no sound or image is refused, and the message names its real kind, whatever its suffix."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from riffcomposer.errors import AudioError, SpectrogramError
from riffcomposer.media.kinds import AUDIO_SUFFIXES, IMAGE_SUFFIXES, kind_of, kind_of_bytes, name_fault
from riffcomposer.media.picture import read_picture
from riffcomposer.media.sound import read_part


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("loop.wav", b"RIFF")
    return content.getvalue()


def tiff() -> bytes:
    content = io.BytesIO()
    Image.new("L", (8, 8)).save(content, format="TIFF")
    return content.getvalue()


FOREIGN: dict[str, tuple[bytes, str]] = {
    "html": (b"\n<!DOCTYPE html><html><title>404</title></html>", "an HTML page; download the file itself"),
    "old html": (b"<!-- x --><HTML><body>login</body></HTML>", "an HTML page"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 4\n" % 7, "git lfs pull"),
    "lfs of a merge": (
        b"version https://git-lfs.github.com/spec/v1\n<<<<<<< HEAD\noid sha256:%064d\n=======\n" % 7,
        "an unresolved merge conflict; choose a side",
    ),
    "merge": (b"<<<<<<< HEAD\nversion https://git-lfs.github.com/spec/v1\n", "an unresolved merge conflict"),
    "zip": (zipped(), "a ZIP archive; unpack it"),
    "gzip": (gzip.compress(b"<Ableton/>"), "a gzip archive"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "a PDF document"),
    "midi": (b"MThd\0\0\0\x06\0\1\0\2\1\xe0MTrk", "a MIDI file; it holds notes and no sound: render it"),
    "riff midi": (b"RIFF\x10\0\0\0RMIDdata", "a MIDI file"),
    "soundfont": (b"RIFF\x10\0\0\0sfbkLIST", "a SoundFont"),
    "avi": (b"RIFF\x10\0\0\0AVI LIST", "an AVI film"),
    "audacity": (b"SQLite format 3\0" + bytes(100), "an Audacity project is one"),
    "reaper": (b'<REAPER_PROJECT 0.1 "6.8"\n  RIPPLE 0\n', "a REAPER project"),
    "fl studio": (b"FLhd\x06\0\0\0", "an FL Studio project"),
    "playlist": (b"#EXTM3U\nhttp://example.org/a.mp3\n", "a playlist"),
    "pls": (b"[playlist]\nFile1=a.mp3\n", "a playlist"),
    "json": (json.dumps({"error": "not found"}).encode(), "a JSON document"),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML document"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
    "text": ("Übung\n".encode() * 3, "a text file"),
    "utf-16": ("text".encode("utf-16"), "a text file"),
    "apple double": (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "a companion file that macOS makes"),
    "zeros": (bytes(10_000), "a file of zero bytes only"),
    "elf": (b"\x7fELF\x02\x01\x01" + bytes(20), "a program"),
    "tiff": (tiff(), "a TIFF image; save it as PNG"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC or AVIF image"),
    "photoshop": (b"8BPS\0\1" + bytes(20), "a Photoshop document"),
    "transport stream": ((b"G\x40\x11\x10" + bytes(184)) * 3, "an MPEG transport stream; extract"),
    "musepack": (b"MPCKSH" + bytes(20), "a Musepack file"),
    "voice": (b"Creative Voice File\x1a\x1a\0", "a Creative Voice file"),
    "dts in wav": (
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + bytes(16) + b"data\0\1\0\0\xfe\x7f\x01\x80",
        "DTS sound",
    ),
    "dolby in wav": (
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + bytes(16) + b"data\0\1\0\0" + bytes(8) + b"\x72\xf8\x1f\x4e",
        "Dolby or DTS sound for a receiver",
    ),
    "icon": (b"\0\0\1\0\1\0\x10\x10" + bytes(20), "a Windows icon; save it as PNG"),
    "ac-3": (b"\x0b\x77\x12\x34" + bytes(20), "an AC-3 file; convert it to FLAC"),
    "ape": (b"MAC \x96\x0f" + bytes(20), "a Monkey's Audio file"),
    "dsd": (b"DSD \x1c" + bytes(20), "a DSD file"),
    "amr": (b"#!AMR\n\x3c\x48", "an AMR recording"),
    "numpy": (b"\x93NUMPY\1\0v\0{'descr'", "a NumPy array"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files_are_refused_by_their_true_name(tmp_path: Path, kind: str) -> None:
    content, says = FOREIGN[kind]
    (tmp_path / "x.mp3").write_bytes(content)
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(AudioError) as sound:
        read_part(tmp_path / "x.mp3")
    with pytest.raises(SpectrogramError) as picture:
        read_picture(tmp_path / "x.png")
    for error in (sound, picture):
        assert says in str(error.value)


def test_a_sound_is_no_image_and_an_image_no_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(1000), 44_100)
    Image.new("L", (8, 8)).save(tmp_path / "b.png")
    with pytest.raises(SpectrogramError, match="is a WAV file, not an image"):
        read_picture(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="is a PNG image, not a sound"):
        read_part(tmp_path / "b.png")


def test_what_comes_after_an_id3_tag_counts(tmp_path: Path) -> None:
    tag = b"ID3\4\0\0\0\0\x01\x00" + bytes(128)
    (tmp_path / "x.mp3").write_bytes(tag + b"fLaC" + bytes(100))
    kind = kind_of(tmp_path / "x.mp3")
    assert kind is not None
    assert kind.name == "a FLAC file"


def test_zeros_before_something_else_are_no_zeros(tmp_path: Path) -> None:
    (tmp_path / "x.mp3").write_bytes(bytes(9000) + b"\xff\xfb\x90\x64" + bytes(range(200)))
    (tmp_path / "x.wav").write_bytes(bytes(9000) + b"RIFF\0\0\0\0WAVE")
    (tmp_path / "x.ogg").write_bytes(bytes(9000))
    kinds = [kind_of(tmp_path / name) for name in ("x.mp3", "x.wav", "x.ogg")]
    assert [kind and kind.name for kind in kinds] == ["an MP3 file", None, "a file of zero bytes only"]


def test_random_bytes_and_short_ones_are_no_kind() -> None:
    for content in (b"", b"\x01", b"\xfe\x01\x02", b"\x00\x01\x02\x03" * 9):
        assert kind_of_bytes(content) is None


@pytest.mark.parametrize("suffix", AUDIO_SUFFIXES + IMAGE_SUFFIXES)
def test_each_suffix_suits_a_kind_that_the_files_page_lists(suffix: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "files.md").read_text(encoding="utf-8")
    assert f"`{suffix}`" in page
    from riffcomposer.media import kinds

    known = [kind for kind in vars(kinds).values() if isinstance(kind, kinds.FileKind)]
    known += [kind for _, kind in kinds._SIGNATURES] + list(kinds._RIFF_FORMS.values())
    assert any(name_fault(kind, f"x{suffix.upper()}") is None and kind.suffixes for kind in known)
