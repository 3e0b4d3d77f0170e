"""Reads the networks of an exported folder, to continue training from them.

Checkpoints with the optimizer's state are too large to keep with a project, but exported averaged weights are
not. A run that starts from them keeps the autoencoder, and trains the UNet with a new warm-up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from riffcomposer.checkpoints.profile import read_profile
from riffcomposer.errors import ModelError
from riffcomposer_training.networks import build_autoencoder, build_unet
from riffcomposer_training.training_settings import Setting


def _weights(folder: Path, part: str, wanted: Any) -> dict[str, torch.Tensor]:
    """Weights of one part in single precision, checked against the network that they are for."""
    from safetensors.torch import load_file

    path = folder / part / "diffusion_pytorch_model.safetensors"
    if not path.is_file():
        raise ModelError(f"{path}: not found; give --start-from a folder that the export stage has written")
    weights = {name: value.float() for name, value in load_file(path).items()}
    sizes = {name: tuple(value.shape) for name, value in weights.items()}
    expected = {name: tuple(value.shape) for name, value in wanted.state_dict().items()}
    if sizes != expected:
        name = min(set(sizes.items()) ^ set(expected.items()))[0]
        raise ModelError(
            f"{path}: {name} is {sizes.get(name, 'not there')}, this setting's network has "
            f"{expected.get(name, 'none')}; start from a folder of the same setting"
        )
    return weights


def start_autoencoder(setting: Setting, folder: Path) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """An exported autoencoder's weights, and the deviations of its components (up to one factor).

    A latent's unit moves the image by its column of the last layer, whose length is std^p.

    Raises:
        ModelError: The autoencoder is missing, or has another size.
    """
    weights = _weights(folder, "vae", build_autoencoder(setting))
    last = max(
        (name for name in weights if name.startswith("decoder.layers.") and name.endswith(".weight")),
        key=lambda name: int(name.split(".")[2]),
    )
    columns = weights[last][:, : setting.latent_channels, 1, 1]
    return weights, columns.norm(dim=0) ** (1 / setting.whitening)


def start_unet(setting: Setting, folder: Path) -> tuple[dict[str, torch.Tensor], int]:
    """An exported UNet's weights, and how many samples they were trained on.

    A UNet that does not take what a clip starts from is made into one that does: the new channels have no
    effect at first.

    Raises:
        ModelError: The UNet is missing, has another size, or is distilled.
    """
    profile = read_profile(folder)
    if profile.guidance_embedding:
        raise ModelError(f"{folder}: its UNet is distilled; start from a run's export without distillation")
    unet = build_unet(setting)
    if profile.init_conditioning:
        weights = _weights(folder, "unet", unet)
    else:
        unet.conv_in = torch.nn.Conv2d(setting.latent_channels, setting.unet_channels[0], 3, padding=1)
        weights = _weights(folder, "unet", unet)
        first = weights["conv_in.weight"]
        weights["conv_in.weight"] = torch.cat([first, torch.zeros_like(first)], dim=1)
    return weights, int(profile.evaluation.get("training_samples", 0))
