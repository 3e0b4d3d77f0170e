"""The key of a finished track: everything that decides its files."""

from __future__ import annotations

from typing import Any

from riffcomposer.plan.keys import digest
from riffcomposer.plan.types import PlannedSection
from riffcomposer.render.render_job import RenderJob
from riffcomposer.song.effects import Effect
from riffcomposer.song.resolved import ResolvedSong
from riffcomposer.versions import MIX_VERSION, REPORT_VERSION


def track_key(job: RenderJob, keys: tuple[str, ...], recipe: dict[str, Any]) -> str:
    """Returns the key of the finished files: passages, arrangement, mix, master, names, tags and formats."""
    plan, song = job.plan, job.song
    return digest(
        {
            "stage": "track",
            "mix_version": MIX_VERSION,
            "report_version": REPORT_VERSION,
            "passages": list(keys),
            "sections": [
                {
                    "name": section.name,
                    "start": section.start_sample,
                    "body": section.body_start_sample,
                    "end": section.end_sample,
                    "transition": [section.transition.type, section.transition.length_samples],
                    "gain_db": section.gain_db.plain,
                    "fades": [section.fade_in_samples, section.fade_out_samples],
                    "chain": _chain(song.sections[section.source].chain),
                }
                | _layers(section, song)
                for section in plan.sections
            ],
            "total_samples": plan.total_samples,
            "loop": plan.loop,
            "master": [_chain(song.master.chain), song.master.integrated_lufs, song.master.true_peak_dbtp],
            "stereo_width": song.output.stereo_width,
            **({"bandwidth": song.output.bandwidth} if song.output.bandwidth != "image" else {}),
            "files": [job.files.name, list(job.files.formats), job.files.stems, job.files.song],
            "recipe": recipe,
        }
    )


def _layers(section: PlannedSection, song: ResolvedSong) -> dict[str, Any]:
    """How a section's layers are mixed; nothing for a section without layers."""
    layers = [
        {
            "name": layer.name,
            "gain_db": layer.gain_db.plain,
            "pan": layer.pan.plain,
            "fades": [layer.fade_in_samples, layer.fade_out_samples],
            "gate": [list(point) for point in layer.gate],
            "chain": _chain(song.sections[section.source].render(layer.name).chain),
        }
        for layer in section.layers
    ]
    return {"layers": layers} if layers else {}


def _chain(chain: tuple[Effect, ...]) -> list[Any]:
    return [effect.plain for effect in chain]
