"""Builders for the tests of planning: small songs, a catalogue and a model that exist in memory only."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from hollow_checkpoint import write_hollow_checkpoint

from riffcomposer.checkpoints.profile import LocatedModel, ModelProfile
from riffcomposer.loops.catalogue import Catalogue, Loop, SeedMask
from riffcomposer.plan.planner import plan_song
from riffcomposer.plan.section_settings import InputFile
from riffcomposer.plan.types import Plan
from riffcomposer.song.reader import LoadedSong, parse_song

FOLDER = Path("/nowhere")
CATALOGUE = Catalogue(
    {
        name: Loop(name, "style", "", Fraction(375, 4), 2, "4/4", "", (), FOLDER / name, digit * 64)
        for name, digit in (("lofi-keys", "a"), ("bells", "b"))
    },
    {"beats-80": SeedMask("beats-80", "", FOLDER / "beats", "c" * 64)},
)
PROFILE = ModelProfile("test model", num_inference_steps=20, memory_bytes=1 << 20)
MODEL = LocatedModel("default", FOLDER, PROFILE, "d" * 64)


def memory_files(name: str, purpose: str, where: object) -> InputFile:
    """Every file exists; its digest is its name's."""
    return InputFile(FOLDER / name, (name.encode().hex() + "0" * 64)[:64])


PLANNED_WITH: dict[str, Any] = {
    "song_path": Path("song.yaml"),
    "model": MODEL,
    "catalogue": CATALOGUE,
    "backend": "cpu-float32",
    "files": memory_files,
}
"""What `plan_song` takes besides the song."""


def read(song: dict[str, Any] | str) -> LoadedSong:
    """A song from a mapping (JSON is YAML) or from text."""
    text = song if isinstance(song, str) else json.dumps(song, ensure_ascii=False)
    return parse_song(text.encode(), Path("song.yaml"))


def planned(song: dict[str, Any] | str, profile: ModelProfile | None = None, **options: Any) -> Plan:
    """The plan of a song."""
    model = MODEL if profile is None else replace(MODEL, profile=profile)
    return plan_song(read(song).resolved, **(PLANNED_WITH | {"model": model} | options))


def section(name: str, **fields: Any) -> dict[str, Any]:
    """A section with a prompt, a loop and a length unless it says otherwise."""
    base: dict[str, Any] = {"name": name, "init": "lofi-keys", "strength": 0.5}
    if "walk" not in fields:
        base |= {"prompt": f"prompt of {name}", "bars": 8}
    if {"clips", "duration", "bars"} & fields.keys():
        base.pop("bars", None)
    return base | fields


def song(*sections: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A song of these sections at 93.75 BPM."""
    return {"title": "Test", "tempo": 93.75, "sections": list(sections), **fields}


def write_model(folder: Path) -> Path:
    """A checkpoint's folder that can be planned with; it cannot be loaded."""
    return write_hollow_checkpoint(folder, PROFILE)


def write_song(folder: Path, content: dict[str, Any] | str, name: str = "song.yaml") -> Path:
    """A song's file with a model of its own beside it, so that `plan` needs nothing else."""
    if not (folder / "model").exists():
        write_model(folder / "model")
    path = folder / name
    if not isinstance(content, str):
        content = json.dumps({"model": "./model", **content}, indent=1)
    path.write_text(content)
    return path
