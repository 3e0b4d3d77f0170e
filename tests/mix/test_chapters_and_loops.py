"""Chapters in the order of time, and loops that game engines find, read from the files' bytes."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import mutagen
import pytest
from mix_signals import SAMPLE_RATE, noise

from riffcomposer.media.kinds import AudioFormat
from riffcomposer.mix.blocks import ArrayReader
from riffcomposer.mix.encoding import encode
from riffcomposer.mix.markers import Marker, write_labels
from riffcomposer.mix.tags import Tags, embed, read_embedded

SECONDS = 0.5
SAMPLES = round(SECONDS * SAMPLE_RATE)


def tagged(
    folder: Path, format: AudioFormat, markers: list[Marker], *, loop: bool = False, tags: Tags | None = None
) -> Path:
    path = folder / f"x.{format}"
    encode(ArrayReader(noise(SECONDS, 0.1, 2)), SAMPLE_RATE, path, format)
    embed(
        path,
        format,
        tags or Tags("Title", comment="c", recipe={"song": "x" * 500}),
        markers,
        sample_rate=SAMPLE_RATE,
        total_samples=SAMPLES,
        loop=loop,
    )
    return path


def id3_frames(path: Path) -> Iterator[tuple[str, bytes]]:
    """Identifier and content of each frame of an ID3v2.4 tag, by the specification."""
    content = path.read_bytes()

    def length(at: int) -> int:
        return sum((content[at + i] & 0x7F) << 7 * (3 - i) for i in range(4))

    assert content[:4] == b"ID3\x04"
    at, end = 10, 10 + length(6)
    while at < end:
        size = length(at + 4)
        yield content[at : at + 4].decode(), content[at + 10 : at + 10 + size]
        at += 10 + size


def split(content: bytes) -> tuple[str, bytes]:
    name, _, rest = content.partition(b"\0")
    return name.decode(), rest


NAMES = ["a very long name for an introduction", "b", "the middle part", "", "z" * 90, "end"]


@pytest.mark.parametrize("count", [6, 12, 300])
def test_mp3_chapters_are_in_the_file_by_time(tmp_path: Path, count: int) -> None:
    markers = [Marker(NAMES[number % 6], number * SAMPLES // count) for number in range(count)]
    frames = list(id3_frames(tagged(tmp_path, "mp3", markers)))
    chapters = [split(content) for kind, content in frames if kind == "CHAP"]
    starts = [struct.unpack_from(">I", rest)[0] for _, rest in chapters]
    ends = [struct.unpack_from(">I", rest, 4)[0] for _, rest in chapters]
    assert starts == [round(marker.start_sample * 1000 / SAMPLE_RATE) for marker in markers]
    assert ends[:-1] == starts[1:]
    ids = [name for name, _ in chapters]
    assert len(set(ids)) == count
    for (_, rest), marker in zip(chapters, markers, strict=True):
        assert (b"\x03" + marker.name.encode() + b"\0") in rest or not marker.name

    tables = {}
    for kind, content in frames:
        if kind == "CTOC":
            name, rest = split(content)
            flags, children = rest[0], rest[2:].split(b"\0")[: rest[1]]
            tables[name] = (flags, [child.decode() for child in children])
    tops = [name for name, (flags, _) in tables.items() if flags & 2]
    assert len(tops) == 1
    listed = tables[tops[0]][1]
    if count > 255:
        assert all(name in tables for name in listed)
        listed = [child for name in listed for child in tables[name][1]]
    assert listed == ids
    assert [marker.name for marker in read_embedded(tmp_path / "x.mp3").markers] == [m.name for m in markers]


def test_the_music_behind_ordered_chapters_is_untouched(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    plain = tagged(tmp_path / "plain", "mp3", [])
    with_chapters = tagged(tmp_path, "mp3", [Marker(name, 1000 * n) for n, name in enumerate(NAMES)])
    assert mutagen.File(with_chapters).info.length == mutagen.File(plain).info.length
    assert with_chapters.read_bytes().endswith(plain.read_bytes()[-2000:])


@pytest.mark.parametrize("format", ["ogg", "flac"])
def test_vorbis_chapters_are_in_the_file_by_time(tmp_path: Path, format: AudioFormat) -> None:
    markers = [Marker(name or "?", 3000 * number) for number, name in enumerate(NAMES)]
    comments = list(mutagen.File(tagged(tmp_path, format, markers)).tags)
    times = [value for key, value in comments if re.fullmatch(r"CHAPTER\d+", key)]
    assert times == sorted(times)
    assert len(times) == len(NAMES)
    assert [value for key, value in comments if key.endswith("NAME")] == [m.name for m in markers]


@pytest.mark.parametrize("format", ["ogg", "flac"])
def test_a_loop_says_so_in_samples(tmp_path: Path, format: AudioFormat) -> None:
    path = tagged(tmp_path, format, [Marker("a", 0)], loop=True)
    tags = mutagen.File(path).tags
    assert tags["LOOPSTART"] == ["0"]
    assert tags["LOOPLENGTH"] == [str(SAMPLES)]
    assert mutagen.File(path).info.length == pytest.approx(SAMPLES / SAMPLE_RATE)
    assert read_embedded(path).loop == (0, SAMPLES)


@pytest.mark.parametrize("format", ["ogg", "flac", "mp3", "wav"])
def test_what_is_no_loop_does_not_say_so(tmp_path: Path, format: AudioFormat) -> None:
    path = tagged(tmp_path, format, [Marker("a", 0)])
    assert b"LOOP" not in path.read_bytes()
    assert read_embedded(path).loop is None


def test_an_mp3_of_a_loop_names_none(tmp_path: Path) -> None:
    assert b"LOOP" not in tagged(tmp_path, "mp3", [], loop=True).read_bytes()


@pytest.mark.parametrize("title_bytes", [1, 41, 42, 46, 51, 200])
@pytest.mark.parametrize("with_comment", [True, False])
def test_a_reader_of_the_first_255_bytes_finds_the_loop(
    tmp_path: Path, title_bytes: int, with_comment: bool
) -> None:
    tags = Tags("t" * title_bytes, comment="made by a test" if with_comment else "", recipe={"a": 1})
    content = tagged(tmp_path, "ogg", [], loop=True, tags=tags).read_bytes()
    first = content[content.index(b"\x03vorbis") :][:255]
    found = {key: int(value) for key, value in re.findall(rb"(LOOP[A-Z]+)=([0-9]+)", first)}
    assert found == {b"LOOPSTART": 0, b"LOOPLENGTH": SAMPLES}


@pytest.mark.parametrize(
    ("start", "length", "loop"),
    [
        ("5", "10", (5, 15)),
        (None, "10", (0, 10)),
        ("x", "10", None),
        ("1", "-4", None),
        ("1", None, (1, SAMPLES)),
        ("9" * 40, "1", None),
        ("1", "²", None),
    ],
)
def test_loops_of_others_are_read(
    tmp_path: Path, start: str | None, length: str | None, loop: tuple[int, int] | None
) -> None:
    path = tagged(tmp_path, "ogg", [])
    file = mutagen.File(path)
    for key, value in (("LoopStart", start), ("LOOPLENGTH", length)):
        if value is not None:
            file.tags[key] = value
    file.save()
    assert read_embedded(path).loop == loop


STRANGE = "a\x1b[31m\x07b\nc\u202ed\u2028e\x00f"


@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "ogg"])
def test_control_characters_stay_out_of_tags(tmp_path: Path, format: AudioFormat) -> None:
    path = tagged(tmp_path, format, [Marker(STRANGE, 0), Marker("=;" * 50, 100)], tags=Tags(STRANGE * 30))
    embedded = read_embedded(path)
    assert embedded.markers[0].name == "a [31m b c d e f"
    assert embedded.markers[1].name == "=;" * 50
    assert embedded.title == " ".join(["a [31m b c d e f"] * 30).replace("f a", "fa")
    assert b"\x1b[31m" not in path.read_bytes()


def test_control_characters_stay_out_of_labels(tmp_path: Path) -> None:
    write_labels(tmp_path / "x.txt", [Marker(STRANGE, 0)], SAMPLE_RATE, SAMPLE_RATE)
    assert (tmp_path / "x.txt").read_text() == "0.000000\t1.000000\ta [31m b c d e f\n"
