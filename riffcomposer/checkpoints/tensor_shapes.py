"""Compares the tensors in a checkpoint's headers with its configurations, without building the networks.

Only the tensors are known here whose shapes follow from one or two fields of `config.json`: the first and
last layers, the embeddings, and how many blocks or layers there are. Everything else is compared when the
checkpoint is loaded. A field that `config.json` lacks has the default of diffusers, where it has one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

_BLOCK = re.compile(r"(?:down|up)_blocks\.(\d+)\.")
_LAYER = re.compile(r"(?:.*\.)?encoder\.layers?\.(\d+)\.")
_CROSS = re.compile(r".*\.attn2\.to_[kv]\.weight")


def tensor_fault(component: str, class_name: str, config: Mapping[str, Any], found: Shapes) -> str | None:
    """Returns what is wrong with a component's tensors, or None.

    Args:
        component: `unet`, `vae` or `text_encoder`.
        class_name: The class that `model_index.json` names for it.
        config: Its `config.json`.
        found: The shape of each tensor in its files.
    """
    if component == "text_encoder":
        return _text_fault(config, found)
    wanted = {"UNet2DConditionModel": _unet, "AutoencoderKL": _autoencoder}.get(class_name)
    if wanted is not None and (fault := _difference(wanted(config), found)):
        return fault
    return _block_fault(config, found) if component == "unet" else None


def _difference(wanted: Shapes, found: Shapes) -> str | None:
    missing = [name for name in wanted if name not in found]
    if missing:
        return f"tensors are missing from the weights, {missing[0]} among them"
    for name, shape in wanted.items():
        if found[name] != shape:
            return (
                f"tensors of the wrong shape: {name} is {_sides(found[name])}, "
                f"config.json says {_sides(shape)}"
            )
    return None


def _sides(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _unet(config: Mapping[str, Any]) -> dict[str, Shape]:
    first = config.get("block_out_channels", (320,))[0]
    inside, outside = config.get("in_channels", 4), config.get("out_channels", 4)
    kernel_in, kernel_out = config.get("conv_in_kernel", 3), config.get("conv_out_kernel", 3)
    wanted: dict[str, Shape] = {
        "conv_in.weight": (first, inside, kernel_in, kernel_in),
        "conv_in.bias": (first,),
        "conv_out.weight": (outside, first, kernel_out, kernel_out),
        "conv_out.bias": (outside,),
    }
    if config.get("time_embedding_type", "positional") == "positional":
        width = config.get("time_embedding_dim") or 4 * first
        wanted["time_embedding.linear_1.weight"] = (width, first)
        wanted["time_embedding.linear_1.bias"] = (width,)
        wanted["time_embedding.linear_2.weight"] = (width, width)
        wanted["time_embedding.linear_2.bias"] = (width,)
        if (guidance := config.get("time_cond_proj_dim")) is not None:
            wanted["time_embedding.cond_proj.weight"] = (first, guidance)
    return wanted


def _autoencoder(config: Mapping[str, Any]) -> dict[str, Shape]:
    blocks = config.get("block_out_channels", (64,))
    first, last = blocks[0], blocks[-1]
    latent = config.get("latent_channels", 4)
    return {
        "encoder.conv_in.weight": (first, config.get("in_channels", 3), 3, 3),
        "encoder.conv_out.weight": (2 * latent, last, 3, 3),
        "decoder.conv_in.weight": (last, latent, 3, 3),
        "decoder.conv_out.weight": (config.get("out_channels", 3), first, 3, 3),
    }


def _block_fault(config: Mapping[str, Any], unet: Shapes) -> str | None:
    """What does not fit of a UNet's blocks: their number, or the width that they attend to."""
    blocks = len(config.get("block_out_channels", (1, 1, 1, 1)))
    for name in unet:
        if (match := _BLOCK.match(name)) and int(match[1]) >= blocks:
            return (
                f"{name} is in the weights, but config.json has {blocks} blocks; "
                "they belong to different models"
            )
    width = config.get("cross_attention_dim", 1280)
    if isinstance(width, int) and not (config.get("encoder_hid_dim") or config.get("encoder_hid_dim_type")):
        for name, shape in unet.items():
            if _CROSS.fullmatch(name) and shape[-1] != width:
                return (
                    f"tensors of the wrong shape: {name} attends to {shape[-1]} channels, "
                    f"cross_attention_dim of config.json is {width}"
                )
    return None


def _text_fault(config: Mapping[str, Any], found: Shapes) -> str | None:
    """What does not fit of a text encoder.

    Its files may have a prefix before each name, the tower for images beside it (a whole CLIP), and more
    layers than are used ("clip skip").
    """
    found = {name: shape for name, shape in found.items() if not name.startswith("vision_model.")}
    sides = {
        ("word_embeddings.weight", "token_embedding.weight"): ("vocab_size", "hidden_size"),
        ("position_embeddings.weight", "position_embedding.weight"): (
            "max_position_embeddings",
            "hidden_size",
        ),
    }
    for ends, fields in sides.items():
        names = [name for name in found if name.endswith(ends)]
        if not names:
            return f"a tensor is missing from the weights: {ends[0]} (BERT) or {ends[1]} (CLIP)"
        for side, field in zip(found[names[0]], fields, strict=False):
            if field in config and side != config[field]:
                return (
                    f"tensors of the wrong shape: {names[0]} is {_sides(found[names[0]])}, "
                    f"{field} of config.json is {config[field]}"
                )
    layers = {int(match[1]) for name in found if (match := _LAYER.match(name))}
    if "num_hidden_layers" in config:
        wanted = set(range(config["num_hidden_layers"]))
        if lost := sorted(wanted - layers):
            return f"the tensors of layer {lost[0]} are missing from the weights"
    return None
