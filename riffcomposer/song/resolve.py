"""Fills in a valid song: applies `defaults` and `use`, and expands short forms.

It expects a song in which `riffcomposer.song.rules` finds no fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal

from riffcomposer.curves import ZERO, Curve
from riffcomposer.diagnostics import NodePath
from riffcomposer.song.fields import StrictModel
from riffcomposer.song.language import Section, Song
from riffcomposer.song.merge import Merged, MergedLayer, by_name, merge_layers, merge_section
from riffcomposer.song.paths import is_path
from riffcomposer.song.resolved import (
    InitSpec,
    KeyPoint,
    LoraSpec,
    ResolvedLayer,
    ResolvedMaster,
    ResolvedOutput,
    ResolvedSection,
    ResolvedSong,
    ScoreSpec,
    TransitionSpec,
)
from riffcomposer.song.score_language import Score
from riffcomposer.song.settings_language import Init, Lora, Point, Transition
from riffcomposer.units import Length, exact

SCORE_INIT = "score"
"""What `init` says for music that is composed."""

DEFAULT_INTERPOLATION_STEPS = 4
DEFAULT_ALPHA_POWER = 2.0
DEFAULT_OVERLAP = Length.parse("0.5 beats")
DEFAULT_CROSSFADE = Length.parse("1 beat")
DEFAULT_BRIDGE_CLIPS = 4


def _stated(model: StrictModel) -> dict[str, Any]:
    """Returns the fields that the song states, unchanged."""
    values = {
        name: getattr(model, name) for name in type(model).model_fields if name in model.model_fields_set
    }
    for name, value in values.items():
        if isinstance(value, Score):
            values[name] = _stated(value)
        elif name == "layers":
            values[name] = [_stated(layer) for layer in value or ()]
    return values


def _init(init: Init | None) -> InitSpec | None:
    if init is None or init.path == "none":
        return None
    if init.path == SCORE_INIT:
        return InitSpec("score", init.path)
    return InitSpec(
        kind="file" if is_path(init.path) else "catalogue",
        name=init.path,
        start=init.start,
        tempo=_own_tempo(init.tempo),
        bars=None if init.bars is None else exact(init.bars),
        tracks=tuple(init.tracks or ()),
    )


def _own_tempo(stated: object) -> Fraction | Literal["auto"] | None:
    """The tempo of a file: a number in BPM, or `auto`."""
    if stated == "auto":
        return "auto"
    return exact(stated) if isinstance(stated, int | float) else None


def _score(stated: Mapping[str, Any]) -> ScoreSpec:
    return ScoreSpec(
        style=stated.get("style") or "",
        key=stated.get("key") or "",
        chords=stated.get("chords") or "",
        parts=tuple(sorted((stated.get("parts") or {}).items())),
        heard=tuple(sorted(stated.get("heard") or ())),
        energy=stated.get("energy"),
        theme=stated.get("theme") or "A",
        seed=stated.get("seed"),
    )


def _transition(transition: Transition | None) -> TransitionSpec:
    if transition is None:
        return TransitionSpec("crossfade", DEFAULT_CROSSFADE)
    if transition.type == "cut":
        return TransitionSpec("cut")
    if transition.type == "bridge":
        return TransitionSpec("bridge", clips=transition.clips or DEFAULT_BRIDGE_CLIPS)
    return TransitionSpec("crossfade", transition.length or DEFAULT_CROSSFADE)


def _points(merged: Merged, song_seed: int) -> tuple[KeyPoint, ...]:
    values = merged.values
    points: list[Point] = values.get("walk") or [Point.model_validate({})]

    def pick(point: Point, key: str, otherwise: Any) -> Any:
        stated = getattr(point, key)
        return otherwise if stated is None else stated

    def curve(point: Point, key: str, otherwise: Curve | None) -> Curve | None:
        stated = getattr(point, key)
        return otherwise if stated is None else Curve.level(stated)

    return tuple(
        KeyPoint(
            prompt=pick(point, "prompt", values.get("prompt", "")),
            seed=pick(point, "seed", values.get("seed", song_seed)),
            strength=curve(point, "strength", merged.strength),
            guidance_scale=curve(point, "guidance_scale", values.get("guidance_scale")),
        )
        for point in points
    )


def _names(sections: list[Section]) -> list[str]:
    """Returns a unique name for each section: its own, `verse (2)` for a bare `use`, or `section 3`."""
    taken = {section.name for section in sections if section.name is not None}
    names: list[str] = []
    for index, section in enumerate(sections):
        name = section.name
        number = index + 1 if section.use is None else 2
        while name is None:
            candidate = f"section {number}" if section.use is None else f"{section.use} ({number})"
            number += 1
            name = candidate if candidate not in taken else None
        taken.add(name)
        names.append(name)
    return names


def _section(
    name: str, index: int, merged: Merged, layers: Sequence[MergedLayer], song: Song
) -> ResolvedSection:
    fields = _fields(name, ("sections", index), merged, song)
    return ResolvedSection(**fields, layers=tuple(_layer(layer, fields, song) for layer in layers))


def _layer(layer: MergedLayer, section: Mapping[str, Any], song: Song) -> ResolvedLayer:
    values = layer.merged.values
    fields = _fields(layer.name, layer.path, layer.merged, song)
    shared = {key: section[key] for key in ("bars", "clips", "duration", "overlap", "transition")}
    return ResolvedLayer(
        **(fields | shared),
        pan=values.get("pan", ZERO),
        from_energy=values.get("from_energy"),
    )


def _fields(name: str, path: NodePath, merged: Merged, song: Song) -> dict[str, Any]:
    """The fields that sections and layers have in common."""
    values = merged.values
    points = _points(merged, song.seed)
    steps = values.get("interpolation_steps", DEFAULT_INTERPOLATION_STEPS)
    bars, clips, duration = values.get("bars"), values.get("clips"), values.get("duration")
    if bars is None and clips is None and duration is None:
        clips = (len(points) - 1) * steps + 1
    mask = values.get("mask")
    loras: list[Lora] = values.get("lora", [])
    return {
        "name": name,
        "points": points,
        "is_seed_walk": "walk" not in values,
        "interpolation_steps": steps,
        "alpha_curve": values.get("alpha_curve", "linear"),
        "alpha_power": float(values.get("alpha_power", DEFAULT_ALPHA_POWER)),
        "bars": None if bars is None else exact(bars),
        "clips": clips,
        "duration": duration,
        "negative_prompt": values.get("negative_prompt", ""),
        "num_inference_steps": values.get("num_inference_steps"),
        "scheduler": values.get("scheduler"),
        "init": _init(values.get("init")),
        "score": _score(values.get("score", {})),
        "mask": None if mask == "none" else mask,
        "loras": tuple(LoraSpec(lora.path, lora.weight) for lora in loras),
        "overlap": values.get("overlap", DEFAULT_OVERLAP),
        "transition": _transition(values.get("transition")),
        "fade_in": values.get("fade_in"),
        "fade_out": values.get("fade_out"),
        "gain_db": values.get("gain_db", ZERO),
        "chain": tuple(entry.effect() for entry in values.get("chain", [])),
        "path": path,
        "origins": merged.origins,
    }


def resolve(song: Song) -> ResolvedSong:
    """Returns the song with everything filled in, as a planner reads it."""
    defaults = _stated(song.defaults)
    sections = [_stated(section) for section in song.sections]
    places = by_name(sections)
    merged = [merge_section(defaults, sections, index, places) for index in range(len(sections))]
    return ResolvedSong(
        title=song.title,
        tempo=exact(song.tempo),
        meter=song.meter,
        seed=song.seed,
        model=song.model,
        loop=song.loop,
        length=song.length,
        sections=tuple(
            _section(name, index, whole, merge_layers(whole, sections, index, places), song)
            for index, (name, whole) in enumerate(zip(_names(song.sections), merged, strict=True))
        ),
        master=ResolvedMaster(
            tuple(entry.effect() for entry in song.master.chain),
            float(song.master.integrated_lufs),
            float(song.master.true_peak_dbtp),
        ),
        output=ResolvedOutput(
            tuple(song.output.formats),
            float(song.output.stereo_width),
            song.output.decoder,
            song.output.bandwidth,
        ),
    )
