"""Files that a song names: found strictly under the song's folder.

A song may come from a stranger. Its paths are relative, go down only, and name regular files of
bounded size; a link is fine while it stays inside. Nothing here opens a file.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path

from riffcomposer.song.diagnostics import shorten

MAX_FILE_BYTES = 512 << 20
MAX_LORA_BYTES = 2 << 30

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,11}$")


class PathError(ValueError):
    """A path that a song may not name, or that leads nowhere. The message is one sentence."""


def is_path(text: str) -> bool:
    """Whether an `init` or `mask` names a file, not an entry of the catalogue.

    >>> is_path("lofi-keys"), is_path("clips/keys.wav"), is_path("keys.mp3")
    (False, True, True)
    """
    return text.startswith(".") or any(mark in text for mark in "/\\~:") or _SUFFIX.search(text) is not None


def path_fault(text: str) -> str | None:
    """What is wrong with the form of a path, in a sentence; None if nothing is."""
    shown = shorten(text)
    if "\\" in text:
        return f"{shown} is not a path with forward slashes; write folder/file"
    if _SCHEME.match(text):
        return f"{shown} is an address or a drive; name a file under the song's folder"
    if text.startswith(("/", "~")):
        return f"{shown} is not under the song's folder; write a relative path"
    if ".." in text.split("/"):
        return f"{shown} leads out of the song's folder; copy the file beside the song"
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        return f"{shown} has control characters in it"
    return None


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
        path = (folder / text).resolve(strict=True)
        inside = [base.resolve() for base in (folder, *allowed)]
        status = path.stat()
    except FileNotFoundError:
        raise PathError(f"there is no file {shown} in the song's folder") from None
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "a circle of links"
        raise PathError(f"{shown} cannot be used ({reason})") from None
    if not any(path.is_relative_to(base) for base in inside):
        raise PathError(f"{shown} is a link that leads out of the song's folder")
    if not stat.S_ISREG(status.st_mode):
        raise PathError(f"{shown} is not a regular file")
    if status.st_size > max_bytes:
        raise PathError(f"{shown} is larger than {max_bytes >> 20} MiB")
    return path
