"""Names of output files: valid on every file system, and different for each song.

A name is made from the song file's alone, so that it stays the same whatever else is rendered.
Two songs can come to the same name (`Intro.yaml` and `intro.yml`, or `a/intro.yaml` and
`b/intro.yaml` with one `--out`): the later one is refused. Which song a track is of is said in its
`report.json`.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riffcomposer.errors import AudioError, StoreError, UsageError
from riffcomposer.files import temporary_name
from riffcomposer.media.kinds import AUDIO_FORMATS
from riffcomposer.render.settings import RenderSettings
from riffcomposer.song.paths import existing, same_name
from riffcomposer.song.reader import LoadedSong

MAX_CHARACTERS = 60
MAX_BYTES = 90
"""Most bytes of a part of a name. A stem's has two, a layer's and an ending; file systems allow 255 bytes."""
LAYER_BYTES = 30
"""Most bytes of the name of a layer in that of its stem."""

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def slug(name: str, max_bytes: int = MAX_BYTES) -> str:
    """Returns text as a part of a file name that every file system accepts.

    Letters, digits and symbols of all scripts, `-` and `_`, in lower case and composed (NFC); everything
    else becomes `-`. At most 60 characters and 90 bytes of UTF-8, and no name that Windows reserves.

    >>> slug("My Song (2)"), slug("夜のバス"), slug("CON"), slug("...")
    ('my-song-2', '夜のバス', 'song-con', 'song')
    """
    # Surrogates stand for bytes of a file name that is no UTF-8.
    text = "".join("-" if "\ud800" <= character <= "\udfff" else character for character in name)
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    kept = "".join(character if _is_kept(character) else "-" for character in composed)
    kept = "-".join(part for part in kept.split("-") if part)[:MAX_CHARACTERS]
    kept = kept.encode()[:max_bytes].decode(errors="ignore").strip("-")
    if unicodedata.normalize("NFKC", kept) in _RESERVED:
        return f"song-{kept}"
    return kept or "song"


def _is_kept(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in "-_"
    category = unicodedata.category(character)
    return category[0] in "LMN" or (category == "So" and character != "\ufffd")


@dataclass(frozen=True)
class TrackFiles:
    """Where a track's files go.

    Attributes:
        folder: The output folder.
        name: First part of every file name.
        formats: Formats of the finished track, a file for each.
        stems: Whether each section is also written on its own, dry (each of its layers, if it has some) and
            mastered.
        song_path: The song's file.
    """

    folder: Path
    name: str
    formats: tuple[str, ...]
    stems: bool
    song_path: Path

    def track(self, format: str) -> Path:
        """Returns the path of the finished file in a format."""
        return self._named(format)

    def beside(self, ending: str) -> Path:
        """Returns the path of a file beside the track: `labels.txt`, `report.json`, `timeline.png`."""
        return self._named(ending)

    def _named(self, ending: str) -> Path:
        # Under an old locale that is not UTF-8 the file system's names are bytes all the same.
        return self.folder / os.fsdecode(f"{self.name}.{ending}".encode())

    @property
    def shown(self) -> str:
        """The pattern of all of them, for messages: `renders/intro.*`."""
        return str(self.beside("*"))

    @property
    def song(self) -> str:
        """The song's path relative to the output folder, with `/`, so that both can move together."""
        try:
            path = os.path.relpath(self.song_path, self.folder)
        except ValueError:  # another drive, on Windows
            path = os.path.abspath(self.song_path)
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        return same_name(shown.replace(os.sep, "/"))


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file; if a file does not exist, whether the paths are equal."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return os.path.abspath(one) == os.path.abspath(other)


def check_names(files: Sequence[TrackFiles]) -> None:
    """Checks that the songs of one command do not write each other's files.

    Raises:
        UsageError: Two of them would; nothing is written.
    """
    taken: dict[str, TrackFiles] = {}
    clashes = []
    for one in files:
        folder = os.path.normcase(os.path.realpath(one.folder))
        path = same_name(f"{folder}/{one.name}")
        first = taken.setdefault(path, one)
        if not same_file(first.song_path, one.song_path):
            clashes.append(f"{first.song_path} and {one.song_path} would both be {one.shown}")
    if clashes:
        raise UsageError(f"{'; '.join(clashes)}: rename one, or render it into another folder with --out")


def check_folder(folder: Path, advice: str = "choose another with --out") -> None:
    """Checks that files can be written into a folder, which need not exist yet.

    Args:
        folder: The folder.
        advice: What the user can do otherwise, for the message.

    Raises:
        UsageError: The folder is a file, or inside one.
        StoreError: The folder is read-only, or nothing can be made in it for another reason.
    """
    there = Path(os.path.abspath(folder))
    while not os.path.lexists(there) and there.parent != there:
        there = there.parent
    if not there.is_dir():
        kind = "a file" if there.exists() else "a link that leads nowhere"
        raise UsageError(f"{folder}: there can be no such folder, because {there} is {kind}; {advice}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise StoreError(f"{folder}: cannot be written, because {there} is read-only; {advice}")
    probe = temporary_name(there / "probe")
    try:
        probe.mkdir()  # permissions do not tell all: a network's server may refuse, or a virtual file system
        probe.rmdir()
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be written, because nothing can be made in {there} "
            f"({error.strerror or error}); {advice}"
        ) from error


def check_owner(files: TrackFiles, title: str) -> None:
    """Checks that no other song's track, and no file of the user's own, is replaced.

    Args:
        files: The files that the render writes.
        title: The song's title.

    Raises:
        UsageError: The files that are there belong to another song, or were not made by riffcompose; or
            sound files cannot be written under such a name at all.
    """
    encoding = sys.getfilesystemencoding()
    try:
        str(files.track("flac")).encode(encoding)
    except UnicodeEncodeError:
        raise UsageError(
            f"{files.shown}: no sound file can be written under this name, which is not {encoding}; choose "
            "another folder with --out, or a locale with UTF-8 (LC_ALL=C.UTF-8)"
        ) from None
    report = _report(files.beside("report.json"))
    owner = report.get("song")
    if isinstance(owner, str):
        other = existing(Path(os.path.normpath(os.path.join(os.path.abspath(files.folder), owner))))
        if owner == files.song or same_file(other, files.song_path):
            return
        # One that is gone was probably moved or renamed; then the title is still the same.
        if other.exists() or report.get("title") != title:
            raise _belongs(files, owner)
        return
    for format in AUDIO_FORMATS:
        path = files.track(format)
        if path.exists():
            _check_embedded(files, path, format)


def _check_embedded(files: TrackFiles, path: Path, format: str) -> None:
    """Compares titles by the recipe in a track whose report is missing or of an earlier version."""
    from riffcomposer.mix.tags import read_recipe

    try:
        recipe = read_recipe(path)
    except AudioError:
        recipe = None
    if recipe is None:
        if format in files.formats:
            raise UsageError(
                f"{path} was not made by riffcompose, and {files.song_path} would replace it: move it away, "
                "or choose another folder with --out"
            )
        return
    name = str(recipe.get("song_file", files.song_path.name))
    other = files.song_path.with_name(os.path.basename(name))
    is_another = same_name(name) != same_name(files.song_path.name) and other.exists()
    if is_another and not same_file(other, files.song_path):
        raise _belongs(files, name)


def _belongs(files: TrackFiles, owner: str) -> UsageError:
    return UsageError(
        f"{files.shown} is the track of {owner} (seen from that folder), and {files.song_path} would replace "
        "it: rename one of the songs, choose another folder with --out, or move the old files away"
    )


def _report(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def track_files(song: LoadedSong, settings: RenderSettings) -> TrackFiles:
    """Returns the files that a render of a song writes."""
    folder = settings.out or song.path.parent / "renders"
    formats = tuple(settings.formats or song.resolved.output.formats)
    return TrackFiles(folder, output_name(song.path, settings), formats, settings.stems, song.path)


def output_name(song_path: Path, settings: RenderSettings) -> str:
    """Returns the first part of the output files' names: the song file's, the section's, `draft`."""
    parts = [slug(song_path.stem)]
    if settings.only is not None:
        parts.append(slug(settings.only))
    if settings.draft:
        parts.append("draft")
    return ".".join(parts)
