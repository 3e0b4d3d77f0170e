"""Reads how strongly a LoRA acts where no `alpha` tensor says so: what diffusers and peft note.

A layer's addition is multiplied by alpha / rank. kohya's trainer writes alpha as a tensor. diffusers writes
peft's configuration into the file's metadata (`lora_adapter_metadata`, since 0.33), and peft alone writes it
into `adapter_config.json` beside the file. That one is no part of a song and is not applied, only compared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_METADATA = "lora_adapter_metadata"
_WEIGHTS, _CONFIG = "adapter_model.safetensors", "adapter_config.json"
_CONFIG_BYTES = 1 << 20


class NotedAlpha:
    """What a file's metadata say about alpha.

    Args:
        texts: The file's metadata.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._noted = _mapping(texts.get(_METADATA, ""))

    def __call__(self, component: str, layer: str, rank: int) -> float:
        """Returns the alpha of a layer, so that alpha / rank is its factor; `rank` where nothing is noted."""
        alpha = _number(self._noted.get(f"{component}.lora_alpha"))
        patterns = self._noted.get(f"{component}.alpha_pattern")
        for name, value in (patterns if isinstance(patterns, dict) else {}).items():
            if f".{layer}".endswith(f".{name.lstrip('^')}") and _number(value) is not None:
                alpha = _number(value)
                break
        if alpha is None:
            return float(rank)
        is_stabilised = self._noted.get(f"{component}.use_rslora") is True
        return alpha * math.sqrt(rank) if is_stabilised else alpha


def strength_beside(path: Path) -> tuple[float, str] | None:
    """Returns the factor that peft's configuration beside a file states, with its words; None without one.

    Raises:
        OSError: The configuration cannot be read.
    """
    config = path.with_name(_CONFIG)
    if path.name != _WEIGHTS or config.is_symlink() or not config.is_file():
        return None
    with open(config, "rb") as handle:
        noted = _mapping(handle.read(_CONFIG_BYTES).decode("utf-8", "replace"))
    alpha, rank = _number(noted.get("lora_alpha")), _number(noted.get("r"))
    if alpha is None or rank is None or rank < 1:
        return None
    is_stabilised = noted.get("use_rslora") is True
    factor = alpha / (math.sqrt(rank) if is_stabilised else rank)
    stabilised = ", by its square root" if is_stabilised else ""
    return factor, f"{_CONFIG} beside it has a lora_alpha of {alpha:g} for rank {rank:g}{stabilised}"


def _mapping(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
