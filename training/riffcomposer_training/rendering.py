"""Stage *data*: renders clips with one process (a *lane*) per core; each lane writes shards of its own.

Lanes share nothing but the folder, and a shard's content does not depend on the number of lanes. A shard is
complete when its JSON file exists; a lane that is killed loses at most one shard.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from riffcomposer.errors import ModelError

log = logging.getLogger(__name__)
CLIPS_PER_PIECE = 3
"""Largest number of clips that are cut from a piece."""

_POLITENESS = 5
"""By how much lanes lower their priority, so that a training beside them does not wait for a core."""


def render_lane(
    folder: Path,
    fonts: Sequence[Path],
    seed: int,
    clips: int,
    clips_per_shard: int,
    lane: int,
    lanes: int,
    seconds: float,
) -> None:
    """Renders the missing shards of one lane until all exist or the time is up.

    The first missing shard is always finished.
    """
    import torch

    from riffcomposer_training.clips import generate, write_shard

    torch.set_num_threads(1)
    pieces = -(-clips_per_shard // CLIPS_PER_PIECE)
    begun, longest = time.monotonic(), 0.0
    for number in range(lane, -(-clips // clips_per_shard), lanes):
        if (folder / f"shard_{number:04d}.json").is_file():
            continue
        started = time.monotonic()
        if longest and started - begun + longest > seconds:
            return
        write_shard(folder, number, list(generate(fonts, seed, number * pieces, pieces)))
        longest = max(longest, time.monotonic() - started)


def _polite_lane(*arguments: Any) -> None:
    os.nice(_POLITENESS)
    render_lane(*arguments)


def start_lanes(
    folder: Path,
    fonts: Sequence[Path],
    seed: int,
    clips: int,
    clips_per_shard: int,
    seconds: float,
    spare_cores: int = 0,
) -> list[BaseProcess]:
    """Starts one lane per core; lanes end by themselves.

    Args:
        folder: Folder of the shards.
        fonts: SoundFont files.
        seed: Seed of the collection.
        clips: Number of clips in all, those of earlier runs included.
        clips_per_shard: Clips per file.
        seconds: Time that the lanes may take.
        spare_cores: Cores without a lane, for what runs beside them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = -(-clips // clips_per_shard)
    lanes = min(max(1, len(os.sched_getaffinity(0)) - spare_cores), shards)
    context = multiprocessing.get_context("spawn")  # a process that has used a GPU must not be forked
    processes: list[BaseProcess] = []
    for lane in range(lanes):
        arguments = (folder, list(fonts), seed, clips, clips_per_shard, lane, lanes, seconds)
        process = context.Process(target=_polite_lane, args=arguments, daemon=True)
        process.start()
        processes.append(process)
    return processes


def wait_for(processes: Sequence[BaseProcess]) -> None:
    """Waits until the lanes have ended.

    Raises:
        ModelError: One of them failed.
    """
    for process in processes:
        process.join()
    failed = [process.exitcode for process in processes if process.exitcode]
    if failed:
        raise ModelError(
            f"{len(failed)} rendering processes failed (exit code {failed[0]}); their message is above"
        )


def wait_for_shards(folder: Path, count: int, processes: Sequence[BaseProcess]) -> None:
    """Waits until there are `count` shards, or no lane is running any more."""
    while len(list(folder.glob("shard_*.json"))) < count and any(process.is_alive() for process in processes):
        time.sleep(0.5)
