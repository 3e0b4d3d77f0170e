"""Stage *latents*: encodes every rendered clip and every caption once, and reads them as a training set.

There is one file per shard, so the stage can run while the data stage is still rendering, and a run that was
killed loses at most one shard.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from riffcomposer_training.clip_shards import (
    READERS,
    ClipShard,
    find_shards,
    held_out,
    images,
    partners,
    read_shard,
)
from riffcomposer_training.networks import TEXT_LENGTH, TEXT_WIDTH, encode_images
from riffcomposer_training.schedule import load_checkpoint, save_checkpoint
from riffcomposer_training.text_states import caption_states

log = logging.getLogger(__name__)
_CAPTIONS_EACH = 3


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
            "partners": torch.tensor(partners(shard.clips)),
            "replayed": torch.tensor([bool(clip.get("replayed")) for clip in shard.clips]),
        },
    )


class CaptionStates:
    """Token states of all captions, each encoded once and kept on disk.

    Encoding a caption takes about as long as training on a sample, so a resumed run reads the states from
    disk.

    Args:
        encoder, tokenizer: The text encoder.
        folder: Folder for the states; None keeps them in memory only.

    The empty caption has row 0.
    """

    def __init__(self, encoder: Any, tokenizer: Any, folder: Path | None = None) -> None:
        self._encoder, self._tokenizer, self._folder = encoder, tokenizer, folder
        self._rows: dict[str, int] = {}
        self._not_taken: list[torch.Tensor] = []
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

    def take(self) -> torch.Tensor:
        """States of the captions encoded since the last call, by row: float16 [captions, 32, 384]."""
        taken = torch.cat([torch.zeros(0, TEXT_LENGTH, TEXT_WIDTH, dtype=torch.float16), *self._not_taken])
        self._not_taken.clear()
        return taken

    def _add(self, captions: list[str], states: torch.Tensor) -> None:
        for text in captions:
            self._rows[text] = len(self._rows)
        self._not_taken.append(states)


@dataclass
class LatentSet:
    """Encoded clips with their captions, on one device.

    Attributes:
        latents: float16 [clips, channels, rows, columns].
        captions: Rows in `states` of each clip's captions, [clips, captions per clip]; a clip with fewer
            captions repeats them.
        states: float16 [captions, 32, 384], row 0 the empty caption.
        partners: For each clip the row of the same music played by others, -1 where there is none, [clips].
        replayed: Whether a clip is played by others than its music was composed for, [clips].
    """

    latents: torch.Tensor
    captions: torch.Tensor
    states: torch.Tensor
    partners: torch.Tensor
    replayed: torch.Tensor

    def to(self, device: str) -> LatentSet:
        """The same set on another device."""
        moved = (self.latents, self.captions, self.states, self.partners, self.replayed)
        return LatentSet(*(tensor.to(device) for tensor in moved))

    def __len__(self) -> int:
        return len(self.latents)


def joined(sets: Sequence[LatentSet]) -> LatentSet:
    """Several sets as one; their captions count from the same row, the states are those of the last one."""
    before = [sum(len(each) for each in sets[:place]) for place in range(len(sets))]
    partners = [
        torch.where(each.partners >= 0, each.partners + shift, each.partners)
        for each, shift in zip(sets, before, strict=True)
    ]
    return LatentSet(
        torch.cat([each.latents for each in sets if len(each)] or [sets[0].latents]),
        torch.cat([each.captions for each in sets]),
        sets[-1].states,
        torch.cat(partners),
        torch.cat([each.replayed for each in sets]),
    )


class LatentFeed:
    """The encoded clips in a folder as training and held-out set, which grow while clips are encoded.

    Args:
        folder: Where `write_latents` writes.
        captions: Encodes captions.
        device: A torch device, on which both sets are.

    Attributes:
        train, test: The training and the held-out set.
    """

    def __init__(self, folder: Path, captions: CaptionStates, device: str = "cpu") -> None:
        self._folder, self._captions, self._device = folder, captions, device
        self._read: set[Path] = set()
        self._states = captions.take().to(device)
        self.train, self.test = self._empty(), self._empty()

    def grow(self) -> int:
        """Reads the files that are new; returns how many there were."""
        paths = [path for path in sorted(self._folder.glob("latents_*.pt")) if path not in self._read]
        contents = [content for path in paths if (content := load_checkpoint(path)) is not None]
        self._read.update(paths)
        each = _CAPTIONS_EACH
        texts = [
            clip[index % len(clip)]
            for content in contents
            for clip in content["captions"]
            for index in range(each)
        ]
        rows = torch.tensor(self._captions.rows(texts), dtype=torch.int64).reshape(-1, each)
        self._states = torch.cat([self._states, self._captions.take().to(self._device)])
        own_rows = rows.split([len(content["latents"]) for content in contents])
        pairs = list(zip(contents, own_rows, strict=True))
        if pairs:
            self.train = joined([self.train, *(self._part(*pair, held=False) for pair in pairs)])
            self.test = joined([self.test, *(self._part(*pair, held=True) for pair in pairs)])
        return len(contents)

    def _part(self, content: dict[str, Any], captions: torch.Tensor, *, held: bool) -> LatentSet:
        """The clips of one file that are held out, or those that are not."""
        chosen = content["held_out"] == held
        count = len(chosen)
        # Files of older runs have no partners.
        partners_all = content.get("partners", torch.full((count,), -1))
        replayed = content.get("replayed", torch.zeros(count, dtype=torch.bool))
        places = torch.cat([chosen.cumsum(0) - 1, torch.tensor([-1])])
        return LatentSet(
            content["latents"][chosen],
            captions[chosen],
            self._states,
            places[partners_all][chosen],
            replayed[chosen],
        ).to(self._device)

    def _empty(self) -> LatentSet:
        return LatentSet(
            torch.zeros(0, device=self._device),
            torch.zeros(0, _CAPTIONS_EACH, dtype=torch.int64, device=self._device),
            self._states,
            torch.zeros(0, dtype=torch.int64, device=self._device),
            torch.zeros(0, dtype=torch.bool, device=self._device),
        )
