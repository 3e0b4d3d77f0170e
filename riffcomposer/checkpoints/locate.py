"""Finds the checkpoint that a song names, on this disk and without loading it.

A reference is `default`, a folder, or `org/name@<revision>` with a full commit of 40 hex digits.
Nothing is ever downloaded here: `riffcompose models fetch` does that.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

from riffcomposer.checkpoints.builtin import BUILT_IN, derive_profile
from riffcomposer.checkpoints.checkpoint_kinds import refuse_other_kinds
from riffcomposer.checkpoints.profile import (
    FILE_NAME,
    SPECTRUM_FILE,
    LocatedModel,
    ModelProfile,
    digest_of,
    read_profile,
)
from riffcomposer.errors import ModelError

DEFAULT_FOLDER = Path(__file__).parent / "default"
COMPONENTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
"""The parts of a checkpoint that are read; others, such as a safety checker, are ignored."""

_HUB = re.compile(r"(?P<repository>[A-Za-z0-9][\w.-]*/[\w.-]+)@(?P<revision>[^@]*)")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SAMPLED_BLOCKS, _BLOCK_BYTES = 64, 4096


def models_folder() -> Path:
    """Returns the folder of converted and fetched checkpoints: $RIFFCOMPOSER_MODELS, else a cache folder."""
    if configured := os.environ.get("RIFFCOMPOSER_MODELS"):
        return Path(configured).expanduser()
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "riffcomposer" / "models"


def hub_cache() -> Path:
    """Returns the folder of the Hugging Face cache, found as `huggingface_hub` does."""
    home = (
        os.environ.get("HF_HOME")
        or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    )
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def is_hub_reference(reference: str) -> bool:
    """Whether `reference` has the form `org/name@...`."""
    return _HUB.fullmatch(reference) is not None


def split_hub_reference(reference: str) -> tuple[str, str]:
    """Returns repository and commit of a pinned hub reference.

    Raises:
        ModelError: The reference does not have the form `org/name@<40 hex digits>`.
    """
    match = _HUB.fullmatch(reference)
    if match is None or not _COMMIT.fullmatch(match["revision"]):
        raise ModelError(
            f"model {reference!r}: pin it to a commit, org/name@<40 hex digits>; "
            f"`riffcompose models fetch {reference.partition('@')[0]}` finds the commit and fetches it"
        )
    return match["repository"], match["revision"]


def converted_folder(repository: str, revision: str) -> Path:
    """Returns the folder in which `models fetch` puts its own copy of a hub repository."""
    return models_folder() / repository.replace("/", "--") / revision


def snapshot_folder(repository: str, revision: str) -> Path:
    """Returns the folder of a repository at a commit in the Hugging Face cache."""
    return hub_cache() / f"models--{repository.replace('/', '--')}" / "snapshots" / revision


WEIGHTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
"""First part of the names of each component's weights."""

_VARIANTS = ("", ".fp16", ".bf16", ".fp32", ".non_ema")


def weight_variant(folder: Path, component: str) -> str | None:
    """Returns the variant of a component's weights: `` (none), `fp16`, ..., or None if there are no weights.

    Where there are several, the first in the order of `_VARIANTS` is taken, and one file before shards.
    """
    part, base = folder / component, WEIGHTS.get(component, "diffusion_pytorch_model")
    for variant in _VARIANTS:
        if (part / f"{base}{variant}.safetensors").exists():
            return variant.removeprefix(".")
        if any(part.glob(f"{base}{variant}-*-of-*.safetensors")):
            return variant.removeprefix(".")
    return None


def weight_files(folder: Path, component: str) -> list[Path]:
    """Returns the safetensors files of a component: one file, its shards in order, or an empty list."""
    variant = weight_variant(folder, component)
    if variant is None:
        return []
    part, base = folder / component, WEIGHTS.get(component, "diffusion_pytorch_model")
    dotted = f".{variant}" if variant else ""
    single = part / f"{base}{dotted}.safetensors"
    return [single] if single.exists() else sorted(part.glob(f"{base}{dotted}-*-of-*.safetensors"))


def shard_index(folder: Path, component: str) -> Path:
    """Returns the index file of a component's shards, which maps tensors to shards."""
    variant, base = weight_variant(folder, component), WEIGHTS.get(component, "diffusion_pytorch_model")
    dotted = f".{variant}" if variant else ""
    return folder / component / f"{base}.safetensors.index{dotted}.json"


def pickled_files(folder: Path) -> list[Path]:
    """Returns the component's weights in pickle form, which a render never opens."""
    return sorted(path for part in COMPONENTS for path in (folder / part).glob("*.bin"))


def _sampled_digest(path: Path) -> str:
    """Returns a digest of a large file's size, its start (the safetensors header) and spread blocks."""
    size = path.stat().st_size
    content = hashlib.sha256(f"{size}".encode())
    with open(path, "rb") as handle:
        content.update(handle.read(1 << 20))
        for index in range(_SAMPLED_BLOCKS):
            handle.seek(max(0, (size - _BLOCK_BYTES) * index // (_SAMPLED_BLOCKS - 1)))
            content.update(handle.read(_BLOCK_BYTES))
    return f"sampled:{content.hexdigest()}"


def _file_digests(folder: Path) -> dict[str, str]:
    """Returns digests of the configurations (in full) and weights (sampled) that decide samples."""
    names = [folder / "model_index.json"]
    if (folder / SPECTRUM_FILE).is_file():
        names.append(folder / SPECTRUM_FILE)
    for part in COMPONENTS:
        names += weight_files(folder, part) or []
        names += (
            path for path in (folder / part).glob("*") if path.suffix in (".json", ".txt") and path.is_file()
        )
    digests = {}
    for path in sorted(names):
        key = path.relative_to(folder).as_posix()
        if path.suffix == ".safetensors":
            digests[key] = _sampled_digest(path)
        elif path.is_file():
            digests[key] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests


def describe_folder(folder: Path, reference: str, built_in: ModelProfile | None = None) -> LocatedModel:
    """Finds profile and digest of a checkpoint's folder: its own profile, `built_in`, or a derived one.

    Raises:
        ModelError: It is not a diffusers checkpoint, or its profile or configurations are damaged.
    """
    try:
        refuse_other_kinds(folder, reference)
    except OSError as error:
        raise ModelError(f"model {reference}: {folder} cannot be read ({error.strerror})") from error
    derived = False
    if (folder / FILE_NAME).is_file():
        profile = read_profile(folder)
    elif built_in is not None:
        profile = built_in
    else:
        profile, derived = derive_profile(folder), True
    try:
        digest = digest_of(profile, profile.files or _file_digests(folder))
    except OSError as error:
        raise ModelError(f"model {reference}: {folder} cannot be read ({error})") from error
    return LocatedModel(reference, folder, profile, digest, derived)


def _locate_hub(reference: str, *, offline: bool) -> LocatedModel:
    repository, revision = split_hub_reference(reference)
    built_in = BUILT_IN.get(repository)
    for folder in (converted_folder(repository, revision), snapshot_folder(repository, revision)):
        if not (folder / "model_index.json").is_file():
            continue
        if not all(weight_files(folder, part) for part in ("unet", "vae", "text_encoder")):
            continue
        return describe_folder(folder, reference, built_in)
    networkless = offline or os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    hint = " (on a machine with a network; this one is set to work offline)" if networkless else ""
    raise ModelError(
        f"model {reference} is not on this disk; "
        f"fetch it once with `riffcompose models fetch {reference}`{hint}"
    )


def locate_model(reference: str, song_folder: Path | None = None, *, offline: bool = False) -> LocatedModel:
    """Finds the checkpoint that `reference` names. Reads configurations, never weights.

    Args:
        reference: `default`, `org/name@<40 hex digits>`, or a folder (`./model`, `~/models/x`).
        song_folder: The folder that a relative reference starts from; the working directory if None.
        offline: Whether to advise about working offline if a hub model is missing; it changes nothing else.

    Raises:
        ModelError: The checkpoint is not on this disk, not pinned to a commit, or not a checkpoint.
    """
    if reference == "default":
        if not (DEFAULT_FOLDER / "model_index.json").is_file():
            raise ModelError(
                f"the default model is missing from {DEFAULT_FOLDER}; install riffcomposer again"
            )
        return replace(describe_folder(DEFAULT_FOLDER, reference), derived=False)
    if is_hub_reference(reference):
        return _locate_hub(reference, offline=offline)
    try:
        folder = (song_folder or Path()) / Path(reference).expanduser()
        there = folder.is_dir()
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"model {reference[:80]!r} is not a folder that can be read ({error})") from error
    if not there and re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", reference):
        split_hub_reference(reference)
    return describe_folder(folder, reference)
