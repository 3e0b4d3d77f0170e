"""Lanes of the data stage: shards are shared out, kept when complete, and stop in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from riffcomposer_training import clips as clips_module
from riffcomposer_training.clips import Clip
from riffcomposer_training.rendering import render_lane


@pytest.fixture
def ranges(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Replaces the composer; records the first piece and the number of pieces of every shard."""
    made: list[tuple[int, int]] = []

    def generate(fonts: object, seed: int, first: int, pieces: int) -> list[Clip]:
        made.append((first, pieces))
        return [Clip(np.full((512, 512), first, np.uint8), {"piece": f"{seed}-{first}", "caption": "x"})]

    monkeypatch.setattr(clips_module, "generate", generate)
    return made


def shards(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("shard_*.json"))


def test_train_lanes_share_out_the_shards(tmp_path: Path, ranges: list[tuple[int, int]]) -> None:
    for lane in range(2):
        render_lane(tmp_path, [], 1, 5 * 30, 30, lane, 2, 1000.0)
    assert shards(tmp_path) == [f"shard_{number:04d}" for number in range(5)]
    assert sorted(ranges) == [(number * 10, 10) for number in range(5)]


def test_train_lane_keeps_complete_shards(tmp_path: Path, ranges: list[tuple[int, int]]) -> None:
    render_lane(tmp_path, [], 1, 60, 30, 0, 1, 1000.0)
    (tmp_path / "shard_0001.json").unlink()  # killed between its two files
    ranges.clear()
    render_lane(tmp_path, [], 1, 60, 30, 0, 1, 1000.0)
    assert ranges == [(10, 10)]
    assert len(shards(tmp_path)) == 2


def test_train_lane_stops_when_its_time_is_up(tmp_path: Path, ranges: list[tuple[int, int]]) -> None:
    render_lane(tmp_path, [], 1, 3000, 30, 0, 1, 0.0)
    assert len(ranges) == 1
