"""Trains the autoencoder's decoder alone: what the components leave out is guessed from what is around it.

The encoder stays as it is, so latents stay what they were and a UNet that was trained on them still fits.
"""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from riffcomposer.errors import ModelError
from riffcomposer_training.autoencoder import NOISE, measure, read_levels, rebuilding_loss
from riffcomposer_training.clip_shards import first_shards, images
from riffcomposer_training.networks import build_autoencoder, decode_latents, encode_images
from riffcomposer_training.proportional import ProportionalTraining
from riffcomposer_training.schedule import load_checkpoint, save_checkpoint, step_generator
from riffcomposer_training.training_settings import Setting

log = logging.getLogger(__name__)
_HELD_OUT_CLIPS = 64


def train_decoder(
    setting: Setting, clips: Path, out: Path, budget_seconds: float, *, seed: int = 1, device: str = "cpu"
) -> None:
    """Trains the decoder of `autoencoder.pt`, and writes it back if it rebuilds held-out clips better.

    The loss is `rebuilding_loss`. `decoder_state.pt` in the run's folder is the resumable state.

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
    network.encoder.requires_grad_(False)
    paths = first_shards(clips)
    levels = read_levels(paths, held=False, most=setting.decoder_clips)
    test = read_levels(paths, held=True, most=_HELD_OUT_CLIPS)
    test = test if len(test) else levels[:8]
    training = ProportionalTraining(
        network,
        out / "decoder_state.pt",
        budget_seconds,
        learning_rate=setting.autoencoder_learning_rate,
        device=device,
        beside={"plain": list(measure(network, test, setting.patch))},
    )
    before = training.beside["plain"]
    resident = torch.from_numpy(levels).to(device)
    logged = 0.0
    while (used := training.clock.tick()) < 1:
        generator = step_generator(seed, training.step, device)
        rows = torch.randint(len(levels), (setting.decoder_batch,), generator=generator, device=device)
        pictures = images(resident[rows])
        with torch.no_grad():
            latents = encode_images(network, pictures, setting.patch)
            latents += NOISE * torch.randn(latents.shape, generator=generator, device=device)
        rebuilt = decode_latents(network, latents, setting.patch)
        loss = rebuilding_loss(pictures, rebuilt)
        training.learn(loss, used)
        if used - logged > 0.1:
            logged = used
            error = float((pictures - rebuilt.detach()).abs().mean()) * 127.5
            seconds = training.clock.used_seconds
            training.series.add(step=training.step, seconds=seconds, loss=float(loss.detach()), error=error)
        training.save_when_due(setting.save_seconds)
    training.save()
    after = measure(network, test, setting.patch)
    log.info("decoder before: error %.2f, convergence %.2f dB", *before)
    log.info("decoder after %d steps: error %.2f, convergence %.2f dB", training.step, *after)
    if after[1] >= before[1] or after[0] > before[0]:
        log.warning("training did not better the decoder; it is kept as it was")
        return
    save_checkpoint(
        out / "autoencoder.pt",
        {
            **state,
            "network": training.weights(),
            "figures": list(after),
            "decoder_series": training.series.rows,
            "steps": training.step,
        },
    )
