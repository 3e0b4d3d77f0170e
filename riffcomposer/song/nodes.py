"""A YAML document as a tree in which every key and value knows where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from riffcomposer.song.diagnostics import Span
from riffcomposer.song.resolved import NodePath

PlainScalar = str | int | float | bool | None


@dataclass
class Node:
    """A value and its place.

    Attributes:
        size: Nodes in the tree below, itself included, aliases counted in full.
        height: Levels in the tree below, itself included.
        invalid: The reader has already complained about this value; nobody else should.
    """

    span: Span
    size: int = 1
    height: int = 1
    invalid: bool = False


@dataclass
class Scalar(Node):
    """A text, number, truth value or null."""

    value: PlainScalar = None


@dataclass
class Sequence(Node):
    """A list."""

    items: list[Node] = field(default_factory=list)


@dataclass
class Mapping(Node):
    """Keys in the file's order, each with the place of the key."""

    entries: dict[str, tuple[Span, Node]] = field(default_factory=dict)


def child(node: Node, part: str | int) -> tuple[Span, Node] | None:
    """The place of the key (of the item, in a list) and the value under it; None if not there."""
    if isinstance(node, Mapping) and isinstance(part, str):
        return node.entries.get(part)
    if isinstance(node, Sequence) and isinstance(part, int) and 0 <= part < len(node.items):
        item = node.items[part]
        return item.span, item
    return None


def position(root: Node, path: NodePath, *, key: bool = False) -> Span:
    """Where the value (or, with `key`, the key) at `path` stands.

    What is not in the file stands where its nearest ancestor does: a missing key of a section is
    at the section's first key.
    """
    node, span = root, root.span
    for part in path:
        found = child(node, part)
        if found is None:
            return span
        span, node = found if key else (found[1].span, found[1])
    return span


def is_invalid(root: Node, path: NodePath) -> bool:
    """Whether the value at `path`, or one above it, has already been complained about."""
    node = root
    for part in path:
        found = child(node, part)
        if node.invalid or found is None:
            return node.invalid
        node = found[1]
    return node.invalid
