"""Loads a verified checkpoint: safetensors only, explicit classes, no code from the folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] = "1"

from riffcomposer.arrays import torch
from riffcomposer.checkpoints.builtin import read_config
from riffcomposer.checkpoints.locate import weight_variant
from riffcomposer.checkpoints.profile import LocatedModel, ModelProfile
from riffcomposer.checkpoints.verify import CLASSES, component_class, verify_model
from riffcomposer.device import BACKENDS, named_device
from riffcomposer.diffusion.caption_spectrum import CaptionSpectrum
from riffcomposer.diffusion.quiet import quiet
from riffcomposer.errors import ModelError, UsageError
from riffcomposer.light_imports import light_imports

LOADING = threading.Lock()
"""Held while a checkpoint or a LoRA is loaded: meanwhile diffusers, transformers and peft change how torch
makes modules, for every thread of the process."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory, ready to run.

    Attributes:
        unet, vae, text_encoder: The networks, in evaluation mode on `device` in `dtype`.
        tokenizer: CLIP's or BERT's.
        scheduler_config: The checkpoint's scheduler configuration: its noise schedule.
        caption_spectrum: See `ModelProfile.caption_spectrum`; None if it has none.
        device, dtype: Where and in which number format the networks run.
    """

    profile: ModelProfile
    folder: Path
    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    scheduler_config: dict[str, Any]
    device: torch.device
    dtype: torch.dtype
    caption_spectrum: CaptionSpectrum | None = None

    @property
    def latent_channels(self) -> int:
        return int(self.unet.config.in_channels) // (2 if self.profile.init_conditioning else 1)

    @property
    def parameters(self) -> int:
        """How many parameters the three networks have together."""
        networks = (self.unet, self.vae, self.text_encoder)
        return sum(weights.numel() for network in networks for weights in network.parameters())

    @property
    def memory_bytes(self) -> int:
        """Bytes that the weights take."""
        networks = (self.unet, self.vae, self.text_encoder)
        return sum(w.numel() * w.element_size() for network in networks for w in network.parameters())


def choose_device(device: str = "auto") -> torch.device:
    """The device to run on: the one asked for, or with `auto` the fastest that this machine has.

    Raises:
        UsageError: The device is unknown, or this machine does not have it.
    """
    device = named_device(device)
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"device {device!r} is not a device name") from error
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[chosen.type] or (chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count()):
        raise UsageError(f"device {device!r} is not on this machine; use --device cpu")
    return chosen


def _load(load: Callable[..., Any], folder: Path, **arguments: Any) -> Any:
    """Runs one `from_pretrained`; every error becomes a ModelError that names the folder."""
    try:
        with quiet():
            loaded = load(str(folder), local_files_only=True, **arguments)
    except Exception as error:  # third-party loaders raise anything at all on a damaged folder
        first = (str(error).strip() or repr(error)).splitlines()[0][:300]
        raise ModelError(f"{folder}: cannot be loaded ({type(error).__name__}: {first})") from error
    if not isinstance(loaded, tuple):
        return loaded
    network, info = loaded
    missing = sorted(str(key) for key in info["missing_keys"] if not str(key).endswith("position_ids"))
    if missing:
        raise ModelError(f"{folder}: {len(missing)} tensors are missing from the weights, {missing[0]} first")
    if info.get("mismatched_keys"):
        raise ModelError(f"{folder}: tensors of the wrong shape: {sorted(info['mismatched_keys'])[0]}")
    return network.eval().requires_grad_(False)


def load_checkpoint(located: LocatedModel, *, device: str = "auto", hashes: bool = True) -> Checkpoint:
    """Verifies a checkpoint and loads it.

    Args:
        device: See `riffcomposer.device.named_device`.
        hashes: Whether to compare the sha256 of every file that the profile lists.

    Raises:
        ModelError: A part of the checkpoint is missing, damaged or does not fit.
        UsageError: The device does not exist on this machine.
    """
    target = choose_device(device)
    verify_model(located, hashes=hashes)
    with LOADING, light_imports():
        return _load_parts(located, _import_classes(located.folder), target)


def _tokenizer_class(folder: Path, named: str) -> str:
    """The class that reads a checkpoint's tokenizer.

    Up to version 4 of transformers, only the classes named "Fast" read a vocabulary that is in
    tokenizer.json alone; from version 5 on, both names are one class.
    """
    tables = ("vocab.txt", "vocab.json")
    if named.endswith("Fast") or any((folder / "tokenizer" / table).is_file() for table in tables):
        return named
    return f"{named}Fast"


def _import_classes(folder: Path) -> dict[str, Any]:
    """Imports the classes that load a checkpoint's parts; returns them by part.

    Silently: some modules that come with them report on libraries that are not needed here.
    """
    index = read_config(folder / "model_index.json")
    named = {part: component_class(folder, part, index) for part in CLASSES}
    named["tokenizer"] = _tokenizer_class(folder, named["tokenizer"])
    with quiet():
        import diffusers
        import transformers

        libraries = {"unet": diffusers, "vae": diffusers}
        return {part: getattr(libraries.get(part, transformers), name) for part, name in named.items()}


def _load_parts(located: LocatedModel, classes: Mapping[str, Any], target: torch.device) -> Checkpoint:
    folder = located.folder
    dtype = torch.float32 if BACKENDS[target.type].endswith("float32") else torch.float16
    variants = {
        part: {"variant": weight_variant(folder, part) or None} for part in ("unet", "vae", "text_encoder")
    }
    networks = {
        part: _load(
            classes[part].from_pretrained,
            folder / part,
            torch_dtype=dtype,
            use_safetensors=True,
            output_loading_info=True,
            **variants[part],
        )
        for part in ("unet", "vae")
    }
    # BERT's pooler turns a sentence into one vector; the UNet attends to the tokens instead.
    is_bert = classes["text_encoder"].__name__ == "BertModel"
    without_pooler = {"add_pooling_layer": False} if is_bert else {}
    networks["text_encoder"] = _load(
        classes["text_encoder"].from_pretrained,
        folder / "text_encoder",
        dtype=dtype,
        use_safetensors=True,
        output_loading_info=True,
        **variants["text_encoder"],
        **without_pooler,
    )
    tokenizer = _load(classes["tokenizer"].from_pretrained, folder / "tokenizer")
    for network in networks.values():
        network.to(target)
    for part in ("unet", "vae"):
        networks[part].to(memory_format=torch.channels_last)
    return Checkpoint(
        profile=located.profile,
        folder=folder,
        unet=networks["unet"],
        vae=networks["vae"],
        text_encoder=networks["text_encoder"],
        tokenizer=tokenizer,
        scheduler_config=read_config(folder / "scheduler" / "scheduler_config.json"),
        device=target,
        dtype=dtype,
        caption_spectrum=CaptionSpectrum.load(folder) if located.profile.caption_spectrum else None,
    )
