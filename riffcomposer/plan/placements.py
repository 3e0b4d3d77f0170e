"""The order of a track: sections at their bars, with `length` and `loop` expanded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from riffcomposer.plan.budget import Limits, check_clips, check_minutes
from riffcomposer.plan.grid import section_bars, slots
from riffcomposer.plan.types import Grid
from riffcomposer.song.resolved import ResolvedSong
from riffcomposer.units import Timebase, round_half_up


@dataclass(frozen=True)
class Placement:
    """One section on the track.

    Attributes:
        source: Index into the song's sections.
        round: How often the list of sections has been played before.
        name: A name that is unique on the track.
        bar: The bar at which the section, with its bridge, begins.
        bridge_bars, body_bars: Lengths in bars; their sum is the section's length.
        is_entered: Whether something sounds before it, so that its transition applies.
    """

    source: int
    round: int
    name: str
    bar: Fraction
    bridge_bars: Fraction
    body_bars: Fraction
    is_entered: bool

    @property
    def body_bar(self) -> Fraction:
        """The bar at which its bridge ends and its own bars begin."""
        return self.bar + self.bridge_bars

    @property
    def end_bar(self) -> Fraction:
        return self.bar + self.bridge_bars + self.body_bars


def arrange(song: ResolvedSong, grid: Grid, limits: Limits) -> tuple[Placement, ...]:
    """Arranges the sections, once or until `length` is filled; the last is then cut at a bar.

    Raises:
        BudgetError: The track exceeds the minutes or clips of `limits`; nothing large is built by then.
    """
    end: Fraction | None = None
    if song.length is not None:
        time = Timebase(song.tempo, song.meter, grid.sample_rate)
        end = Fraction(max(1, round_half_up(time.bars(song.length))))
        check_minutes(end, grid, limits)
    placements: list[Placement] = []
    clips = 0
    names: set[str] = set()
    for placement in _endless(song, grid):
        if end is not None:
            bridge = min(placement.bridge_bars, end - placement.bar)
            body = min(placement.body_bars, end - placement.bar - bridge)
        elif placement.round:
            break
        else:
            bridge, body = placement.bridge_bars, placement.body_bars
        name = _unique(song.sections[placement.source].name, placement.round, names)
        names.add(name)
        placements.append(replace(placement, name=name, bridge_bars=bridge, body_bars=body))
        renders = len(song.sections[placement.source].renders)
        clips += slots(bridge, grid) + slots(body, grid) * renders
        check_minutes(placements[-1].end_bar, grid, limits)
        check_clips(clips, limits)
        if placements[-1].end_bar == end:
            break
    return tuple(placements)


def _endless(song: ResolvedSong, grid: Grid) -> Iterator[Placement]:
    """Repeats the list of sections without end."""
    bars = [section_bars(section, song, grid) for section in song.sections]
    bar, count = Fraction(0), 0
    while True:
        for source, section in enumerate(song.sections):
            is_entered = song.loop or count > 0 or source > 0
            bridge = Fraction((section.transition.clips or 0) * grid.clip_bars if is_entered else 0)
            yield Placement(source, count, section.name, bar, bridge, bars[source], is_entered)
            bar += bridge + bars[source]
        count += 1


def _unique(name: str, count: int, taken: set[str]) -> str:
    candidate = name if not count else f"{name} ({count + 1})"
    while candidate in taken:
        count += 1
        candidate = f"{name} ({count + 1})"
    return candidate
