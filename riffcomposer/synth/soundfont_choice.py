"""Which sound font plays: the one that ships, or the one that `RIFFCOMPOSER_SOUNDFONT` names."""

from __future__ import annotations

import hashlib
import os
import threading
from functools import lru_cache
from pathlib import Path

from riffcomposer.errors import ModelError
from riffcomposer.synth.soundfont_player import SoundFontPlayer

ENVIRONMENT = "RIFFCOMPOSER_SOUNDFONT"
SHIPPED = Path(__file__).parent / "soundfont" / "general_midi.sf3"

_lock = threading.Lock()


def font_path() -> Path:
    """The sound font in use: `$RIFFCOMPOSER_SOUNDFONT`, else the one that ships.

    Raises:
        ModelError: There is no such file.
    """
    named = os.environ.get(ENVIRONMENT, "")
    path = Path(named).expanduser() if named else SHIPPED
    if path.is_file():
        return path
    if named:
        raise ModelError(
            f"{named}: no such file, named by the environment variable {ENVIRONMENT}; name a sound font in "
            "SF2 or SF3 format, or unset the variable to use the one that ships"
        )
    raise ModelError(f"{path}: the sound font that ships is missing; install riffcomposer again")


def default_player() -> SoundFontPlayer:
    """A player with the sound font in use, which is loaded once while its file stays the same.

    Raises:
        ModelError: The file is missing or is not a sound font; names the variable if that chose it.
    """
    path = font_path()
    with _lock:
        return _player(*_state(path))


def font_digest() -> str:
    """The sha256 of the sound font in use, in hex; read again only if its size or time has changed.

    Raises:
        ModelError: The file is missing or is not a sound font.
    """
    path = font_path()
    default_player()
    with _lock:
        return _digest(*_state(path))


def _state(path: Path) -> tuple[Path, int, int]:
    found = path.stat()
    return path.absolute(), found.st_size, found.st_mtime_ns


@lru_cache(maxsize=1)
def _player(path: Path, _size: int, _modified_ns: int) -> SoundFontPlayer:
    try:
        return SoundFontPlayer([path])
    except ModelError as error:
        if path == SHIPPED:
            raise
        raise ModelError(f"{error} (named by the environment variable {ENVIRONMENT})") from error


@lru_cache(maxsize=4)
def _digest(path: Path, _size: int, _modified_ns: int) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
