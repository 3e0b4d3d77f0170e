"""What the driver asks of a worker. A worker trusts its driver: requests are pickled on their way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.engines.levels import LevelReader
from riffcomposer.render.passage_work import DecodeSettings, PassageWork


@dataclass(frozen=True)
class Load:
    """Load a checkpoint, in place of the one before."""

    model: LocatedModel


@dataclass(frozen=True)
class Render:
    """Render clips."""

    number: int
    jobs: Mapping[str, ClipJob]


@dataclass(frozen=True)
class Decode:
    """Decode a passage."""

    number: int
    key: str
    work: PassageWork
    settings: DecodeSettings
    levels: LevelReader


@dataclass(frozen=True)
class Release:
    """Free the checkpoint's memory."""


@dataclass(frozen=True)
class Drop:
    """Do not make a batch, or not to its end."""

    number: int


Request = Load | Render | Decode | Release | Drop
