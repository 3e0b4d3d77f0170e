"""`riffcompose plan`: shows what a render would do, why, and what it would cost. Writes nothing."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riffcomposer.cli.console import print_json, print_line, write
from riffcomposer.cli.store_option import StoreFolder, chosen_store
from riffcomposer.curves import ZERO, Curve
from riffcomposer.text import GIB, clock, cut, duration, printable, printable_lines, size

if TYPE_CHECKING:
    from riffcomposer.plan.budget import Limits
    from riffcomposer.plan.layer_types import PlannedLayer
    from riffcomposer.plan.score_types import SectionScore
    from riffcomposer.plan.types import ClipJob, JobStatus, Plan, PlannedClip
    from riffcomposer.render.prepare import PreparedSong
    from riffcomposer.song.effects import Effect
    from riffcomposer.song.resolved import ResolvedLayer, ResolvedSection

WORK_TO_DO = 10
"""Exit code of `plan --exit-code` if clips are to be rendered."""

_STYLES = {"cached": "dim", "new": "green", "changed": "yellow"}

JobsLimit = Annotated[
    int | None, typer.Option("--jobs-limit", min=1, help="Most clips that the track may have.")
]
MinutesLimit = Annotated[
    float | None, typer.Option("--minutes-limit", min=0, help="Most minutes that the track may last.")
]
DiskLimit = Annotated[
    float | None, typer.Option("--disk-limit", min=0, metavar="GIB", help="Most GiB that a render may write.")
]
MemoryLimit = Annotated[
    float | None,
    typer.Option(
        "--memory-limit",
        min=0,
        metavar="GIB",
        help="Most GiB of memory that a render may need. Default: the machine's.",
    ),
]
Allow = Annotated[
    list[Path] | None,
    typer.Option("--allow", metavar="DIR", help="A further folder that the song's files may be in."),
]


def limits(
    jobs: int | None, minutes: float | None, disk_gib: float | None, memory_gib: float | None
) -> Limits:
    """Returns the limits of the flags, with defaults for those that are not given."""
    from riffcomposer.plan.budget import Limits

    default = Limits()
    return Limits(
        jobs=default.jobs if jobs is None else jobs,
        minutes=default.minutes if minutes is None else minutes,
        disk_bytes=default.disk_bytes if disk_gib is None else int(disk_gib * GIB),
        memory_bytes=default.memory_bytes if memory_gib is None else int(memory_gib * GIB),
    )


def bar_range(plan: Plan, start_sample: int, end_sample: int) -> str:
    """Formats a range of bars as `9-10`, counted from 1 with both ends included; a cut bar as `9.5-10`."""
    return bars_text(start_sample / plan.grid.samples_per_bar, end_sample / plan.grid.samples_per_bar)


def bars_text(start: Fraction, end: Fraction) -> str:
    """Formats bars counted from 0 up to `end` as `9-10`, counted from 1 with both ends included."""
    shown = [float(round(value, 2)) for value in (start + 1, end)]
    return f"{shown[0]:g}" if shown[0] >= shown[1] else f"{shown[0]:g}-{shown[1]:g}"


def _state_text(state: JobStatus) -> str:
    if state.status != "changed" or not state.changes:
        return state.status
    return "changed (" + "; ".join(f"{name}: {old} -> {new}" for name, old, new in state.changes) + ")"


def _steps_text(job: ClipJob) -> tuple[str, str]:
    """Formats strength and effective steps; at strength 0 there are none."""
    from riffcomposer.strength import effective_steps

    if job.strength == 0:
        return "0", "loop"
    steps = effective_steps(job.num_inference_steps, job.strength)
    return f"{job.strength:.3g}", f"{steps} of {job.num_inference_steps}"


def _kind(clip: PlannedClip) -> str:
    return f"{clip.index + 1}" if clip.kind == "body" else f"{clip.index + 1} {clip.kind}"


def described(music: SectionScore) -> str:
    """What is composed for a section, in words: `jazz in C minor: Cm9 | F13 (piano: from the prompt)`."""
    from riffcomposer.composer.section import compose_section

    composition = compose_section(music.stretches[0].score)
    bars = range(min(4, int(music.stretches[0].score.bars)))
    beats = [float(bar * music.stretches[0].score.measure.beats) for bar in bars]
    chords = " | ".join(dict.fromkeys(composition.chord_at(beat).name for beat in beats))
    return f"{composition.style} in {composition.key}: {chords} ({music.words.note})"


def _moving(section: ResolvedSection, music: SectionScore | None) -> str:
    """What moves over the bars of a section or layer, in words: `energy {0: 0.2, 8: 0.7}, lowpass ...`."""
    curves = [("energy", None if music is None else music.words.energy)]
    if section.is_seed_walk:
        (point,) = section.points
        curves += [("strength", point.strength), ("guidance_scale", point.guidance_scale)]
    found = [f"{name} {curve}" for name, curve in curves if curve is not None and not curve.is_level]
    return ", ".join([*found, *_moving_effects(section.chain)])


def _moving_effects(chain: tuple[Effect, ...]) -> list[str]:
    return [
        f"{effect.name} {name} {value}"
        for effect in chain
        for name, value in effect.parameters
        if isinstance(value, Curve)
    ]


def _measured(plan: Plan, clips: list[PlannedClip]) -> str:
    """The tempo of a recording that was measured, in words: `take.flac: 96 BPM measured, 93 % sure`."""
    from riffcomposer.plan.inits import InitClip

    for clip in clips:
        init = plan.jobs[clip.key].init
        if clip.kind == "body" and isinstance(init, InitClip) and init.certainty is not None:
            return f"{init.name}: {float(init.tempo):g} BPM measured, {100 * init.certainty:.0f} % sure"
    return ""


def _prompt(section: ResolvedSection) -> str:
    prompts = {point.prompt for point in section.points}
    return f'"{section.points[0].prompt}"' if len(prompts) == 1 else "a walk"


def _gain(curve: Curve) -> str:
    """A gain in words: `-3 dB`, or `{0: -12, 8: 0} dB`."""
    return f"{curve.values[0]:+g} dB" if curve.is_level else f"{curve} dB"


def _pan(curve: Curve) -> str:
    """A pan in words: `50 % left`, or `pan {0: -0.5, 8: 0.5}`."""
    if not curve.is_level:
        return f"pan {curve}"
    return f"{abs(curve.values[0]):.0%} {'left' if curve.values[0] < 0 else 'right'}"


def _mixed(layer: PlannedLayer, stated: ResolvedLayer) -> str:
    """How a layer is mixed, in words: ` (-3 dB, 50 % left)`; nothing for one that is left as it is."""
    said = []
    if stated.gain_db != ZERO:
        said.append(_gain(stated.gain_db))
    if stated.pan != ZERO:
        said.append(_pan(stated.pan))
    if layer.is_silent:
        said.append("never heard")
    elif layer.gate:
        said.append("waits for energy")
    return f" ({', '.join(said)})" if said else ""


def _print_table(prepared: PreparedSong) -> None:
    from riffcomposer.song.resolved import ResolvedLayer

    plan, states, song = prepared.plan, prepared.assessment.states, prepared.song.resolved
    rows: list[tuple[str, ...]] = []
    styles: list[str] = []
    told: set[int] = set()
    for index, section in enumerate(plan.sections):
        source = song.sections[section.source]
        bars = bar_range(plan, section.start_sample, section.end_sample)
        prompt = f"{len(source.layers)} layers" if source.layers else _prompt(source)
        prompt += f" ({_gain(source.gain_db)})" if source.gain_db != ZERO else ""
        rows.append((section.name, bars, "", prompt, "", "", ""))
        styles.append("bold")
        music = plan.scores[index]
        if music is not None and section.source not in told:  # later rounds are variations
            told.add(section.source)
            rows.append(("", "", "score", described(music), "", "", ""))
            styles.append("cyan")
        moving = _moving(source, music)
        if moving:
            rows.append(("", "", "moves", moving, "", "", ""))
            styles.append("cyan")
        for render in source.renders:
            layer = render.name if isinstance(render, ResolvedLayer) else ""
            clips = [clip for clip in plan.clips if (clip.section, clip.layer) == (index, layer)]
            if isinstance(render, ResolvedLayer):
                planned = next(each for each in section.layers if each.name == layer)
                cost = len({clip.key for clip in clips if states[clip.key].status != "cached"})
                count = f"{cost} of {len(clips)} clips to render"
                rows.append(
                    (f"  {layer}", bars, "layer", _prompt(render) + _mixed(planned, render), "", "", count)
                )
                styles.append("bold")
                if own_moving := _moving(render, None):
                    rows.append(("", "", "moves", own_moving, "", "", ""))
                    styles.append("cyan")
            measured = _measured(plan, clips)
            if measured:
                rows.append(("", "", "init", measured, "", "", ""))
                styles.append("cyan")
            for clip in clips:
                state = states[clip.key]
                strength, steps = _steps_text(plan.jobs[clip.key])
                own = bar_range(plan, clip.start_sample, clip.start_sample + clip.slot_samples)
                rows.append(("", own, _kind(clip), clip.label, strength, steps, _state_text(state)))
                styles.append(_STYLES[state.status])
    header = ("section", "bars", "clip", "prompt or walk", "strength", "steps", "state")
    limits_ = (24, 12, 12, 100, 8, 12, 10_000)
    shown = [
        tuple(cut(printable(cell), limit) for cell, limit in zip(row, limits_, strict=True)) for row in rows
    ]
    widths = [max(len(row[column]) for row in [header, *shown]) for column in range(len(header) - 1)]

    def line(row: tuple[str, ...]) -> str:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        return "  ".join([*padded, row[-1]]).rstrip()

    print_line(line(header), "underline")
    for row, style in zip(shown, styles, strict=True):
        print_line(line(row), style)


def _print_totals(prepared: PreparedSong) -> None:
    plan, states, budget = prepared.plan, prepared.assessment.states, prepared.assessment.budget
    grid = plan.grid
    counts = dict.fromkeys(_STYLES, 0)
    for state in states.values():
        counts[state.status] += 1
    seconds = plan.total_samples / grid.sample_rate
    bars = sum(section.bars for section in plan.sections)
    clip_bars = f"{grid.clip_bars} bar{'s' if grid.clip_bars > 1 else ''}"
    lines = [
        "",
        f"{plan.title}: {clock(seconds, decimals=1)} ({plan.total_samples:,} samples, {float(bars):g} bars "
        f"of {grid.meter} at {float(grid.tempo):g} BPM){', a loop' if plan.loop else ''}",
        f"{len(plan.clips):,} clips of {clip_bars}, {budget.clips:,} different: "
        + ", ".join(f"{count:,} {status}" for status, count in counts.items()),
        f"to render: {budget.clips_to_render:,} clips, about {duration(budget.estimated_seconds)}, "
        f"{size(budget.disk_bytes)} of disk, {size(budget.memory_bytes)} of memory; "
        f"model {plan.model}",
    ]
    if prepared.from_lock:
        lines.append(
            f"the store has the lock's clips, of {prepared.backend}: nothing is rendered on this device"
        )
    if moving := _moving_effects(prepared.song.resolved.master.chain):
        lines.append(f"master moves: {', '.join(moving)}")
    for line in lines:
        print_line(line)


def plan_as_json(prepared: PreparedSong) -> dict[str, Any]:
    """Returns the plan for programs: sections with their clips, then the totals."""
    from riffcomposer.diagnostics import to_json
    from riffcomposer.plan.keys import job_fields
    from riffcomposer.strength import effective_steps

    plan, states, budget = prepared.plan, prepared.assessment.states, prepared.assessment.budget
    grid, song = plan.grid, prepared.song.resolved
    return {
        "song": str(plan.song_path),
        "title": plan.title,
        "model": plan.model,
        "loop": plan.loop,
        "grid": {
            "tempo": float(grid.tempo),
            "meter": grid.meter,
            "sample_rate": grid.sample_rate,
            "clip_bars": grid.clip_bars,
            "samples_per_bar": str(grid.samples_per_bar),
            "width_frames": grid.width_frames,
            "overlap_frames": grid.overlap_frames,
        },
        "sections": [
            {
                "name": section.name,
                "bar": float(section.bar),
                "bars": float(section.bars),
                "start_sample": section.start_sample,
                "end_sample": section.end_sample,
                "transition": section.transition.type,
                "transition_samples": section.transition.length_samples,
                "gain_db": song.sections[section.source].gain_db.plain,
                "layers": [
                    {
                        "name": layer.name,
                        "gain_db": stated.gain_db.plain,
                        "pan": stated.pan.plain,
                        "fade_in_samples": layer.fade_in_samples,
                        "fade_out_samples": layer.fade_out_samples,
                        "gate": [{"sample": sample, "gain": gain} for sample, gain in layer.gate],
                    }
                    for layer, stated in zip(
                        section.layers, song.sections[section.source].layers, strict=True
                    )
                ],
                "clips": [
                    {
                        "layer": clip.layer or None,
                        "kind": clip.kind,
                        "start_sample": clip.start_sample,
                        "slot_samples": clip.slot_samples,
                        "key": clip.key,
                        "label": clip.label,
                        "state": states[clip.key].status,
                        "changes": [
                            {"field": name, "old": old, "new": new}
                            for name, old, new in states[clip.key].changes
                        ],
                    }
                    for clip in plan.clips
                    if clip.section == index
                ],
            }
            for index, section in enumerate(plan.sections)
        ],
        "jobs": {
            key: {
                **job_fields(job),
                "effective_steps": effective_steps(job.num_inference_steps, job.strength),
            }
            for key, job in plan.jobs.items()
        },
        "totals": {
            "samples": plan.total_samples,
            "seconds": plan.total_samples / grid.sample_rate,
            "clips": len(plan.clips),
            "jobs": budget.clips,
            "jobs_to_render": budget.clips_to_render,
            "estimated_seconds": budget.estimated_seconds,
            "disk_bytes": budget.disk_bytes,
            "memory_bytes": budget.memory_bytes,
        },
        "warnings": [to_json(diagnostic) for diagnostic in prepared.warnings],
    }


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command()
    def plan(
        song: Annotated[Path, typer.Argument(metavar="SONG", help="The song file (YAML).")],
        exit_code: Annotated[
            bool, typer.Option("--exit-code", help=f"Exit with {WORK_TO_DO} if clips are to be rendered.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
        draft: Annotated[
            bool, typer.Option("--draft", help="Plan a draft: same seeds and grid, about half the steps.")
        ] = False,
        device: Annotated[
            str, typer.Option("--device", help="Device of the render: auto, cpu, cuda, cuda:1 or mps.")
        ] = "auto",
        store: StoreFolder = None,
        jobs_limit: JobsLimit = None,
        minutes_limit: MinutesLimit = None,
        disk_limit: DiskLimit = None,
        memory_limit: MemoryLimit = None,
        allow: Allow = None,
    ) -> None:
        """Show what a render would do: each clip, whether it is cached, new or changed, and the cost."""
        from riffcomposer.diagnostics import format_text
        from riffcomposer.render.session import Session
        from riffcomposer.render.settings import RenderSettings

        session = Session(
            store=chosen_store(store),
            device=device,
            limits=limits(jobs_limit, minutes_limit, disk_limit, memory_limit),
            allowed_folders=tuple(allow or ()),
        )
        prepared = session.plan(song, RenderSettings(draft=draft))
        if as_json:
            print_json(plan_as_json(prepared))
        else:
            _print_table(prepared)
            _print_totals(prepared)
            for sentence in filter(None, [format_text(prepared.warnings), prepared.lock.damage]):
                write(printable_lines(sentence) + "\n", sys.stderr)
        if exit_code and prepared.assessment.budget.clips_to_render:
            raise typer.Exit(WORK_TO_DO)
