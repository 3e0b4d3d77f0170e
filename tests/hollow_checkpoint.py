"""A checkpoint's folder that looks whole from outside: configurations and headers, weights of a few bytes.

Checking and planning a song need no more than that, and making the folder needs no torch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from riffcomposer.checkpoints.profile import ModelProfile, write_profile

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "DDIMScheduler"],
}


def write_hollow_checkpoint(folder: Path, profile: ModelProfile) -> Path:
    """Writes the folder, its parts fitting the profile and each other, and gives it back."""
    files: dict[str, dict[str, Any]] = {
        "model_index.json": INDEX,
        "unet/config.json": {"in_channels": 4, "cross_attention_dim": 8, "block_out_channels": [4]},
        "vae/config.json": {
            "latent_channels": 4,
            "in_channels": profile.image_channels * profile.pixel_unshuffle**2,
            "block_out_channels": [4] * (profile.latent_scale // profile.pixel_unshuffle).bit_length(),
        },
        "text_encoder/config.json": {"hidden_size": 8, "max_position_embeddings": profile.text_length},
        "scheduler/scheduler_config.json": {},
        "tokenizer/vocab.json": {},
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    vae = files["vae/config.json"]
    weights: dict[str, dict[str, tuple[int, ...]]] = {
        "unet/diffusion_pytorch_model": {
            "conv_in.weight": (4, 4, 3, 3),
            "conv_in.bias": (4,),
            "conv_out.weight": (4, 4, 3, 3),
            "conv_out.bias": (4,),
            "time_embedding.linear_1.weight": (16, 4),
            "time_embedding.linear_1.bias": (16,),
            "time_embedding.linear_2.weight": (16, 16),
            "time_embedding.linear_2.bias": (16,),
        }
        | ({"time_embedding.cond_proj.weight": (4, 8)} if profile.guidance_embedding else {}),
        "vae/diffusion_pytorch_model": {
            "encoder.conv_in.weight": (4, vae["in_channels"], 3, 3),
            "encoder.conv_out.weight": (8, 4, 3, 3),
            "decoder.conv_in.weight": (4, 4, 3, 3),
            "decoder.conv_out.weight": (3, 4, 3, 3),
        },
        "text_encoder/model": {
            "text_model.embeddings.token_embedding.weight": (4, 8),
            "text_model.embeddings.position_embedding.weight": (profile.text_length, 8),
        },
    }
    for name, tensors in weights.items():
        save_file(
            {tensor: np.zeros(shape, np.float32) for tensor, shape in tensors.items()},
            folder / f"{name}.safetensors",
        )
    write_profile(folder, profile)
    return folder
