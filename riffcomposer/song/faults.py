"""pydantic's errors in plain English, each at its token."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from riffcomposer.diagnostics import Diagnostic, NodePath
from riffcomposer.errors import MAX_DIAGNOSTICS
from riffcomposer.song.language import Layer, Section, Song
from riffcomposer.song.settings_language import Settings
from riffcomposer.song.yaml_syntax import key_in_text
from riffcomposer.text import did_you_mean, nearest, shorten

SYNONYMS = {
    "bpm": "tempo",
    "cfg": "guidance_scale",
    "cfg_scale": "guidance_scale",
    "guidance": "guidance_scale",
    "steps": "num_inference_steps",
    "denoise": "strength",
    "negative": "negative_prompt",
    "sampler": "scheduler",
    "time_signature": "meter",
    "seed_image": "init",
    "seed_image_id": "init",
    "mask_image_id": "mask",
    "num_interpolation_steps": "interpolation_steps",
    "effects": "chain",
    "loras": "lora",
    "lufs": "integrated_lufs",
    "repeat": "use",
}
"""Words of other programs, and what this language calls them."""


def fault(
    path: NodePath,
    code: str,
    message: str,
    hint: str = "",
    *,
    at_key: bool = False,
    keys: tuple[str, ...] = (),
) -> Diagnostic:
    """Makes the diagnostic of a fault; its place in the file is filled in later."""
    return Diagnostic("error", code, message, path, hint, at_key=at_key, keys=keys)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not None:
        for argument in get_args(annotation):
            yield from _models_in(argument)


def model_at(path: NodePath) -> type[BaseModel]:
    """Returns the model of the mapping at `path`, as far as the path is known."""
    model: type[BaseModel] = Song
    for part in path:
        if isinstance(part, str) and part in model.model_fields:
            model = next(_models_in(model.model_fields[part].annotation), model)
    return model


def label(path: NodePath) -> str:
    """Returns how a message names the value at `path`: its key, or `item 2 of lora`."""
    if path and isinstance(path[-1], int):
        over = next((part for part in reversed(path) if isinstance(part, str)), "the list")
        return f"item {path[-1] + 1} of {over}"
    if path[-2:] == ("transition", "type"):
        return "transition"
    return str(path[-1]) if path else "the song"


def _begun(key: str, known: Iterable[str]) -> str:
    """The one name that begins as the key does, or an empty string: `cutoff` for `cutoff_frequency_hz`."""
    found = [name for name in known if name.startswith(key)]
    return found[0] if len(key) > 3 and len(found) == 1 else ""


def _unknown_key(path: NodePath, look: bool) -> Diagnostic:
    key, model = str(path[-1]), model_at(path[:-1])
    known = model.model_fields
    if model is Layer and key in Section.model_fields:
        hint = "state it in the section, for all of its layers"
        return fault(path, "does-not-apply", f"{key} does not apply to a layer", hint, at_key=True)
    homes = ((Song, "at the top of the song"), (Section, "in a section"), (Settings, "in defaults"))
    home = next((name for owner, name in homes if key in owner.model_fields), "")
    meant = SYNONYMS.get(key.lower(), "")
    if meant not in known:
        meant = "" if home or not look else nearest(key, known) or _begun(key, known)
    if (part := key_in_text(key)) is not None:
        hint = f"write a space after {part}:"
    elif meant:
        hint = f"did you mean '{meant}'?"
    else:
        hint = f"it belongs {home}" if home else "keys of your own begin with x-"
    return fault(
        path, "unknown-key", f"unknown key {shorten(key)}", hint, at_key=True, keys=(meant,) if meant else ()
    )


_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
    "greater_than": ("gt", "above"),
    "less_than": ("lt", "below"),
}
_KINDS = {
    "float_type": "a number",
    "curve_type": "a number, or points such as {0: 0.2, 8: 0.7}",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "dict_type": "a mapping (key: value)",
    "finite_number": "a finite number",
}
_SIZES = {
    "string_too_short": ("min_length", "at least", "character"),
    "string_too_long": ("max_length", "at most", "character"),
    "too_short": ("min_length", "at least", "item"),
    "too_long": ("max_length", "at most", "item"),
}


_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
"""A number as a song has it (YAML 1.2.2, 10.3.2)."""


def _type_hint(kind: str, value: object, path: NodePath) -> str:
    if kind in ("float_type", "int_type", "curve_type") and isinstance(value, str):
        if _NUMBER.fullmatch(value):
            return "take the quotes away"
        plain = value.replace("_", "")
        return f"write {plain}" if _NUMBER.fullmatch(plain) else ""
    if kind == "string_type" and isinstance(value, int | float):
        return "put it in quotes"
    if (
        kind == "bool_type"
        and isinstance(value, str)
        and value.lower() in ("yes", "no", "on", "off", "y", "n")
    ):
        return f"write {'true' if value.lower() in ('yes', 'on', 'y') else 'false'}"
    if kind in ("model_type", "dict_type", "list_type") and isinstance(value, str) and key_in_text(value):
        return f"write a space after {key_in_text(value)}:"
    if kind == "model_type" and isinstance(value, str) and any(mark in value for mark in "\uff1a\uff5b"):
        return "write : and { of half width"
    if kind == "model_type" and isinstance(value, str) and "chain" in path:
        return f"write {{{value}: {{}}}}" if value.isidentifier() else ""
    if kind == "list_type" and path[-1:] == ("formats",) and isinstance(value, str):
        return f"write [{value}]" if value.isalnum() else ""
    return ""


def _fault(error: dict[str, Any], look: bool) -> Diagnostic:
    kind, path, value = str(error["type"]), tuple(error["loc"]), error["input"]
    context = error.get("ctx", {})
    name = label(path)
    if kind == "extra_forbidden":
        return _unknown_key(path, look)
    if kind == "missing":
        return fault(path[:-1], "missing-key", f"{name} is missing", keys=(str(path[-1]),))
    if kind in _BOUNDS:
        key, word = _BOUNDS[kind]
        bound = context[key]
        limit = str(bound) if isinstance(bound, int) else f"{bound:g}"
        return fault(path, "out-of-range", f"{name} must be {word} {limit} (got {shorten(value)})")
    if kind in _KINDS:
        got = shorten(value)
        return fault(
            path, "wrong-type", f"{name} must be {_KINDS[kind]} (got {got})", _type_hint(kind, value, path)
        )
    if kind in _SIZES:
        key, word, unit = _SIZES[kind]
        limit = context[key]
        unit += "" if limit == 1 else "s"
        return fault(path, "wrong-length", f"{name} must have {word} {limit} {unit}")
    if kind == "literal_error":
        allowed = str(context["expected"]).replace("'", "")
        candidates = allowed.replace(" or ", ", ").split(", ")
        hint = did_you_mean(value, candidates)
        return fault(path, "unknown-value", f"{name} must be {allowed} (got {shorten(value)})", hint)
    if kind == "string_pattern_mismatch":
        hint = "write default, org/name@ and a commit of 40 hex digits, or ./folder"
        return fault(path, "bad-value", f"{shorten(value)} is not a {name}", hint)
    if kind == "value_error":
        text = str(context["error"])
        return fault(path, "bad-value", f"{name} {text}" if text.startswith(("must", "is ")) else text)
    return fault(path, "bad-value", f"{name}: {str(error['msg'])[:200]}")


def faults_of(error: ValidationError) -> list[Diagnostic]:
    """Makes one fault from each of pydantic's errors; after many, later ones get no suggestion."""
    entries = error.errors(include_url=False)
    return [_fault(dict(entry), number < MAX_DIAGNOSTICS) for number, entry in enumerate(entries)]


def without_echoes(faults: list[Diagnostic]) -> list[Diagnostic]:
    """Drops "missing" faults that a misspelt key of the same mapping explains."""
    meant = {(found.path[:-1], key) for found in faults if found.code == "unknown-key" for key in found.keys}
    return [
        found
        for found in faults
        if found.code != "missing-key" or not any((found.path, key) in meant for key in found.keys)
    ]
