"""Stage *latents*: encodes every rendered clip and every caption once, and reads them as a training set.

There is one file per shard, so the stage can run while the data stage is still rendering, and a run that was
killed loses at most one shard.
"""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from riffcomposer_training.clip_shards import ClipShard, find_shards, held_out, images, read_shard
from riffcomposer_training.networks import TEXT_LENGTH, TEXT_WIDTH, encode_images
from riffcomposer_training.schedule import load_checkpoint, save_checkpoint
from riffcomposer_training.text_states import caption_states

log = logging.getLogger(__name__)
READERS = 4


def two_bars(clip: dict[str, Any]) -> bool:
    """Whether a clip is exactly two bars of 4/4: 512 frames at 93.75 BPM."""
    return bool(clip.get("on_grid")) and float(clip.get("beats_per_bar", 4)) == 4


def captions_of(clip: dict[str, Any]) -> list[str]:
    """All captions of a clip."""
    return list(clip.get("captions") or [clip["caption"]])


@torch.no_grad()
def write_latents(autoencoder: Any, patch: int, clips: Path, out: Path, device: str = "cpu") -> int:
    """Encodes the shards that have not been encoded yet, and returns their number."""
    autoencoder.to(device)
    missing = [path for path in find_shards(clips) if not _target(out, path).is_file()]
    with ThreadPoolExecutor(READERS) as pool:
        # Unpacking takes longer than encoding does on a GPU; a few shards are read ahead.
        ahead = deque(pool.submit(_read, path) for path in missing[:READERS])
        for index, path in enumerate(missing):
            shard, levels = ahead.popleft().result()
            if index + READERS < len(missing):
                ahead.append(pool.submit(_read, missing[index + READERS]))
            parts = [
                encode_images(autoencoder, images(torch.from_numpy(part).to(device)), patch).half().cpu()
                for part in np.array_split(levels, -(-len(levels) // 32))
            ]
            _write(_target(out, path), shard, torch.cat(parts))
    return len(missing)


def _target(out: Path, path: Path) -> Path:
    return out / f"latents_{path.stem.removeprefix('shard_')}.pt"


def _read(path: Path) -> tuple[ClipShard, np.ndarray[Any, Any]]:
    shard = read_shard(path)
    return shard, shard.levels()


def _write(target: Path, shard: ClipShard, latents: torch.Tensor) -> None:
    save_checkpoint(
        target,
        {
            "latents": latents,
            "captions": [captions_of(clip) for clip in shard.clips],
            "held_out": torch.tensor([held_out(clip) for clip in shard.clips]),
        },
    )


class CaptionStates:
    """Token states of all captions, each encoded once and kept on disk.

    Encoding a caption takes about as long as training on a sample, so a resumed run reads the states from
    disk.

    Args:
        encoder, tokenizer: The text encoder.
        folder: Folder for the states; None keeps them in memory only.

    Attributes:
        states: float16 [captions, 32, 384]; row 0 is the empty caption.
    """

    def __init__(self, encoder: Any, tokenizer: Any, folder: Path | None = None) -> None:
        self._encoder, self._tokenizer, self._folder = encoder, tokenizer, folder
        self._rows: dict[str, int] = {}
        self.states = torch.zeros(0, TEXT_LENGTH, TEXT_WIDTH, dtype=torch.float16)
        for path in sorted(folder.glob("captions_*.pt")) if folder else []:
            if (kept := load_checkpoint(path)) is not None:
                self._add(kept["captions"], kept["states"])
        self.rows([""])

    def rows(self, captions: list[str]) -> list[int]:
        """Rows of captions, encoding those that are new."""
        new = [text for text in dict.fromkeys(captions) if text not in self._rows]
        if new:
            first = len(self._rows)
            states = caption_states(self._encoder, self._tokenizer, new)
            self._add(new, states)
            if self._folder:
                save_checkpoint(
                    self._folder / f"captions_{first:06d}.pt", {"captions": new, "states": states}
                )
        return [self._rows[text] for text in captions]

    def _add(self, captions: list[str], states: torch.Tensor) -> None:
        for text in captions:
            self._rows[text] = len(self._rows)
        self.states = torch.cat([self.states, states])


@dataclass
class LatentSet:
    """Encoded clips with their captions, on one device.

    Attributes:
        latents: float16 [clips, channels, rows, columns].
        captions: Rows in `states` of each clip's captions, [clips, captions per clip]; a clip with fewer
            captions repeats them.
        states: float16 [captions, 32, 384], row 0 the empty caption.
    """

    latents: torch.Tensor
    captions: torch.Tensor
    states: torch.Tensor

    def to(self, device: str) -> LatentSet:
        """The same set on another device."""
        moved = (self.latents, self.captions, self.states)
        return LatentSet(*(tensor.to(device) for tensor in moved))

    def __len__(self) -> int:
        return len(self.latents)


def read_latents(
    out: Path, captions: CaptionStates, *, captions_each: int = 3
) -> tuple[LatentSet, LatentSet, int]:
    """Reads all encoded clips.

    Returns:
        The training set, the held-out set, and the number of files read.
    """
    paths = sorted(out.glob("latents_*.pt"))
    contents = [content for path in paths if (content := load_checkpoint(path)) is not None]
    texts = [
        clip[index % len(clip)]
        for content in contents
        for clip in content["captions"]
        for index in range(captions_each)
    ]
    all_rows = torch.tensor(captions.rows(texts), dtype=torch.int64).reshape(-1, captions_each)
    sizes = [len(content["latents"]) for content in contents]
    parts: dict[bool, list[tuple[torch.Tensor, torch.Tensor]]] = {False: [], True: []}
    for content, rows in zip(contents, all_rows.split(sizes), strict=True):
        for held in (False, True):
            chosen = content["held_out"] == held
            parts[held].append((content["latents"][chosen], rows[chosen]))
    sets = []
    for held in (False, True):
        if not parts[held]:
            parts[held].append((torch.zeros(0), torch.zeros(0, captions_each, dtype=torch.int64)))
        latents, rows = (torch.cat(column) for column in zip(*parts[held], strict=True))
        sets.append(LatentSet(latents, rows, captions.states))
    return sets[0], sets[1], len(paths)
