"""Converts checkpoints with pickled weights into diffusers folders with safetensors.

A pickle can run code when it is opened. So each one is opened in a child process, by torch's restricted
unpickler (`torch.load(weights_only=True)`), and a render only ever opens the converted folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from riffcomposer.checkpoints.builtin import read_config
from riffcomposer.checkpoints.locate import COMPONENTS, WEIGHTS, describe_folder, weight_files
from riffcomposer.checkpoints.profile import (
    FILE_NAME,
    SPECTRUM_FILE,
    LocatedModel,
    ModelProfile,
    write_profile,
)
from riffcomposer.checkpoints.safetensors_file import impostor, is_safetensors, read_header, shapes
from riffcomposer.checkpoints.verify import verify_model
from riffcomposer.checkpoints.weight_kinds import SINGLE_FILE, kind_of_weights
from riffcomposer.diffusion.quiet import quiet
from riffcomposer.errors import ModelError
from riffcomposer.files import disk_error, file_sha256, temporary_name

Say = Callable[[str], None]

_PICKLES = {
    "unet": ("diffusion_pytorch_model.bin",),
    "vae": ("diffusion_pytorch_model.bin",),
    "text_encoder": ("pytorch_model.bin", "model.bin"),
}


def unpickle(targets: Mapping[Path, Path]) -> None:
    """Converts pickled files to safetensors in a child process.

    Args:
        targets: Pickled file to the safetensors file to write.

    Raises:
        ModelError: A file holds more than tensors, or is damaged.
    """
    if not targets:
        return
    pairs = [str(path) for pair in targets.items() for path in pair]
    command = [sys.executable, "-m", "riffcomposer.diffusion.unpickle", *pairs]
    package_folder = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(part for part in (package_folder, os.environ.get("PYTHONPATH")) if part)
    run = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if run.returncode != 0:
        reason = run.stderr.strip()[-500:] or f"the converter ended with code {run.returncode}"
        raise ModelError(f"not converted, since the file is not a plain table of tensors: {reason}")


def _pickle_of(folder: Path, component: str) -> Path:
    for name in _PICKLES[component]:
        if (folder / component / name).is_file():
            return folder / component / name
    raise ModelError(
        f"{folder / component}: holds neither safetensors nor pickled weights; the checkpoint is "
        "incomplete, fetch it again"
    )


def convert_folder(
    source: Path, target: Path, *, profile: ModelProfile | None = None, say: Say = lambda line: None
) -> LocatedModel:
    """Copies a diffusers folder with its pickled weights as safetensors, and adds a profile with hashes.

    Args:
        source: A diffusers folder; it is not changed.
        target: The folder to make; it appears only when it is complete.
        profile: Profile of the copy; None takes the source's, or derives one from its configurations.
        say: Called with one line of text for each file that is converted.

    Returns:
        The converted checkpoint.

    Raises:
        ModelError: The target exists already, the source is incomplete, or a file is refused.
        StoreError: The folder cannot be written.
    """
    read_config(source / "model_index.json")
    if target.exists():
        raise ModelError(f"{target}: already there; give the name of a new folder")
    partial = temporary_name(target)
    try:
        partial.mkdir(parents=True)
        shutil.copyfile(source / "model_index.json", partial / "model_index.json")
        for component in COMPONENTS:
            (partial / component).mkdir()
            for path in sorted((source / component).glob("*")):
                if path.suffix in (".json", ".txt", ".model") and path.is_file():
                    shutil.copyfile(path, partial / component / path.name)
        pickles: dict[Path, Path] = {}
        for component, base in WEIGHTS.items():
            if ready := weight_files(source, component):
                for path in ready:
                    shutil.copyfile(path, partial / component / path.name)
                continue
            pickled = _pickle_of(source, component)
            say(f"{component}/{pickled.name} -> safetensors, by the restricted unpickler in a child process")
            pickles[pickled] = partial / component / f"{base}.safetensors"
        unpickle(pickles)
        if profile is None and (source / FILE_NAME).is_file():
            shutil.copyfile(source / FILE_NAME, partial / FILE_NAME)
        if (source / SPECTRUM_FILE).is_file():
            shutil.copyfile(source / SPECTRUM_FILE, partial / SPECTRUM_FILE)
        located = describe_folder(partial, str(source), profile)
        hashes = {
            path.relative_to(partial).as_posix(): file_sha256(path)
            for path in sorted(partial.rglob("*"))
            if path.is_file() and path.name != FILE_NAME
        }
        name = source.name if located.derived else located.profile.name
        write_profile(partial, replace(located.profile, name=name, files=hashes))
        converted = describe_folder(partial, str(target))
        verify_model(converted, hashes=False)
        os.replace(partial, target)
        return replace(converted, folder=target, derived=located.derived)
    except OSError as error:
        raise disk_error(error, target) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _as_safetensors(source: Path, target: Path, say: Say) -> Path:
    """Returns the file itself if its content and name are safetensors, or makes `target` from it.

    Raises:
        ModelError: It is empty, or neither safetensors nor a pickle.
    """
    if not source.stat().st_size:
        raise ModelError(f"{source}: it is empty; fetch it again")
    found = impostor(source)
    if found is not None and "pickled" not in found[0]:
        raise ModelError(f"{source}: not a checkpoint but {found[0]}; {found[1]}")
    if source.suffix.lower() == ".safetensors":
        return source
    if is_safetensors(source):
        try:
            os.link(source.resolve(), target)
        except OSError:  # another disk, or one without links
            shutil.copyfile(source, target)
    else:
        say(f"{source.name} -> safetensors, by the restricted unpickler in a child process")
        unpickle({source: target})
    return target


def convert_single_file(
    source: Path, target: Path, base: Path, *, say: Say = lambda line: None
) -> LocatedModel:
    """Turns a single-file checkpoint (`.ckpt` or `.safetensors`) into a diffusers folder.

    Args:
        source: The single file.
        target: The folder to make.
        base: A diffusers folder of the same architecture; its configurations and tokenizer are used.
        say: Called with one line of text for each file that is converted.

    Raises:
        ModelError: The target exists already, the file is refused, or it does not fit `base`.
        StoreError: The folder cannot be written.
    """
    if target.exists():
        raise ModelError(f"{target}: already there; give the name of a new folder")
    verify_model(describe_folder(base, str(base)), hashes=False)
    work = temporary_name(target)
    try:
        work.mkdir(parents=True)
        weights = _as_safetensors(source, work / "weights.safetensors", say)
        kind = kind_of_weights(shapes(read_header(weights)))
        if kind != SINGLE_FILE:
            raise ModelError(f"{source}: holds {kind}, not a whole Stable Diffusion 1 or 2 in one file")
        try:
            with quiet():
                from diffusers import StableDiffusionPipeline

                pipeline = StableDiffusionPipeline.from_single_file(
                    str(weights),
                    config=str(base),
                    local_files_only=True,
                    safety_checker=None,
                    feature_extractor=None,
                )
                pipeline.save_pretrained(work / "folder", safe_serialization=True)
        except Exception as error:  # diffusers raises many kinds on keys and shapes that it does not expect
            first = (str(error).strip() or repr(error)).splitlines()[0][:300]
            raise ModelError(f"{source}: does not fit the shape of {base} ({first})") from error
        return convert_folder(
            work / "folder", target, profile=describe_folder(base, str(base)).profile, say=say
        )
    except OSError as error:
        raise disk_error(error, target) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
