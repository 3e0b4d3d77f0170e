"""Determines which parts of a checkpoint a LoRA file changes, from the two headers alone.

A LoRA adds `up @ down` to the weight of a linear layer or a convolution: `down` is [rank, in] or
[rank, in, height, width], `up` is [out, rank] or [out, rank, 1, 1]. Files name the layer in one of
these ways, all of which are supported:

    lora_unet_mid_block_attentions_0_proj_in.lora_down.weight      kohya's trainer, with `.alpha`
    unet.mid_block.attentions.0.proj_in.lora_A.weight              diffusers and peft
    unet.mid_block.attentions.0.proj_in.lora.down.weight           diffusers before that
    unet.mid_block.attentions.0.processor.to_q_lora.down.weight    the oldest of diffusers
    base_model.model.mid_block.attentions.0.proj_in.lora_A.weight  peft alone, also with an adapter's name
    lycoris_mid_block_attentions_0_proj_in.lora_down.weight        LyCORIS's plain LoRA, with `.alpha`
    diffusion_model.mid_block.attentions.0.proj_in.lora_A.weight   ComfyUI

A text encoder's layers have the prefix `lora_te_` or `text_encoder.` instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

from riffcomposer.checkpoints.builtin import read_config
from riffcomposer.checkpoints.locate import weight_files
from riffcomposer.checkpoints.lora_alpha import NotedAlpha
from riffcomposer.checkpoints.safetensors_file import read_header, read_table, shapes
from riffcomposer.checkpoints.weight_kinds import foreign_model, kind_of_weights
from riffcomposer.errors import ModelError

Component = Literal["unet", "text_encoder"]
Shape = tuple[int, ...]
Layers = dict[Component, dict[str, Shape]]
"""The layers of a checkpoint that a LoRA may change: the shapes of their weights, by component and name."""

_ROLES = re.compile(
    r"(?:[._]lora(?:_linear_layer)?\.|\.lora_)(?P<role>down|up|A|B|mid)(?:\.[\w-]+)?\.weight$"
    r"|[._](?:lora\.)?(?P<alpha>alpha)$"
)
_OLD_TEXT = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}
_PREFIXES: tuple[tuple[str, Component, bool], ...] = (
    ("lora_unet_", "unet", True),
    ("lora_te_", "text_encoder", True),
    ("lycoris_", "unet", True),
    ("text_encoder.base_model.model.", "text_encoder", False),
    ("text_encoder.", "text_encoder", False),
    ("unet.base_model.model.", "unet", False),
    ("unet.", "unet", False),
    ("base_model.model.", "unet", False),
    ("diffusion_model.", "unet", False),
    ("", "unet", False),
)
"""Prefix of a layer's name, the component it means, and whether dots are written as `_` after it."""


@dataclass(frozen=True)
class LoraLayer:
    """One layer that a LoRA changes.

    Attributes:
        layer: The layer's name in the component, without a `text_model.` prefix.
        down, up, alpha: Names of its tensors in the file.
        noted_alpha: Alpha where there is no such tensor: as noted in the file, or the rank.
        rank: Width of the bottleneck.
        shape: Shape of the layer's weight.
    """

    component: Component
    layer: str
    down: str
    up: str
    alpha: str | None
    noted_alpha: float
    rank: int
    shape: Shape


@dataclass(frozen=True)
class LoraFit:
    """The parts of a LoRA file that act on a checkpoint.

    Attributes:
        used: Names of the tensors that act.
        left_out: Names of the tensors without a layer to act on, in the file's order.
    """

    layers: tuple[LoraLayer, ...]
    used: frozenset[str]
    left_out: tuple[str, ...]


def layers_of(folder: Path) -> Layers:
    """Returns the layers of a checkpoint's UNet, and of its text encoder if that is CLIP's.

    Raises:
        ModelError: A header or the index is damaged or missing.
    """
    index = read_config(folder / "model_index.json")
    entry = index.get("text_encoder")
    is_clip = isinstance(entry, list) and entry[-1:] == ["CLIPTextModel"]
    layers: Layers = {}
    for component in ("unet", "text_encoder") if is_clip else ("unet",):
        found: dict[str, Shape] = {}
        for path in weight_files(folder, component):
            for name, shape in shapes(read_header(path)).items():
                if name.endswith(".weight") and len(shape) in (2, 4) and "embeddings." not in name:
                    found[name.removesuffix(".weight").removeprefix("text_model.")] = shape
        if found:
            layers[component] = found
    return layers


def _place(name: str, flat: Mapping[tuple[Component, str], str]) -> tuple[Component, str] | None:
    """Returns the component and layer of a tensor's name without its role."""
    for prefix, component, is_flat in _PREFIXES:
        if not name.startswith(prefix):
            continue
        layer = name.removeprefix(prefix)
        if is_flat:
            layer = layer.removeprefix("text_model_") if component == "text_encoder" else layer
            return component, flat.get((component, layer), layer)
        layer = layer.replace(".processor.", ".").removeprefix("text_model.")
        head, dot, last = layer.rpartition(".")
        if component == "text_encoder":
            last = _OLD_TEXT.get(last, last)
        elif last == "to_out":
            last = "to_out.0"
        return component, f"{head}{dot}{last}"
    return None


def _fits(down: Shape, up: Shape, shape: Shape) -> bool:
    """Whether `up @ down` has the shape of the layer's weight."""
    if not (len(down) in (2, 4) and len(up) in (2, 4) and down[0] == up[1] and down[0] > 0):
        return False
    kernel = shape[2:] or (1, 1)
    return (up[0], down[1]) == shape[:2] and (down[2:] or (1, 1)) == kernel and (up[2:] or (1, 1)) == (1, 1)


def _sizes(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def fit_lora(path: Path, layers: Layers | None) -> LoraFit:
    """Compares a LoRA file with a checkpoint.

    Args:
        layers: The checkpoint's layers; None if it is not on this disk, so that every layer fits.

    Raises:
        ModelError: The file is damaged, not a LoRA, or made for another model. The message is one
            sentence without the file's name, with a hint after a semicolon.
    """
    try:
        header, texts = read_table(path)
    except ModelError as error:
        raise ModelError(f"cannot be read: {str(error).removeprefix(f'{path}: ')}") from error
    found = shapes(header)
    if not found:
        raise ModelError("holds no tensors")
    _refuse_other_kinds(found, texts)
    _refuse_other_numbers({name: entry["dtype"] for name, entry in header.items()})
    flat = {
        (component, name.replace(".", "_")): name
        for component, names in (layers or {}).items()
        for name in names
    }
    roles: dict[tuple[Component, str], dict[str, str]] = {}
    for name in found:
        match = _ROLES.search(name)
        place = _place(name[: match.start()], flat) if match else None
        if match and place:
            role = {"A": "down", "B": "up"}.get(match["role"], match["role"] or match["alpha"])
            roles.setdefault(place, {}).setdefault(role, name)
    fitting: list[LoraLayer] = []
    wrong_sizes: list[str] = []
    noted = NotedAlpha(texts)
    for (component, layer), tensors in roles.items():
        if not {"down", "up"} <= tensors.keys() or "mid" in tensors:
            continue
        down, up = found[tensors["down"]], found[tensors["up"]]
        if "alpha" in tensors and prod(found[tensors["alpha"]]) != 1:
            continue
        if len(down) < 2 or len(up) < 2:
            continue
        if down[0] == up[1] == 0:
            raise ModelError(f"holds nothing: {layer[:120]} has rank 0; fetch it again")
        shape = (up[0], *down[1:]) if layers is None else layers.get(component, {}).get(layer)
        if shape is None:
            continue
        if _fits(down, up, shape):
            alpha = tensors.get("alpha")
            amount = noted(component, layer, down[0])
            names = (tensors["down"], tensors["up"], alpha)
            fitting.append(LoraLayer(component, layer, *names, amount, down[0], shape))
        else:
            wrong_sizes.append(f"{layer} is {_sizes((up[0], *down[1:]))} there and {_sizes(shape)} here")
    if wrong_sizes:
        raise ModelError(
            f"was made for a model of other sizes: {wrong_sizes[0]}; a LoRA fits its own model only"
        )
    if not fitting:
        raise ModelError(_why_nothing_fits(roles, layers, found))
    used = {name for layer in fitting for name in (layer.down, layer.up, layer.alpha) if name}
    return LoraFit(tuple(fitting), frozenset(used), tuple(name for name in found if name not in used))


def _why_nothing_fits(
    roles: Mapping[tuple[Component, str], Mapping[str, str]],
    layers: Layers | None,
    found: Mapping[str, Shape],
) -> str:
    """Returns why no layer of a file acts on a model, as the end of a sentence."""
    for (_, layer), tensors in roles.items():
        if len(halves := tensors.keys() & {"down", "up"}) == 1:
            other = "up" if halves == {"down"} else "down"
            return f"has only one factor of each layer: {layer[:120]} lacks its {other}; fetch it again"
    if roles and layers and {component for component, _ in roles} == {"text_encoder"} - layers.keys():
        return (
            "changes the text encoder alone, and this model's is not CLIP, so that nothing fits; "
            "a LoRA fits its own model only"
        )
    named = next((layer for _, layer in roles), next(iter(found)))
    return (
        f"has nothing that fits the model: it changes {named[:120]}, which is not there; "
        "a LoRA fits its own model only"
    )


def _refuse_other_kinds(found: Mapping[str, Shape], texts: Mapping[str, str]) -> None:
    kind = kind_of_weights(found)
    if kind != "a LoRA":
        raise ModelError(f"is {kind}, not a LoRA; only plain LoRA files are read")
    if model := foreign_model(found, texts):
        raise ModelError(
            f"was made for {model}, not for a model of Stable Diffusion's first shape; "
            "a LoRA fits its own model only"
        )


def _refuse_other_numbers(formats: Mapping[str, object]) -> None:
    for name, number in formats.items():
        match = _ROLES.search(name)
        if not (match and match["role"]) or str(number).startswith(("F", "BF")):
            continue
        if not str(number).startswith(("I", "U", "BOOL")):
            raise ModelError(
                f"holds numbers in the format {str(number)[:20]} ({name[:120]}), which is not read; "
                "get the version in float16 or float32"
            )
        raise ModelError(
            f"holds whole numbers ({str(number)[:20]} in {name[:120]}), so it is quantised; "
            "get the version in float16 or float32"
        )
