"""The folder that the studio works in: the only files that a request can reach.

A path in a request is relative to the folder, with `/`. It may not leave the folder, not even by a link, and
no part of it is hidden. Songs end in `.yaml` or `.yml`; of rendered files, sound and pictures are served.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from riffcomposer.errors import UsageError
from riffcomposer.files import write_bytes
from riffcomposer.media.kinds import AUDIO_FORMATS
from riffcomposer.song.paths import MAX_FILE_BYTES, PathError, path_fault, resolve_inside
from riffcomposer.song.yaml_text import MAX_BYTES
from riffcomposer.text import shorten, size

SONG_SUFFIXES = (".yaml", ".yml")
MEDIA_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".png": "image/png",
}
"""What is served of rendered files. No HTML: a page from the folder would run with the studio's rights."""

_MOST_SONGS = 500
_DEEPEST = 4
_PASSED_OVER = {"node_modules", "renders", "schemas", "venv", "site-packages", "__pycache__"}


class NotFound(UsageError):
    """There is no such file in the folder, or a request may not reach it."""


class Conflict(UsageError):
    """The file changed on disk since it was read."""


@dataclass(frozen=True)
class SongFile:
    """A song in the folder.

    Attributes:
        path: Relative to the folder, with `/`.
    """

    path: str
    bytes: int
    modified: float


def digest_of(content: bytes) -> str:
    """Identifies a version of a file: SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


class Workspace:
    """A folder of songs.

    Args:
        root: An existing folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def songs(self) -> list[SongFile]:
        """The songs of the folder and of the folders in it, by path; at most 500."""
        found = []
        for path in self._yaml_files(self.root, 0):
            status = path.stat()
            found.append(SongFile(self.name_of(path), status.st_size, status.st_mtime))
            if len(found) == _MOST_SONGS:
                break
        return sorted(found, key=lambda song: song.path)

    def _yaml_files(self, folder: Path, depth: int) -> Iterator[Path]:
        for entry in sorted(os.scandir(folder), key=lambda each: each.name):
            if entry.name.startswith("."):
                continue
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                if depth < _DEEPEST and entry.name not in _PASSED_OVER:
                    yield from self._yaml_files(path, depth + 1)
            elif entry.is_file() and path.suffix.lower() in SONG_SUFFIXES and self._is_song(path):
                yield path

    def _is_song(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.root) and _looks_like_a_song(path)

    def name_of(self, path: Path) -> str:
        """A path inside the folder as requests write it."""
        return path.relative_to(self.root).as_posix()

    def song(self, text: str, *, new: bool = False) -> Path:
        """Returns the file of a song.

        Args:
            text: The path in the request.
            new: Whether the file need not exist; its folder must.

        Raises:
            NotFound: There is none, or the path leaves the folder.
        """
        if not text.lower().endswith(SONG_SUFFIXES):
            raise NotFound(f"{shorten(text)}: a song's file ends in .yaml")
        if new and not (self.root / text).exists() and not (self.root / text).is_symlink():
            self._checked(text)
            folder = (self.root / text).parent.resolve()
            if not folder.is_relative_to(self.root) or not folder.is_dir():
                raise NotFound(f"{shorten(text)}: there is no such folder here")
            return folder / Path(text).name
        return self._existing(text, MAX_BYTES)

    def media(self, text: str) -> Path:
        """Returns a rendered file that may be served: sound or a picture.

        Raises:
            NotFound: There is none, it is of another kind, or the path leaves the folder.
        """
        if Path(text).suffix.lower() not in MEDIA_TYPES:
            raise NotFound(f"{shorten(text)}: only {', '.join((*AUDIO_FORMATS, 'png'))} files are served")
        return self._existing(text, 1 << 40)

    def read(self, text: str) -> tuple[bytes, str]:
        """Returns a song's content and its digest. Raises as `song` does."""
        content = self.song(text).read_bytes()
        return content, digest_of(content)

    def write(self, text: str, content: bytes, digest: str | None) -> str:
        """Writes a song in one step and returns the new digest.

        Args:
            digest: Of the version that was edited; None for a file that must not exist yet.

        Raises:
            Conflict: The file on disk is another version, or it exists already.
            NotFound: The path leaves the folder.
            UsageError: The text is larger than a song may be.
            StoreError: The file cannot be written.
        """
        if len(content) > MAX_BYTES:
            raise UsageError(f"the text has {size(len(content))}; a song may have {MAX_BYTES // 1024} KiB")
        path = self.song(text, new=True)
        there = digest_of(path.read_bytes()) if path.exists() else None
        if there != digest:
            state = "exists already" if digest is None else "changed on disk since it was opened"
            raise Conflict(f"{text} {state}" if there is not None else f"{text} is no longer there")
        write_bytes(path, content)
        return digest_of(content)

    def copy_beside(self, text: str, song: Path) -> None:
        """Copies a file to where a song in a folder below finds it by the same path.

        Raises:
            NotFound: There is no such file, it is larger than a song's files may be, or a path or link leaves
                the folder.
            Conflict: Another file is at that place.
            StoreError: The file cannot be written.
        """
        source, target = self._existing(text, MAX_FILE_BYTES), song.parent / text
        if target.resolve() == source:
            return
        if not target.resolve().is_relative_to(self.root):
            raise NotFound(f"{shorten(text)}: a link beside {song.name} leads out of the folder")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(target, source.read_bytes())
        elif not filecmp.cmp(source, target, shallow=False):
            raise Conflict(f"{self.name_of(target)} is another file than {text}; rename one of them")

    def _existing(self, text: str, max_bytes: int) -> Path:
        self._checked(text)
        try:
            return resolve_inside(self.root, text, max_bytes=max_bytes)
        except PathError as problem:
            raise NotFound(str(problem)) from None

    def _checked(self, text: str) -> None:
        fault = path_fault(text)
        if fault is not None:
            raise NotFound(fault)
        if any(part.startswith(".") for part in Path(text).parts):
            raise NotFound(f"{shorten(text)}: hidden files are not served")


def _looks_like_a_song(path: Path) -> bool:
    try:
        with open(path, "rb") as handle:
            start = handle.read(MAX_BYTES)
    except OSError:
        return False
    return any(line.startswith((b"sections:", b"sections :")) for line in start.splitlines())
