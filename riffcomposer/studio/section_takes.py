"""Takes of a section: the same section with other seeds, strengths or loops, rendered to be listened to.

A take is a list of edits of the song's text. `riffcompose pick`, and the page, write the edits of the chosen
one into the song.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from riffcomposer.errors import UsageError
from riffcomposer.files import write_text
from riffcomposer.loops.catalogue import catalogue
from riffcomposer.render.output_names import slug
from riffcomposer.song.edit import Edit, edited
from riffcomposer.song.reader import LoadedSong, parse_song
from riffcomposer.song.resolved import ResolvedSection
from riffcomposer.text import did_you_mean

Variation = Literal["seed", "strength", "loop"]
VARIATIONS: tuple[Variation, ...] = get_args(Variation)

SEED_STEP = 1000
"""Distance between the seeds of two takes: a section's own walk counts up from its seed."""

STRENGTH_STEP = 0.06
MOST_TAKES = 24


@dataclass(frozen=True)
class Candidate:
    """A take before it is rendered.

    Attributes:
        number: Counted from 1; take 1 is the section as it is.
        label: What is different, in words: `seed 1007`.
        edits: What the song's text must say for it; for take 1 what it says, or means, when takes are made.
    """

    number: int
    label: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Take:
    """A rendered take: its candidate, its file of so many samples, its figures (see `take_renderer`)."""

    candidate: Candidate
    file: Path
    figures: dict[str, Any]
    samples: int

    def as_dict(self) -> dict[str, Any]:
        """The take for JSON."""
        return {
            "number": self.candidate.number,
            "label": self.candidate.label,
            "edits": [[list(edit.path), edit.value] for edit in self.candidate.edits],
            "file": self.file.name,
            "folder": self.file.parent.name,
            "figures": self.figures,
            "samples": self.samples,
        }


def section_of(song: LoadedSong, name: str) -> ResolvedSection:
    """Returns a section by its name.

    Raises:
        UsageError: The song has no such section.
    """
    for section in song.resolved.sections:
        if section.name == name:
            return section
    known = [section.name for section in song.resolved.sections]
    hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
    raise UsageError(f"{song.path}: no section {name!r}; {hint}")


def candidates(song: LoadedSong, name: str, count: int, vary: Variation = "seed") -> list[Candidate]:
    """Returns takes of a section, the first of them the section as it is.

    Raises:
        UsageError: No such section, a count that is out of range, or nothing to vary.
    """
    if not 2 <= count <= MOST_TAKES:
        raise UsageError(f"-n {count}: give 2 to {MOST_TAKES} takes")
    section = section_of(song, name)
    found = {"seed": _seeds, "strength": _strengths, "loop": _loops}[vary](section, count)
    return [Candidate(number, label, edits) for number, (label, edits) in enumerate(found, 1)][:count]


def _seeds(section: ResolvedSection, count: int) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    first = section.points[0].seed
    for number in range(count):
        shift = number * SEED_STEP
        if section.is_seed_walk:
            edits = [Edit((*section.path, "seed"), first + shift)]
        else:
            edits = [
                Edit((*section.path, "walk", index, "seed"), point.seed + shift)
                for index, point in enumerate(section.points)
            ]
        yield f"seed {first + shift}" if shift else f"seed {first}, as it is", tuple(edits)


def _strengths(section: ResolvedSection, count: int) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    stated = {point.strength for point in section.points}
    level = stated.pop()
    if stated or level is None or not level.is_level:
        raise UsageError(f"section {section.name} has no single strength to vary; state one first")
    now = level.values[0]
    yield f"strength {now:g}, as it is", (Edit((*section.path, "strength"), now),)
    steps = [sign * step for step in range(1, count + 1) for sign in (1, -1)]
    values = [round(now + step * STRENGTH_STEP, 3) for step in steps]
    for value in [value for value in values if 0 < value <= 1][: count - 1]:
        yield f"strength {value:g}", (Edit((*section.path, "strength"), value),)


def _loops(section: ResolvedSection, count: int) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    if section.init is None or section.init.kind != "catalogue":
        raise UsageError(f"section {section.name} does not start from a loop of the catalogue")
    loops = catalogue().clips
    now = loops[section.init.name]
    yield f"{now.name}, as it is", (Edit((*section.path, "init"), now.name),)
    alike = [loop for loop in loops.values() if loop.style == now.style and loop is not now]
    others = [loop for loop in loops.values() if set(loop.tags) & set(now.tags) and loop not in (*alike, now)]
    for loop in [*alike, *others][: count - 1]:
        yield loop.name, (Edit((*section.path, "init"), loop.name),)


def takes_file(song: Path, section: str, folder: Path | None = None) -> Path:
    """Where the takes of a section are listed."""
    return (folder or song.parent / "renders" / "takes") / f"{slug(song.stem)}.{slug(section)}.takes.json"


def write_takes(file: Path, section: str, takes: list[Take]) -> None:
    """Lists takes, for `pick`. Raises `StoreError` if the file cannot be written."""
    content = {"section": section, "takes": [take.as_dict() for take in takes]}
    write_text(file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def listed_takes(file: Path) -> dict[int, dict[str, Any]]:
    """Reads what `write_takes` wrote: takes as `Take.as_dict` has them, by number; none without such a file.

    Raises:
        UsageError: The file is not a list of takes.
    """
    try:
        listed = json.loads(file.read_text(encoding="utf-8"))
        return {int(take["number"]): take for take in listed["takes"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{file}: not a list of takes ({error}); make the takes again") from None


def rendered_file(take: dict[str, Any], file: Path) -> Path | None:
    """The track of a take of the list in `file`, links followed; None if it is not there any more."""
    folder, name = take.get("folder"), take.get("file")
    if not isinstance(folder, str) or not isinstance(name, str):
        return None
    if any(Path(part).name != part for part in (folder, name)):
        return None
    track = file.parent / folder / name
    return track.resolve() if track.is_file() else None


def picked(content: bytes, path: Path, section: str, number: int, file: Path) -> bytes:
    """Returns a song's text with the edits of one take.

    Args:
        file: The list that `write_takes` wrote.

    Raises:
        UsageError: There is no such list or take, or the text cannot be edited there.
        SongError: The song has faults.
    """
    takes = listed_takes(file)
    if not takes:
        raise UsageError(f"no takes of {section} yet: riffcompose takes {path} {section}")
    if number not in takes:
        raise UsageError(f"no take {number} of {section}; there are {', '.join(map(str, takes))}")
    # The section may have moved since; its name says where it is now.
    now = section_of(parse_song(content, path), section)
    tails = [(_path(where)[2:], _value(value)) for where, value in takes[number]["edits"]]
    edits = [Edit((*now.path, *tail), value) for tail, value in tails if _meant(now, tail) != value]
    return edited(content, path, edits) if edits else content


def _meant(section: ResolvedSection, tail: tuple[str | int, ...]) -> str | int | float | None:
    """What a section's seed, strength or loop is, stated or not; None where it is no one value."""
    if tail == ("init",):
        return None if section.init is None else section.init.name
    if tail == ("strength",):
        levels = {point.strength for point in section.points}
        level = levels.pop()
        return level.values[0] if not levels and level is not None and level.is_level else None
    if tail == ("seed",):
        return section.points[0].seed if section.is_seed_walk else None
    match tail:
        case ("walk", int(index), "seed") if index < len(section.points):
            return section.points[index].seed
    return None


def _path(parts: Any) -> tuple[str | int, ...]:
    if isinstance(parts, list) and all(isinstance(part, str | int) for part in parts):
        return tuple(parts)
    raise UsageError("the list of takes is damaged; make the takes again")


def _value(value: Any) -> str | int | float:
    if isinstance(value, str | int | float):
        return value
    raise UsageError("the list of takes is damaged; make the takes again")
