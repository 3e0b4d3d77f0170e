"""Finds what changed between two versions of a song, in musical terms.

Sections are matched by name. A section whose name is gone is matched with a new one that plays the
same: it was renamed. A section has *moved* if its order among the sections of both versions is
different; as few sections as possible are reported as moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, Literal

from riffcomposer.song.effects import Effect
from riffcomposer.song.resolved import (
    InitSpec,
    KeyPoint,
    LoraSpec,
    ResolvedLayer,
    ResolvedSection,
    ResolvedSong,
    ScoreSpec,
    TransitionSpec,
)

_NOT_MUSIC = {"name", "path", "origins", "points", "is_seed_walk", "layers", "score"}

_OF_LAYER = ("gain_db", "fade_in", "fade_out", "chain")
"""Fields that a section and each of its layers have for themselves."""

_OF_WHOLE = ("bars", "clips", "duration", "overlap", "transition", *_OF_LAYER)
"""Fields that a section with layers has for all of them."""


@dataclass(frozen=True)
class FieldChange:
    """One field that differs, with both values as text."""

    field: str
    old: str
    new: str


@dataclass(frozen=True)
class SectionChange:
    """What changed about one section.

    Attributes:
        name: The section's name in the new version (in the old one if it was removed).
        kinds: `added`, `removed`, or any of `renamed`, `moved`, `changed`.
        old_name: The name before a renaming.
        old_place, new_place: Position in the list, counted from 1; None in a version without the section.
    """

    name: str
    kinds: tuple[Literal["added", "removed", "renamed", "moved", "changed"], ...]
    old_name: str | None = None
    old_place: int | None = None
    new_place: int | None = None
    changes: tuple[FieldChange, ...] = ()


@dataclass(frozen=True)
class SongDiff:
    """Changes of the song itself, and of sections in the order of the new version, removed ones last."""

    changes: tuple[FieldChange, ...]
    sections: tuple[SectionChange, ...]

    @property
    def is_empty(self) -> bool:
        return not self.changes and not self.sections


def diff_songs(old: ResolvedSong, new: ResolvedSong) -> SongDiff:
    """Compares two versions of a song after `defaults` and `use` are applied."""
    pairs = _matched(old.sections, new.sections)
    moved = _moved([pairs[index] for index in sorted(pairs)])
    sections: list[SectionChange] = []
    for index, section in enumerate(new.sections):
        if index not in pairs:
            sections.append(SectionChange(section.name, ("added",), new_place=index + 1))
            continue
        before = old.sections[pairs[index]]
        changes = tuple(_changes(_section_values(before), _section_values(section)))
        kinds: list[Literal["added", "removed", "renamed", "moved", "changed"]] = []
        if before.name != section.name:
            kinds.append("renamed")
        if pairs[index] in moved:
            kinds.append("moved")
        if changes:
            kinds.append("changed")
        if kinds:
            old_name = before.name if "renamed" in kinds else None
            sections.append(
                SectionChange(section.name, tuple(kinds), old_name, pairs[index] + 1, index + 1, changes)
            )
    kept = set(pairs.values())
    sections += [
        SectionChange(section.name, ("removed",), old_place=index + 1)
        for index, section in enumerate(old.sections)
        if index not in kept
    ]
    return SongDiff(tuple(_changes(_song_values(old), _song_values(new))), tuple(sections))


def _matched(old: Sequence[ResolvedSection], new: Sequence[ResolvedSection]) -> dict[int, int]:
    """Maps new indices to old ones: by name, then by what the sections play, then by their prompts."""
    pairs: dict[int, int] = {}
    free = set(range(len(old)))
    keys = (
        lambda section: section.name,
        lambda section: tuple(sorted(_section_values(section).items())),
        lambda section: tuple(point.prompt for point in section.points),
    )
    for key in keys:
        # Names match at any position; equal music matches in order.
        waiting: dict[Any, list[int]] = {}
        for place in sorted(free, reverse=True):
            waiting.setdefault(key(old[place]), []).append(place)
        for index, section in enumerate(new):
            if index not in pairs and waiting.get(key(section)):
                pairs[index] = waiting[key(section)].pop()
                free.discard(pairs[index])
    return pairs


def _moved(places: Sequence[int]) -> set[int]:
    """Returns the sections outside a longest increasing subsequence (patience sorting with back links)."""
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for place in places:
        low = next((rank for rank, end in enumerate(ends) if end > place), len(ends))
        before[place] = ends[low - 1] if low else None
        ends[low : low + 1] = [place]
    kept: set[int] = set()
    link = ends[-1] if ends else None
    while link is not None:
        kept.add(link)
        link = before[link]
    return set(places) - kept


def _changes(old: dict[str, str], new: dict[str, str]) -> Iterator[FieldChange]:
    for name in [*new, *(name for name in old if name not in new)]:
        before, after = old.get(name, "none"), new.get(name, "none")
        if before != after:
            yield FieldChange(name, before, after)


def _song_values(song: ResolvedSong) -> dict[str, str]:
    values = {
        field.name: _text(getattr(song, field.name))
        for field in fields(song)
        if field.name not in ("sections", "master", "output", "whole")
    }
    for part in ("master", "output"):
        whole = getattr(song, part)
        values |= {f"{part}.{field.name}": _text(getattr(whole, field.name)) for field in fields(whole)}
    return values


def _section_values(section: ResolvedSection) -> dict[str, str]:
    """Returns everything that is heard of a section, by field, as text."""
    if section.layers:
        values = {name: _text(getattr(section, name)) for name in _OF_WHOLE}
        values |= _score_values(section)
        for layer in section.layers:
            own = _render_values(layer)
            values |= {f"layer {layer.name} {name}": own[name] for name in own if name not in _OF_WHOLE}
            values |= {f"layer {layer.name} {name}": _text(getattr(layer, name)) for name in _OF_LAYER}
        return values
    return _render_values(section)


def _render_values(section: ResolvedSection) -> dict[str, str]:
    values: dict[str, str] = {}
    for number, point in enumerate(section.points, start=1):
        prefix = "" if section.is_seed_walk else f"point {number} "
        values |= {f"{prefix}{field.name}": _text(getattr(point, field.name)) for field in fields(KeyPoint)}
    for field in fields(section):
        if field.name not in _NOT_MUSIC:
            values[field.name] = _text(getattr(section, field.name))
    return values | _score_values(section)


def _score_values(section: ResolvedSection) -> dict[str, str]:
    """Returns what decides the notes and who is heard; what layers share is their section's."""
    if isinstance(section, ResolvedLayer):
        return {"score heard": _text(section.score.heard)}
    return {
        f"score {field.name}": _text(getattr(section.score, field.name)) for field in fields(ScoreSpec)
    } | ({"score prompt": section.score_prompt} if section.layers else {})


def _text(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Fraction | float):
        return f"{float(value):.9g}"
    if isinstance(value, tuple) and value and all(isinstance(item, tuple) for item in value):
        return ", ".join(f"{role}={text}" for role, text in value)
    if isinstance(value, tuple):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, Effect):
        return f"{value.name}({', '.join(f'{name}={_text(number)}' for name, number in value.parameters)})"
    if isinstance(value, InitSpec):
        more = [
            ("start", value.start),
            ("tempo", value.tempo),
            ("bars", value.bars),
            ("tracks", value.tracks or None),
        ]
        return " ".join([value.name, *(f"{name}={_text(part)}" for name, part in more if part is not None)])
    if isinstance(value, TransitionSpec):
        return " ".join(
            [value.type, *(_text(part) for part in (value.length, value.clips) if part is not None)]
        )
    if isinstance(value, LoraSpec):
        return f"{value.path} x {value.weight:g}"
    return str(value)
