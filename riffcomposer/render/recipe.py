"""The recipe in every output file: all that is needed to make it again.

The song is kept as its content, not as its text: editing comments and formatting changes
no file. `riffcompose inspect --song-out` writes it back as YAML.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from riffcomposer import __version__
from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.plan.keys import digest
from riffcomposer.plan.types import Plan
from riffcomposer.versions import DECODER_VERSION, MIX_VERSION, SAMPLER_VERSION

_LIBRARIES = ("torch", "diffusers", "transformers", "pedalboard", "numpy", "soundfile")


def library_versions() -> dict[str, str]:
    """Versions of the libraries that decide samples; read without importing them."""
    return {name: _version(name) for name in _LIBRARIES}


@cache
def _version(library: str) -> str:
    """A library stays what it is while the process runs; its metadata takes milliseconds to read."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def clips_digest(plan: Plan) -> str:
    """Returns a digest of the keys of all clips in order: tracks with equal digests have equal clips."""
    return digest([clip.key for clip in plan.clips])


def make_recipe(plan: Plan, song_content: Any, model: LocatedModel, *, draft: bool) -> dict[str, Any]:
    """Returns the recipe for an output's tags.

    Args:
        plan: The plan that was rendered.
        song_content: The song as plain data, as the user wrote it.
        model: The checkpoint.
        draft: Whether it was a draft.
    """
    return {
        "riffcomposer": __version__,
        "song": song_content,
        "song_file": os.fsencode(plan.song_path.name).decode("utf-8", "backslashreplace"),
        "draft": draft,
        "clips_digest": clips_digest(plan),
        "model": {"reference": model.reference, "name": model.profile.name, "digest": model.digest},
        "versions": {
            "sampler": SAMPLER_VERSION,
            "decoder": DECODER_VERSION,
            "mix": MIX_VERSION,
            **library_versions(),
        },
    }
