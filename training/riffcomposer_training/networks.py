"""The networks of the default model, built from diffusers' own classes.

The autoencoder is an `AutoencoderTiny` on an image folded into 256 channels (patches of 16 x 16 pixels), so
that it works at the latents' resolution. It starts as a principal component analysis of the patches: pairs
of channels carry the positive and the negative part of a component, which pass every ReLU, and the residual
blocks start at zero. Its decoder limits latents by 3 tanh(z / 3); so latents are small inside it, and
`scaling_factor` brings them to unit size for the UNet.

The UNet gets the caption in two ways: by cross-attention, and pooled into the time embedding
(`addition_embed_type="text"`), which scales channels and from which timbres are learnt faster.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from riffcomposer_training.training_settings import Setting

SCALING_FACTOR = 32.0
TEXT_WIDTH = 384
TEXT_LENGTH = 32
GUIDANCE_WIDTH = 256


def build_autoencoder(setting: Setting) -> Any:
    """An untrained autoencoder; see `start_from_components`."""
    import diffusers

    width, (encoders, decoders) = setting.autoencoder_width, setting.autoencoder_blocks
    return diffusers.AutoencoderTiny(
        in_channels=setting.patch**2,
        out_channels=setting.patch**2,
        encoder_block_out_channels=(width,),
        decoder_block_out_channels=(width,),
        num_encoder_blocks=(encoders,),
        num_decoder_blocks=(decoders,),
        latent_channels=setting.latent_channels,
        scaling_factor=SCALING_FACTOR,
    )


@torch.no_grad()
def start_from_components(
    autoencoder: Any, mean: torch.Tensor, basis: torch.Tensor, sizes: torch.Tensor
) -> None:
    """Sets an autoencoder's weights so that it is exactly a linear projection and back.

    Args:
        autoencoder: From `build_autoencoder`; its weights are changed.
        mean: Mean of the folded images with values 0..1, [patch^2].
        basis: Principal components as orthonormal columns, [patch^2, latent channels].
        sizes: Divisor of each component, which gives latents unit size, [latent channels].
    """
    kept = basis.shape[1]
    for block in (*autoencoder.encoder.layers[1:-1], *autoencoder.decoder.layers[2:-1]):
        nn.init.zeros_(block.conv[-1].weight)
        nn.init.zeros_(block.conv[-1].bias)
    inward = (basis / (sizes * SCALING_FACTOR)).T
    outward = basis * (sizes * SCALING_FACTOR)

    first, last = autoencoder.encoder.layers[0], autoencoder.encoder.layers[-1]
    first.weight[: 2 * kept] = 0
    first.weight[: 2 * kept, :, 1, 1] = torch.cat([inward, -inward])
    first.bias[: 2 * kept] = torch.cat([-inward @ mean, inward @ mean])
    last.weight.zero_()
    last.bias.zero_()
    last.weight[:, :kept, 1, 1] = torch.eye(kept)
    last.weight[:, kept : 2 * kept, 1, 1] = -torch.eye(kept)

    first, last = autoencoder.decoder.layers[0], autoencoder.decoder.layers[-1]
    first.weight[: 2 * kept] = 0
    first.weight[: 2 * kept, :, 1, 1] = torch.cat([torch.eye(kept), -torch.eye(kept)])
    first.bias[: 2 * kept] = 0
    last.weight.zero_()
    last.weight[:, : 2 * kept, 1, 1] = torch.cat([outward, -outward], dim=1)
    last.bias.copy_(mean)


def encode_images(autoencoder: Any, pictures: torch.Tensor, patch: int) -> torch.Tensor:
    """Images [clips, 1, height, width] in -1..1 to latents of unit size."""
    folded = functional.pixel_unshuffle(pictures, patch)
    latents: torch.Tensor = autoencoder.encode(folded).latents * autoencoder.config.scaling_factor
    return latents


def decode_latents(autoencoder: Any, latents: torch.Tensor, patch: int) -> torch.Tensor:
    """Latents of unit size to images [clips, 1, height, width] in -1..1."""
    folded = autoencoder.decode(latents / autoencoder.config.scaling_factor).sample
    return functional.pixel_shuffle(folded, patch)


def build_unet(setting: Setting, *, guidance_embedding: bool = False) -> Any:
    """An untrained UNet whose residual branches and output start at zero.

    Its input is twice as many channels as latents have: noisy latents, then those of what a clip starts from.

    Args:
        guidance_embedding: Add an input for the guidance scale (`time_cond_proj_dim`), for a
            distilled student.
    """
    import diffusers

    levels = len(setting.unet_channels)
    unet = diffusers.UNet2DConditionModel(
        sample_size=512 // setting.patch,
        in_channels=2 * setting.latent_channels,
        out_channels=setting.latent_channels,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (levels - 1),
        up_block_types=("CrossAttnUpBlock2D",) * (levels - 1) + ("UpBlock2D",),
        block_out_channels=setting.unet_channels,
        layers_per_block=setting.unet_layers,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=setting.unet_groups,
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",
        addition_embed_type_num_heads=8,
        time_cond_proj_dim=GUIDANCE_WIDTH if guidance_embedding else None,
    )
    nn.init.zeros_(unet.conv_out.weight)
    nn.init.zeros_(unet.conv_out.bias)
    for module in unet.modules():
        if type(module).__name__ == "ResnetBlock2D":
            nn.init.zeros_(module.conv2.weight)
            nn.init.zeros_(module.conv2.bias)
    return unet
