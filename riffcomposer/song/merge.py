"""Merges `defaults` and `use` into a section's own values.

It works on plain mappings, before and after validation: `rules` uses it on songs that may be full
of faults, `resolve` on valid ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from riffcomposer.diagnostics import NodePath

EXCLUSIVE = (("bars", "clips", "duration"), ("strength", "denoising"))
"""Keys of which a section has one; stating one replaces an inherited other."""

MAX_USE_DEPTH = 16
"""Most sections that may build on one another."""


@dataclass(frozen=True)
class Merged:
    """A section's fields, its own and inherited.

    Attributes:
        values: The values by key; `name` and `use` are never inherited.
        origins: Where each value is written; the keys of `score` as `score.style` and so on.
    """

    values: dict[str, Any]
    origins: dict[str, NodePath]

    @property
    def strength(self) -> Any:
        """The value of `strength` or `denoising`; None if neither is stated."""
        return self.values.get("strength", self.values.get("denoising"))


def by_name(sections: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Returns the first section of each name."""
    found: dict[str, int] = {}
    for index, section in enumerate(sections):
        name = section.get("name")
        if isinstance(name, str):
            found.setdefault(name, index)
    return found


def _target(sections: Sequence[Mapping[str, Any]], index: int, names: Mapping[str, int]) -> int | None:
    used = sections[index].get("use")
    return names.get(used) if isinstance(used, str) else None


def use_chain(sections: Sequence[Mapping[str, Any]], index: int, names: Mapping[str, int]) -> list[int]:
    """Returns the sections that `index` builds on, the deepest first and itself last.

    The chain ends where it would repeat, and after `MAX_USE_DEPTH` + 1 sections.
    """
    chain = [index]
    while (target := _target(sections, chain[-1], names)) is not None:
        if target in chain or len(chain) > MAX_USE_DEPTH:
            break
        chain.append(target)
    return chain[::-1]


def use_circle(sections: Sequence[Mapping[str, Any]], index: int, names: Mapping[str, int]) -> list[int]:
    """Returns the sections of the circle of `use` that `index` is in, or an empty list."""
    chain = use_chain(sections, index, names)
    return chain if _target(sections, chain[0], names) == index else []


def merge_section(
    defaults: Mapping[str, Any], sections: Sequence[Mapping[str, Any]], index: int, names: Mapping[str, int]
) -> Merged:
    """Merges `defaults`, the used sections and the section itself; later values replace earlier ones."""
    chain = use_chain(sections, index, names)
    layers: list[tuple[NodePath, Mapping[str, Any]]] = [(("defaults",), defaults)]
    layers += [(("sections", place), sections[place]) for place in chain]
    values: dict[str, Any] = {}
    origins: dict[str, NodePath] = {}
    score: dict[str, Any] = {}
    for path, layer in layers:
        own = path == ("sections", index)
        for group in EXCLUSIVE:
            if any(key in layer for key in group):
                for key in group:
                    values.pop(key, None)
                    origins.pop(key, None)
        for key, value in layer.items():
            if not own and key in ("name", "use"):
                continue
            values[key] = value
            origins[key] = (*path, key)
            if key == "score" and isinstance(value, Mapping):
                score = {**score, **_with_parts(score, value)}
                values[key] = score
                origins |= {f"score.{name}": (*path, key, name) for name in value}
    return Merged(values, origins)


def _with_parts(inherited: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A section's own keys of `score`: its parts are added to inherited ones, role by role.

    A list of roles, those that are heard, becomes the key `heard`.
    """
    score, parts = dict(own), own.get("parts")
    if isinstance(parts, list):
        del score["parts"]
        score["heard"] = parts
    elif isinstance(parts, Mapping) and isinstance(inherited.get("parts"), Mapping):
        score["parts"] = {**inherited["parts"], **parts}
    return score
