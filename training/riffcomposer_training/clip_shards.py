"""The rendered clips on disk: `shard_0000.npz` with the levels and `shard_0000.json` with the captions.

Conventions: `levels` is uint8 [clips, 512, 576], row 0 the lowest band, 255 the loudest. Networks see
*images* in -1..1: Riffusion's picture, dark where loud, low frequencies at the bottom.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from riffcomposer.errors import ModelError

HELD_OUT = 40
"""One in this number of pieces is held out from training."""

READERS = 4
"""Threads that read shards ahead of their use."""


@dataclass(frozen=True)
class ClipShard:
    """One shard: its file, and the JSON entry of each clip."""

    path: Path
    clips: list[dict[str, Any]]

    def levels(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """uint8 [clips, 512, 576]."""
        with np.load(self.path) as content:
            return np.asarray(content["levels"])


def find_shards(folder: Path) -> list[Path]:
    """The complete shards in a folder, in order; a shard is complete if both of its files exist."""
    return [path for path in sorted(folder.glob("shard_*.npz")) if path.with_suffix(".json").is_file()]


def read_shard(path: Path) -> ClipShard:
    """Reads the JSON entries of a shard; `ClipShard.levels` reads the levels."""
    content = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return ClipShard(path, content["clips"] if isinstance(content, dict) else content)


def first_shards(folder: Path, at_least: int = 1) -> list[Path]:
    """The shards in a folder.

    Raises:
        ModelError: There are too few; the data stage has to run first.
    """
    shards = find_shards(folder)
    if len(shards) < at_least:
        raise ModelError(f"{folder}: no rendered clips; run the data stage first")
    return shards


def held_out(clip: dict[str, Any]) -> bool:
    """Whether a clip is held out from training; either all clips of a piece are, or none."""
    return zlib.crc32(str(clip.get("piece", "")).encode()) % HELD_OUT == 0


def images(levels: np.ndarray[Any, Any] | torch.Tensor) -> torch.Tensor:
    """Levels of 8 bits as the networks' input: float32 [clips, 1, 512, width] in -1..1."""
    tensor = levels if isinstance(levels, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(levels))
    return 1 - tensor.flip(1).float()[:, None] / 127.5


def levels_of(pictures: torch.Tensor) -> torch.Tensor:
    """The inverse of `images`: float [clips, 512, width] in 0..1, row 0 the lowest band."""
    return ((1 - pictures[:, 0]) / 2).clamp(0, 1).flip(1)


def partners(clips: list[dict[str, Any]]) -> list[int]:
    """For each clip of a shard, the place of the same music played by others; -1 where there is none."""
    places = {_music(clip): place for place, clip in enumerate(clips)}
    return [places.get((*_music(clip)[:2], not clip.get("replayed")), -1) for clip in clips]


def _music(clip: dict[str, Any]) -> tuple[str, int, bool]:
    return str(clip.get("piece", "")), int(clip.get("window", 0)), bool(clip.get("replayed"))
