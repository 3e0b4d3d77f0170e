"""Builds small random checkpoints of Stable Diffusion's shape, so that no test downloads anything."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from riffcomposer.checkpoints.profile import ModelProfile, write_profile
from riffcomposer.spectrogram_parameters import SpectrogramParameters

TINY_PROFILE = ModelProfile(
    name="tiny",
    spectrogram=SpectrogramParameters(num_frequencies=64),
    image_width=512,
    width_step=16,
    max_width=1024,
    image_channels=3,
    latent_scale=8,
    schedulers=("ddim", "dpmpp_2m", "euler", "euler_a", "pndm", "lms", "unipc", "lcm"),
    num_inference_steps=6,
    seconds_per_evaluation=0.01,
    memory_bytes=1 << 28,
)
"""Like Riffusion v1, with 64 mel bands."""

TINY_FLOW_PROFILE = replace(
    TINY_PROFILE,
    name="tiny flow",
    image_channels=1,
    network_input="level",
    pixel_unshuffle=4,
    latent_scale=8,
    prediction="flow",
    text_length=16,
    schedulers=("euler", "dpmpp_2m", "lcm"),
    scheduler="euler",
    strength_map=((0.3, 0.454), (0.5, 0.617), (0.7, 0.769)),
)
"""Like the default model: one grey channel folded into 16, BERT, flow."""

_BYTES = [chr(code) for code in range(33, 127)]


def _save_clip(folder: Path) -> None:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    words = [*_BYTES, *(f"{char}</w>" for char in _BYTES), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77).save_pretrained(folder / "tokenizer")
    config = CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=len(vocabulary) - 2,
        eos_token_id=len(vocabulary) - 1,
        pad_token_id=len(vocabulary) - 1,
    )
    CLIPTextModel(config).eval().save_pretrained(folder / "text_encoder")


def _save_bert(folder: Path, text_length: int) -> None:
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_BYTES, *(f"##{char}" for char in _BYTES)]
    vocabulary = {word: index for index, word in enumerate(words)}
    BertTokenizerFast(vocab=vocabulary, model_max_length=text_length).save_pretrained(folder / "tokenizer")
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=37,
        max_position_embeddings=text_length,
    )
    config.use_attention_mask = True
    BertModel(config, add_pooling_layer=False).eval().save_pretrained(folder / "text_encoder")


def build_tiny_checkpoint(
    folder: Path, profile: ModelProfile = TINY_PROFILE, *, with_profile: bool = True, seed: int = 0
) -> Path:
    """Saves a random checkpoint that fits `profile`, a standard diffusers folder, and its profile.

    Weights are drawn from torch's global generator, seeded inside a fork so that it is left as it was.
    """
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel

    flow = profile.prediction == "flow"
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        blocks = {8: 4, 4: 3, 2: 2, 1: 1}[profile.latent_scale // profile.pixel_unshuffle]
        channels = profile.image_channels * profile.pixel_unshuffle**2
        vae = AutoencoderKL(
            in_channels=channels,
            out_channels=channels,
            down_block_types=("DownEncoderBlock2D",) * blocks,
            up_block_types=("UpDecoderBlock2D",) * blocks,
            block_out_channels=(8,) * blocks,
            layers_per_block=1,
            norm_num_groups=4,
            latent_channels=16 if flow else 4,
            scaling_factor=1.0 if flow else 0.18215,
            sample_size=profile.image_width,
        )
        unet = UNet2DConditionModel(
            sample_size=profile.image_width // profile.latent_scale,
            in_channels=(16 if flow else 4) * (2 if profile.init_conditioning else 1),
            out_channels=16 if flow else 4,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            block_out_channels=(16, 16),
            layers_per_block=1,
            cross_attention_dim=32,
            attention_head_dim=4,
            norm_num_groups=4,
            time_cond_proj_dim=16 if profile.guidance_embedding else None,
        )
        vae.eval().save_pretrained(folder / "vae")
        unet.eval().save_pretrained(folder / "unet")
        if flow:
            _save_bert(folder, profile.text_length)
        else:
            _save_clip(folder)
    scheduler: Any
    if flow:
        scheduler = FlowMatchEulerDiscreteScheduler()
    else:
        scheduler = DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
            prediction_type=profile.prediction,
        )
    scheduler.save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.35.0",
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", type(scheduler).__name__],
        "text_encoder": ["transformers", "BertModel" if flow else "CLIPTextModel"],
        "tokenizer": ["transformers", "BertTokenizerFast" if flow else "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))
    if with_profile:
        write_profile(folder, profile)
    return folder
