"""What holds for a section once `defaults` and `use` are applied.

Works on plain mappings, before and after validation: `rules` asks it of a song that may be full
of faults, `resolve` of one without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from riffcomposer.song.resolved import NodePath

EXCLUSIVE = (("bars", "clips", "duration"), ("strength", "denoising"))
"""Keys of which a section states one; stating one replaces the inherited other."""

MAX_USE_DEPTH = 16
"""So many sections may build on one another."""


@dataclass(frozen=True)
class Merged:
    """A section's fields, its own and inherited.

    Attributes:
        values: By key, `name` and `use` being its own.
        origins: Where each stands in the file.
    """

    values: dict[str, Any]
    origins: dict[str, NodePath]

    @property
    def strength(self) -> Any:
        """Under either of its names; None if not stated."""
        return self.values.get("strength", self.values.get("denoising"))


def by_name(sections: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The first section of each name."""
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
    """The sections that `index` builds on, the deepest first and itself last.

    Cut where it goes round, and at one more than `MAX_USE_DEPTH`.
    """
    chain = [index]
    while (target := _target(sections, chain[-1], names)) is not None:
        if target in chain or len(chain) > MAX_USE_DEPTH:
            break
        chain.append(target)
    return chain[::-1]


def use_circle(sections: Sequence[Mapping[str, Any]], index: int, names: Mapping[str, int]) -> list[int]:
    """The sections of the circle that `index` is part of; empty if it is in none."""
    chain = use_chain(sections, index, names)
    return chain if _target(sections, chain[0], names) == index else []


def merge_section(
    defaults: Mapping[str, Any], sections: Sequence[Mapping[str, Any]], index: int, names: Mapping[str, int]
) -> Merged:
    """Lays `defaults`, the used sections and the section itself over one another."""
    chain = use_chain(sections, index, names)
    layers: list[tuple[NodePath, Mapping[str, Any]]] = [(("defaults",), defaults)]
    layers += [(("sections", place), sections[place]) for place in chain]
    values: dict[str, Any] = {}
    origins: dict[str, NodePath] = {}
    for path, layer in layers:
        own = path == ("sections", index)
        for group in EXCLUSIVE:
            if any(key in layer for key in group):
                for key in group:
                    values.pop(key, None)
                    origins.pop(key, None)
        for key, value in layer.items():
            if own or key not in ("name", "use"):
                values[key] = value
                origins[key] = (*path, key)
    return Merged(values, origins)
