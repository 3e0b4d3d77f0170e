"""SectionSettingsMaker: how a section's clips are rendered, apart from their place on its walk.

Files are looked up by the caller's `InputFiles`, so that planning itself reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.loops.catalogue import Catalogue
from riffcomposer.media.kinds import IMAGE_SUFFIXES
from riffcomposer.plan.findings import fault
from riffcomposer.plan.grid import timebase
from riffcomposer.plan.keys import rounded
from riffcomposer.plan.types import Grid, InitClip, LoraFile, MaskImage
from riffcomposer.plan.walks import Walk
from riffcomposer.song.diagnostics import did_you_mean, shorten
from riffcomposer.song.lints import effective_steps
from riffcomposer.song.paths import is_path
from riffcomposer.song.resolved import NodePath, ResolvedSection, ResolvedSong
from riffcomposer.units import Meter

_Entry = TypeVar("_Entry")


@dataclass(frozen=True)
class InputFile:
    """A file that a song names: where it is, the digest of its bytes, and whether it holds an image.

    Without a look at its bytes (`is_image` None) its name tells.
    """

    path: Path
    sha256: str
    is_image: bool | None = None


class InputFiles(Protocol):
    """Looks a song's files up (see `riffcomposer.plan.inputs`)."""

    def __call__(self, name: str, purpose: Literal["init", "mask", "lora"], where: NodePath) -> InputFile: ...


@dataclass(frozen=True)
class SectionSettings:
    """What all clips of a section have in common."""

    negative_prompt: str
    num_inference_steps: int
    scheduler: str
    init: InitClip | None
    mask: MaskImage | None
    loras: tuple[LoraFile, ...]


@dataclass(frozen=True)
class SectionSettingsMaker:
    """Makes the voices of a song's sections.

    Attributes:
        draft: About half the steps.
    """

    song: ResolvedSong
    grid: Grid
    profile: ModelProfile
    catalogue: Catalogue
    files: InputFiles
    draft: bool

    def of(self, section: ResolvedSection, walk: Walk) -> SectionSettings:
        """The voice of a section.

        Raises:
            SongError: It names a loop, mask or file that is not there.
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
        if spec is None:
            return None
        where = section.where("init")
        if spec.kind == "catalogue":
            seed = _named(spec.name, self.catalogue.clips, "loop", where)
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
        mask = _named(name, self.catalogue.masks, "mask", where)
        return MaskImage(name, mask.path, mask.sha256)


def between(leaving: SectionSettings, entering: SectionSettings, alpha: float) -> SectionSettings:
    """The voice of a bridge's clip: of the section it is nearer to, with a loop if either has one."""
    near, far = (leaving, entering) if alpha < 0.5 else (entering, leaving)
    return near if near.init is not None or far.init is None else replace(near, init=far.init)


def draft_steps(steps: int, walk: Walk) -> int:
    """About half the steps, but at least two that are run at every point that runs any."""
    fewer = (steps + 1) // 2
    strengths = [rounded(point.strength) for point in walk.points]
    while fewer < steps and any(
        effective_steps(fewer, strength) < min(2, effective_steps(steps, strength)) for strength in strengths
    ):
        fewer += 1
    return fewer


def _named(name: str, entries: Mapping[str, _Entry], what: str, where: NodePath) -> _Entry:
    """An entry of the catalogue.

    Raises:
        SongError: There is none of that name.
    """
    if name in entries:
        return entries[name]
    hint = did_you_mean(name, entries) or "`riffcompose loops` lists what there is; a path has a suffix"
    raise fault("unknown-loop", f"the catalogue has no {what} called {shorten(name)}", where, hint)
