"""What a section starts from that does not say it: a score, or noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeVar

from riffcomposer.composer.meters import METERS
from riffcomposer.song.resolved import InitSpec, ResolvedSection, ResolvedSong

DefaultInit = Literal["none", "score"]

_Section = TypeVar("_Section", bound=ResolvedSection)


_SAME_BAR = {"2/2": "4/4", "4/8": "2/4"}


def composed_meter(song: ResolvedSong) -> str:
    """The song's meter as the composer knows it, or empty: 2/2 is composed as 4/4, 4/8 as 2/4."""
    name = _SAME_BAR.get(str(song.meter), str(song.meter))
    return name if name in METERS else ""


def with_default_init(song: ResolvedSong, default: DefaultInit) -> ResolvedSong:
    """Returns the song with the init of its model where sections state none.

    A section that states a `score` and no `init` starts from it with any model. A meter in which nothing
    can be composed leaves sections that ask for nothing to noise.

    Args:
        default: The profile's `default_init`.
    """

    def filled(section: _Section) -> _Section:
        layers = tuple(filled(layer) for layer in section.layers)
        section = replace(section, layers=layers) if layers else section
        if "init" in section.origins:
            return section
        if "score" in section.origins or (default == "score" and composed_meter(song)):
            return replace(section, init=InitSpec("score", "score"))
        return section

    whole = None if song.whole is None else with_default_init(song.whole, default)
    return replace(song, sections=tuple(filled(section) for section in song.sections), whole=whole)
