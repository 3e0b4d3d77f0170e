"""A song with everything filled in: what a planner reads.

Defaults and `use` are applied, lengths carry their units, files are named but not yet read.
None means "the model's own" where it says so. Each section remembers where its fields were
written, so that a later stage can point at the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from riffcomposer.song.effects import Effect
from riffcomposer.units import Length, Meter

NodePath = tuple[str | int, ...]
"""Where a value stands in the song: ("sections", 2, "strength")."""


@dataclass(frozen=True)
class KeyPoint:
    """One point of a walk.

    Attributes:
        prompt: Never None; empty only in a section with strength 0.
        strength, guidance_scale: The point's, else the section's, else None: the model's default.
    """

    prompt: str
    seed: int
    strength: float | None
    guidance_scale: float | None


@dataclass(frozen=True)
class InitSpec:
    """The loop a section starts from.

    Attributes:
        kind: `catalogue`: `name` is an entry of the shipped catalogue; `file`: a path as written.
        start: Where in the file the loop starts; None for its beginning. Bars and beats count in
            the clip's own tempo.
        tempo: The file's own tempo in BPM; None: the song's.
        bars: Length of the loop in bars of the song's meter; None: one clip of the song's grid.
    """

    kind: Literal["catalogue", "file"]
    name: str
    start: Length | None = None
    tempo: Fraction | None = None
    bars: Fraction | None = None


@dataclass(frozen=True)
class LoraSpec:
    """A LoRA file as the song names it, and its weight."""

    path: str
    weight: float


@dataclass(frozen=True)
class TransitionSpec:
    """How a section is entered.

    Attributes:
        length: Of a crossfade; None otherwise.
        clips: Of a bridge; None otherwise.
    """

    type: Literal["cut", "crossfade", "bridge"]
    length: Length | None = None
    clips: int | None = None


@dataclass(frozen=True)
class ResolvedSection:
    """One section of the song's list.

    Exactly one of `bars`, `clips` and `duration` is stated.

    Attributes:
        name: Unique in the song, also where the file gives none.
        points: One for a seed walk, else two or more.
        is_seed_walk: One prompt that walks over seed, seed + 1, seed + 2, ...
        interpolation_steps: Clips for each leg of the walk.
        alpha_curve: How alpha rises over a leg; `power` has `alpha_power` as its exponent.
        num_inference_steps, scheduler: None: the model's default.
        init: None: rendered from noise alone.
        mask: A catalogue name or a path (see `riffcomposer.song.paths.is_path`).
        overlap: At least so much of each clip is crossfaded with the next.
        path: Where the section stands in the file: ("sections", 2).
        origins: Where a field was written, by its name, if at all; through `use` and `defaults`.
    """

    name: str
    points: tuple[KeyPoint, ...]
    is_seed_walk: bool
    interpolation_steps: int
    alpha_curve: Literal["linear", "ease", "power"]
    alpha_power: float
    bars: Fraction | None
    clips: int | None
    duration: Length | None
    negative_prompt: str
    num_inference_steps: int | None
    scheduler: str | None
    init: InitSpec | None
    mask: str | None
    loras: tuple[LoraSpec, ...]
    overlap: Length
    transition: TransitionSpec
    fade_in: Length | None
    fade_out: Length | None
    gain_db: float
    chain: tuple[Effect, ...]
    path: NodePath
    origins: Mapping[str, NodePath] = field(default_factory=dict, compare=False, repr=False)

    def where(self, name: str) -> NodePath:
        """Where the field `name` was written; the section itself if it was not."""
        return self.origins.get(name, self.path)


@dataclass(frozen=True)
class ResolvedMaster:
    """The mastering stage."""

    chain: tuple[Effect, ...]
    integrated_lufs: float
    true_peak_dbtp: float


@dataclass(frozen=True)
class ResolvedOutput:
    """What files come out.

    Attributes:
        stereo_width: 0 is mono.
        decoder: Preset of the phase retrieval.
    """

    formats: tuple[Literal["wav", "flac", "mp3", "ogg"], ...]
    stereo_width: float
    decoder: Literal["fast", "default", "best"]


@dataclass(frozen=True)
class ResolvedSong:
    """A whole song.

    Attributes:
        model: `default`, `org/name@<40 hex>` or `./folder`.
        loop: The end of the track meets its start.
        length: Fill this time: the list of sections is repeated, seeds walking on. None: once.
    """

    title: str
    tempo: Fraction
    meter: Meter
    seed: int
    model: str
    loop: bool
    length: Length | None
    sections: tuple[ResolvedSection, ...]
    master: ResolvedMaster
    output: ResolvedOutput
