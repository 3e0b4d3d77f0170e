"""Trains the autoencoder's decoder alone: what the components leave out is guessed from what is around it.

The encoder stays as it is, so latents stay what they were and a UNet that was trained on them still fits.
"""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from riffcomposer.errors import ModelError
from riffcomposer_training.autoencoder import (
    NOISE,
    gradient_loss,
    measure,
    read_levels,
    relative_rate,
)
from riffcomposer_training.clip_shards import first_shards, images
from riffcomposer_training.networks import build_autoencoder, decode_latents, encode_images
from riffcomposer_training.schedule import (
    Clock,
    Series,
    learning_rate_share,
    load_checkpoint,
    save_checkpoint,
    step_generator,
)
from riffcomposer_training.training_settings import Setting

log = logging.getLogger(__name__)
_WARMUP_STEPS = 50
_HELD_OUT_CLIPS = 64


def train_decoder(
    setting: Setting, clips: Path, out: Path, budget_seconds: float, *, seed: int = 1, device: str = "cpu"
) -> None:
    """Trains the decoder of `autoencoder.pt`, and writes it back if it rebuilds held-out clips better.

    The loss is the mean absolute error of images and of their differences at three scales.

    Args:
        setting: Size of the run.
        clips: Folder of rendered shards.
        out: Folder of the run, with its autoencoder.
        budget_seconds: Time for training.
        seed: Seed of clips and noise.
        device: A torch device.

    Raises:
        ModelError: There is no autoencoder, or there are no clips.
    """
    state = load_checkpoint(out / "autoencoder.pt")
    if state is None:
        raise ModelError(f"{out}: no autoencoder; run the autoencoder stage first")
    network = build_autoencoder(setting)
    network.load_state_dict(state["network"])
    network.to(device)
    network.encoder.requires_grad_(False)
    paths = first_shards(clips)
    levels = read_levels(paths, held=False, most=setting.decoder_clips)
    test = read_levels(paths, held=True, most=_HELD_OUT_CLIPS)
    test = test if len(test) else levels[:8]
    train = torch.from_numpy(levels).to(device)
    before = measure(network, test, setting.patch)
    groups = [{"params": [value], "share": relative_rate(value)} for value in network.decoder.parameters()]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)
    clock, series, step = Clock(budget_seconds), Series(state.get("decoder_series", ())), 0
    logged = 0.0
    while (used := clock.tick()) < 1:
        generator = step_generator(seed, step, device)
        rows = torch.randint(len(train), (setting.decoder_batch,), generator=generator, device=device)
        pictures = images(train[rows])
        with torch.no_grad():
            latents = encode_images(network, pictures, setting.patch)
            latents += NOISE * torch.randn(latents.shape, generator=generator, device=device)
        rebuilt = decode_latents(network, latents, setting.patch)
        loss = (pictures - rebuilt).abs().mean() + 0.5 * gradient_loss(pictures, rebuilt)
        rate = setting.autoencoder_learning_rate * learning_rate_share(step, used, _WARMUP_STEPS)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.decoder.parameters(), 1.0)
        optimizer.step()
        step += 1
        if used - logged > 0.1:
            logged = used
            error = float((pictures - rebuilt.detach()).abs().mean()) * 127.5
            series.add(step=step, seconds=clock.used_seconds, loss=float(loss.detach()), error=error)
    after = measure(network, test, setting.patch)
    log.info("decoder before: error %.2f, convergence %.2f dB", *before)
    log.info("decoder after %d steps: error %.2f, convergence %.2f dB", step, *after)
    if after[1] >= before[1] or after[0] > before[0]:
        log.warning("training did not better the decoder; it is kept as it was")
        return
    weights = {name: value.cpu() for name, value in network.state_dict().items()}
    save_checkpoint(
        out / "autoencoder.pt",
        {**state, "network": weights, "figures": list(after), "decoder_series": series.rows, "steps": step},
    )
