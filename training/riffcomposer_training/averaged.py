"""Trains a UNet and keeps a running average of its weights: precision, optimizer, resumable state.

The diffusion and the distillation stage use it; they differ only in their losses.
"""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from riffcomposer_training.schedule import (
    Clock,
    Series,
    average_into,
    learning_rate_share,
    load_checkpoint,
    save_checkpoint,
)


def _multiplying_seconds(kind: torch.dtype, size: int = 512) -> float:
    matrix = torch.ones(size, size, dtype=kind)
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - begun)
    return best


@functools.cache
def pays_in_bfloat16(device: str) -> bool:
    """Whether a network trains faster in bfloat16 on a device.

    True on GPUs. On a CPU a matrix product is timed: CPUs with matrix units (AMX) are several times faster
    in bfloat16, others are slower.
    """
    if device.startswith("cuda"):
        return True
    return _multiplying_seconds(torch.float32) > 2 * _multiplying_seconds(torch.bfloat16)


class AveragedTraining:
    """A UNet in training, its averaged weights, and the state from which a stopped run continues.

    Attributes:
        network: The network that is trained.
        average: The network with averaged weights.
        series: Figures logged so far.
        clock: Counts the time used, over all runs of the stage.
        step, samples: Steps done and samples seen so far.
    """

    def __init__(
        self,
        network: Any,
        state_path: Path,
        budget_seconds: float,
        *,
        learning_rate: float,
        warmup_steps: int,
        weight_decay: float,
        device: str,
    ) -> None:
        """Reads the state at `state_path`, if there is one.

        Args:
            network: The UNet to train, on the CPU.
            state_path: File of the resumable state.
            budget_seconds: Time for the training over all runs.
            learning_rate: The highest learning rate; `learning_rate_share` gives warm-up and decay.
            warmup_steps: Steps until the highest learning rate.
            weight_decay: Weight decay of AdamW.
            device: A torch device.
        """
        state = load_checkpoint(state_path)
        on_gpu = device.startswith("cuda")
        self.network = network
        self.average = copy.deepcopy(network).requires_grad_(False)
        if state is not None:
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
        for each in (self.network, self.average):
            each.to(device, memory_format=torch.channels_last)
        if not on_gpu:
            # On CPUs plain attention is faster to differentiate than the fused kernel.
            from diffusers.models.attention_processor import AttnProcessor

            self.network.set_attn_processor(AttnProcessor())
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=learning_rate,
            betas=(0.9, 0.99),
            weight_decay=weight_decay,
            fused=True,
        )
        if state is not None:
            self.optimizer.load_state_dict(state["optimizer"])
        self.series = Series(state["series"] if state else ())
        self.clock = Clock(budget_seconds, state["used_seconds"] if state else 0.0)
        self.step: int = state["step"] if state else 0
        self.samples: int = state["samples"] if state else 0
        self._path, self._device = state_path, device
        self._learning_rate, self._warmup_steps = learning_rate, warmup_steps
        self._last_saved = self.clock.used_seconds

    def autocast(self) -> torch.autocast:
        """The context for the network's forward pass: bfloat16 where that is faster."""
        kind = "cuda" if self._device.startswith("cuda") else "cpu"
        return torch.autocast(kind, torch.bfloat16, enabled=pays_in_bfloat16(self._device))

    def learn(self, loss: torch.Tensor, used: float, samples: int) -> None:
        """One step of the optimizer and of the averaged weights.

        Args:
            used: Share of the time budget used.
            samples: How many samples the loss is made of.
        """
        share = learning_rate_share(self.step, used, self._warmup_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate * share
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        average_into(self.average, self.network, self.step)
        self.step += 1
        self.samples += samples

    def save(self) -> None:
        """Writes the resumable state."""
        save_checkpoint(
            self._path,
            {
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "series": self.series.rows,
                "step": self.step,
                "samples": self.samples,
                "used_seconds": self.clock.used_seconds,
            },
        )
        self._last_saved = self.clock.used_seconds

    @contextmanager
    def kept_when_interrupted(self) -> Iterator[None]:
        """A context in which an interrupt (Ctrl-C) saves the state before it goes on."""
        try:
            yield
        except KeyboardInterrupt:
            self.save()
            raise

    def save_is_due(self, every_seconds: float) -> bool:
        """Whether the last save is more than `every_seconds`, or a quarter of the budget, ago."""
        due = min(every_seconds, self.clock.budget_seconds / 4)
        return self.clock.used_seconds - self._last_saved > due

    def averaged_weights(self) -> dict[str, torch.Tensor]:
        """The averaged weights, on the CPU."""
        return {name: value.cpu() for name, value in self.average.state_dict().items()}
