"""Training within a time budget: learning rate, averaged weights, and checkpoints to continue from.

A stage has a budget in seconds. Its schedule follows the share of the budget used, counted over all its
runs, so a stage that was killed continues from its last checkpoint and still ends on time.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from riffcomposer import files

log = logging.getLogger(__name__)


def learning_rate_share(step: int, used: float, warmup_steps: int, decay_from: float = 0.6) -> float:
    """Share of the full learning rate at a step: it rises linearly, stays at 1, then falls linearly to 0.

    Args:
        step: Steps taken so far.
        used: Share of the time budget used, 0..1.
        warmup_steps: Steps until the full learning rate.
        decay_from: Share of the budget at which the fall begins.
    """
    rise = min(1.0, (step + 1) / max(warmup_steps, 1))
    fall = 1.0 if used < decay_from else max(0.0, (1.0 - used) / (1.0 - decay_from))
    return rise * fall


def average_decay(step: int, most: float = 0.9995) -> float:
    """Decay of averaged weights: a window of about a tenth of the steps so far, up to `most`."""
    return min(most, (1 + step) / (10 + step))


@torch.no_grad()
def average_into(average: torch.nn.Module, network: torch.nn.Module, step: int) -> None:
    """Moves averaged weights toward the network's."""
    targets: list[torch.Tensor] = list(average.parameters())
    sources: list[torch.Tensor] = list(network.parameters())
    torch._foreach_lerp_(targets, sources, 1 - average_decay(step))


class Clock:
    """Counts a stage's time over all its runs.

    Args:
        budget_seconds: Time that the stage may take in all.
        used_seconds: Time that earlier runs took.
        longest_gap: Most seconds that one step counts, so that a paused process or a sleeping machine
            does not use up the budget.
    """

    def __init__(self, budget_seconds: float, used_seconds: float = 0.0, longest_gap: float = 20.0) -> None:
        self.budget_seconds = budget_seconds
        self.used_seconds = used_seconds
        self._longest_gap = longest_gap
        self._last = time.monotonic()

    def tick(self) -> float:
        """Counts the time since the last tick; returns the share of the budget used."""
        now = time.monotonic()
        self.used_seconds += min(now - self._last, self._longest_gap)
        self._last = now
        return min(1.0, self.used_seconds / max(self.budget_seconds, 1e-9))


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint in one step."""
    with files.replacing(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Reads a checkpoint, or None where there is none."""
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


class Series:
    """Figures logged during training, one row at a time; checkpoints store them."""

    def __init__(self, rows: Iterable[dict[str, float]] = ()) -> None:
        self.rows = list(rows)

    def add(self, **figures: float) -> None:
        """Adds a row and logs it."""
        self.rows.append({name: float(value) for name, value in figures.items()})
        log.info("  ".join(f"{name} {value:.4g}" for name, value in self.rows[-1].items()))


def step_generator(seed: int, step: int, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of one step; so a resumed run draws the same values as an uninterrupted one."""
    return torch.Generator(device).manual_seed((seed * 1_000_003 + step) % (1 << 62))


def finite(value: float) -> bool:
    """Whether a loss is neither NaN nor infinite."""
    return math.isfinite(value)
