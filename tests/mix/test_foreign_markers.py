"""Markers and loops as other programs write them, and files that are not what their suffix says."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
import soundfile

from riffcomposer.errors import AudioError
from riffcomposer.mix.markers import append_chunks, chunk
from riffcomposer.mix.tags import read_embedded

RATE, SAMPLES = 8000, 4000


def sound(path: Path, **options: Any) -> Path:
    soundfile.write(path, np.zeros(SAMPLES, np.float32), RATE, **options)
    return path


def commented(folder: Path, comments: dict[str, str], suffix: str = "flac") -> Path:
    path = sound(folder / f"x.{suffix}")
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    for key, value in comments.items():
        file.tags[key] = value
    file.save()
    return path


@pytest.mark.parametrize("suffix", ["flac", "ogg"])
@pytest.mark.parametrize(
    "time",
    [
        "00:00:nan",
        "00:00:inf",
        "00:00:1e999",
        "-1:00:00",
        "00:00:-1",
        "9" * 400 + ":0:0",
        "9" * 5000 + ":0:0",
    ],
)
def test_a_chapter_at_no_time_is_left_out(tmp_path: Path, time: str, suffix: str) -> None:
    path = commented(
        tmp_path, {"CHAPTER001": time, "CHAPTER002": "00:00:00.250", "CHAPTER002NAME": "歌"}, suffix
    )
    assert [(marker.name, marker.start_sample) for marker in read_embedded(path).markers] == [("歌", 2000)]


LOOPS: dict[str, tuple[dict[str, str], tuple[int, int] | None]] = {
    "an end": ({"LOOPSTART": "100", "LOOPEND": "3000"}, (100, 3000)),
    "ZDoom": ({"LOOP_START": "100", "LOOP_END": "3000"}, (100, 3000)),
    "ZDoom, by time": ({"LOOP_START": "0:00.125", "LOOP_END": ":0.25"}, (1000, 2000)),
    "Chocolate Doom": ({"LOOP_BEGIN": "00:00:00.125"}, (1000, SAMPLES)),
    "hyphens": ({"LOOP-START": "100", "LOOP-LENGTH": "50"}, (100, 150)),
    "a start alone": ({"LOOPSTART": "100"}, (100, SAMPLES)),
    "an end alone": ({"LOOPEND": "100"}, (0, 100)),
    "beyond the end": ({"LOOPSTART": "100", "LOOPLENGTH": "99999"}, (100, SAMPLES)),
    "nothing": ({"LOOPSTART": "100", "LOOPLENGTH": "0"}, None),
    "backwards": ({"LOOPSTART": "100", "LOOPEND": "50"}, None),
    "after the end": ({"LOOPSTART": "99999"}, None),
    "a fraction": ({"LOOPSTART": "1.5", "LOOPLENGTH": "100"}, None),
    "another word": ({"LOOPING": "1", "LOOPCOUNT": "3"}, None),
    "no time": ({"LOOP_START": "nan:1"}, None),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_of_other_programs(tmp_path: Path, name: str) -> None:
    comments, loop = LOOPS[name]
    assert read_embedded(commented(tmp_path, comments)).loop == loop


def sampler(first: int, last: int) -> bytes:
    return chunk(b"smpl", struct.pack("<9I6I", 0, 0, 125_000, 60, 0, 0, 0, 1, 0, 0, 0, first, last, 0, 0))


@pytest.mark.parametrize(
    ("first", "last", "loop"),
    [(100, 199, (100, 200)), (200, 100, None), (0, 0xFFFFFFFF, (0, SAMPLES)), (SAMPLES, SAMPLES + 1, None)],
)
def test_the_sampler_chunk_of_others(
    tmp_path: Path, first: int, last: int, loop: tuple[int, int] | None
) -> None:
    path = sound(tmp_path / "x.wav")
    append_chunks(path, sampler(first, last))
    assert read_embedded(path).loop == loop


@pytest.mark.parametrize("length", [b"\xff" * 4, bytes(4)], ids=["a pipe", "a recorder that crashed"])
def test_a_wav_of_unknown_length_has_no_chunks_after_its_audio(tmp_path: Path, length: bytes) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, SAMPLES), RATE)
    content = path.read_bytes()
    at = content.index(b"data")
    path.write_bytes(b"RIFF" + length + content[8 : at + 4] + length + content[at + 8 :])
    embedded = read_embedded(path)
    assert (embedded.markers, embedded.loop, embedded.recipe) == ((), None, None)


def test_a_file_under_another_suffix_is_named(tmp_path: Path) -> None:
    sound(tmp_path / "x.wav", format="FLAC")
    sound(tmp_path / "x.flac", format="WAV")
    sound(tmp_path / "x.ogg", format="OGG", subtype="OPUS")
    (tmp_path / "y.wav").write_bytes(b"<html>404</html>")
    (tmp_path / "z.wav").write_bytes(b"")
    for name, words in (
        ("x.wav", "is a FLAC file; rename it to .flac"),
        ("x.flac", "is a WAV file; rename it to .wav"),
        ("x.ogg", "an Ogg file without Vorbis"),
        ("y.wav", "an HTML page"),
        ("z.wav", "is empty"),
    ):
        with pytest.raises(AudioError) as caught:
            read_embedded(tmp_path / name)
        assert words in str(caught.value)
        assert name in str(caught.value)
