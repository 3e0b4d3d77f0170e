"""A plan as the page draws it: sections with their clips and states, joins, chords and energy."""

from __future__ import annotations

from typing import Any

from riffcomposer.composer.section import compose_section
from riffcomposer.diagnostics import to_json
from riffcomposer.plan.score_types import SectionScore
from riffcomposer.plan.types import Plan
from riffcomposer.render.prepare import PreparedSong

MOST_CLIPS = 4000
"""Clips that are drawn one by one; of a longer song the first ones."""


def plan_view(prepared: PreparedSong) -> dict[str, Any]:
    """The plan for the page, positions in samples.

    Returns:
        The grid, `sections` (each with `chords` and `energy` where there is a score), `clips` with their
        states, `passages`, `budget` and `warnings`.
    """
    plan, states, budget = prepared.plan, prepared.assessment.states, prepared.assessment.budget
    clips = plan.clips[:MOST_CLIPS]
    return {
        "title": plan.title,
        "model": plan.model,
        "loop": plan.loop,
        "samples": plan.total_samples,
        "sample_rate": plan.grid.sample_rate,
        "tempo": float(plan.grid.tempo),
        "meter": plan.grid.meter,
        "samples_per_bar": float(plan.grid.samples_per_bar),
        "sections": [_section(plan, index) for index in range(len(plan.sections))],
        "clips": [
            {
                "section": clip.section,
                "layer": clip.layer,
                "kind": clip.kind,
                "start": clip.start_sample,
                "samples": clip.slot_samples,
                "key": clip.key,
                "label": clip.label,
                "state": "cached" if states[clip.key].status == "cached" else "to render",
                "why": [f"{name}: {old} -> {new}" for name, old, new in states[clip.key].changes],
            }
            for clip in clips
        ],
        "passages": [passage.start_sample for passage in plan.passages],
        "budget": {
            "clips": budget.clips,
            "to_render": budget.clips_to_render,
            "seconds": budget.estimated_seconds,
        },
        "warnings": [to_json(each) for each in prepared.warnings],
    }


def _section(plan: Plan, index: int) -> dict[str, Any]:
    section, score = plan.sections[index], plan.scores[index]
    return {
        "name": section.name,
        "source": section.source,
        "start": section.start_sample,
        "body": section.body_start_sample,
        "end": section.end_sample,
        "transition": section.transition.type,
        "entry": section.entry_samples,
        "layers": [layer.name for layer in section.layers],
        **({} if score is None else _music(score)),
    }


def _music(score: SectionScore) -> dict[str, Any]:
    """What is composed for a section: a chord for each change, and the energy by bar."""
    chords: list[dict[str, Any]] = []
    offset = 0.0
    for stretch in score.stretches:
        composition = compose_section(stretch.score)
        beats = stretch.score.measure.beats
        for beat in range(int(stretch.score.bars * beats)):
            name = composition.chord_at(float(beat)).name
            if not chords or chords[-1]["name"] != name:
                chords.append({"bar": offset + beat / beats, "name": name})
        offset += float(stretch.score.bars)
    bars = range(int(score.bars) + 1)
    return {
        "style": score.words.style,
        "chords": chords,
        "energy": [round(score.words.energy.at(float(bar)), 3) for bar in bars],
    }
