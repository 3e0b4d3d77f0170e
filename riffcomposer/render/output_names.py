"""Names of output files: one set for each song, on every file system, and never another song's.

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
from riffcomposer.media.kinds import AUDIO_FORMATS
from riffcomposer.render.settings import RenderSettings
from riffcomposer.song.paths import existing, same_name
from riffcomposer.song.reader import LoadedSong

MAX_CHARACTERS = 60
MAX_BYTES = 90
"""Of one part of a name. A stem's has two, a layer's and an ending, and most file systems take 255 bytes."""
LAYER_BYTES = 30
"""Of the name of a layer in that of a stem."""

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def slug(name: str, max_bytes: int = MAX_BYTES) -> str:
    """A part of a file name that every file system takes.

    Letters, digits and symbols of all scripts, `-` and `_`, in lower case and composed (NFC); all
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
        formats: One finished file each.
        stems: Also one file of the dry mix for each section (or layer of one), and one of each section
            mastered.
        song_path: The song that they are of.
    """

    folder: Path
    name: str
    formats: tuple[str, ...]
    stems: bool
    song_path: Path

    def track(self, format: str) -> Path:
        """The finished file of a format."""
        return self._named(format)

    def beside(self, ending: str) -> Path:
        """A file that goes with the track: `labels.txt`, `report.json`, `timeline.png`."""
        return self._named(ending)

    def _named(self, ending: str) -> Path:
        # Under an old locale that is not UTF-8 the file system's names are bytes all the same.
        return self.folder / os.fsdecode(f"{self.name}.{ending}".encode())

    @property
    def shown(self) -> str:
        """All of them, for messages: `renders/intro.*`."""
        return str(self.beside("*"))

    @property
    def song(self) -> str:
        """The song's path seen from the output folder, with `/`: it stays true when both move together."""
        try:
            path = os.path.relpath(self.song_path, self.folder)
        except ValueError:  # another drive, on Windows
            path = os.path.abspath(self.song_path)
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        return same_name(shown.replace(os.sep, "/"))


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file; of files that are not there, whether the paths are equal."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return os.path.abspath(one) == os.path.abspath(other)


def check_names(files: Sequence[TrackFiles]) -> None:
    """Makes sure that the songs of one command do not write each other's files.

    Raises:
        UsageError: Two of them would; nothing has been written.
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
    """Makes sure that files can be written into a folder, which may have yet to be made.

    Args:
        folder: The folder.
        advice: What the user can do if not.

    Raises:
        UsageError: It is a file, or inside one.
        StoreError: It is read-only.
    """
    there = Path(os.path.abspath(folder))
    while not os.path.lexists(there) and there.parent != there:
        there = there.parent
    if not there.is_dir():
        kind = "a file" if there.exists() else "a link that leads nowhere"
        raise UsageError(f"{folder}: there can be no such folder, because {there} is {kind}; {advice}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise StoreError(f"{folder}: cannot be written, because {there} is read-only; {advice}")


def check_owner(files: TrackFiles, title: str) -> None:
    """Makes sure that no other song's track, and no file of the user's own, is replaced.

    Args:
        files: What is about to be written.
        title: The song's.

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
    """Judges by the recipe in a track that has no report beside it, or one of an earlier version."""
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
    """The files that a render of a song writes."""
    folder = settings.out or song.path.parent / "renders"
    formats = tuple(settings.formats or song.resolved.output.formats)
    return TrackFiles(folder, output_name(song.path, settings), formats, settings.stems, song.path)


def output_name(song_path: Path, settings: RenderSettings) -> str:
    """First part of the output files' names: the song file's, the section's, `draft`."""
    parts = [slug(song_path.stem)]
    if settings.only is not None:
        parts.append(slug(settings.only))
    if settings.draft:
        parts.append("draft")
    return ".".join(parts)
