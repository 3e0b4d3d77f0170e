"""The settings that all clips of a section share: everything but their place on its walk.

The caller's `InputFiles` looks up files, so that planning itself reads none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.diagnostics import NodePath
from riffcomposer.loops.catalogue import Catalogue
from riffcomposer.media.kinds import IMAGE_SUFFIXES
from riffcomposer.plan.grid import timebase
from riffcomposer.plan.types import Grid, Init, InitClip, LoraFile, MaskImage
from riffcomposer.plan.walks import Walk
from riffcomposer.song.paths import catalogue_entry, is_path
from riffcomposer.song.resolved import ResolvedSection, ResolvedSong
from riffcomposer.strength import effective_steps, rounded
from riffcomposer.units import Meter


@dataclass(frozen=True)
class InputFile:
    """A file that a song names: its path, the digest of its bytes, and whether it is an image.

    If its bytes were not examined, `is_image` is None and the file's suffix decides.
    """

    path: Path
    sha256: str
    is_image: bool | None = None


class InputFiles(Protocol):
    """Looks a song's files up (see `riffcomposer.plan.inputs`)."""

    def __call__(self, name: str, purpose: Literal["init", "mask", "lora"], where: NodePath) -> InputFile: ...


@dataclass(frozen=True)
class SectionSettings:
    """The settings that all clips of a section share; the planner moves `init` along the section.

    Attributes:
        init: None where clips start from noise, and before a score is composed.
    """

    negative_prompt: str
    num_inference_steps: int
    scheduler: str
    init: Init | None
    mask: MaskImage | None
    loras: tuple[LoraFile, ...]


@dataclass(frozen=True)
class SectionSettingsMaker:
    """Makes the settings of a song's sections.

    Attributes:
        draft: Whether to take about half the steps.
    """

    song: ResolvedSong
    grid: Grid
    profile: ModelProfile
    catalogue: Catalogue
    files: InputFiles
    draft: bool

    def of(self, section: ResolvedSection, walk: Walk) -> SectionSettings:
        """Returns the settings of a section.

        Raises:
            SongError: The section names a loop, mask or file that does not exist.
        """
        steps = section.num_inference_steps or self.profile.num_inference_steps
        loras = [(lora, self.files(lora.path, "lora", section.where("lora"))) for lora in section.loras]
        return SectionSettings(
            negative_prompt=section.negative_prompt,
            num_inference_steps=draft_steps(steps, walk) if self.draft else steps,
            scheduler=section.scheduler or self.profile.scheduler,
            init=self._init(section),
            mask=self._mask(section),
            loras=tuple(LoraFile(lora.path, found.path, found.sha256, lora.weight) for lora, found in loras),
        )

    def _init(self, section: ResolvedSection) -> InitClip | None:
        spec = section.init
        if spec is None or spec.kind == "score":
            return None
        where = section.where("init")
        if spec.kind == "catalogue":
            seed = catalogue_entry(spec.name, self.catalogue.clips, "loop", where)
            quarters = seed.bars * Meter.parse(seed.meter).quarters_per_bar
            return InitClip("catalogue", spec.name, seed.path, seed.sha256, seed.tempo, quarters)
        found = self.files(spec.name, "init", where)
        is_image = found.is_image
        if is_image is None:
            is_image = found.path.suffix.lower() in IMAGE_SUFFIXES
        tempo = spec.tempo or self.song.tempo
        own_time = replace(timebase(self.song, self.profile), tempo=tempo)
        return InitClip(
            kind="image" if is_image else "audio",
            name=spec.name,
            path=found.path,
            sha256=found.sha256,
            tempo=tempo,
            loop_quarters=(spec.bars or self.grid.clip_bars) * self.song.meter.quarters_per_bar,
            start_seconds=own_time.seconds(spec.start) if spec.start else Fraction(0),
        )

    def _mask(self, section: ResolvedSection) -> MaskImage | None:
        name, where = section.mask, section.where("mask")
        if name is None:
            return None
        if is_path(name):
            found = self.files(name, "mask", where)
            return MaskImage(name, found.path, found.sha256)
        mask = catalogue_entry(name, self.catalogue.masks, "mask", where)
        return MaskImage(name, mask.path, mask.sha256)


def between(leaving: SectionSettings, entering: SectionSettings, alpha: float) -> SectionSettings:
    """Returns the settings of a bridge's clip: the nearer section's, with an init if either has one."""
    near, far = (leaving, entering) if alpha < 0.5 else (entering, leaving)
    return near if near.init is not None or far.init is None else replace(near, init=far.init)


def draft_steps(steps: int, walk: Walk) -> int:
    """Returns about half the steps, so that every point that runs any step still runs at least two."""
    fewer = (steps + 1) // 2
    strengths = [rounded(point.strength) for point in walk.points]
    while fewer < steps and any(
        effective_steps(fewer, strength) < min(2, effective_steps(steps, strength)) for strength in strengths
    ):
        fewer += 1
    return fewer
