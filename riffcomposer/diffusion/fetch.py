"""Fetches checkpoints from the Hugging Face hub, pinned to a commit.

Nothing else in the project downloads anything. Only files on an allow-list are fetched: the parts that are
loaded, as safetensors where the repository has them. The hub's own client reads HF_HOME, HF_HUB_OFFLINE and
HF_TOKEN.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from riffcomposer.checkpoints.builtin import BUILT_IN
from riffcomposer.checkpoints.locate import COMPONENTS, converted_folder, locate_model
from riffcomposer.checkpoints.profile import FILE_NAME, SPECTRUM_FILE, LocatedModel
from riffcomposer.checkpoints.verify import verify_model
from riffcomposer.diffusion.convert import convert_folder
from riffcomposer.errors import ModelError

_WEIGHTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "(?:pytorch_)?model",
}
_KINDS = (
    r"{base}\.safetensors",
    r"{base}-\d+-of-\d+\.safetensors",
    r"{base}\.fp16\.safetensors",
    r"{base}\.bin",
)


def files_to_fetch(names: Iterable[str]) -> list[str]:
    """Chooses the files that are needed: configurations, vocabularies, and one kind of weights per part.

    Args:
        names: All files of the repository.

    Raises:
        ModelError: The repository is not a diffusers checkpoint, or a part has no weights.
    """
    found = sorted(names)
    if "model_index.json" not in found:
        raise ModelError("the repository has no model_index.json, so it is not a diffusers checkpoint")
    wanted = [name for name in found if name in ("model_index.json", FILE_NAME, SPECTRUM_FILE)]
    for component in COMPONENTS:
        inside = [name for name in found if PurePosixPath(name).parts[:-1] == (component,)]
        wanted += [name for name in inside if PurePosixPath(name).suffix in (".json", ".txt")]
        if component not in _WEIGHTS:
            continue
        for kind in _KINDS:
            pattern = re.compile(kind.format(base=_WEIGHTS[component]))
            if weights := [name for name in inside if pattern.fullmatch(PurePosixPath(name).name)]:
                wanted += weights
                break
        else:
            raise ModelError(f"the repository has no weights for {component}")
    return wanted


def fetch_model(reference: str, *, say: Callable[[str], None] = lambda line: None) -> LocatedModel:
    """Fetches `org/name` or `org/name@revision` and converts pickled weights.

    Args:
        reference: The repository. Without a revision, or with a branch, its current commit is fetched, and
            the returned reference is pinned to that commit.
        say: Called with one line of text per step.

    Raises:
        ModelError: The hub cannot be reached or refuses, or the repository is not a checkpoint.
    """
    from huggingface_hub import HfApi, snapshot_download

    repository, _, revision = reference.partition("@")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", repository):
        raise ModelError(f"{reference!r} is not a hub repository; write org/name or org/name@<commit>")
    try:
        described = HfApi().model_info(repository, revision=revision or None)
        commit = str(described.sha)
        names = [sibling.rfilename for sibling in described.siblings or []]
        wanted = files_to_fetch(names)
        say(f"fetching {len(wanted)} files of {repository} at {commit}")
        snapshot = Path(snapshot_download(repository, revision=commit, allow_patterns=wanted))
    except ModelError as error:
        raise ModelError(f"{reference}: {error}") from error
    except Exception as error:  # the hub's client raises its own, its HTTP library's and the system's errors
        first = (str(error).strip() or repr(error)).splitlines()[0][:300]
        raise ModelError(f"{reference}: cannot be fetched ({type(error).__name__}: {first})") from error
    pinned = f"{repository}@{commit}"
    if any(name.endswith(".bin") for name in wanted):
        target = converted_folder(repository, commit)
        if not target.exists():
            say("the repository holds pickled weights; they are turned into safetensors once")
            convert_folder(snapshot, target, profile=BUILT_IN.get(repository), say=say)
    located = locate_model(pinned)
    verify_model(located)
    return located
