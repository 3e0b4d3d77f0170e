"""What is rendered for a section: the section itself, or each of its layers."""

from __future__ import annotations

from dataclasses import dataclass

from riffcomposer.plan.section_settings import SectionSettings, SectionSettingsMaker
from riffcomposer.plan.types import Place
from riffcomposer.plan.walks import Walk, make_walk
from riffcomposer.song.resolved import ResolvedSection


@dataclass(frozen=True)
class SectionRender:
    """A walk and the settings that its clips share.

    Attributes:
        layer: Name of the layer; empty for a section without layers.
        section: The layer, or the section.
        clips: Number of clips of the whole section, without its bridge.
    """

    layer: str
    section: ResolvedSection
    walk: Walk
    settings: SectionSettings
    clips: int

    def place(self, clip: int, round: int) -> Place:
        """Returns the place of clip `clip` of the section's body; later rounds have further seeds."""
        if self.section.is_seed_walk:
            return self.walk.place(round * self.clips + clip)
        return self.walk.place(clip, seed_shift=round)


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
        found.append(SectionRender(name, each, walk, maker.of(each, walk), clips))
    return tuple(found)
