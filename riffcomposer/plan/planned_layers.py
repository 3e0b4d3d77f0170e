"""Layers on the grid: the bars in which each is heard, its fades, and what cannot lead into them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import groupby

from riffcomposer.composer.section_score import USUAL_ENERGY
from riffcomposer.curves import Curve
from riffcomposer.diagnostics import Diagnostic
from riffcomposer.errors import SongError
from riffcomposer.plan.grid import sample_at
from riffcomposer.plan.layer_types import PlannedLayer
from riffcomposer.plan.placements import Placement
from riffcomposer.plan.score_types import SectionScore
from riffcomposer.plan.types import Grid
from riffcomposer.song.resolved import ResolvedSection, ResolvedSong
from riffcomposer.units import Timebase


def check_bridges(song: ResolvedSong, placements: Sequence[Placement]) -> None:
    """Refuses bridges into and out of sections with layers: a bridge is one walk, and layers are several.

    Raises:
        SongError: There are such bridges; one finding for each.
    """
    found: dict[tuple[int, int], Diagnostic] = {}
    for index, placement in enumerate(placements):
        section, before = song.sections[placement.source], song.sections[placements[index - 1].source]
        if not placement.is_entered or section.transition.type != "bridge":
            continue
        layered = next((each for each in (section, before) if each.layers), None)
        if layered is not None:
            side = "into" if layered is section else "out of"
            message = f"a bridge cannot lead {side} the layers of {layered.name}"
            where, hint = (
                section.where("transition"),
                f"write transition: crossfade, or cut, in {section.name}",
            )
            fault = Diagnostic("error", "bridge-of-layers", message, where, hint)
            found.setdefault((placements[index - 1].source, placement.source), fault)
    if found:
        raise SongError.of(list(found.values()))


def planned_layers(
    section: ResolvedSection, placement: Placement, score: SectionScore | None, grid: Grid, time: Timebase
) -> tuple[PlannedLayer, ...]:
    """Returns how the layers of a section are mixed at one of its places on the track."""
    start, end = (sample_at(grid, bar) for bar in (placement.bar, placement.end_bar))

    def sample(bar: Fraction) -> int:
        return sample_at(grid, placement.body_bar + bar)

    energy = score.words.energy if score is not None else section.score.energy or Curve.level(USUAL_ENERGY)
    return tuple(
        PlannedLayer(
            name=layer.name,
            gain_db=layer.gain_db.mapped(sample),
            pan=layer.pan.mapped(sample),
            fade_in_samples=time.fade(layer.fade_in, end - start),
            fade_out_samples=time.fade(layer.fade_out, end - start),
            gate=()
            if layer.from_energy is None
            else energy_gate(energy, layer.from_energy, placement.body_bars, sample),
        )
        for layer in section.layers
    )


def energy_gate(
    energy: Curve, least: float, bars: Fraction, sample: Callable[[Fraction], int]
) -> tuple[tuple[int, float], ...]:
    """Returns where a layer is heard that waits for energy, as points of sample and gain.

    It is heard in full in every bar at whose beginning the energy is at least `least`. It comes in over the
    bar before such bars and goes out over the bar after them; between two of them that are less than two bars
    apart, the fades share what is there.

    Args:
        energy: By bar of the section.
        bars: Length of the section.
        sample: The absolute sample of a bar of the section.

    Returns:
        Points at which the gain is 0 or 1, in order; no point if the layer is always heard.
    """
    count = math.ceil(bars)
    heard = [energy.at(bar) >= least for bar in range(count)]
    if not any(heard):
        return ((sample(Fraction(0)), 0.0),)
    points: list[tuple[int, float]] = []
    first = 0
    for is_heard, run in groupby(heard):
        last = first + len(list(run))
        if not is_heard:
            inside = first > 0 and last < count
            fade = min(Fraction(1), Fraction(last - first, 2 if inside else 1))
            if first > 0:
                points += [(sample(Fraction(first)), 1.0), (sample(first + fade), 0.0)]
            if last < count:
                points += [(sample(last - fade), 0.0), (sample(Fraction(last)), 1.0)]
        first = last
    return tuple(points)
