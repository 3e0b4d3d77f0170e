"""Stage *data*: clips rendered by one process for each core, each with shards of its own.

A lane renders the shards whose number it owns, so lanes share nothing but the folder, and shards do not
depend on how many lanes there are. A shard is complete when its JSON is there; a killed lane loses one shard.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from riffcomposer.errors import ModelError

log = logging.getLogger(__name__)
CLIPS_PER_PIECE = 3
"""Windows that a piece is cut into, at most."""


def render_lane(
    folder: Path,
    fonts: Sequence[Path],
    seed: int,
    clips: int,
    clips_per_shard: int,
    lane: int,
    lanes: int,
    seconds: float,
    device: str = "cpu",
) -> None:
    """Renders the missing shards of one lane until they are all there or the time is up.

    The first shard is always finished.
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
        write_shard(folder, number, list(generate(fonts, seed, number * pieces, pieces, device=device)))
        longest = max(longest, time.monotonic() - started)


def start_lanes(
    folder: Path,
    fonts: Sequence[Path],
    seed: int,
    clips: int,
    clips_per_shard: int,
    seconds: float,
    device: str = "cpu",
) -> list[BaseProcess]:
    """Starts rendering on every core; the lanes end by themselves.

    Args:
        clips: How many clips to have in all, those of earlier runs included.
        seconds: How long the lanes may take.
        device: Where they take the mel.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = -(-clips // clips_per_shard)
    lanes = min(len(os.sched_getaffinity(0)), shards)
    context = multiprocessing.get_context("spawn")  # a process that has used a GPU must not be forked
    processes: list[BaseProcess] = []
    for lane in range(lanes):
        arguments = (folder, list(fonts), seed, clips, clips_per_shard, lane, lanes, seconds, device)
        process = context.Process(target=render_lane, args=arguments, daemon=True)
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
    """Waits until there are some shards, or no lane is left that could make them."""
    while len(list(folder.glob("shard_*.json"))) < count and any(process.is_alive() for process in processes):
        time.sleep(0.5)
