"""The schema for editors: up to date, complete, and in agreement with the reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from riffcomposer.errors import SongError
from riffcomposer.song.reader import load_song, parse_song
from riffcomposer.song.schema import SCHEMA_PATH, schema_text, song_schema

SONGS = sorted((SCHEMA_PATH.parents[1] / "songs").glob("*.yaml"))
SCHEMA = song_schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def test_up_to_date() -> None:
    assert SCHEMA_PATH.read_text(encoding="utf-8") == schema_text(), (
        "run `python -m riffcomposer.song.schema`"
    )


def test_is_a_draft_07_schema() -> None:
    schema = song_schema()
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)
    assert "$defs" not in schema_text()


def _properties(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], bool]]:
    for name, definition in [("Song", schema), *schema["definitions"].items()]:
        for key, own in definition["properties"].items():
            yield name, key, own, key in definition.get("required", [])


@pytest.mark.parametrize(("where", "key", "own", "required"), _properties(SCHEMA))
def test_each_key_has_description_default_and_example(
    where: str, key: str, own: dict[str, Any], required: bool
) -> None:
    assert own["description"].endswith(".")
    assert own["examples"]
    assert required != ("default" in own)
    for example in own["examples"]:
        validator = jsonschema.Draft7Validator({**own, "definitions": SCHEMA["definitions"]})
        assert list(validator.iter_errors(example)) == []
    default = own.get("default")
    if default is not None:
        assert list(validator.iter_errors(default)) == []


def test_every_mapping_takes_own_keys() -> None:
    for definition in [SCHEMA, *SCHEMA["definitions"].values()]:
        assert "^x-" in definition["patternProperties"]
        assert definition["additionalProperties"] is False


@pytest.mark.parametrize("path", SONGS, ids=lambda path: path.stem)
def test_songs_validate_through_their_first_line(path: Path) -> None:
    first, text = path.read_text(encoding="utf-8").split("\n", 1)
    assert (path.parent / first.removeprefix("# yaml-language-server: $schema=")).resolve() == SCHEMA_PATH
    # An editor takes every key as text, `0:` too.
    content = json.loads(json.dumps(yaml.safe_load(text)))
    assert list(VALIDATOR.iter_errors(content)) == []
    assert load_song(path).resolved.title


def test_there_are_three_songs() -> None:
    assert len(SONGS) >= 3


@pytest.mark.parametrize(
    "song",
    [
        {"sections": [{"prompt": "a", "bars": 8, "x-note": 1}], "x-note": [1]},
        {"sections": [{"prompt": "a", "bars": 8, "init": "k", "lora": ["a.safetensors"]}]},
        {"sections": [{"prompt": "a", "bars": 0}]},
        {"sections": [{"prompt": "a", "bars": 8, "strength": 2}]},
        {"sections": []},
        {"sections": [{"prompt": "a", "bars": 8, "fade_in": "2 parsecs"}]},
        {"sections": [{"prompt": "a", "bars": 8}], "meter": "4/5"},
        {"sections": [{"prompt": "a", "bars": 8}], "model": "org/name@main"},
        {"sections": [{"prompt": "a", "bars": 8}], "bpm": 90},
        {"sections": [{"prompt": "a", "bars": 8, "chain": [{"reverb": {"room": 1}}]}]},
        {"sections": [{"prompt": "a", "bars": 8}, {"prompt": "a", "bars": 8, "transition": "fade"}]},
        {"sections": [{"prompt": "a", "bars": 8}, {"prompt": "a", "bars": 8, "transition": "cut"}]},
        {"sections": [{"prompt": "a", "bars": 8}], "output": {"formats": ["wav", "wav"]}},
    ],
)
def test_the_editor_and_the_reader_agree(song: dict[str, Any]) -> None:
    try:
        parse_song(json.dumps(song).encode(), Path("song.yaml"))
        reads = True
    except SongError:
        reads = False
    assert VALIDATOR.is_valid(song) is reads
