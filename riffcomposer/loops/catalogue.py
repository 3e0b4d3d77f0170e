"""The catalogue of the loops and masks that ship with riffcomposer.

`catalogue.json` beside this file lists them; their images are in `clips/` and `masks/`. Nothing
here decodes an image: planning needs only names, tempi and digests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from riffcomposer.units import exact

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Loop:
    """One two-bar loop of the catalogue.

    Attributes:
        name: The name that a song writes after `init:`.
        style: The style it belongs to, `lo-fi hip hop` for instance.
        description: One line about its music.
        tempo: Tempo in BPM.
        bars, meter: Its length and time signature (2 bars of 4/4).
        key: `A minor`, or an empty string for drums.
        tags: Search words.
        path: Its spectrogram image (PNG in Riffusion's format).
        sha256: Digest of that file.
    """

    name: str
    style: str
    description: str
    tempo: Fraction
    bars: int
    meter: str
    key: str
    tags: tuple[str, ...]
    path: Path
    sha256: str


@dataclass(frozen=True)
class SeedMask:
    """One mask of the catalogue: white is rendered anew, black is kept."""

    name: str
    description: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class Catalogue:
    """All loops and masks by name, in the file's order."""

    clips: dict[str, Loop]
    masks: dict[str, SeedMask]


def read_catalogue(folder: Path = FOLDER) -> Catalogue:
    """Reads `catalogue.json` in `folder`."""
    content = json.loads((folder / "catalogue.json").read_text(encoding="utf-8"))
    clips = {
        entry["name"]: Loop(
            name=entry["name"],
            style=entry["style"],
            description=entry["description"],
            tempo=exact(entry["tempo"]),
            bars=entry["bars"],
            meter=entry["meter"],
            key=entry["key"],
            tags=tuple(entry["tags"]),
            path=folder / entry["file"],
            sha256=entry["sha256"],
        )
        for entry in content["clips"]
    }
    masks = {
        entry["name"]: SeedMask(entry["name"], entry["description"], folder / entry["file"], entry["sha256"])
        for entry in content["masks"]
    }
    return Catalogue(clips, masks)


@cache
def catalogue() -> Catalogue:
    """Returns the shipped catalogue, which is read once."""
    return read_catalogue()
