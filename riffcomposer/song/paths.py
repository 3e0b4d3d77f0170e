"""Finds the files that a song names, strictly under the song's folder.

A song may come from a stranger. Its paths are relative, have no `..`, and name regular files of
bounded size; a link may not lead outside the folder. Nothing here opens a file.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeVar

from riffcomposer.diagnostics import NodePath
from riffcomposer.errors import SongError
from riffcomposer.text import did_you_mean, nearest, shorten, size

MAX_FILE_BYTES = 512 << 20
MAX_LORA_BYTES = 2 << 30

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|(?:data|file|mailto):", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")
_CURLY_QUOTES = tuple("\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb")
_Entry = TypeVar("_Entry")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,11}$")


class PathError(ValueError):
    """A path that a song may not name, or that does not exist. The message is one sentence."""


def is_path(text: str) -> bool:
    """Whether an `init` or `mask` names a file, not an entry of the catalogue.

    >>> is_path("lofi-keys"), is_path("clips/keys.wav"), is_path("keys.mp3")
    (False, True, True)
    """
    return text.startswith(".") or any(mark in text for mark in "/\\~:") or _SUFFIX.search(text) is not None


def path_fault(text: str) -> str | None:
    """Returns what is wrong with the form of a path, as a sentence, or None."""
    shown = shorten(text)
    if text[:1] in _CURLY_QUOTES and text[-1:] in _CURLY_QUOTES:
        return f"{shown} has curly quotes as a part of the name; write \" or '"
    if _DRIVE.match(text):
        return f"{shown} begins with a drive; name a file under the song's folder"
    if "\\" in text:
        forward = text.replace("\\", "/")
        return f"{shown} is not a path with forward slashes; write {shorten(forward)}"
    if _ADDRESS.match(text):
        return f"{shown} is a web address; download the file and name it under the song's folder"
    if text.startswith(("/", "~")):
        return f"{shown} is not under the song's folder; write a relative path"
    if ".." in text.split("/"):
        return f"{shown} leads out of the song's folder; copy the file beside the song"
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        return (
            f"{shown} has control characters in it (in double quotes \\t and \\n are escapes); "
            "write a path with forward slashes"
        )
    return None


def same_name(text: str) -> str:
    """Returns the composed form (NFC) of a name; macOS may store the decomposed one (NFD)."""
    return unicodedata.normalize("NFC", text)


def existing(path: Path) -> Path:
    """Returns the path in the Unicode form that it has on disk, or unchanged if there is no such file."""
    if str(path).isascii() or os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for part in path.parts[1:] if path.anchor else path.parts:
        name = part
        if not part.isascii() and not os.path.lexists(found / part):
            try:
                names = [entry for entry in os.listdir(found) if same_name(entry) == same_name(part)]
            except (OSError, ValueError):
                names = []
            if len(names) != 1:
                return path
            name = names[0]
        found /= name
    return found


def _not_there(folder: Path, text: str) -> str:
    """Returns the message for a file that does not exist, with a similar name that does."""
    shown = shorten(text)
    said = f"there is no file {shown} in the song's folder"
    if (folder / text).is_symlink():
        return f"{shown} is a link to a file that is not there; copy the file beside the song"
    parent, _, name = text.rpartition("/")
    try:
        beside = [entry for entry in os.listdir(folder / parent) if not entry.startswith(".")]
    except (OSError, ValueError):
        return said
    near = nearest(same_name(name), beside[:1000])
    return f"{said}; did you mean {shorten(f'{parent}/{near}' if parent else near)}?" if near else said


def resolve_inside(
    folder: Path, text: str, *, max_bytes: int = MAX_FILE_BYTES, allowed: tuple[Path, ...] = ()
) -> Path:
    """Finds the file that a song in `folder` calls `text`.

    Args:
        folder: The song's folder.
        text: The path as the song has it.
        max_bytes: Largest file that may be opened.
        allowed: Further folders the user allows; links may lead there.

    Returns:
        The absolute path of a regular file, links followed.

    Raises:
        PathError: The path leaves the folder, is no regular file, is too large or is not there.
    """
    fault = path_fault(text)
    if fault is not None:
        raise PathError(fault)
    shown = shorten(text)
    try:
        path = existing(folder / text).resolve(strict=True)
        inside = [base.resolve() for base in (folder, *allowed)]
        status = path.stat()
    except FileNotFoundError:
        raise PathError(_not_there(folder, text)) from None
    except (OSError, RuntimeError, ValueError) as error:
        if getattr(error, "errno", None) == errno.ENOTDIR:
            raise PathError(_not_there(folder, text)) from None
        reason = getattr(error, "strerror", None) or "a circle of links"
        raise PathError(f"{shown} cannot be used ({reason})") from None
    if not any(path.is_relative_to(base) for base in inside):
        raise PathError(f"{shown} is a link that leads out of the song's folder")
    if not stat.S_ISREG(status.st_mode):
        raise PathError(f"{shown} is not a regular file")
    if status.st_size > max_bytes:
        raise PathError(f"{shown} is larger than {size(max_bytes)}; keep the part that is used")
    return path


def song_file(
    folder: Path,
    text: str,
    where: NodePath,
    *,
    max_bytes: int = MAX_FILE_BYTES,
    allowed: tuple[Path, ...] = (),
) -> Path:
    """Finds the file that a song names at `where`; otherwise as `resolve_inside`.

    Raises:
        SongError: `bad-path`, the song may not name it, or it is not there.
    """
    try:
        return resolve_inside(folder, text, max_bytes=max_bytes, allowed=allowed)
    except PathError as problem:
        raise SongError.fault("bad-path", str(problem), where) from None


def check_name(name: str, known: Collection[str], kind: str, where: NodePath) -> None:
    """Checks that the catalogue has the `kind` (`loop`, `mask`) that a song names at `where`.

    Raises:
        SongError: `unknown-name`, the catalogue has none of that name.
    """
    if name not in known:
        hint = did_you_mean(name, known) or "`riffcompose loops` lists the catalogue; a path has a suffix"
        raise SongError.fault("unknown-name", f"the catalogue has no {kind} {shorten(name)}", where, hint)


def catalogue_entry(name: str, entries: Mapping[str, _Entry], kind: str, where: NodePath) -> _Entry:
    """Returns the entry of the catalogue that a song names at `where`. Raises as `check_name` does."""
    check_name(name, entries, kind, where)
    return entries[name]
