"""A YAML document as a tree in which every key and value has its position in the file."""

from __future__ import annotations

from dataclasses import dataclass, field

from riffcomposer.diagnostics import NodePath, Span

PlainScalar = str | int | float | bool | None


@dataclass
class Node:
    """A value and its position in the file.

    Attributes:
        size: Number of nodes in this subtree, with aliases counted in full.
        height: Number of levels in this subtree.
        invalid: The reader has already reported this value, so later checks leave it out.
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
    """Keys in the file's order, each with the key's position."""

    entries: dict[str, tuple[Span, Node]] = field(default_factory=dict)


def child(node: Node, part: str | int) -> tuple[Span, Node] | None:
    """Returns the position of the key (in a list, of the item) and its value, or None if there is none."""
    if isinstance(node, Mapping) and isinstance(part, str):
        return node.entries.get(part)
    if isinstance(node, Sequence) and isinstance(part, int) and 0 <= part < len(node.items):
        item = node.items[part]
        return item.span, item
    return None


def position(root: Node, path: NodePath, *, key: bool = False) -> Span:
    """Returns the position of the value (or, with `key`, of the key) at `path`.

    A path that is not in the file has the position of its nearest ancestor: a missing key of a
    section is reported at the section's first key.
    """
    node, span = root, root.span
    for part in path:
        found = child(node, part)
        if found is None:
            return span
        span, node = found if key else (found[1].span, found[1])
    return span


def is_invalid(root: Node, path: NodePath) -> bool:
    """Whether the value at `path`, or one above it, has already been reported."""
    node = root
    for part in path:
        found = child(node, part)
        if node.invalid or found is None:
            return node.invalid
        node = found[1]
    return node.invalid
