"""The status of each clip: whether the store has it, or what changed since the lock was written.

A clip's *position* is its section's name, its layer's name (empty without layers), its kind and its number
within that kind. The plan's clip is compared with the one that the lock recorded at that position. The
recorded fields only explain a change; keys alone decide what is rendered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from riffcomposer.plan.keys import job_fields
from riffcomposer.plan.types import JobStatus, Plan, PlannedClip
from riffcomposer.strength import rounded


class Position(NamedTuple):
    """The names of a section and a layer, the clip's kind, and its number within that kind."""

    section: str
    layer: str
    kind: str
    number: int


@dataclass(frozen=True)
class Recorded:
    """What a lock records at a position: the clip's key and the fields that decided it."""

    key: str
    fields: Mapping[str, Any]


def positions(plan: Plan) -> Iterator[tuple[Position, PlannedClip]]:
    """Yields every clip of the plan with its position, in order."""
    counts: dict[tuple[int, str, str], int] = {}
    for clip in plan.clips:
        place = (clip.section, clip.layer, clip.kind)
        number = counts.get(place, 0)
        counts[place] = number + 1
        yield Position(plan.sections[clip.section].name, clip.layer, clip.kind, number), clip


def names_of_files(plan: Plan) -> dict[str, str]:
    """Maps the digest of each file to the song's name for it."""
    names: dict[str, str] = {}
    for job in plan.jobs.values():
        for file in job.files:
            names[file.sha256] = file.name
    return names


def job_states(
    plan: Plan,
    has: Callable[[str], bool],
    recorded: Mapping[Position, Recorded] | None = None,
    names: Mapping[str, str] | None = None,
) -> dict[str, JobStatus]:
    """Returns the status of each job of a plan, by key.

    Args:
        plan: The plan.
        has: A function that tells whether the store has a clip of a key.
        recorded: What the lock records, by position.
        names: The lock's names for digests of files, for the explanation.
    """
    recorded = recorded or {}
    known = {**(names or {}), **names_of_files(plan)}
    before: dict[str, Recorded] = {}
    for position, clip in positions(plan):
        entry = recorded.get(position)
        if entry is not None and entry.key != clip.key:
            before.setdefault(clip.key, entry)
    states: dict[str, JobStatus] = {}
    for key, job in plan.jobs.items():
        if has(key):
            states[key] = JobStatus("cached")
        elif key in before:
            states[key] = JobStatus("changed", explain(before[key].fields, job_fields(job), known))
        else:
            states[key] = JobStatus("new")
    return states


def explain(
    old: Mapping[str, Any], new: Mapping[str, Any], names: Mapping[str, str] | None = None
) -> tuple[tuple[str, str, str], ...]:
    """Returns (field, old, new) of each deciding field that differs, as text.

    The points of a walk have a canonical order, so a new prompt may swap them: the order of the old
    points that gives fewer differences is used. Two equal points are shown as one.
    """
    swapped = dict(old)
    for field in ("prompt", "seed"):
        swapped[f"{field}_a"], swapped[f"{field}_b"] = old.get(f"{field}_b"), old.get(f"{field}_a")
    if isinstance(old.get("alpha"), float) and old["alpha"]:
        swapped["alpha"] = rounded(1.0 - old["alpha"])
    accounts = [_differences(_told(side), _told(new), names or {}) for side in (old, swapped)]
    return min(accounts, key=len)


def _told(fields: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(fields)
    if all(fields.get(f"{name}_a") == fields.get(f"{name}_b") for name in ("prompt", "seed")):
        told.pop("alpha", None)
    for name in ("prompt", "seed"):
        if fields.get(f"{name}_a") == fields.get(f"{name}_b"):
            told[name] = told.pop(f"{name}_a", None)
            told.pop(f"{name}_b", None)
    return told


def _parts(value: Any) -> str:
    """What a score's players are asked for, in words: `comp: electric piano, drums: silent`."""
    words = []
    for role, sound, pattern, silent in json.loads(value or "[]"):
        words.append(f"{role}: {' '.join(filter(None, (sound, pattern, 'silent' if silent else '')))}")
    return ", ".join(words) or "none"


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], names: Mapping[str, str]
) -> tuple[tuple[str, str, str], ...]:
    order = [*new, *(field for field in old if field not in new)]
    return tuple(
        (field, _said(field, old.get(field), names), _said(field, new.get(field), names))
        for field in order
        if old.get(field) != new.get(field)
    )


def _said(field: str, value: Any, names: Mapping[str, str]) -> str:
    return _parts(value) if field == "score_parts" else _text(value, names)


def _text(value: Any, names: Mapping[str, str]) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(_text(item, names) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    if not isinstance(value, str):
        return str(value)
    digest, space, rest = value.partition(" ")
    if len(digest) == 64 and set(digest) <= set("0123456789abcdef"):
        return (f"{names[digest]} ({digest[:8]})" if digest in names else digest[:12]) + space + rest
    return value
