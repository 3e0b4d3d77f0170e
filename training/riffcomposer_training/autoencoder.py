"""Stage *autoencoder*: principal component analysis of image patches, then training of residual blocks on it.

Projecting the 16 x 16 patches of a clip on 32 principal components already rebuilds images well, better than
a short training of a convolutional autoencoder does. So training starts from that projection.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from riffcomposer_training.clip_shards import READERS, first_shards, held_out, images, read_shard
from riffcomposer_training.networks import (
    build_autoencoder,
    decode_latents,
    encode_images,
    start_from_components,
)
from riffcomposer_training.proportional import ProportionalTraining
from riffcomposer_training.schedule import load_checkpoint, save_checkpoint, step_generator
from riffcomposer_training.start_from import start_autoencoder
from riffcomposer_training.training_settings import Setting

log = logging.getLogger(__name__)
NOISE = 0.05
"""Deviation of the noise on latents while training, so that the decoder forgives a UNet's errors."""


def principal_components(pictures: torch.Tensor, patch: int, kept: int) -> tuple[torch.Tensor, ...]:
    """Mean, leading principal components and standard deviations of image patches with values 0..1.

    Returns:
        mean [patch^2], basis [patch^2, kept], deviations [kept], largest first.
    """
    folded = functional.pixel_unshuffle((pictures + 1) / 2, patch)
    rows = folded.permute(0, 2, 3, 1).reshape(-1, patch**2).double()
    mean = rows.mean(0)
    centred = rows - mean
    variances, vectors = torch.linalg.eigh(centred.T @ centred / len(rows))
    order = torch.arange(len(variances) - 1, len(variances) - 1 - kept, -1)
    return mean.float(), vectors[:, order].float(), variances[order].clamp_min(1e-12).sqrt().float()


def latent_sizes(deviations: torch.Tensor, whitening: float) -> torch.Tensor:
    """The divisor of each component: std^whitening, scaled so that the mean square of the latents is 1."""
    partly = deviations**whitening
    return partly * ((deviations / partly) ** 2).mean().sqrt()


def channel_weights(deviations: torch.Tensor, whitening: float) -> torch.Tensor:
    """Weight of each latent channel in the diffusion loss; the mean is 1.

    One unit of a channel changes the image by std^p (p is `whitening`), and its square by std^2p. The
    weights are std^p instead, so that fine detail is not ignored.
    """
    weights = deviations**whitening
    return weights / weights.mean()


def reconstruction_figures(pictures: torch.Tensor, rebuilt: torch.Tensor) -> tuple[float, float]:
    """Mean image error in grey levels (of 255) and mel spectral convergence in dB, averaged over clips."""
    error = (pictures - rebuilt.clamp(-1, 1)).abs().mean() * 127.5
    mel, other = ((1 - pictures) / 2) ** 4, ((1 - rebuilt.clamp(-1, 1)) / 2) ** 4
    convergence = (mel - other).flatten(1).norm(dim=1) / mel.flatten(1).norm(dim=1).clamp_min(1e-9)
    return float(error), float((20 * torch.log10(convergence.clamp_min(1e-9))).mean())


def gradient_loss(pictures: torch.Tensor, rebuilt: torch.Tensor) -> torch.Tensor:
    """L1 of horizontal and vertical differences at three scales."""
    total = pictures.new_zeros(())
    for _ in range(3):
        error = pictures - rebuilt
        total = total + error.diff(dim=3).abs().mean() + error.diff(dim=2).abs().mean()
        pictures, rebuilt = functional.avg_pool2d(pictures, 2), functional.avg_pool2d(rebuilt, 2)
    return total


def rebuilding_loss(pictures: torch.Tensor, rebuilt: torch.Tensor) -> torch.Tensor:
    """Mean absolute error of images, and of their differences at three scales."""
    return (pictures - rebuilt).abs().mean() + 0.5 * gradient_loss(pictures, rebuilt)


def read_levels(paths: list[Path], *, held: bool, most: int) -> np.ndarray[Any, Any]:
    """Up to `most` clips of shards that are held out, or that are not: uint8 [clips, 512, width]."""

    def chosen(path: Path) -> np.ndarray[Any, Any]:
        shard = read_shard(path)
        return shard.levels()[[index for index, clip in enumerate(shard.clips) if held_out(clip) == held]]

    parts: list[np.ndarray[Any, Any]] = []
    with ThreadPoolExecutor(READERS) as pool:
        for first in range(0, len(paths), READERS):
            parts += pool.map(chosen, paths[first : first + READERS])
            if sum(map(len, parts)) >= most:
                break
    return np.concatenate(parts)[:most]


@torch.no_grad()
def measure(autoencoder: Any, levels: np.ndarray[Any, Any], patch: int) -> tuple[float, float]:
    """`reconstruction_figures` of an autoencoder on these clips."""
    device = next(autoencoder.parameters()).device
    figures = []
    for start in range(0, len(levels), 8):
        pictures = images(levels[start : start + 8]).to(device)
        rebuilt = decode_latents(autoencoder, encode_images(autoencoder, pictures, patch), patch)
        figures.append(reconstruction_figures(pictures, rebuilt))
    return float(np.mean([f[0] for f in figures])), float(np.mean([f[1] for f in figures]))


def train_autoencoder(
    setting: Setting, clips: Path, out: Path, budget_seconds: float, *, seed: int = 1, device: str = "cpu"
) -> None:
    """Trains the autoencoder; writes `autoencoder.pt` (weights, components, figures).

    The trained weights are kept only if they are better than the plain components on held-out clips.

    Args:
        setting: Size of the run.
        clips: Folder of rendered shards.
        out: Folder of the run; `autoencoder_state.pt` there is the resumable state.
        budget_seconds: Time for training; with 0 the plain components are used.
        seed: Seed of weights, clips and noise.
        device: A torch device.
    """
    paths = first_shards(clips)
    test = read_levels(paths, held=True, most=64)
    train = read_levels(paths, held=False, most=4096 if setting.name == "gpu" else 1536)
    if len(test) < 4:
        test = train[:8]
    torch.manual_seed(seed)
    network = build_autoencoder(setting)
    spread = train[:: max(1, len(train) // 400)]
    mean, basis, deviations = principal_components(images(spread), setting.patch, setting.latent_channels)
    start_from_components(network, mean, basis, latent_sizes(deviations, setting.whitening))
    training = ProportionalTraining(
        network,
        out / "autoencoder_state.pt",
        budget_seconds,
        learning_rate=setting.autoencoder_learning_rate,
        device=device,
        beside={"deviations": deviations, "plain": list(measure(network, test, setting.patch))},
    )
    plain = training.beside["plain"]
    log.info("components alone: error %.2f, convergence %.2f dB", *plain)
    columns = 512 // setting.patch
    resident = torch.from_numpy(train).to(device)
    while (used := training.clock.tick()) < 1:
        generator = step_generator(seed, training.step)
        rows = torch.randint(len(train), (setting.autoencoder_batch,), generator=generator)
        start = int(torch.randint(columns // 2 + 1, (1,), generator=generator)) * setting.patch
        pictures = images(resident[rows.to(device), :, start : start + 256])
        latents = encode_images(network, pictures, setting.patch)
        noise = torch.randn(latents.shape, generator=generator).to(device)
        rebuilt = decode_latents(network, latents + NOISE * noise, setting.patch)
        # The mean square keeps latents from growing away from the size that the UNet was set up for.
        size = (latents.square().mean() - 1).clamp_min(0.2) - 0.2
        loss = rebuilding_loss(pictures, rebuilt) + 0.05 * size
        training.learn(loss, used)
        if training.step % 50 == 0:
            error = float((pictures - rebuilt.detach()).abs().mean()) * 127.5
            seconds = training.clock.used_seconds
            training.series.add(step=training.step, seconds=seconds, loss=float(loss.detach()), error=error)
        training.save_when_due(60.0)
    trained, better = plain, True
    if training.step:
        training.save()
        trained = list(measure(network, test, setting.patch))
        log.info("trained %d steps: error %.2f, convergence %.2f dB", training.step, *trained)
        better = trained[1] < plain[1] and trained[0] <= plain[0] + 0.1
    if not better:
        log.warning("training did not beat the plain components; they are kept")
    save_checkpoint(
        out / "autoencoder.pt",
        {
            "network": training.weights() if better else training.start,
            "deviations": training.beside["deviations"],
            "plain": plain,
            "figures": trained if better else plain,
            "steps": training.step,
        },
    )


def take_autoencoder(setting: Setting, clips: Path, out: Path, folder: Path) -> None:
    """Copies the autoencoder of an exported folder into the run; writes `autoencoder.pt`.

    Raises:
        ModelError: The folder has no autoencoder, or one of another size.
    """
    weights, deviations = start_autoencoder(setting, folder)
    network = build_autoencoder(setting)
    network.load_state_dict(weights)
    paths = first_shards(clips)
    test = read_levels(paths, held=True, most=64)
    figures = measure(network, test if len(test) else read_levels(paths, held=False, most=8), setting.patch)
    log.info("autoencoder of %s: error %.2f, convergence %.2f dB", folder, *figures)
    state = {"network": weights, "deviations": deviations, "figures": list(figures), "steps": 0}
    save_checkpoint(out / "autoencoder.pt", state)


def load_autoencoder(setting: Setting, out: Path) -> Any:
    """The trained autoencoder of a run, for inference.

    Raises:
        ModelError: The autoencoder stage has not run.
    """
    state = load_checkpoint(out / "autoencoder.pt")
    if state is None:
        from riffcomposer.errors import ModelError

        raise ModelError(f"{out}: no autoencoder; run the autoencoder stage first")
    network = build_autoencoder(setting)
    network.load_state_dict(state["network"])
    return network.eval().requires_grad_(False)
