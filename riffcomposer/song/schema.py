"""The JSON Schema of the song language for editors (draft-07), made from the models.

`python -m riffcomposer.song.schema` writes `schemas/song.schema.json`; with `--check` it only says whether
the file is up to date. Each key has a description,
a default (null where the default is the model's own, or nothing) and an example; keys that begin
with `x-` are free everywhere.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from riffcomposer.files import write_text
from riffcomposer.song import resolve
from riffcomposer.song.language import Song

SCHEMA_PATH = Path(__file__).parents[2] / "schemas" / "song.schema.json"

_DEFAULTS: dict[str, Any] = {
    "interpolation_steps": resolve.DEFAULT_INTERPOLATION_STEPS,
    "alpha_curve": "linear",
    "alpha_power": resolve.DEFAULT_ALPHA_POWER,
    "overlap": str(resolve.DEFAULT_OVERLAP),
    "transition": "crossfade",
    "score": {},
    "mask": "none",
    "lora": [],
    "negative_prompt": "",
    "fade_in": "0s",
    "fade_out": "0s",
    "gain_db": 0,
    "chain": [],
    "start": "0s",
    "defaults": {},
    "master": {},
    "output": {},
}
"""Defaults that the models do not have, because they are filled in when a song is resolved."""

_SHORT_FORMS: dict[str, dict[str, Any]] = {
    "Init": {"type": "string", "minLength": 1, "maxLength": 500},
    "Transition": {"enum": ["cut", "crossfade", "bridge"]},
    "Lora": {"type": "string", "minLength": 1, "maxLength": 500},
}
"""Mappings that a plain text may replace, and the schema of that text."""

_OWN_KEYS = {"^x-": {"description": "Your own notes; riffcomposer does not read them."}}


class _Generator(GenerateJsonSchema):
    """Keeps field descriptions, and leaves out the titles that pydantic makes up."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def sort(self, value: Any, parent_key: str | None = None) -> Any:  # noqa: ARG002 - pydantic's signature
        """Keeps keys in the order of the models."""
        return value


def _reference(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns a reference with its short form; draft-07 allows no other key beside `$ref`."""
    name = schema["$ref"].rsplit("/", 1)[-1]
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    reference = {"$ref": schema["$ref"]}
    if name in _SHORT_FORMS:
        return {"anyOf": [_SHORT_FORMS[name], reference], **rest}
    return {"allOf": [reference], **rest} if rest else reference


def _tidy(schema: Any) -> Any:
    """Adapts pydantic's schema for editors: without nulls, with short forms and `x-` keys."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    options = schema.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        stated = [option for option in options if option != {"type": "null"}]
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return _tidy({**(stated[0] if len(stated) == 1 else {"anyOf": stated}), **rest})
    if "$ref" in schema:
        return _reference(schema)
    tidy = {
        key: value if key in ("default", "examples", "enum", "const") else _tidy(value)
        for key, value in schema.items()
    }
    if isinstance(tidy.get("properties"), dict):
        tidy.pop("title", None)
        for name, own in tidy["properties"].items():
            if name in _DEFAULTS:
                own["default"] = _DEFAULTS[name]
        tidy["patternProperties"] = {**tidy.get("patternProperties", {}), **_OWN_KEYS}
    return tidy


def song_schema(model: type[BaseModel] = Song) -> dict[str, Any]:
    """Returns the schema as a document."""
    raw = model.model_json_schema(ref_template="#/definitions/{model}", schema_generator=_Generator)
    definitions = raw.pop("$defs")
    tidy = _tidy(raw)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "riffcomposer song",
        **tidy,
        "definitions": {name: _tidy(definition) for name, definition in sorted(definitions.items())},
    }


def schema_text() -> str:
    """Returns the schema as the text of its file."""
    return json.dumps(song_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if "--check" not in sys.argv:
        write_text(SCHEMA_PATH, schema_text())
    elif SCHEMA_PATH.read_text(encoding="utf-8") != schema_text():
        sys.exit(f"{SCHEMA_PATH.name} is not up to date: run python -m riffcomposer.song.schema")
