"""Tags, chapters and the recipe inside the sound files we write, and reading them back.

| format | tags | markers | recipe |
|---|---|---|---|
| WAV | `LIST INFO`, ID3 in an `id3 ` chunk | `cue `, `LIST adtl`, `smpl` | ID3 `TXXX:RIFFCOMPOSER` |
| FLAC, OGG | Vorbis comments | `CHAPTERxxx`, `LOOPSTART`, `LOOPLENGTH` | comment `RIFFCOMPOSER` |
| MP3 | ID3v2.4 | `CHAP` and `CTOC` frames, in the order of time | `TXXX:RIFFCOMPOSER` |

An MP3 of a loop holds no loop points: its encoder adds silence around the music, and players differ in how
much of it they remove.

No date, padding or encoder name is written, so that equal audio and tags give equal files.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mutagen
from mutagen import id3
from mutagen.flac import FLAC
from mutagen.oggvorbis import OggVorbis, OggVorbisHeaderError

from riffcomposer.errors import AudioError
from riffcomposer.media.kinds import AudioFormat, kind_of
from riffcomposer.mix.chapters import contents_tables, order_chapters
from riffcomposer.mix.encoding import SoundFileReader, format_of
from riffcomposer.mix.markers import (
    Marker,
    append_chunks,
    before_others,
    chapter_comments,
    info_chunk,
    loop_comments,
    loop_from_comments,
    marker_chunks,
    markers_from_chunks,
    markers_from_comments,
    one_line,
    read_chunks,
)

RECIPE_KEY = "RIFFCOMPOSER"


@dataclass(frozen=True)
class Tags:
    """The tags of a track.

    Attributes:
        recipe: A JSON value: the song's content, digests and versions.
    """

    title: str
    artist: str = ""
    comment: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Embedded:
    """Tags, markers and recipe, as read from a file.

    Attributes:
        recipe: The recipe of a file that we wrote; None for any other.
        loop: First and one-past-last sample of a loop; None if the file names none.
    """

    title: str
    artist: str
    comment: str
    recipe: dict[str, Any] | None
    markers: tuple[Marker, ...]
    loop: tuple[int, int] | None = None


def embed(
    path: Path,
    format: AudioFormat,
    tags: Tags,
    markers: Sequence[Marker],
    *,
    sample_rate: int,
    total_samples: int,
    loop: bool,
) -> None:
    """Writes tags, markers and recipe into a freshly encoded file, in place.

    Raises:
        AudioError: The file is not of that format.
    """
    tags = Tags(one_line(tags.title), one_line(tags.artist), one_line(tags.comment), tags.recipe)
    markers = [Marker(one_line(marker.name), marker.start_sample) for marker in markers]
    recipe = json.dumps(tags.recipe, ensure_ascii=False, separators=(",", ":"))
    try:
        if format == "wav":
            chunks = marker_chunks(markers, sample_rate, total_samples if loop else None)
            chunks += info_chunk({b"INAM": tags.title, b"IART": tags.artist, b"ICMT": tags.comment})
            buffer = io.BytesIO()
            _id3(tags, recipe, [], sample_rate, total_samples).save(buffer, v2_version=4, padding=_no_padding)
            content = buffer.getvalue()
            append_chunks(
                path,
                chunks + b"id3 " + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2),
            )
        elif format == "mp3":
            _id3(tags, recipe, markers, sample_rate, total_samples).save(
                path, v1=0, v2_version=4, padding=_no_padding
            )
            order_chapters(path)
        else:
            file = FLAC(path) if format == "flac" else OggVorbis(path)
            if file.tags is None:
                file.add_tags()
            file.tags.clear()
            pairs = [("TITLE", tags.title), ("ARTIST", tags.artist), ("COMMENT", tags.comment)]
            pairs += [*chapter_comments(markers, sample_rate), (RECIPE_KEY, recipe)]
            pairs = [pair for pair in pairs if pair[1]]
            file.tags.extend(before_others(loop_comments(total_samples), pairs) if loop else pairs)
            file.save(padding=_no_padding)
    except mutagen.MutagenError as error:
        raise AudioError(f"{path.name}: cannot be tagged ({error})") from error


def read_embedded(path: Path) -> Embedded:
    """Reads the tags, markers and recipe of a WAV, FLAC, MP3 or OGG file, ours or not.

    Raises:
        UsageError: Not one of these formats by its suffix.
        AudioError: The file cannot be read.
    """
    format = format_of(path)
    _refuse_other_kinds(path, format)
    with SoundFileReader(path) as audio:
        sample_rate, samples = audio.sample_rate, audio.samples
    loop: tuple[int, int | None] | None = None
    try:
        if format in ("wav", "mp3"):
            markers: list[Marker] = []
            frames = id3.ID3()
            if format == "wav":
                chunks = list(read_chunks(path))
                markers, loop = markers_from_chunks(chunks)
                for identifier, content in chunks:
                    if identifier.lower() == b"id3 ":
                        frames = id3.ID3(io.BytesIO(content))
            else:
                frames = id3.ID3(path)
                markers = _markers_from_id3(frames, sample_rate)
            values = [_text(frames.getall(key)) for key in ("TIT2", "TPE1", "COMM", f"TXXX:{RECIPE_KEY}")]
        else:
            comments = (FLAC(path) if format == "flac" else OggVorbis(path)).tags or []
            markers = markers_from_comments(list(comments), sample_rate)
            found = {key.upper(): value for key, value in comments}
            loop = loop_from_comments(found, sample_rate)
            values = [found.get(key, "") for key in ("TITLE", "ARTIST", "COMMENT", RECIPE_KEY)]
    except OggVorbisHeaderError as error:
        raise AudioError(f"{path}: is an Ogg file without Vorbis, whose tags are not read") from error
    except id3.ID3NoHeaderError:
        values, markers = [""] * 4, []
    except (mutagen.MutagenError, OSError) as error:
        raise AudioError(f"{path}: its tags cannot be read ({error})") from error
    recipe = _parsed(path, values[3])
    return Embedded(values[0], values[1], values[2], recipe, tuple(markers), _within(loop, samples))


def _within(loop: tuple[int, int | None] | None, samples: int) -> tuple[int, int] | None:
    """Returns a loop as players take it: it ends at the end of the file at the latest."""
    if loop is None:
        return None
    start, end = loop
    end = samples if end is None else min(end, samples)
    return (start, end) if start < end else None


def _refuse_other_kinds(path: Path, format: AudioFormat) -> None:
    """Refuses a file that is not of the format that its suffix names."""
    try:
        if not path.stat().st_size:
            raise AudioError(f"{path}: is empty")
        kind = kind_of(path)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or error})") from error
    if kind is None or f".{format}" in kind.suffixes:
        return
    if kind.medium == "audio":
        raise AudioError(f"{path}: is {kind.name}; rename it to {kind.suffixes[0]}")
    raise AudioError(f"{path}: {kind.refusal}")


def read_recipe(path: Path) -> dict[str, Any] | None:
    """Returns the recipe in a file that we wrote, or None."""
    return read_embedded(path).recipe


def _parsed(path: Path, text: str) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AudioError(f"{path}: its recipe is damaged ({error})") from error
    if not isinstance(recipe, dict):
        raise AudioError(f"{path}: its recipe is damaged (not a mapping)")
    return recipe


def _no_padding(_info: Any) -> int:
    return 0


def _text(frames: Sequence[Any]) -> str:
    return str(frames[0].text[0]) if frames and frames[0].text else ""


def _id3(tags: Tags, recipe: str, markers: Sequence[Marker], sample_rate: int, total_samples: int) -> id3.ID3:
    frames = id3.ID3()
    utf8 = id3.Encoding.UTF8
    frames.add(id3.TIT2(encoding=utf8, text=[tags.title]))
    if tags.artist:
        frames.add(id3.TPE1(encoding=utf8, text=[tags.artist]))
    if tags.comment:
        frames.add(id3.COMM(encoding=utf8, lang="eng", desc="", text=[tags.comment]))
    frames.add(id3.TXXX(encoding=utf8, desc=RECIPE_KEY, text=[recipe]))
    names = [f"chp{number:05d}" for number in range(len(markers))]
    ends = [marker.start_sample for marker in markers[1:]] + [total_samples]
    for name, marker, end in zip(names, markers, ends, strict=False):
        frames.add(
            id3.CHAP(
                element_id=name,
                start_time=round(marker.start_sample * 1000 / sample_rate),
                end_time=round(end * 1000 / sample_rate),
                start_offset=0xFFFFFFFF,
                end_offset=0xFFFFFFFF,
                sub_frames=[id3.TIT2(encoding=utf8, text=[marker.name])],
            )
        )
    for table in contents_tables(names):
        frames.add(table)
    return frames


def _markers_from_id3(frames: id3.ID3, sample_rate: int) -> list[Marker]:
    markers = [
        Marker(_text(chapter.sub_frames.getall("TIT2")), round(chapter.start_time * sample_rate / 1000))
        for chapter in frames.getall("CHAP")
    ]
    return sorted(markers, key=lambda marker: marker.start_sample)
