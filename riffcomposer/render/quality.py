"""The report of a finished track: figures for programs, and a picture.

Nothing in it depends on the clock or on what came from the store, so two renders of one song have
equal reports and equal pictures.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffcomposer.errors import RenderError
from riffcomposer.files import write_text
from riffcomposer.mix.blocks import npy_reader
from riffcomposer.mix.report import JoinFigures, measure_joins, measure_repetition
from riffcomposer.plan.types import Plan
from riffcomposer.render.clip_stage import load_level
from riffcomposer.render.passage_stage import passage_timeline
from riffcomposer.render.stopping import StopFlag
from riffcomposer.song.resolved import ResolvedMaster
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.store.store import Store

if TYPE_CHECKING:
    from riffcomposer.mix.loudness import Loudness
    from riffcomposer.render.output_names import TrackFiles
    from riffcomposer.render.track_stage import FinishedTrack


LOUDNESS_SLACK_LU = 0.3
"""Difference from the loudness asked for below which nothing is reported, since it cannot be heard."""


@dataclass(frozen=True)
class PassageFigures:
    """Figures of a track that need no mix.

    Attributes:
        joins: The joins of all passages: decoded sound compared with its mel.
        repetition: Similarity of the song's clips.
    """

    joins: list[JoinFigures]
    repetition: dict[str, Any]


def measure_passages(
    plan: Plan, keys: tuple[str, ...], store: Store, parameters: SpectrogramParameters, stop: StopFlag
) -> PassageFigures:
    """Measures the decoded passages and the clips; it needs no mix, so it can run at the same time.

    Args:
        plan: The plan that was rendered.
        keys: Key of each passage's audio.
        store: The store that has clips and passages.
        parameters: The spectrogram's format.
        stop: Checked between joins.

    Raises:
        Cancelled: The flag was raised.
        RenderError: A passage's audio vanished from the store.
    """
    joins: list[JoinFigures] = []
    for key, passage in zip(keys, plan.passages, strict=True):
        path = store.path("passage", key)
        if path is None:
            raise RenderError(
                f"decoded audio vanished from the store at {store.root}; run the same command again"
            )
        joins += measure_joins(
            npy_reader(path),
            passage_timeline(plan, passage, store, parameters),
            parameters,
            start_sample=passage.start_sample,
            wraps=passage.wraps,
            check=stop.check,
        )
    clips = [(clip.key, _loader(store, clip.key)) for clip in plan.clips if clip.kind != "tail"]
    return PassageFigures(joins, measure_repetition(clips))


def measure_track(plan: Plan, passages: PassageFigures, track: FinishedTrack) -> dict[str, Any]:
    """Returns the figures of a track's report.

    Args:
        plan: The plan that was rendered.
        passages: The result of `measure_passages`.
        track: The finished files; the first one is measured.
    """
    from riffcomposer.mix.encoding import SoundFileReader
    from riffcomposer.mix.movement_report import movement_report
    from riffcomposer.mix.report import measure_transitions, summarise_joins
    from riffcomposer.mix.tempo import measure_tempo

    rate = plan.grid.sample_rate
    # The layers of a section start together.
    starts = list(dict.fromkeys(passage.start_sample for passage in plan.passages if not passage.wraps))
    with SoundFileReader(track.outputs[0].path) as audio:
        transitions = measure_transitions(audio, starts, rate, loop=plan.loop)
        tempo = measure_tempo(audio, rate, float(plan.grid.tempo))
    return {
        "title": plan.title,
        "seconds": round(plan.total_samples / rate, 6),
        "samples": plan.total_samples,
        "outputs": [output.as_dict() for output in track.outputs],
        "mix": track.mix_loudness.as_dict(),
        "sections": [
            {"name": section.name, "start_sample": section.start_sample, **loudness.as_dict()}
            | _layers(layers)
            for section, loudness, layers in zip(plan.sections, track.sections, track.layers, strict=True)
        ],
        "tempo": tempo.as_dict(),
        "movement": movement_report(track.movement, plan.total_samples / rate),
        "repetition": passages.repetition,
        "joins": {**summarise_joins(passages.joins), "each": [join.as_dict() for join in passages.joins]},
        "transitions": [figures.as_dict() for figures in transitions],
    }


def _layers(levels: Sequence[tuple[str, Loudness]]) -> dict[str, Any]:
    """The levels of a section's layers in the mix before mastering; nothing for a section without layers."""
    listed = [
        {
            "name": name,
            "integrated_lufs": round(loudness.integrated_lufs, 2),
            "sample_peak_dbfs": round(loudness.sample_peak_dbfs, 2),
        }
        for name, loudness in levels
    ]
    return {"layers": listed} if listed else {}


def _loader(store: Store, key: str) -> Any:
    return lambda: load_level(store, key)


def write_quality_report(
    plan: Plan,
    passages: PassageFigures,
    files: TrackFiles,
    track: FinishedTrack,
    master: ResolvedMaster,
    cache_folder: Path | None = None,
) -> tuple[list[Path], dict[str, Any]]:
    """Writes `NAME.report.json` and `NAME.timeline.png`. Returns their paths and the report.

    Args:
        cache_folder: See `riffcomposer.mix.timeline_image.write_timeline`.
    """
    from riffcomposer.mix.blocks import Buffered
    from riffcomposer.mix.encoding import SoundFileReader
    from riffcomposer.mix.timeline_image import TimelineLayer, TimelineSection, write_timeline

    report = {"song": files.song, **measure_track(plan, passages, track)}
    # 1. The figures. Silence has no loudness in decibels: what is not finite becomes null.
    report["target"] = {
        "integrated_lufs": master.integrated_lufs,
        "true_peak_dbtp": master.true_peak_dbtp,
    }
    report = finite(report)
    report["misses"] = find_misses(report)
    report_path = files.beside("report.json")
    write_text(report_path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    # 2. The picture.
    sections = [
        TimelineSection(
            section.name,
            section.start_sample,
            section.end_sample,
            note=_loudness(loudness.integrated_lufs),
            group=str(section.source),
            layers=tuple(TimelineLayer(layer.name, layer.gate) for layer in section.layers),
        )
        for section, loudness in zip(plan.sections, track.sections, strict=True)
    ]
    timeline_path = files.beside("timeline.png")
    with SoundFileReader(track.outputs[0].path) as audio:
        write_timeline(
            timeline_path,
            Buffered(audio),
            plan.grid.sample_rate,
            sections,
            sorted({join.start_sample for join in passages.joins}),
            title=plan.title,
            subtitle=_subtitle(report),
            loop=plan.loop,
            cache_folder=cache_folder,
        )
    return [report_path, timeline_path], report


def find_misses(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns which files miss the loudness or the true peak that the song's `master` asks for.

    Args:
        report: With `outputs` and `target`, numbers in decibels rounded to a hundredth.

    Returns:
        One entry for each figure that is off: the `file`, the `figure` (`integrated_lufs` or
        `true_peak_dbtp`), `wanted` and `got`. Silence has no loudness: `got` is None.
    """
    target, misses = report["target"], []
    for output in report["outputs"]:
        lufs, peak_dbtp = output["integrated_lufs"], output["true_peak_dbtp"]
        off = []
        if lufs is None or abs(lufs - target["integrated_lufs"]) > LOUDNESS_SLACK_LU:
            off.append("integrated_lufs")
        if peak_dbtp is not None and peak_dbtp > target["true_peak_dbtp"]:
            off.append("true_peak_dbtp")
        misses += [
            {"file": output["file"], "figure": figure, "wanted": target[figure], "got": output[figure]}
            for figure in off
        ]
    return misses


def _subtitle(report: dict[str, Any]) -> str:
    first, tempo = report["outputs"][0], report["tempo"]
    parts = [f"{tempo['declared_bpm']:g} BPM"]
    if first["integrated_lufs"] is not None:
        parts.append(f"{first['integrated_lufs']:.1f} LUFS")
    if first["true_peak_dbtp"] is not None:
        parts.append(f"{first['true_peak_dbtp']:.1f} dBTP")
    return ", ".join([*parts, f"{report['repetition']['distinct']} clips"])


def _loudness(lufs: float) -> str:
    return f"{lufs:.1f} LUFS" if math.isfinite(lufs) else "silent"


def finite(value: Any) -> Any:
    """Returns a copy with None for every number that JSON cannot hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return value
