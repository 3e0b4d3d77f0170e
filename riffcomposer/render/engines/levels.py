"""Clips' levels as they are stored: a numpy file in float16."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from riffcomposer.errors import RenderError
from riffcomposer.store.store import Store

_READING = threading.Lock()
"""Held while the head of a numpy file is read: numpy gives it to Python's parser, which Python 3.11 cannot
run in several threads at once (SystemError: AST constructor recursion depth mismatch)."""


def pack_level(level: NDArray[np.floating]) -> bytes:
    """Returns the stored form of a level image."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(level, dtype=np.float16), allow_pickle=False)
    return buffer.getvalue()


def unpack_level(payload: bytes) -> NDArray[np.float32]:
    """Returns the level image of a stored clip, float32."""
    return _read_level(io.BytesIO(payload))


def _read_level(file: IO[bytes]) -> NDArray[np.float32]:
    with _READING:
        level = np.load(file, allow_pickle=False)
    return np.asarray(level, np.float32)


def level_path(store: Store, key: str) -> Path:
    """Returns the verified file of a stored clip.

    Raises:
        RenderError: It was damaged or removed since it was rendered; the same command renders it again.
    """
    path = store.path("clip", key)
    if path is None:
        raise vanished(store, key)
    return path


def vanished(store: Store, key: str) -> RenderError:
    """Returns the error that a clip is no longer in the store."""
    return RenderError(f"clip {key[:12]} vanished from the store at {store.root}; run the same command again")


class LevelReader(Protocol):
    """Reads levels by key where a passage is decoded; can be sent to another process."""

    def __call__(self, key: str) -> NDArray[np.float32]:
        """Returns a clip's level, float32 `[channels, n_mels, width]`."""
        ...


@dataclass(frozen=True)
class FileLevels:
    """Reads levels from files of this machine, by key."""

    paths: Mapping[str, Path]

    def __call__(self, key: str) -> NDArray[np.float32]:
        with open(self.paths[key], "rb") as file:
            return _read_level(file)
