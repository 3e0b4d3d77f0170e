"""Stage *distillation*: trains a student that applies guidance in one pass and takes fewer, longer steps.

The student starts with the averaged weights of the teacher and an additional input for the guidance scale w
(Meng et al. 2023; `time_cond_proj_dim`, embedded as in diffusers' latent consistency pipelines). It learns
the mean velocity of two steps of the guided teacher, so it needs half as many steps.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from riffcomposer.diffusion.init_conditioning import unet_input
from riffcomposer.diffusion.sampler import guidance_embedding
from riffcomposer.errors import ModelError
from riffcomposer_training.autoencoder import channel_weights
from riffcomposer_training.averaged import AveragedTraining
from riffcomposer_training.latent_set import LatentFeed
from riffcomposer_training.networks import GUIDANCE_WIDTH, build_unet
from riffcomposer_training.schedule import load_checkpoint, save_checkpoint, step_generator
from riffcomposer_training.train_unet import choose_rows, draw_columns, flow_samples, weighted_error
from riffcomposer_training.training_settings import Setting

log = logging.getLogger(__name__)
DISTILLED_STEPS = 6
"""Number of steps from noise for which a student is trained."""


def seeing(network: Any, init: torch.Tensor) -> Callable[..., Any]:
    """A UNet that is shown what its clips start from, and needs only noisy latents.

    Args:
        network: The UNet.
        init: What the clips start from, [batch, channels, rows, columns]; used again for each further pass
            over the same clips in one call.
    """

    def call(noisy: torch.Tensor, *inputs: torch.Tensor, **more: torch.Tensor) -> Any:
        passes = len(noisy) // len(init)
        return network(unet_input(noisy, init.repeat(passes, 1, 1, 1), conditioned=True), *inputs, **more)

    return call


def guided_velocity(
    teacher: Any,
    noisy: torch.Tensor,
    times: torch.Tensor,
    states: torch.Tensor,
    empty: torch.Tensor,
    scale: torch.Tensor,
) -> torch.Tensor:
    """The teacher's guided velocity u + w (c - u), u without and c with caption, in one batch."""
    both = teacher(
        torch.cat([noisy, noisy]),
        torch.cat([times, times]) * 1000,
        torch.cat([states, empty.expand_as(states)]),
    ).sample.float()
    with_caption, without = both.chunk(2)
    return without + scale[:, None, None, None] * (with_caption - without)


def two_step_velocity(
    teacher: Any,
    noisy: torch.Tensor,
    times: torch.Tensor,
    states: torch.Tensor,
    empty: torch.Tensor,
    scale: torch.Tensor,
    step: torch.Tensor,
) -> torch.Tensor:
    """Mean velocity of the guided teacher over a step toward clean, taken as two half steps.

    Args:
        step: Length of the step, [batch], at most `times`; 0 gives the guided velocity at `times`.
    """
    first = guided_velocity(teacher, noisy, times, states, empty, scale)
    half = (step / 2)[:, None, None, None]
    middle = noisy - half * first
    second = guided_velocity(teacher, middle, times - step / 2, states, empty, scale)
    return (first + second) / 2


def start_student(setting: Setting, teacher_weights: dict[str, torch.Tensor]) -> Any:
    """A copy of the teacher with an input for the guidance scale, which has no effect before training."""
    student = build_unet(setting, guidance_embedding=True)
    student.load_state_dict(teacher_weights, strict=False)
    torch.nn.init.zeros_(student.time_embedding.cond_proj.weight)
    return student


def train_student(
    setting: Setting,
    feed: LatentFeed,
    deviations: torch.Tensor,
    out: Path,
    budget_seconds: float,
    *,
    steps: int = DISTILLED_STEPS,
    seed: int = 3,
    device: str = "cpu",
) -> None:
    """Distils the UNet of `diffusion.pt`; writes `distillation.pt`.

    Args:
        setting: Size of the run.
        feed: The latents.
        deviations: Standard deviations of the image components, for the channels' weights.
        out: Folder of the run.
        budget_seconds: Time for the training over all runs.
        steps: Number of steps from noise for which the student is trained.
        seed: Seed of weights and noise.
        device: A torch device.

    Raises:
        ModelError: There is no teacher, or there are no latents.
    """
    teacher_state = load_checkpoint(out / "diffusion.pt")
    feed.grow()
    clips = feed.train
    if teacher_state is None or not len(clips):
        raise ModelError(f"{out}: no trained UNet or no latents; run the diffusion stage first")
    weights = channel_weights(deviations, setting.whitening).to(device)
    teacher = build_unet(setting)
    teacher.load_state_dict(teacher_state["network"])
    teacher.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    torch.manual_seed(seed)
    training = AveragedTraining(
        start_student(setting, teacher_state["network"]),
        out / "distillation_state.pt",
        budget_seconds,
        learning_rate=setting.distillation_learning_rate,
        warmup_steps=20,
        weight_decay=0.0,
        device=device,
    )
    losses: list[torch.Tensor] = []

    def measure() -> None:
        mean = float(torch.stack(losses).mean())
        training.series.add(step=training.step, seconds=training.clock.used_seconds, loss=mean)
        losses.clear()

    low, high = setting.guidance_range
    while (used := training.clock.tick()) < 1:
        generator = step_generator(seed, training.step, device)
        columns = draw_columns(setting, step_generator(seed + 1, training.step))
        rows = choose_rows(clips, setting.batch, generator)
        batch = flow_samples(clips, rows, setting, generator, columns=columns)
        scale = low + (high - low) * torch.rand(len(rows), generator=generator, device=device)
        length = (batch.times * torch.rand(len(rows), generator=generator, device=device)).clamp(
            max=1 / steps
        )
        empty = clips.states[:1].float()
        shown = seeing(teacher, batch.init)
        with training.autocast():
            with torch.no_grad():
                wanted = two_step_velocity(
                    shown, batch.noisy, batch.times, batch.states, empty, scale, length
                )
            predicted = training.network(
                batch.inputs(),
                batch.times * 1000,
                batch.states,
                timestep_cond=guidance_embedding(scale, GUIDANCE_WIDTH),
            ).sample
        loss = weighted_error(predicted.float(), wanted, weights)
        training.learn(loss, used, len(rows))
        losses.append(loss.detach())
        if training.save_is_due(120.0):
            measure()
            training.save()
    if losses:
        measure()
    training.save()
    save_checkpoint(
        out / "distillation.pt",
        {
            "network": training.averaged_weights(),
            "series": teacher_state["series"],
            "distillation_series": training.series.rows,
            "steps": training.step,
            "samples": teacher_state["samples"],
        },
    )
