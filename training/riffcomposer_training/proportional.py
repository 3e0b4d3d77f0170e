"""Trains weights of very different sizes: rates in proportion to each tensor's size, and a resumable state.

The autoencoder starts as a projection whose matrices span sizes from 0.001 to 1, so one rate for all of them
would either not move the large or destroy the small.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from riffcomposer_training.schedule import (
    Clock,
    Series,
    learning_rate_share,
    load_checkpoint,
    save_checkpoint,
)

TYPICAL_WEIGHT = 0.03
"""Root mean square of a weight for which the stated learning rate is meant."""

_WARMUP_STEPS = 50


def relative_rate(weights: torch.Tensor) -> float:
    """A tensor's share of the learning rate: its root mean square against `TYPICAL_WEIGHT`."""
    return float(weights.detach().square().mean().sqrt()) / TYPICAL_WEIGHT or 1.0


class ProportionalTraining:
    """Trains the parameters of a network that require gradients.

    Attributes:
        network: The network, on its device.
        start: Its weights before the first step, on the CPU.
        beside: What the caller keeps in the state beside the weights.
        series: Figures logged so far.
        clock: Counts the time used, over all runs.
        step: Steps done so far.
    """

    def __init__(
        self,
        network: Any,
        path: Path,
        budget_seconds: float,
        *,
        learning_rate: float,
        device: str,
        beside: Mapping[str, Any],
    ) -> None:
        """Reads the state at `path`, if there is one.

        Args:
            network: The network at its start, on the CPU.
            path: File of the resumable state.
            budget_seconds: Time for the training over all runs.
            learning_rate: Highest learning rate of a tensor of `TYPICAL_WEIGHT`.
            device: A torch device.
            beside: Values to keep in the state; those of a state that is there take their place.
        """
        state = load_checkpoint(path)
        current = {name: value.clone() for name, value in network.state_dict().items()}
        self.start: dict[str, torch.Tensor] = state["start"] if state else current
        self.beside = dict(state["beside"] if state else beside)
        shares = [
            {"params": [value], "share": relative_rate(self.start[name])}
            for name, value in network.named_parameters()
            if value.requires_grad
        ]
        if state is not None:
            network.load_state_dict(state["network"])
        self.network = network.to(device)
        self._trained = [value for value in network.parameters() if value.requires_grad]
        self._optimizer = torch.optim.AdamW(shares, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
        if state is not None:
            self._optimizer.load_state_dict(state["optimizer"])
        self.series = Series(state["series"] if state else ())
        self.clock = Clock(budget_seconds, state["used_seconds"] if state else 0.0)
        self.step: int = state["step"] if state else 0
        self._path, self._learning_rate = path, learning_rate
        self._last_saved = self.clock.used_seconds

    def learn(self, loss: torch.Tensor, used: float) -> None:
        """One step of the optimizer.

        Args:
            used: Share of the time budget used.
        """
        rate = self._learning_rate * learning_rate_share(self.step, used, _WARMUP_STEPS)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["share"]
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._trained, 1.0)
        self._optimizer.step()
        self.step += 1

    def save(self) -> None:
        """Writes the resumable state."""
        save_checkpoint(
            self._path,
            {
                "network": self.network.state_dict(),
                "start": self.start,
                "optimizer": self._optimizer.state_dict(),
                "beside": self.beside,
                "series": self.series.rows,
                "step": self.step,
                "used_seconds": self.clock.used_seconds,
            },
        )
        self._last_saved = self.clock.used_seconds

    def save_when_due(self, every_seconds: float) -> None:
        """Saves if the last save is more than `every_seconds` ago."""
        if self.clock.used_seconds - self._last_saved > every_seconds:
            self.save()

    def weights(self) -> dict[str, torch.Tensor]:
        """The network's weights, on the CPU."""
        return {name: value.cpu() for name, value in self.network.state_dict().items()}
