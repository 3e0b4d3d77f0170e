"""Which sound font plays: the one that ships, or the one that `RIFFCOMPOSER_SOUNDFONT` names.

Only the standard library is needed here, so that keys can be made without loading the synth.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from riffcomposer.errors import ModelError

ENVIRONMENT = "RIFFCOMPOSER_SOUNDFONT"
SHIPPED = Path(__file__).parent / "soundfont" / "general_midi.sf3"


def font_path() -> Path:
    """The sound font in use: `$RIFFCOMPOSER_SOUNDFONT`, else the one that ships.

    Raises:
        ModelError: There is no such file, it cannot be read, or it does not begin as a sound font does.
    """
    named = os.environ.get(ENVIRONMENT, "")
    path = Path(named).expanduser() if named else SHIPPED
    if named:
        cause = f"{path}, named by the environment variable {ENVIRONMENT}"
        remedy = "name a file in SF2 or SF3 format, or unset the variable to use the sound font that ships"
    else:
        cause, remedy = f"{path}, the sound font that ships", "install riffcomposer again"
    try:
        with path.open("rb") as handle:
            head = handle.read(12)
    except OSError as error:
        raise ModelError(f"{cause}: cannot be read ({error.strerror or error}); {remedy}") from error
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise ModelError(f"{cause}: not a sound font; {remedy}")
    return path


def font_state(path: Path) -> tuple[Path, int, int]:
    """What tells one state of a file from another within a process: path, bytes, time of change in ns."""
    found = path.stat()
    return path.absolute(), found.st_size, found.st_mtime_ns


def font_digest() -> str:
    """The sha256 of the sound font in use, in hex; read again only if its size or time has changed.

    Raises:
        ModelError: As in `font_path`.
    """
    return _digest(*font_state(font_path()))


@lru_cache(maxsize=4)
def _digest(path: Path, _size: int, _modified_ns: int) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
