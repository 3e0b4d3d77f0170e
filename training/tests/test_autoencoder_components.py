"""The autoencoder starts as an exact projection on principal components."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from riffcomposer_training.autoencoder import (
    channel_weights,
    latent_sizes,
    principal_components,
    reconstruction_figures,
    train_autoencoder,
)
from riffcomposer_training.clip_shards import images, levels_of, read_shard
from riffcomposer_training.decoder_training import train_decoder
from riffcomposer_training.networks import (
    build_autoencoder,
    decode_latents,
    encode_images,
    start_from_components,
)
from riffcomposer_training.schedule import load_checkpoint
from riffcomposer_training.training_settings import SETTINGS

TOY = replace(SETTINGS["toy"], latent_channels=6)


@pytest.fixture(scope="module")
def pictures(tiny_clips: Path) -> torch.Tensor:
    return images(read_shard(tiny_clips / "shard_0000.npz").levels()[:6])


def test_autoencoder_images_are_riffusions_pictures() -> None:
    levels = np.zeros((1, 512, 512), np.uint8)
    levels[0, 0, :] = 255  # loud in the lowest band
    picture = images(levels)
    assert float(picture[0, 0, -1].max()) == -1.0  # dark, at the bottom
    assert float(picture[0, 0, 0].min()) == 1.0
    assert torch.equal(levels_of(picture)[0], torch.from_numpy(levels[0] / 255.0).float())


def test_autoencoder_starts_as_the_projection(pictures: torch.Tensor) -> None:
    mean, basis, deviations = principal_components(pictures, TOY.patch, TOY.latent_channels)
    network = build_autoencoder(TOY).requires_grad_(False)
    start_from_components(network, mean, basis, latent_sizes(deviations, TOY.whitening))
    latents = encode_images(network, pictures, TOY.patch)
    rebuilt = decode_latents(network, latents, TOY.patch)

    folded = functional.pixel_unshuffle((pictures + 1) / 2, TOY.patch).permute(0, 2, 3, 1)
    projected = ((folded - mean) @ basis) @ basis.T + mean
    wanted = functional.pixel_shuffle(projected.permute(0, 3, 1, 2), TOY.patch) * 2 - 1
    assert latents.shape == (6, TOY.latent_channels, 32, 32)
    assert float((rebuilt - wanted).abs().max()) < 0.02  # what the decoder's squashing leaves
    assert float(latents.square().mean()) == pytest.approx(1.0, rel=0.02)


def test_autoencoder_components_are_orthonormal_and_sorted(pictures: torch.Tensor) -> None:
    _, basis, deviations = principal_components(pictures, TOY.patch, TOY.latent_channels)
    assert torch.allclose(basis.T @ basis, torch.eye(TOY.latent_channels), atol=1e-4)
    assert torch.equal(deviations, deviations.sort(descending=True).values)


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_autoencoder_latents_have_unit_mean_square(whitening: float) -> None:
    deviations = torch.tensor([4.0, 2.0, 1.0, 0.25])
    sizes = (deviations / latent_sizes(deviations, whitening)).square()
    assert float(sizes.mean()) == pytest.approx(1.0)
    assert float(channel_weights(deviations, whitening).mean()) == pytest.approx(1.0)
    if whitening == 1.0:
        assert torch.allclose(sizes, torch.ones(4))


def test_autoencoder_figures_of_a_perfect_and_a_silent_copy(pictures: torch.Tensor) -> None:
    error, convergence = reconstruction_figures(pictures, pictures)
    assert (error, convergence) == pytest.approx((0.0, -180.0))
    _, silent = reconstruction_figures(pictures, torch.ones_like(pictures))
    assert silent == pytest.approx(0.0, abs=1e-3)


def test_autoencoder_training_keeps_what_is_better(tiny_clips: Path, tmp_path: Path) -> None:
    train_autoencoder(TOY, tiny_clips, tmp_path, 2.0)
    state = load_checkpoint(tmp_path / "autoencoder.pt")
    assert state is not None
    assert state["figures"][1] <= state["plain"][1]
    assert state["steps"] > 0


def test_autoencoder_training_that_was_stopped_goes_on(tiny_clips: Path, tmp_path: Path) -> None:
    train_autoencoder(TOY, tiny_clips, tmp_path, 0.0)
    for train, name in ((train_autoencoder, "autoencoder_state.pt"), (train_decoder, "decoder_state.pt")):
        train(TOY, tiny_clips, tmp_path, 1.0)
        first = load_checkpoint(tmp_path / name)
        train(TOY, tiny_clips, tmp_path, 1.0)  # the time is used up
        again = load_checkpoint(tmp_path / name)
        train(TOY, tiny_clips, tmp_path, 2.0)
        longer = load_checkpoint(tmp_path / name)
        assert first is not None
        assert again is not None
        assert longer is not None
        assert first["step"] > 0
        assert again["step"] == first["step"]
        assert again["beside"]["plain"] == first["beside"]["plain"]
        for weights, other in zip(first["network"].values(), again["network"].values(), strict=True):
            assert torch.equal(weights, other)
        assert longer["step"] > first["step"]
