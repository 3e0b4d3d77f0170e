"""Converts levels to latents and back with a checkpoint's autoencoder (VAE).

Conventions: a level is float32 `[channels, n_mels, frames]`, 0..1, row 0 the lowest band; the network
sees -1..1 `[batch, channels, height, width]` in the layout that the profile names.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.diffusion.loading import Checkpoint


def network_image(levels: torch.Tensor, profile: ModelProfile) -> torch.Tensor:
    """Levels as the autoencoder's input.

    Args:
        levels: [batch, 1 or 2, n_mels, frames].

    Returns:
        [batch, image_channels * pixel_unshuffle^2, height, width] in -1..1.
    """
    image = 2 * levels - 1
    if profile.network_input == "image":
        image = -image.flip(2)
    if levels.shape[1] == 2 and profile.image_channels == 3:
        # Riffusion's stereo images: red stays 0, left is green, right is blue.
        image = torch.cat([torch.full_like(image[:, :1], -1.0), image], dim=1)
    elif image.shape[1] == 1:
        image = image.expand(-1, profile.image_channels, -1, -1)
    if profile.pixel_unshuffle > 1:
        image = functional.pixel_unshuffle(image, profile.pixel_unshuffle)
    return image


def levels_from_network(image: torch.Tensor, profile: ModelProfile) -> torch.Tensor:
    """The inverse of `network_image`, clipped to 0..1: [batch, 1 or 2, n_mels, frames]."""
    if profile.pixel_unshuffle > 1:
        image = functional.pixel_shuffle(image, profile.pixel_unshuffle)
    if profile.spectrogram.stereo:
        image = image[:, -2:]
    else:
        image = image.mean(dim=1, keepdim=True)
    if profile.network_input == "image":
        image = -image.flip(2)
    return (image / 2 + 0.5).clamp(0, 1)


def _statistics(checkpoint: Checkpoint) -> tuple[torch.Tensor | float, torch.Tensor | float]:
    """Shift and scale from the autoencoder's latents z to the UNet's: (z - shift) * scale."""
    config = checkpoint.vae.config
    scale = float(getattr(config, "scaling_factor", None) or 1.0)
    mean, deviation = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is not None and deviation is not None:
        shape = (1, -1, 1, 1)
        shift = torch.tensor(mean, device=checkpoint.device).reshape(shape)
        return shift, scale / torch.tensor(deviation, device=checkpoint.device).reshape(shape)
    return float(getattr(config, "shift_factor", None) or 0.0), scale


@torch.inference_mode()
def encode(checkpoint: Checkpoint, levels: np.ndarray) -> torch.Tensor:
    """Encodes loops to latents, as the mean of the autoencoder's distribution and not a random draw.

    Args:
        levels: [batch, channels, n_mels, frames].

    Returns:
        float32 [batch, latent_channels, n_mels / scale, frames / scale] on the checkpoint's device.
    """
    image = network_image(torch.from_numpy(levels).to(checkpoint.device), checkpoint.profile)
    output = checkpoint.vae.encode(image.to(checkpoint.dtype).contiguous(memory_format=torch.channels_last))
    latents = output.latent_dist.mode() if hasattr(output, "latent_dist") else output.latents
    shift, scale = _statistics(checkpoint)
    return (latents.float() - shift) * scale


@torch.inference_mode()
def decode(checkpoint: Checkpoint, latents: torch.Tensor) -> np.ndarray:
    """Decodes latents to levels; a decoder that overflows in half precision is run again in single precision.

    Returns:
        float32 [batch, channels, n_mels, frames], 0..1; NaN only if the latents held it.
    """
    shift, scale = _statistics(checkpoint)
    codes = (latents / scale + shift).contiguous(memory_format=torch.channels_last)
    image = checkpoint.vae.decode(codes.to(checkpoint.dtype), return_dict=False)[0].float()
    if checkpoint.dtype != torch.float32 and not bool(torch.isfinite(image).all()):
        checkpoint.vae.to(torch.float32)
        try:
            image = checkpoint.vae.decode(codes, return_dict=False)[0]
        finally:
            checkpoint.vae.to(checkpoint.dtype)
    return levels_from_network(image, checkpoint.profile).cpu().numpy()
