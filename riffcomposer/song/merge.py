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

MIXED = ("gain_db", "pan", "chain", "fade_in", "fade_out", "from_energy")
"""Keys of a layer that are its own: a section's act on the sum of its layers."""

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
    merged = Merged({}, {})
    _add(merged, defaults, ("defaults",))
    for place in use_chain(sections, index, names):
        own = sections[place]
        left_out = ("layers",) if place == index else ("layers", "name", "use")
        _add(merged, {key: own[key] for key in own if key not in left_out}, ("sections", place))
    return merged


@dataclass(frozen=True)
class MergedLayer:
    """A layer's fields: its own, and those of its section.

    Attributes:
        path: Where it is written; the section that is used comes before one that uses it.
    """

    name: str
    path: NodePath
    merged: Merged


def merge_layers(
    section: Merged, sections: Sequence[Mapping[str, Any]], index: int, names: Mapping[str, int]
) -> list[MergedLayer]:
    """Merges a section's own fields and those of the sections that it uses into each of its layers.

    A layer of the same name as one of the used section gets the keys that are stated here; others are added.
    A layer with a prompt and no walk does not take the section's walk.

    Args:
        section: From `merge_section`.
    """
    found: dict[str, MergedLayer] = {}
    for place in use_chain(sections, index, names):
        for number, layer in stated_layers(sections[place]):
            path: NodePath = ("sections", place, "layers", number)
            if layer["name"] not in found:
                values = {
                    key: value for key, value in section.values.items() if key not in (*MIXED, "name", "use")
                }
                origins = {
                    key: where for key, where in section.origins.items() if key in values or "." in key
                }
                found[layer["name"]] = MergedLayer(layer["name"], path, Merged(values, origins))
            merged = found[layer["name"]].merged
            if "prompt" in layer and "walk" not in layer:
                merged.values.pop("walk", None)
                merged.origins.pop("walk", None)
            _add(merged, layer, path)
            found[layer["name"]] = MergedLayer(layer["name"], path, merged)
    return list(found.values())


def stated_layers(section: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """The layers that a section itself states, with their numbers; those without a name are left out."""
    layers = section.get("layers")
    return [
        (number, layer)
        for number, layer in enumerate(layers if isinstance(layers, list) else [])
        if isinstance(layer, Mapping) and isinstance(layer.get("name"), str)
    ]


def _add(merged: Merged, stated: Mapping[str, Any], path: NodePath) -> None:
    """Puts the values that are stated at a path over those that are there."""
    values, origins = merged.values, merged.origins
    for group in EXCLUSIVE:
        if any(key in stated for key in group):
            for key in group:
                values.pop(key, None)
                origins.pop(key, None)
    for key, value in stated.items():
        inherited = values.get(key)
        values[key] = value
        origins[key] = (*path, key)
        if key == "score" and isinstance(value, Mapping):
            before = inherited if isinstance(inherited, Mapping) else {}
            values[key] = {**before, **_with_parts(before, value)}
            origins.update({f"score.{name}": (*path, key, name) for name in value})


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
