"""What one render needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.plan.types import Plan
from riffcomposer.render.output_names import TrackFiles
from riffcomposer.song.resolved import ResolvedSong


@dataclass(frozen=True)
class RenderJob:
    """Everything that one render needs.

    Attributes:
        plan: The plan to render.
        song: The song, everything filled in.
        song_content: The song as plain data, for the recipe.
        model: The checkpoint.
        files: Names of the outputs.
        draft: Whether to use the fast decoder; the plan already has fewer steps.
        force: Whether to render everything again.
        decode_device: Device that decodes passages, `cpu` or `cuda`.
        song_text: The song's text, for the report page.
    """

    plan: Plan
    song: ResolvedSong
    song_content: Any
    model: LocatedModel
    files: TrackFiles
    draft: bool = False
    force: bool = False
    decode_device: str = "cpu"
    song_text: str = ""
