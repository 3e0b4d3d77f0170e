"""Every key of the language: below, above, wrong type, no value, misspelt, missing.

The cases are made from the schema, so that a new key is tested as soon as it exists. Songs are written as
JSON (a part of YAML), one value per line, so that the test knows the position of each token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.diagnostics import Diagnostic
from riffcomposer.errors import SongError
from riffcomposer.song.effects import EFFECTS
from riffcomposer.song.reader import parse_song
from riffcomposer.song.schema import song_schema

SCHEMA = song_schema()
TOKEN = "@@token@@"


@dataclass(frozen=True)
class Field:
    """A key of the language.

    Attributes:
        where: Name of the mapping it belongs to, for the test's name.
        path: How to get to that mapping in `song`.
        song: A song in which the key may stand.
    """

    where: str
    key: str
    schema: dict[str, Any]
    song: str
    path: tuple[str | int, ...]
    required: bool

    @property
    def name(self) -> str:
        return f"{self.where}.{self.key}"


def _definition(name: str) -> dict[str, Any]:
    return SCHEMA["definitions"][name]


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, or what it refers to, or the first of its forms."""
    for form in [*schema.get("anyOf", []), *schema.get("allOf", []), schema]:
        if "$ref" in form and "anyOf" not in schema:
            return {**_definition(form["$ref"].rsplit("/", 1)[-1]), **schema}
    if "anyOf" in schema:
        return {**schema["anyOf"][0], "short_form": True, **schema}
    return schema


FIRST = {"prompt": "jazz", "bars": 8}
WITH_INIT = {"init": "lofi-keys", "prompt": "jazz", "bars": 8}


def _song(**more: Any) -> str:
    return json.dumps({"sections": [FIRST], **more})


def _adapt_section(sections: list[dict[str, Any]], key: str) -> None:
    """Makes a key apply to the second section."""
    section = sections[1]
    if key in ("prompt", "strength", "denoising", "mask"):
        section["init"] = "lofi-keys"
    if key == "use":
        sections[0]["name"] = "verse"
    if key in ("clips", "duration"):
        del section["bars"]
    if key == "walk":
        section.clear()
    if key == "alpha_power":
        section["alpha_curve"] = "power"


def _adapted(where: str, key: str, song: str) -> str:
    """A song in which this very key applies."""
    content = json.loads(song)
    if where == "section":
        _adapt_section(content["sections"], key)
    if where == "layer":
        layer = content["sections"][0]["layers"][0]
        layer |= {"alpha_power": {"alpha_curve": "power"}, "score": {"init": "score"}}.get(key, {})
    if where == "defaults" and key == "alpha_power":
        content["defaults"]["alpha_curve"] = "power"
    if where == "init" and key == "tracks":
        content["sections"][0]["init"]["path"] = "a.mid"
    if where == "transition":
        content["sections"][1]["transition"]["type"] = "bridge" if key == "clips" else "crossfade"
    if where == "point" and key == "prompt":
        del content["sections"][0]["prompt"]
        for point in content["sections"][0]["walk"]:
            point["prompt"] = "bells"
    return json.dumps(content)


def _fields() -> Iterator[Field]:
    def of(where: str, definition: dict[str, Any], song: str, *path: str | int) -> Iterator[Field]:
        for key, schema in definition["properties"].items():
            required = key in definition.get("required", [])
            yield Field(where, key, _resolved(schema), _adapted(where, key, song), path, required)

    yield from of("song", SCHEMA, _song())
    yield from of("defaults", _definition("Settings"), _song(defaults={}), "defaults")
    yield from of("section", _definition("Section"), _song(sections=[FIRST, FIRST]), "sections", 1)
    layers = [{"name": "drums"}, {"name": "keys"}]
    layered = {"prompt": "jazz", "bars": 8, "init": "lofi-keys", "layers": layers}
    yield from of("layer", _definition("Layer"), _song(sections=[layered]), "sections", 0, "layers", 0)
    walk = {"init": "lofi-keys", "prompt": "jazz", "walk": [{"seed": 1}, {"seed": 2}]}
    yield from of("point", _definition("Point"), _song(sections=[walk]), "sections", 0, "walk", 0)
    init = {**FIRST, "init": {"path": "a.wav"}}
    yield from of("init", _definition("Init"), _song(sections=[init]), "sections", 0, "init")
    transition = {**FIRST, "transition": {}}
    yield from of(
        "transition",
        _definition("Transition"),
        _song(sections=[FIRST, transition]),
        "sections",
        1,
        "transition",
    )
    lora = {**FIRST, "lora": [{"path": "a.safetensors"}]}
    yield from of("lora", _definition("Lora"), _song(sections=[lora]), "sections", 0, "lora", 0)
    yield from of("master", _definition("Master"), _song(master={}), "master")
    yield from of("output", _definition("Output"), _song(output={}), "output")
    yield from of("chain", _definition("ChainEntry"), _song(master={"chain": [{}]}), "master", "chain", 0)
    for name, model in EFFECTS.items():
        song = _song(master={"chain": [{name: {}}]})
        yield from of(name, _definition(model.__name__), song, "master", "chain", 0, name)


FIELDS = {field.name: field for field in _fields()}


def _value_with(field: Field, value: Any) -> tuple[str, Any]:
    """The song with the key set, as JSON, and the mapping that was changed."""
    song = json.loads(field.song)
    mapping = song
    for part in field.path:
        mapping = mapping[part]
    mapping[field.key] = value
    return json.dumps(song, indent=1), mapping


def _place(text: str, token: str = TOKEN) -> tuple[int, int]:
    before = text[: text.index(json.dumps(token))].split("\n")
    return len(before), len(before[-1]) + 1


def _faults(text: str) -> list[Diagnostic]:
    try:
        parse_song(text.encode(), Path("song.yaml"))
    except SongError as error:
        return list(error.diagnostics)
    return []


def _wrong(field: Field) -> Iterator[tuple[str, Any]]:  # noqa: C901 - one branch per kind of value
    """Values that the field refuses, with a word for each."""
    schema = field.schema
    kind = schema.get("type")
    if kind in ("number", "integer"):
        if "minimum" in schema:
            yield "below", schema["minimum"] - 1
        if "exclusiveMinimum" in schema:
            yield "below", schema["exclusiveMinimum"]
        yield "above", schema["maximum"] + 1
        yield "wrong type: text", "three"
        yield "wrong type: quoted number", str(schema.get("default") or 1)
        yield "wrong type: truth", True
        yield "wrong type: list", [1]
        if kind == "integer":
            yield "wrong type: fraction", 1.5
    elif kind == "boolean":
        yield "wrong type: text", "yes"
        yield "wrong type: number", 1
    elif "enum" in schema:
        yield "unknown value", "zzz"
        if not schema.get("short_form"):
            yield "wrong type: number", 3
    elif kind == "string":
        yield "wrong type: number", 3
        yield "wrong type: truth", False
        if not schema.get("short_form"):
            yield "wrong type: mapping", {"a": 1}
        if schema.get("minLength"):
            yield "below", ""
        if "maxLength" in schema:
            yield "above", "w" * (schema["maxLength"] + 1)
        if "bars" in schema.get("pattern", ""):
            yield "unknown unit", "2 parsecs"
            yield "no unit", "2"
            yield "above", "25h"
            yield "above", "200000 bars"
            if field.key in ("length", "duration"):
                yield "below", "0s"
        elif "pattern" in schema:
            yield "not of that form", "17/4" if field.key == "meter" else "org/name@main"
    elif kind == "array":
        yield "wrong type: text", "jazz"
        yield "wrong type: mapping", {"a": 1}
        if "minItems" in schema:
            yield "below", schema["examples"][0][:1] * (schema["minItems"] - 1)
        item = schema["examples"][0][0]
        yield "above", [item] * (schema["maxItems"] + 1)
        yield "wrong item", [True, *schema["examples"][0][1:], *[item][: schema.get("minItems", 0) - 1]]
    elif kind == "object":
        yield "wrong type: number", 3
        yield "wrong type: list", [1]


WRONG = [(field.name, word, value) for field in FIELDS.values() for word, value in _wrong(field)]


def test_the_sweep_reaches_everything() -> None:
    assert len(FIELDS) > 100
    assert {field.schema.get("type", "enum") for field in FIELDS.values()} == {
        "string",
        "number",
        "integer",
        "boolean",
        "array",
        "object",
        "enum",
    }
    swept = {name for name, _, _ in WRONG}
    assert swept == set(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_examples_are_fine(name: str) -> None:
    field = FIELDS[name]
    assert field.schema["description"]
    for example in field.schema["examples"]:
        text, _ = _value_with(field, example)
        assert _faults(text) == []


@pytest.mark.parametrize("name", FIELDS)
def test_wrong_values(name: str) -> None:
    field = FIELDS[name]
    for word, value in _wrong(field):
        text, mapping = _value_with(field, value)
        if word == "above" and field.schema.get("type") == "array":
            faults = [fault for fault in _faults(text) if fault.code == "wrong-length"]
        else:
            faults = _faults(text)
        mapping[field.key] = TOKEN
        song = json.loads(field.song)
        inner = song
        for part in field.path:
            inner = inner[part]
        inner[field.key] = [TOKEN] if word == "wrong item" else TOKEN
        line, column = _place(json.dumps(song, indent=1))
        assert len(faults) == 1, (word, [fault.sentence for fault in faults])
        assert (faults[0].line, faults[0].column) == (line, column), word
        assert faults[0].severity == "error", word
        assert faults[0].end_column > faults[0].column, word


@pytest.mark.parametrize("name", FIELDS)
def test_no_value(name: str) -> None:
    text, _ = _value_with(FIELDS[name], None)
    (fault,) = _faults(text)
    line, _ = _place(_value_with(FIELDS[name], TOKEN)[0])
    assert (fault.code, fault.line) == ("missing-value", line)


@pytest.mark.parametrize("name", FIELDS)
def test_misspelt(name: str) -> None:
    """One diagnostic at the key, which offers the right one, and no echo of what is now missing."""
    field = FIELDS[name]
    key = field.key
    for typed in (key + key[-1], key[:-2] + key[:-3:-1]):
        wrong = key + "q" if typed in (key, "qq") and name != "q" else typed
        song = json.loads(field.song)
        mapping = song
        for part in field.path:
            mapping = mapping[part]
        mapping.pop(key, None)
        mapping[wrong] = field.schema["examples"][0]
        text = json.dumps(song, indent=1)
        faults = _faults(text)
        assert len(faults) == 1, (wrong, [fault.sentence for fault in faults])
        assert (faults[0].line, faults[0].column) == _place(text, wrong)
        assert faults[0].code == "unknown-key"
        assert f"'{key}'" in faults[0].hint


@pytest.mark.parametrize("name", [field.name for field in FIELDS.values() if field.required])
def test_missing(name: str) -> None:
    field = FIELDS[name]
    song = json.loads(field.song)
    mapping = song
    for part in field.path:
        mapping = mapping[part]
    mapping.pop(field.key, None)
    mapping["x-other"] = 1
    (fault,) = _faults(json.dumps(song, indent=1))
    assert fault.code == "missing-key"
    assert field.key in fault.message
    assert fault.line > 0


SECTION_FAULTS = [
    case
    for case in WRONG
    if case[0].startswith("section.") and case[1].startswith(("below", "wrong type: list"))
]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(SECTION_FAULTS), min_size=1, max_size=12))
def test_as_many_diagnostics_as_faults(cases: list[tuple[str, str, Any]]) -> None:
    sections: list[dict[str, Any]] = [{"name": "verse", **FIRST}]
    for name, _, value in cases:
        song = json.loads(FIELDS[name].song)
        sections.append({**song["sections"][1], FIELDS[name].key: value})
    faults = _faults(json.dumps({"sections": sections}, indent=1))
    assert len(faults) == len(cases)
    assert [fault.sort_key for fault in faults] == sorted(fault.sort_key for fault in faults)
