"""The walk of a jam: which prompt and seed each of its clips has, and the sections that say the same.

A jam is a song with no end. It has sections of up to 32 clips; each is a walk over points, a fixed number of
clips from one to the next. Left alone, the prompt stays and the seed counts up, in Riffusion's manner. A new
prompt becomes the next point, under the seed of the point before: both at once would wander.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from riffcomposer.errors import UsageError

SECTION_CLIPS = 32
MOST_CLIPS_PER_LEG = 16


@dataclass(frozen=True)
class JamStart:
    """What a jam's clips start from, and its grid.

    Attributes:
        kind: `loop` (a name of the catalogue), `score` (a style that is composed) or `file` (a recording in
            the studio's folder).
    """

    kind: Literal["loop", "score", "file"] = "loop"
    name: str = "lofi-keys"
    tempo: float = 93.75
    song_seed: int = 1
    model: str = "default"
    negative_prompt: str = ""

    def fields(self) -> dict[str, Any]:
        """The same as keys of a section."""
        if self.kind == "score":
            return {"init": "score", "score": {"style": self.name}}
        return {"init": self.name}


@dataclass(frozen=True)
class JamPoint:
    """A point of the walk."""

    prompt: str
    seed: int
    strength: float

    def fields(self) -> dict[str, Any]:
        """The point as a song writes it."""
        return {"prompt": self.prompt, "seed": self.seed, "strength": self.strength}


@dataclass
class JamSection:
    """A stretch of the jam.

    Attributes:
        first: Number of its first clip in the jam.
        clips: Number of its clips; reduced when another section takes over.
        steps: Clips from one point to the next.
        points: As many as its clips need.
    """

    start: JamStart
    first: int
    steps: int
    points: list[JamPoint]
    clips: int = SECTION_CLIPS

    def fields(self, name: str, clips: int, *, opens: bool = False) -> dict[str, Any]:
        """The section as a song writes it, of its first `clips` clips; without a transition if it `opens`."""
        needed = max(2, -(-(clips - 1) // self.steps) + 1)
        stated: dict[str, Any] = {"name": name, **self.start.fields()}
        if self.start.negative_prompt:
            stated["negative_prompt"] = self.start.negative_prompt
        if not opens:
            stated["transition"] = {"type": "crossfade", "length": "1 beat"}
        return {
            **stated,
            "interpolation_steps": self.steps,
            "clips": clips,
            "walk": [point.fields() for point in self.points[:needed]],
        }


@dataclass
class JamWalk:
    """The sections of a jam, and where it goes next.

    Attributes:
        fixed: Clips before this number are rendered or being rendered; their points no longer change.
    """

    sections: list[JamSection] = field(default_factory=list)
    fixed: int = 0

    @classmethod
    def of(cls, start: JamStart, point: JamPoint, steps: int) -> JamWalk:
        """A jam that begins at a point."""
        return cls([_section(start, 0, _steps(steps), [point])])

    def section_at(self, clip: int) -> int:
        """Index of the section of a clip; sections are added as they are needed."""
        while clip >= self.sections[-1].first + self.sections[-1].clips:
            last = self.sections[-1]
            end = last.first + last.clips
            self.sections.append(_section(last.start, end, last.steps, [_at(last, last.clips)]))
        return max(number for number, section in enumerate(self.sections) if section.first <= clip)

    def steer(self, prompt: str, strength: float, steps: int, seed: int | None = None) -> int:
        """Sets out for another prompt (or the same one at another strength, or another seed).

        Args:
            steps: Clips in which it is reached. Where it differs from the section's, a new section begins.

        Returns:
            The number of the clip at which it is reached.
        """
        steps = _steps(steps)
        section = self.sections[self.section_at(self.fixed)]
        # 1. The next point that is not on its way yet.
        inside = self.fixed - section.first
        leg = -(-inside // section.steps)
        if steps != section.steps or leg * section.steps >= section.clips:
            # 2. A new section begins there.
            section.clips = min(section.clips, max(1, leg * section.steps))
            index = self.sections.index(section)
            del self.sections[index + 1 :]
            origin = _at(section, section.clips)
            section = _section(section.start, section.first + section.clips, steps, [origin])
            self.sections.append(section)
            leg = 0
        else:
            del self.sections[self.sections.index(section) + 1 :]
        origin = section.points[leg]
        if seed is None:
            seed = origin.seed + 1 if prompt == origin.prompt else origin.seed
        target = JamPoint(prompt, seed, strength)
        kept = [*section.points[: leg + 1], target]
        fresh = _section(section.start, section.first, section.steps, kept)
        section.points = fresh.points
        return section.first + (leg + 1) * section.steps

    def song(self, title: str = "Jam") -> bytes:
        """The jam as a song, for the planner: YAML in the form of JSON."""
        start = self.sections[0].start
        content = {
            "title": title,
            "tempo": start.tempo,
            "seed": start.song_seed,
            "model": start.model,
            "sections": [
                section.fields(f"jam {number}", section.clips, opens=number == 1)
                for number, section in enumerate(self.sections, 1)
            ],
        }
        return json.dumps(content, ensure_ascii=False, indent=1).encode()

    def kept(self, first: int, last: int, name: str, *, opens: bool = False) -> list[dict[str, Any]]:
        """The sections of what was heard.

        Args:
            first, last: Numbers of the first clip and of the one after the last.
            name: Name of the section; later ones have a number.
            opens: Whether it is the first section of a song, which has no transition.

        Raises:
            UsageError: Nothing was heard.
        """
        found: list[dict[str, Any]] = []
        for section in self.sections:
            begin, end = max(first, section.first), min(last, section.first + section.clips)
            if begin >= end:
                continue
            # From the section's first clip: a walk that begins at a point is a shorter text.
            skipped = (begin - section.first) // section.steps
            part = replace(section, points=section.points[skipped:])
            clips = end - section.first - skipped * section.steps
            title = f"{name} {len(found) + 1}" if found else name
            found.append(part.fields(title, clips, opens=opens and not found))
        if not found:
            raise UsageError("nothing was heard yet that could be kept")
        return found


def _steps(steps: int) -> int:
    if not 1 <= steps <= MOST_CLIPS_PER_LEG:
        raise UsageError(f"a new prompt is reached in 1 to {MOST_CLIPS_PER_LEG} clips, not {steps}")
    return steps


def _section(start: JamStart, first: int, steps: int, points: list[JamPoint]) -> JamSection:
    """A section whose points go on by counting seeds up."""
    points = list(points)
    while (len(points) - 1) * steps < SECTION_CLIPS:
        points.append(replace(points[-1], seed=points[-1].seed + 1))
    return JamSection(start, first, steps, points)


def _at(section: JamSection, clip: int) -> JamPoint:
    """The nearest point to a clip of a section."""
    return section.points[min(len(section.points) - 1, round(clip / section.steps))]
