"""Errors and warnings about the LoRA files of a song, before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from riffcomposer.checkpoints.lora_alpha import strength_beside
from riffcomposer.checkpoints.lora_fit import Layers, LoraFit, fit_lora, layers_of
from riffcomposer.checkpoints.lora_values import LARGEST, check_values
from riffcomposer.diagnostics import Diagnostic
from riffcomposer.errors import ModelError
from riffcomposer.song.paths import MAX_LORA_BYTES, PathError, resolve_inside
from riffcomposer.song.reader import LoadedSong
from riffcomposer.text import printable, shorten


def lint_loras(
    song: LoadedSong, model_folder: Path | None, allowed: tuple[Path, ...] = ()
) -> Iterator[Diagnostic]:
    """Reports files that do not fit the model, and warns where a part of a file is left out.

    Args:
        model_folder: The checkpoint's folder; None if the checkpoint is not on this disk.
        allowed: Folders besides the song's own that its files may be in.
    """
    layers = _layers(model_folder)
    looked: dict[str, Diagnostic | None] = {}
    for section in (render for whole in song.resolved.sections for render in whole.renders):
        for index, lora in enumerate(section.loras):
            try:
                file = resolve_inside(song.folder, lora.path, max_bytes=MAX_LORA_BYTES, allowed=allowed)
            except PathError:
                continue  # said where all of a song's paths are looked at
            if lora.path not in looked:
                looked[lora.path] = _finding(file, layers)
            found = looked[lora.path]
            if found is not None and not (found.code == "lora-alpha" and lora.weight != 1.0):
                text = f"{shorten(lora.path)} {printable(found.message)}"
                path = (*section.where("lora"), index, "path")
                yield song.source.located(replace(found, message=text, path=path))


def _layers(folder: Path | None) -> Layers | None:
    """Returns the model's layers; None if its weights are missing or damaged, which is reported elsewhere."""
    if folder is None:
        return None
    try:
        return layers_of(folder) or None
    except (ModelError, OSError):
        return None


def _finding(file: Path, layers: Layers | None) -> Diagnostic | None:
    """Returns what is wrong with one file, if anything, without the file's name."""
    try:
        fit = fit_lora(file, layers)
        values = check_values(file, fit)
    except ModelError as error:
        message, _, hint = str(error).partition("; ")
        return Diagnostic("error", "bad-lora", message, hint=printable(hint))
    except OSError as error:
        return Diagnostic("error", "bad-lora", f"cannot be read ({error.strerror})")
    if not values.acts:
        return Diagnostic("warning", "idle-lora", "changes nothing: all that it adds is zero")
    if values.largest > LARGEST:
        where = printable(values.where[:120])
        message = f"has numbers up to {values.largest:.0e} in {where}, which drown the model"
        return Diagnostic("warning", "huge-lora", message, hint="use an earlier save of it")
    if finding := _strength(file, fit):
        return finding
    if fit.left_out:
        first, total = fit.left_out[0][:120], len(fit.left_out) + len(fit.used)
        message = f"acts in part only: {len(fit.left_out)} of {total} tensors are left out, {first} first"
        return Diagnostic("warning", "lora-in-part", message, hint="the other tensors act as usual")
    return None


def _strength(file: Path, fit: LoraFit) -> Diagnostic | None:
    """Warns of a factor that is noted beside a file, and in the file nowhere; a stated weight silences it."""
    beside = strength_beside(file)
    if beside is None or any(layer.alpha or layer.noted_alpha != layer.rank for layer in fit.layers):
        return None
    factor, words = beside
    if abs(factor - 1) < 0.01:
        return None
    message = f"acts at 1, where peft multiplies it by {factor:.3g}: {printable(words)}, which is not read"
    return Diagnostic("warning", "lora-alpha", message, hint=f"write weight: {max(-4, min(4, factor)):.3g}")
