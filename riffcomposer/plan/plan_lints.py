"""Warnings about a song that need its plan."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from riffcomposer.diagnostics import Diagnostic
from riffcomposer.plan.inits import InitClip, MidiInit
from riffcomposer.plan.score_types import ScoreInit
from riffcomposer.plan.types import Plan
from riffcomposer.plan.walks import is_spread, natural_clips
from riffcomposer.song.resolved import ResolvedSection, ResolvedSong
from riffcomposer.units import Meter

MOST_REPEATS = 4
"""How often a section may play one loop without a warning."""

LEAVES_ITS_LOOP = 0.9
"""Strength from which a section no longer repeats its loop. Below it, of three loops over 28 bars, each bar's
harmony is like that of the bar a loop earlier (cosine 0.95 to 1.0), and a step of 2.56 s in eight is new."""


def lint_plan(plan: Plan, song: ResolvedSong) -> list[Diagnostic]:
    """Finds warnings about a plan, in the order of the song; each section is checked once."""
    findings: list[Diagnostic] = []
    seen: set[int] = set()
    for index, planned in enumerate(plan.sections):
        if planned.source not in seen:
            seen.add(planned.source)
            section = song.sections[planned.source]
            for render in section.renders:
                layer = render.name if section.layers else ""
                findings += _variety(plan, index, render, layer)
            findings += _repeated_loop(plan, index, song)
            findings += _silent(plan, index, section)
            findings += _transition(plan, index, section)
    for source, section in enumerate(song.sections):
        if source not in seen:
            hint = "raise length or take the section out"
            message = f"section {section.name} is never reached"
            findings.append(Diagnostic("warning", "never-played", message, section.path, hint))
    findings += _seam(plan, song)
    return findings


def _silent(plan: Plan, index: int, section: ResolvedSection) -> Iterator[Diagnostic]:
    """Warns of a layer that is rendered and never heard."""
    for planned, layer in zip(plan.sections[index].layers, section.layers, strict=True):
        if planned.is_silent:
            message = (
                f"layer {layer.name} is never heard: the section's energy stays below {layer.from_energy:g}"
            )
            hint = "lower from_energy, or raise the energy of the section's score"
            yield Diagnostic("warning", "silent-layer", message, layer.where("from_energy"), hint)


def _variety(plan: Plan, index: int, section: ResolvedSection, layer: str) -> Iterator[Diagnostic]:
    """Warns of a section or a layer that repeats itself, and of a walk that is cut short."""
    place = (index, layer, "body")
    keys = [clip.key for clip in plan.clips if (clip.section, clip.layer, clip.kind) == place]
    what = "layer" if layer else "section"
    different = len(set(keys))
    where = next(
        (section.where(name) for name in ("bars", "clips", "duration") if name in section.origins), ()
    )
    where = where or section.path
    if section.is_seed_walk:
        if different < len(keys):
            if all(plan.jobs[key].strength == 0 for key in keys):
                message = f"{what} {section.name} plays its loop {len(keys)} times over"
                hint = "shorten it, or give it a strength above 0"
            else:
                message = f"{what} {section.name} has {len(keys)} clips, and only {different} are different"
                hint = "shorten it or change its walk"
            yield Diagnostic("warning", "little-variety", message, where, hint)
        return
    whole = natural_clips(section)
    if is_spread(section):
        if 1 <= len(keys) < len(section.points):
            message = f"{len(keys)} clips cannot reach all {len(section.points)} points of the walk"
            yield Diagnostic("warning", "walk-cut-short", message, where, "lengthen the section")
    elif len(keys) < whole:
        message = (
            f"the walk needs {whole} clips, and the section has {len(keys)}: its last points are not reached"
        )
        hint = "lengthen the section, or leave interpolation_steps out to spread the walk over it"
        yield Diagnostic("warning", "walk-cut-short", message, where, hint)
    elif len(keys) > whole:
        message = f"the walk ends after {whole} of {len(keys)} clips and then runs backwards"
        hint = "shorten the section, or leave interpolation_steps out to spread the walk over it"
        yield Diagnostic("warning", "little-variety", message, where, hint)


def _repeated_loop(plan: Plan, index: int, song: ResolvedSong) -> Iterator[Diagnostic]:
    """Warns of a section that plays one loop many times over, at a strength that keeps the loop's harmony."""
    keys = [clip.key for clip in plan.clips if clip.section == index and clip.kind == "body"]
    jobs = [plan.jobs[key] for key in keys]
    inits = [job.init for job in jobs]
    loops = {init.loop_quarters for init in inits if isinstance(init, InitClip | MidiInit)}
    if any(isinstance(init, ScoreInit) for init in inits):
        return  # another layer moves on
    strongest = max((job.strength for job in jobs), default=0.0)
    # A loop at strength 0 is `little-variety` already.
    if len(loops) != 1 or not 0 < strongest < LEAVES_ITS_LOOP:
        return
    planned, section = plan.sections[index], song.sections[plan.sections[index].source]
    own_samples = planned.end_sample - planned.body_start_sample
    loop_bars = loops.pop() / Meter.parse(plan.grid.meter).quarters_per_bar
    repeats = own_samples / (loop_bars * plan.grid.samples_per_bar)
    if repeats > MOST_REPEATS + Fraction(1, 100):
        message = (
            f"section {section.name} plays its loop of {_bars(loop_bars)} {float(repeats):.3g} times, and "
            f"strength {strongest:g} keeps the loop's harmony each time"
        )
        hint = "give it a longer init, a score, or several sections with other loops"
        where = next(
            (section.where(name) for name in ("bars", "clips", "duration") if name in section.origins),
            section.path,
        )
        yield Diagnostic("warning", "repeats-loop", message, where, hint)


def _bars(bars: Fraction) -> str:
    return f"{float(bars):g} bar" + ("" if bars == 1 else "s")


def _transition(plan: Plan, index: int, section: ResolvedSection) -> Iterator[Diagnostic]:
    """Warns of a crossfade that is longer than a clip, since the previous section plays on for it."""
    planned = plan.sections[index]
    slot_samples = plan.grid.clip_bars * plan.grid.samples_per_bar
    if planned.transition.type == "crossfade" and planned.transition.length_samples > slot_samples:
        clips = planned.transition.length_samples / slot_samples
        message = f"the crossfade is {float(clips):.1f} clips long, and the section before plays on for it"
        yield Diagnostic("warning", "long-crossfade", message, section.where("transition"))


def _seam(plan: Plan, song: ResolvedSong) -> Iterator[Diagnostic]:
    """Warns of fades at the ends of a loop, which are silent where its end joins its start."""
    if not plan.loop:
        return
    first, last = plan.sections[0], plan.sections[-1]
    for key, planned, samples in (
        ("fade_in", first, first.fade_in_samples),
        ("fade_out", last, last.fade_out_samples),
    ):
        if samples:
            side = "starts from" if key == "fade_in" else "ends in"
            message = f"{key}: the loop {side} silence, which is heard as a gap at each repetition"
            where = song.sections[planned.source].where(key)
            yield Diagnostic("warning", "loop-fades", message, where, f"take {key} out, or loop: true")
