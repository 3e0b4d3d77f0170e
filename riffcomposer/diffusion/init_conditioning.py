"""What a UNet is given beside the noisy latents: what its clips start from, if the model is made for that.

Noise hides most of a loop's notes from the model. A model with `ModelProfile.init_conditioning` gets the loop
without noise as further input channels (InstructPix2Pix, Brooks et al. 2023), so that it knows what is played
and has to decide only how that sounds.
"""

from __future__ import annotations

import torch


def unet_input(noisy: torch.Tensor, init: torch.Tensor | None, *, conditioned: bool) -> torch.Tensor:
    """The UNet's input.

    Args:
        noisy: Noisy latents, [batch, channels, height, width].
        init: Latents of what the clips start from, of the same shape; None if they start from noise alone.
        conditioned: Whether the model takes `init`; if not, the input is `noisy`.

    Returns:
        [batch, channels or twice as many, height, width]; zeros in place of an `init` that is None.
    """
    if not conditioned:
        return noisy
    return torch.cat([noisy, torch.zeros_like(noisy) if init is None else init.to(noisy)], dim=1)
