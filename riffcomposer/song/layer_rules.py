"""Checks of a section's layers together: their names and number, and what they take of its score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from riffcomposer.diagnostics import Diagnostic, NodePath
from riffcomposer.song.faults import fault
from riffcomposer.song.language import MAX_LAYERS
from riffcomposer.song.merge import MergedLayer, stated_layers
from riffcomposer.text import shorten


def check_layers(
    section: Mapping[str, Any], layers: Sequence[MergedLayer], path: NodePath
) -> Iterator[Diagnostic]:
    """Finds faults of a section with layers, apart from those of each layer by itself.

    Args:
        section: What the section itself states, plain.
        layers: From `riffcomposer.song.merge.merge_layers`.
    """
    where = (*path, "layers") if "layers" in section else path
    listed = section.get("layers")
    whole = not isinstance(listed, list) or len(stated_layers(section)) == len(listed)
    if len(layers) == 1 and whole:
        hint = "add a second one, or state its keys in the section itself"
        yield fault(where, "few-layers", f"{shorten(layers[0].name)} is the only layer", hint)
    elif len(layers) > MAX_LAYERS:
        message = (
            f"a section may have at most {MAX_LAYERS} layers (got {len(layers)} with those that it uses)"
        )
        yield fault(where, "many-layers", message)
    taken: dict[str, int] = {}
    for number, layer in stated_layers(section):
        name = layer["name"]
        if name in taken:
            message = f"the name {shorten(name)} is already taken by layer {taken[name] + 1}"
            hint = "give each layer a name of its own"
            yield fault((*where, number, "name"), "duplicate-name", message, hint)
        taken.setdefault(name, number)
        yield from _score(layer.get("score"), (*where, number, "score"))
    energies = any("from_energy" in layer.merged.values for layer in layers)
    if "score" in section and not energies and not any(map(starts_from_score, layers)):
        message = "score does not apply: no layer starts from it"
        hint = "write init: score in a layer, or take the score out"
        yield fault((*path, "score"), "does-not-apply", message, hint, at_key=True)


def starts_from_score(layer: MergedLayer) -> bool:
    """Whether a layer may start from a score: it states one, or leaves the choice to the model."""
    init = layer.merged.values.get("init", "score")
    return init in ("score", {"path": "score"})


def _score(score: object, path: NodePath) -> Iterator[Diagnostic]:
    """Checks that a layer chooses roles only: the whole section is composed as one piece."""
    for key, value in score.items() if isinstance(score, Mapping) else ():
        if key == "parts" and isinstance(value, Mapping):
            message = "a layer chooses which parts are heard, not what they play"
            hint = "write a list of roles, such as [drums, bass], and state the rest in the section's score"
            yield fault((*path, key), "does-not-apply", message, hint, at_key=True)
        elif key != "parts":
            message = f"{key} does not apply to the score of a layer: all layers of a section share one score"
            yield fault(
                (*path, key), "does-not-apply", message, "state it in the section's score", at_key=True
            )
