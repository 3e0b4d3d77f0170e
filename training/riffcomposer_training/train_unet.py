"""Stage *diffusion*: trains the UNet by flow matching on latents, conditioned on captions.

Conventions: `t` in 0..1 is the model's time, 0 clean and 1 noise; `z_t = (1 - t) z + t n`; the UNet sees
1000 t and predicts `n - z` (Lipman et al. 2023; Liu et al. 2023). Latents are [batch, channels, rows,
columns], rows from the highest band down, columns of 160 ms.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from riffcomposer.diffusion.init_conditioning import unet_input
from riffcomposer.errors import ModelError
from riffcomposer_training.autoencoder import channel_weights
from riffcomposer_training.averaged import AveragedTraining
from riffcomposer_training.latent_set import LatentFeed, LatentSet
from riffcomposer_training.networks import build_unet
from riffcomposer_training.schedule import finite, save_checkpoint, step_generator
from riffcomposer_training.training_settings import Setting

log = logging.getLogger(__name__)
LATEST_REPAINT = 0.9
"""The model time up to which samples learn to repaint: later, nearly nothing is left of what is repainted."""

NOTES_SHARE = 0.5
"""How often a clip that does not start from another sound is shown how others play it."""

BACK_SHARE = 1 / 3
"""How often the clip as composed takes the place of a drawn one that is played by others."""

FEWEST_HELD_OUT = 4
"""Fewest held-out clips for which a validation loss is logged; with fewer it is mostly noise."""


def sample_times(count: int, generator: torch.Generator) -> torch.Tensor:
    """Draws model times to train at: most where img2img works, some near pure noise, some anywhere.

    70 % are sigmoid(N(0.4, 1)), 15 % are in 0.85..1 and 15 % are uniform.
    """
    device = generator.device
    times = torch.sigmoid(0.4 + torch.randn(count, generator=generator, device=device))
    kind = torch.rand(count, generator=generator, device=device)
    uniform = torch.rand(count, generator=generator, device=device)
    times = torch.where(kind < 0.15, 0.85 + 0.15 * uniform, times)
    return torch.where((kind >= 0.15) & (kind < 0.30), uniform, times).clamp(0.002, 1.0)


def other_timbre(latents: torch.Tensor, donors: torch.Tensor) -> torch.Tensor:
    """Gives latents the timbre of other clips by replacing each row's mean and deviation over time.

    This is adaptive instance normalisation (Huang and Belongie 2017) per channel and row; rhythm and melody
    are kept.
    """
    mean, spread = latents.mean(3, keepdim=True), latents.std(3, keepdim=True)
    wanted_mean, wanted_spread = donors.mean(3, keepdim=True), donors.std(3, keepdim=True)
    ratio = (wanted_spread / spread.clamp_min(0.05)).clamp(0.5, 2.0)
    return (latents - mean) * ratio + wanted_mean


@dataclass
class FlowSamples:
    """A training batch: the UNet's inputs, and the velocity that it should predict.

    Attributes:
        noisy: Latents at the model's times.
        init: What is shown of what a render would start from; zeros for clips that are shown nothing.
        times, states: The model's times, 0..1, and the captions' token states.
        velocity: Noise minus clean latents.
    """

    noisy: torch.Tensor
    init: torch.Tensor
    times: torch.Tensor
    states: torch.Tensor
    velocity: torch.Tensor

    def inputs(self) -> torch.Tensor:
        """The UNet's input latents."""
        seen = unet_input(self.noisy, self.init, conditioned=True)
        return seen.contiguous(memory_format=torch.channels_last)


def flow_samples(
    clips: LatentSet,
    rows: torch.Tensor,
    setting: Setting,
    generator: torch.Generator,
    *,
    columns: int | None = None,
) -> FlowSamples:
    """Draws noise, times and captions for clips.

    A share of the samples trains what img2img needs: the clip with *another* sound, noised to the time s at
    which a render would start, has to lead to the clip that its caption describes. On the straight line from
    there, the state at time t is the plain one with the noise `n + (1 - s) / s * (other - clip)`; so that
    noise is used. The other clip is the same music played by others where there is such a clip, and more
    often so the greater s is, since at low strengths the sound of what a render starts from should be kept.
    Else it is the clip with another clip's average spectrum, a share of which is laid on that grows with s.

    What a render would start from is shown to the model too (`init`), but only where it is another sound than
    the clip: from its own clip it would learn to copy. A pair is shown at any time, so that near pure noise
    the notes still decide.

    A clip that is not played by those for whom its music was composed is not used near pure noise, where
    captions decide about the notes too.

    Args:
        clips: The training set.
        rows: Rows of the clips to use, [batch].
        setting: Size of the run, with its shares of captions and timbres.
        generator: Source of all random values.
        columns: Width of the batch, from each clip's start; as wide as the clips are if None.
    """
    device = clips.latents.device
    clean = clips.latents[rows, :, :, :columns].float()
    count = len(clean)
    pick: dict[str, Any] = {"generator": generator, "device": device}
    noise = torch.randn(clean.shape, **pick)
    times = sample_times(count, generator)
    times = torch.where(clips.replayed[rows], times * LATEST_REPAINT, times)

    # Half of the samples are where a render starts: later, the state already shows where it goes.
    begun = torch.rand(count, **pick) < 0.5
    start = times + (LATEST_REPAINT - times).clamp_min(0) * torch.rand(count, **pick) * begun
    start = start.clamp_min(0.35)
    partners = clips.partners[rows]
    paired = (partners >= 0) & (torch.rand(count, **pick) < setting.pair_share)
    rise = ((start - 0.3) / 0.4).clamp(0, 1)
    # A blend of both sounds would show where to go, and the caption would not be listened to.
    amount = torch.where(paired, torch.ones_like(rise), rise * torch.rand(count, **pick))
    share = setting.timbre_share * torch.where(paired, rise, torch.full_like(rise, setting.spectrum_share))
    used = (torch.rand(count, **pick) < share) & (times < LATEST_REPAINT)
    factor = (torch.where(used, amount, torch.zeros_like(amount)) * (1 - start) / start)[:, None, None, None]
    donors = clean[torch.randperm(count, **pick)]
    played_by_others = clips.latents[partners.clamp_min(0), :, :, :columns].float()
    other = torch.where(paired[:, None, None, None], played_by_others, other_timbre(clean, donors))
    noise = noise + factor * (other - clean)

    shown = paired & ~used & (torch.rand(count, **pick) < NOTES_SHARE)
    amount = torch.where(shown, torch.ones_like(amount), amount)[:, None, None, None]
    init = (clean + amount * (other - clean)) * (used | shown)[:, None, None, None]

    column = torch.randint(clips.captions.shape[1], (count,), **pick)
    captions = clips.captions[rows, column]
    captions = torch.where(torch.rand(count, **pick) < setting.empty_caption, 0, captions)
    at = times[:, None, None, None]
    return FlowSamples(
        (1 - at) * clean + at * noise, init, times, clips.states[captions].float(), noise - clean
    )


def choose_rows(clips: LatentSet, count: int, generator: torch.Generator) -> torch.Tensor:
    """Draws rows of clips, [count]; one in three clips played by others is its partner instead."""
    device = clips.latents.device
    rows = torch.randint(len(clips), (count,), generator=generator, device=device)
    back = clips.replayed[rows] & (clips.partners[rows] >= 0)
    back &= torch.rand(count, generator=generator, device=device) < BACK_SHARE
    return torch.where(back, clips.partners[rows], rows)


def draw_columns(setting: Setting, generator: torch.Generator) -> int:
    """Draws the width of a batch by `Setting.widths`."""
    columns, shares = zip(*setting.widths, strict=True)
    return int(columns[int(torch.multinomial(torch.tensor(shares), 1, generator=generator))])


def weighted_error(predicted: torch.Tensor, wanted: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean square error with a weight for each channel."""
    return ((predicted - wanted).square().mean((0, 2, 3)) * weights).mean()


@torch.no_grad()
def validation_losses(
    unet: Any, clips: LatentSet, weights: torch.Tensor, count: int = 48
) -> tuple[float, float]:
    """Losses on held-out clips: with their own captions, and with captions of other clips.

    The difference is the earliest sign that captions have an effect. Noise and times are the same each time.
    """
    count = min(count, len(clips))
    device = clips.latents.device
    rows = torch.linspace(0, len(clips) - 1, count, device=device).long()
    generator = torch.Generator().manual_seed(9)
    clean = clips.latents[rows].float()
    noise = torch.randn(clean.shape, generator=generator).to(device)
    times = ((torch.arange(count) + 0.5) / count)[torch.randperm(count, generator=generator)].to(device)
    at = times[:, None, None, None]
    noisy = (1 - at) * clean + at * noise
    losses = []
    for shift in (0, count // 2):
        states = clips.states[clips.captions[rows.roll(shift), 0]].float()
        total = 0.0
        for start in range(0, count, 16):
            part = slice(start, start + 16)
            inputs = unet_input(noisy[part], None, conditioned=True)
            predicted = unet(inputs, times[part] * 1000, states[part]).sample.float()
            error = weighted_error(predicted, (noise - clean)[part], weights)
            total += float(error) * len(predicted)
        losses.append(total / count)
    return losses[0], losses[1]


def train_diffusion(
    setting: Setting,
    feed: LatentFeed,
    deviations: torch.Tensor,
    out: Path,
    budget_seconds: float,
    *,
    seed: int = 2,
    device: str = "cpu",
    start: tuple[dict[str, torch.Tensor], int] | None = None,
    refresh: Callable[[], object] | None = None,
) -> None:
    """Trains the UNet; writes `diffusion.pt` (averaged weights and the loss curve).

    Args:
        setting: Size of the run.
        feed: The latents. With fewer held-out clips than `FEWEST_HELD_OUT`, the loss curve has no `held_out`.
        deviations: Standard deviations of the image components, for the channels' weights.
        out: Folder of the run; `diffusion_state.pt` there is the resumable state.
        budget_seconds: Time for the training over all runs.
        seed: Seed of weights and noise.
        device: A torch device.
        start: Weights to start from, and the number of samples they were trained on; None starts untrained.
        refresh: Called before new latents are looked for, every `Setting.refresh_seconds`; it may encode new
            clips.

    Raises:
        ModelError: There are no latents.
    """
    feed.grow()
    if not len(feed.train):
        raise ModelError(f"{out}: no latents to train on; run the stages before diffusion first")
    weights = channel_weights(deviations, setting.whitening).to(device)
    torch.manual_seed(seed)
    network = build_unet(setting)
    if start is not None:
        network.load_state_dict(start[0])
    training = AveragedTraining(
        network,
        out / "diffusion_state.pt",
        budget_seconds,
        learning_rate=setting.learning_rate,
        warmup_steps=setting.warmup_steps,
        weight_decay=0.01,
        device=device,
    )
    clock = training.clock
    if start is not None and training.step == 0:
        training.samples = start[1]
    last_measured = last_refreshed = clock.used_seconds
    losses: list[torch.Tensor] = []

    def measure() -> None:
        held_out: dict[str, float] = {}
        if len(feed.test) >= FEWEST_HELD_OUT:
            training.average.eval()
            right, wrong = validation_losses(training.average, feed.test, weights)
            held_out = {"held_out": right, "wrong_minus_right": wrong - right}
        mean = float(torch.stack(losses[-200:]).mean())
        if not finite(mean):
            raise ModelError(
                f"{out}: the loss is no longer a number; lower the learning rate and start again"
            )
        training.series.add(
            step=training.step,
            samples=training.samples,
            seconds=clock.used_seconds,
            loss=mean,
            **held_out,
            clips=len(feed.train),
            samples_per_second=training.step * setting.batch / max(clock.used_seconds, 1e-9),
        )
        losses.clear()

    with training.kept_when_interrupted():
        while (used := clock.tick()) < 1:
            generator = step_generator(seed, training.step, device)
            # Which width a batch has is drawn on the host: asking the device would make it wait.
            columns = draw_columns(setting, step_generator(seed + 1, training.step))
            rows = choose_rows(feed.train, setting.batch, generator)
            batch = flow_samples(feed.train, rows, setting, generator, columns=columns)
            with training.autocast():
                predicted = training.network(batch.inputs(), batch.times * 1000, batch.states).sample
            loss = weighted_error(predicted.float(), batch.velocity, weights)
            training.learn(loss, used, len(rows))
            losses.append(loss.detach())
            if clock.used_seconds - last_measured > budget_seconds / 24:
                last_measured = clock.used_seconds
                measure()
            if training.save_is_due(setting.save_seconds):
                training.save()
            if clock.used_seconds - last_refreshed > setting.refresh_seconds:
                last_refreshed = clock.used_seconds
                if refresh is not None:
                    refresh()
                feed.grow()
    if losses:
        measure()
    training.save()
    save_checkpoint(
        out / "diffusion.pt",
        {
            "network": training.averaged_weights(),
            "series": training.series.rows,
            "steps": training.step,
            "samples": training.samples,
        },
    )
