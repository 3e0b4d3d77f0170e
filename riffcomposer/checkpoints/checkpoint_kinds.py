"""Refuses a song's model that is not a supported checkpoint, and says what it is.

Only names, configurations and headers of safetensors files are read.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from riffcomposer.checkpoints.builtin import read_config
from riffcomposer.checkpoints.safetensors_file import impostor, read_header, shapes
from riffcomposer.checkpoints.weight_kinds import SINGLE_FILE, UNKNOWN, kind_of_weights
from riffcomposer.errors import ModelError

SINGLE_FILE_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
_LISTED = 200
"""Most entries of a folder that are examined."""

_OTHER_COMPONENTS = {
    "text_encoder_3": "Stable Diffusion 3 or a model like it",
    "text_encoder_2": "SDXL or a model like it",
    "prior_prior": "Stable Cascade or a model like it",
    "controlnet": "a pipeline with a ControlNet",
    "motion_adapter": "AnimateDiff",
    "image_encoder": "a pipeline that starts from an image's embedding",
    "vocoder": "AudioLDM or a model like it",
    "movq": "Kandinsky or a model like it",
}
"""Parts in a `model_index.json` that Stable Diffusion 1 and 2 do not have, and what they indicate."""


def refuse_other_kinds(path: Path, reference: str) -> None:
    """Refuses a path that is not the folder of a model of Stable Diffusion 1's or 2's shape.

    Args:
        path: The path that the song's `reference` means.

    Raises:
        ModelError: The path is something else; the message says what, and what to do.
    """
    if path.is_file():
        raise ModelError(f"model {reference}: {_file(path)}")
    if path.is_symlink() and not path.exists():
        raise ModelError(f"model {reference}: {path} is a link that leads nowhere")
    if not path.is_dir():
        raise ModelError(f"model {reference}: there is no folder {path}")
    if not (path / "model_index.json").is_file():
        raise ModelError(
            f"model {reference}: {path} has no model_index.json, so it is not a diffusers checkpoint"
            f"{_hint(path)}"
        )
    index = read_config(path / "model_index.json")
    there = [
        name for name, entry in index.items() if isinstance(entry, list) and entry[-1:] not in ([None], [])
    ]
    pipeline = str(index.get("_class_name", ""))[:60]
    for name, kind in _OTHER_COMPONENTS.items():
        if name in there:
            raise ModelError(
                f"model {reference}: {path} is a {pipeline} ({kind}); "
                "only models of Stable Diffusion's first shape are rendered"
            )
    is_transformer = "transformer" in there
    if "unet" not in there and (is_transformer or (pipeline and not pipeline.startswith("StableDiffusion"))):
        kind = "a diffusion transformer" if is_transformer else "another kind of model"
        raise ModelError(
            f"model {reference}: {path} is a {pipeline} ({kind}); "
            "only models of Stable Diffusion's first shape are rendered"
        )


def _file(path: Path) -> str:
    """Describes a file that is named instead of a folder."""
    wanted, quoted = f"{path} is a file, but a model is a folder", shlex.quote(str(path))
    convert = (
        f"convert it once with `riffcompose models convert {quoted} {shlex.quote(str(path.with_suffix('')))} "
        "--base FOLDER`, where FOLDER is a diffusers folder of the same shape"
    )
    try:
        if found := impostor(path):
            kind, advice = found
            return f"{wanted}; it is {kind}: {convert if 'pickled' in kind else advice}"
        kind = kind_of_weights(shapes(read_header(path)))
    except (ModelError, OSError):
        return f"{wanted}; name the folder that holds model_index.json"
    if kind == SINGLE_FILE:
        return f"{wanted}; {convert}"
    if kind == "a LoRA":
        return f"{wanted}; it is a LoRA, which is listed under the key lora"
    return (
        f"{wanted}; it is {'not a checkpoint' if kind == UNKNOWN else kind}, which cannot be converted "
        "(a whole checkpoint in one .safetensors or .ckpt file can, by `riffcompose models convert`)"
    )


def _hint(folder: Path) -> str:
    """Describes the content of a folder that is not a checkpoint."""
    entries = sorted(folder.iterdir())[:_LISTED]
    if not entries:
        return "; the folder is empty"
    for entry in entries:
        if (entry / "model_index.json").is_file():
            return f"; did you mean {entry}?"
    if (folder.parent / "model_index.json").is_file():
        return f"; it is one part of a checkpoint, did you mean {folder.parent}?"
    for entry in entries:
        if entry.suffix in SINGLE_FILE_SUFFIXES and entry.is_file():
            return f", and {_file(entry)}"
    if (folder / "config.json").is_file():
        kind = str(read_config(folder / "config.json").get("_class_name", ""))[:60]
        return f"; it is a {kind} alone" if kind else "; it is another kind of model"
    return ""
