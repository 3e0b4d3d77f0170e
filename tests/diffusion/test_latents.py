"""Levels as networks see them, and back; autoencoders of both kinds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_checkpoint import TINY_FLOW_PROFILE, TINY_PROFILE

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.checkpoints.profile import write_profile
from riffcomposer.diffusion.engine import Engine
from riffcomposer.diffusion.latents import decode, encode, levels_from_network, network_image
from riffcomposer.spectrogram.image import pixels_from_level
from riffcomposer.spectrogram_parameters import SpectrogramParameters

STEREO = SpectrogramParameters(num_frequencies=64, stereo=True)


@pytest.mark.parametrize(
    "profile",
    [
        TINY_PROFILE,
        TINY_FLOW_PROFILE,
        replace(TINY_FLOW_PROFILE, network_input="image", pixel_unshuffle=8),
        replace(TINY_PROFILE, spectrogram=STEREO),
        replace(TINY_FLOW_PROFILE, spectrogram=STEREO, image_channels=2),
    ],
)
def test_a_level_survives_the_way_there_and_back(profile: Any) -> None:
    channels = 2 if profile.spectrogram.stereo else 1
    level = torch.rand(2, channels, 64, 32, generator=torch.Generator().manual_seed(1))
    image = network_image(level, profile)
    assert image.shape[1] == profile.image_channels * profile.pixel_unshuffle**2
    assert image.abs().max() <= 1
    assert torch.allclose(levels_from_network(image, profile), level, atol=1e-6)


@pytest.mark.parametrize("stereo", [False, True])
def test_riffusions_layout_is_that_of_its_images(stereo: Any) -> None:
    profile = replace(TINY_PROFILE, spectrogram=replace(STEREO, stereo=stereo))
    level = torch.rand(1 + stereo, 64, 32, generator=torch.Generator().manual_seed(1))
    pixels = pixels_from_level(level).astype(np.float32).transpose(2, 0, 1)
    found = (network_image(level[None], profile)[0].numpy() + 1) * 127.5
    assert np.abs(found - pixels).max() <= 0.5001


def with_vae_config(source: Path, target: Path, **fields: Any) -> Engine:
    shutil.copytree(source, target)
    config = target / "vae" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **fields}))
    return Engine(locate_model(str(target)), device="cpu")


def test_scale_shift_and_channel_statistics_of_latents(
    engine: Any, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    levels = np.random.default_rng(0).random((1, 1, 64, 64), np.float32)
    plain = encode(engine.checkpoint, levels) / 0.18215
    shifted = with_vae_config(tiny_checkpoint, tmp_path / "a", scaling_factor=2.0, shift_factor=0.25)
    assert torch.allclose(encode(shifted.checkpoint, levels), (plain - 0.25) * 2, atol=1e-5)
    mean, deviation = [0.1, 0.2, 0.3, 0.4], [1.0, 2.0, 3.0, 4.0]
    standard = with_vae_config(
        tiny_checkpoint, tmp_path / "b", scaling_factor=1.0, latents_mean=mean, latents_std=deviation
    )
    wanted = (plain - torch.tensor(mean)[None, :, None, None]) / torch.tensor(deviation)[None, :, None, None]
    assert torch.allclose(encode(standard.checkpoint, levels), wanted, atol=1e-5)
    for other in (shifted, standard):
        latents = encode(other.checkpoint, levels)
        assert np.allclose(
            decode(other.checkpoint, latents), decode(engine.checkpoint, plain * 0.18215), atol=1e-5
        )


def test_a_half_precision_decoder_that_overflows_is_run_again_in_single(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = engine.checkpoint.vae
    half = replace(engine.checkpoint, dtype=torch.bfloat16)
    plain = decode(engine.checkpoint, torch.ones(1, 4, 8, 8))
    run = vae.decode
    calls = []

    def overflowing(latents: Any, return_dict: bool = True) -> Any:
        calls.append(latents.dtype)
        if latents.dtype != torch.float32:
            return (torch.full((1, 3, 64, 64), float("inf")),)
        return run(latents, return_dict=return_dict)

    before = {name: value.clone() for name, value in vae.state_dict().items()}
    monkeypatch.setattr(vae, "decode", overflowing)
    try:
        assert np.allclose(decode(half, torch.ones(1, 4, 8, 8)), plain, atol=1e-5)
    finally:
        vae.to(torch.float32).load_state_dict(before)
    assert calls == [torch.bfloat16, torch.float32]


def test_a_checkpoint_with_a_tiny_autoencoder_and_pooled_text(
    tiny_flow_checkpoint: Path, tmp_path: Path, make_job: Any, render_one: Any
) -> None:
    """The default model's own kind: all layers at the latents' resolution, captions pooled as well."""
    from diffusers import AutoencoderTiny, UNet2DConditionModel

    folder = tmp_path / "model"
    shutil.copytree(tiny_flow_checkpoint, folder)
    profile = replace(TINY_FLOW_PROFILE, network_input="image", pixel_unshuffle=8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        AutoencoderTiny(
            in_channels=64,
            out_channels=64,
            encoder_block_out_channels=(16,),
            decoder_block_out_channels=(16,),
            num_encoder_blocks=(1,),
            num_decoder_blocks=(1,),
            latent_channels=16,
            scaling_factor=8.0,
        ).save_pretrained(folder / "vae")
        config = {**UNet2DConditionModel.load_config(folder / "unet"), "addition_embed_type": "text"}
        config["addition_embed_type_num_heads"] = 4
        UNet2DConditionModel.from_config(config).save_pretrained(folder / "unet")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "vae": ["diffusers", "AutoencoderTiny"]}))
    write_profile(folder, profile)
    engine = Engine(locate_model(str(folder)), device="cpu")
    job = make_job(scheduler="euler", negative_prompt="")
    clip = render_one(engine, job)
    assert clip.shape == (1, 64, 64)
    assert (
        np.abs(
            clip - render_one(engine, make_job(scheduler="euler", negative_prompt="", prompt_a="drums"))
        ).max()
        > 1e-4
    )
