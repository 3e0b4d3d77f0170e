"""Writes LoRA files for a checkpoint, in the names of the programs that train them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

KOHYA = ("lora_down.weight", "lora_up.weight", "alpha")
PEFT = ("lora_A.weight", "lora_B.weight", "alpha")
DIFFUSERS = ("lora.down.weight", "lora.up.weight", "alpha")

ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v"
"""A linear layer of the tiny checkpoint's UNet, 32 to 16."""


def pair(
    module: str,
    shape: tuple[int, ...],
    rank: int,
    *,
    names: tuple[str, str, str] = PEFT,
    alpha: float | None = None,
    seed: int = 0,
    scale: float = 1.0,
) -> dict[str, Any]:
    """The tensors of one layer of a weight's `shape`, drawn at random."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    down, up, alpha_name = names
    sides = (1,) * (len(shape) - 2)
    tensors = {
        f"{module}.{down}": torch.randn(rank, *shape[1:], generator=generator) * scale,
        f"{module}.{up}": torch.randn(shape[0], rank, *sides, generator=generator) * scale,
    }
    if alpha is not None:
        tensors[f"{module}.{alpha_name}"] = torch.tensor(alpha)
    return tensors


def kohya(layer: str, prefix: str = "lora_unet") -> str:
    """A layer's name in kohya's trainer."""
    return f"{prefix}_{layer.replace('.', '_')}"


def save(path: Path, tensors: dict[str, Any], metadata: dict[str, str] | None = None) -> Path:
    from safetensors.torch import save_file

    save_file(tensors, path, metadata)
    return path
