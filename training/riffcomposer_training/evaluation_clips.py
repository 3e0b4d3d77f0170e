"""Reads the clips that a model is compared with: held-out renders, and summaries of the training clips."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from riffcomposer_training import measures
from riffcomposer_training.clip_shards import first_shards, held_out, read_shard

log = logging.getLogger("riffcomposer_training")


@dataclass
class EvaluationClips:
    """The clips that a model is compared with.

    Attributes:
        held: Levels of held-out clips, float32 [clips, 512, 512].
        entries: JSON entry of each held-out clip.
        training: Training clips averaged 16 x 16, [clips, 32, 32].
        classes: Average spectrum of each style, [64].
    """

    held: np.ndarray[Any, Any]
    entries: list[dict[str, Any]]
    training: np.ndarray[Any, Any]
    classes: dict[str, np.ndarray[Any, Any]]


def style_of(entry: dict[str, Any]) -> str:
    """A clip's style, or its instrument if it is a solo piece."""
    return str(entry.get("style") or "solo " + str((entry.get("instruments") or ["clip"])[0]))


def coarse(levels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Levels averaged 16 x 16 over their first 512 frames."""
    clips = levels[:, :, :512].astype(np.float32)
    return clips.reshape(len(clips), 32, 16, 32, 16).mean((2, 4))


def read_evaluation_clips(folder: Path, most: int) -> EvaluationClips:
    """Reads up to `most` held-out clips, and summaries of the training clips.

    Music that is played by others than it was composed for is left out of the held-out clips and of the
    classes' spectra.

    A collection that is too small to have held-out clips (the toy's) gives its last clips instead, with a
    warning.

    Raises:
        ModelError: There are no clips at all.
    """
    held, entries, training = [], [], []
    spectra: dict[str, list[np.ndarray[Any, Any]]] = defaultdict(list)
    for path in first_shards(folder):
        shard = read_shard(path)
        levels = shard.levels()
        training_rows = [index for index, clip in enumerate(shard.clips) if not held_out(clip)]
        training.append(coarse(levels[training_rows]) / 255)
        composed = [index for index, clip in enumerate(shard.clips) if not clip.get("replayed")]
        for index in sorted({*training_rows} & {*composed}):
            spectra[style_of(shard.clips[index])].append(measures.timbre(levels[index] / 255.0))
        for index in composed:
            if held_out(shard.clips[index]):
                held.append(levels[index, :, :512].astype(np.float32) / 255)
                entries.append(shard.clips[index])
    if len(held) < 2:
        log.warning("%s: no held-out pieces; the last clips are used, which the model has heard", folder)
        held, entries = list(levels[-most:, :, :512].astype(np.float32) / 255), shard.clips[-most:]
    enough = {style: found for style, found in spectra.items() if len(found) >= 6} or spectra
    chosen = np.linspace(0, len(held) - 1, min(most, len(held))).astype(int)
    return EvaluationClips(
        np.stack([held[index] for index in chosen]),
        [entries[index] for index in chosen],
        np.concatenate(training),
        {style: np.mean(found, 0) for style, found in enough.items()},
    )
