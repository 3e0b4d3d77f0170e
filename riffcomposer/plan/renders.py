"""What is rendered for a section: the section itself, or each of its layers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.plan.section_settings import SectionSettings, SectionSettingsMaker
from riffcomposer.plan.types import Place
from riffcomposer.plan.walks import Walk, is_moving, make_walk
from riffcomposer.song.resolved import ResolvedSection


@dataclass(frozen=True)
class SectionRender:
    """A walk and the settings that its clips share.

    Attributes:
        layer: Name of the layer; empty for a section without layers.
        section: The layer, or the section.
        clips: Number of clips of the whole section, without its bridge.
        profile: The model's, for what the section leaves out.
        is_moving: Whether strength or guidance moves over its bars.
    """

    layer: str
    section: ResolvedSection
    walk: Walk
    settings: SectionSettings
    clips: int
    profile: ModelProfile
    is_moving: bool

    def place(self, clip: int, round: int, bar: Fraction) -> Place:
        """Returns the place of clip `clip` of the section's body, which starts at `bar` of it.

        Later rounds have further seeds.
        """
        walk = make_walk(self.section, self.clips, self.profile, bar) if self.is_moving else self.walk
        if self.section.is_seed_walk:
            return walk.place(round * self.clips + clip)
        return walk.place(clip, seed_shift=round)


def renders_of(
    section: ResolvedSection, clips: int, maker: SectionSettingsMaker
) -> tuple[SectionRender, ...]:
    """Makes the renders of a section of `clips` clips.

    Raises:
        SongError: It names a loop, mask or file that does not exist.
    """
    found = []
    for each in section.renders:
        walk = make_walk(each, clips, maker.profile)
        name = each.name if section.layers else ""
        settings = maker.of(each, walk)
        found.append(SectionRender(name, each, walk, settings, clips, maker.profile, is_moving(each)))
    return tuple(found)
