"""Edits a song's text in one place and leaves every other byte as its author wrote it.

An edit replaces the characters of one value, or adds a line. It is proved by reading the result: the song
must then say what was asked for and nothing else. Where that fails (a value that an alias shares, for
instance), the edit is refused.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from riffcomposer.diagnostics import NodePath
from riffcomposer.errors import SongError, UsageError
from riffcomposer.song.reader import LoadedSong, parse_song
from riffcomposer.text import shorten

_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9 ./()+_-]*[A-Za-z0-9)])?")
_NOT_PLAIN = {"true", "false", "null", "yes", "no", "on", "off", "nan", "inf", "y", "n"}

Value = str | int | float


@dataclass(frozen=True)
class Edit:
    """One value to set: the keys and indices that lead to it, and the value."""

    path: NodePath
    value: Value


def edited(content: bytes, path: Path, edits: Sequence[Edit]) -> bytes:
    """Returns a song's file with some values changed, and every other byte as it was.

    Args:
        content: The file's content, a song without faults.
        path: The song's file, for messages and for the song's own files.
        edits: The values to set. A key that is missing is added to its mapping.

    Raises:
        SongError: The song has faults, before the edit or after it.
        UsageError: A value cannot be changed by itself: it spans several lines, or an alias shares it.
    """
    before = parse_song(content, path)
    expected: Any = copy.deepcopy(before.content)
    text = content.decode("utf-8")
    for edit in edits:
        holder = expected
        for part in edit.path[:-1]:
            holder = holder[part]
        holder[edit.path[-1]] = edit.value
        text = _with_value(text, edit)
    return _proved(text, path, expected)


def with_sections(content: bytes, path: Path, sections: Sequence[dict[str, Any]]) -> bytes:
    """Returns a song's file with sections added at its end, and every other byte as it was.

    Raises:
        SongError: The song has faults, before the edit or after it: a section's name is taken, for instance.
        UsageError: The list of sections is written in brackets, on one line.
    """
    before = parse_song(content, path)
    expected: Any = copy.deepcopy(before.content)
    expected["sections"] += [copy.deepcopy(section) for section in sections]
    text = content.decode("utf-8")
    found = _node(_tree(text), ("sections",))
    if not isinstance(found, yaml.SequenceNode) or found.flow_style:
        raise UsageError(f"{path}: the sections are written in brackets; write one per line to add to them")
    lines = [line for section in sections for line in _section_lines(section)]
    indent = " " * found.start_mark.column
    ending = _line_end(text)
    last = _end_of(found)
    after = text.find("\n", last)
    head, tail = (text + ending, "") if after < 0 else (text[: after + 1], text[after + 1 :])
    added = "".join(f"{ending if not line else indent + line + ending}" for line in lines)
    return _proved(head + added + tail, path, expected)


def as_yaml(value: Value) -> str:
    """Writes a value as YAML on one line: plain where that is safe, in double quotes where not.

    >>> as_yaml("soft rhodes"), as_yaml("a: b"), as_yaml("off"), as_yaml(0.5)
    ('soft rhodes', '"a: b"', '"off"', '0.5')
    """
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _NOT_PLAIN:
        return value
    return json.dumps(value, ensure_ascii=False)


def sections_text(sections: Sequence[dict[str, Any]]) -> str:
    """The list of a song's sections as text, for a song that is written anew."""
    lines = [line for section in sections for line in _section_lines(section)]
    return "".join(f"  {line}\n" for line in lines)


def _section_lines(section: dict[str, Any]) -> list[str]:
    """A section as lines: one key per line, each point of a walk on a line of its own."""
    lines = []
    for key, value in section.items():
        if isinstance(value, list):
            lines += [f"  {key}:", *(f"    - {_flow(entry)}" for entry in value)]
        elif isinstance(value, dict):
            lines.append(f"  {key}: {_flow(value)}")
        else:
            lines.append(f"  {key}: {as_yaml(value)}")
    return ["- " + lines[0][2:], *lines[1:]]


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return as_yaml(value)


def _proved(text: str, path: Path, expected: Any) -> bytes:
    content = text.encode("utf-8")
    try:
        after: LoadedSong = parse_song(content, path)
    except SongError as error:
        if error.diagnostics and error.diagnostics[0].code in ("yaml", "syntax"):
            raise UsageError(
                f"{path}: this place cannot be edited by itself; change the text there"
            ) from None
        raise
    if after.content != expected:
        raise UsageError(
            f"{path}: the edit would change more than one place, because an alias (*name) shares the value; "
            "write the value out there first"
        )
    return content


def _tree(text: str) -> yaml.Node:
    """The tree of a text that has been read as a song before, so that its size is bounded."""
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
    finally:
        loader.dispose()
    assert root is not None, "a song is a mapping"
    return root


def _node(root: yaml.Node, path: NodePath) -> yaml.Node | None:
    node: yaml.Node | None = root
    for part in path:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        else:
            return None
    return node


def _end_of(node: yaml.Node) -> int:
    """The character after a node's last; a block collection's own mark is after the comments behind it."""
    if isinstance(node, yaml.ScalarNode) or getattr(node, "flow_style", False) or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end_of(last[1] if isinstance(node, yaml.MappingNode) else last)


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _with_value(text: str, edit: Edit) -> str:
    """The text with one value set, not yet proved."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text[len(mark) :]
    root = _tree(text)
    node = _node(root, edit.path)
    shown = as_yaml(edit.value)
    if node is not None:
        start, end = node.start_mark, node.end_mark
        is_flow = isinstance(node, yaml.CollectionNode) and node.flow_style
        is_plain = isinstance(node, yaml.ScalarNode) and node.style not in ("|", ">")
        if start.line != end.line or not (is_flow or is_plain):
            name = shorten(str(edit.path[-1]))
            raise UsageError(
                f"line {start.line + 1}: {name} is not a value on one line; change it in the text"
            )
        return mark + text[: start.index] + shown + text[end.index :]
    parent = _node(root, edit.path[:-1])
    if not isinstance(parent, yaml.MappingNode) or not parent.value:
        raise UsageError(f"there is no mapping to add {shorten(str(edit.path[-1]))} to")
    entry = f"{edit.path[-1]}: {shown}"
    if parent.flow_style:
        close = parent.end_mark.index - 1
        head = text[:close].rstrip()
        return mark + head + ("" if head.endswith((",", "{")) else ", ") + entry + text[len(head) :]
    # A line of its own after the last key before the first nested value, where people write short settings.
    anchor = parent.value[0]
    for pair in parent.value:
        if not isinstance(pair[1], yaml.ScalarNode) or pair[1].start_mark.line != pair[1].end_mark.line:
            break
        anchor = pair
    ending = _line_end(text)
    place = text.find("\n", _end_of(anchor[1]))
    line = " " * anchor[0].start_mark.column + entry + ending
    if place < 0:
        return mark + text + ending + line.removesuffix(ending)
    return mark + text[: place + 1] + line + text[place + 1 :]
