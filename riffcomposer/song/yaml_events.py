"""Bounded YAML: a tree of positioned nodes built on PyYAML's event stream.

The rules are those of YAML 1.2's core schema (yaml.org/spec/1.2.2, section 10.3), not PyYAML's
1.1: `no` is text, `012` is twelve, `12:30:45` is text, `1e3` is a number. Refused: duplicate
keys, tags, merge keys, NaN and infinity, several documents, cycles, and anything past the
limits below, which are checked on events, before a tree is built: PyYAML's C composer crashes
on deep nesting, and a few aliases can expand to billions of nodes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import yaml

from riffcomposer.diagnostics import Span
from riffcomposer.song.nodes import Mapping, Node, PlainScalar, Scalar, Sequence
from riffcomposer.song.yaml_syntax import syntax_fault
from riffcomposer.song.yaml_text import (
    UnreadableYaml,
    another_kind,
    merge_conflicts,
    odd_blank,
    odd_blank_in,
    split_lines,
    without_odd_blanks,
)
from riffcomposer.text import printable, shorten

MAX_DEPTH = 32
MAX_NODES = 30_000
MAX_ALIASES = 100

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BRACKET = re.compile(r"[\[\]{}]")
_DASHES = re.compile(rf"(?:[-?][ \t]+){{{MAX_DEPTH + 1},}}")

_FastLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Report = Callable[[Span, str, str, str], None]
"""Receives span, code, message and hint of a fault that does not stop the reading."""


class _Composer:
    """Builds the tree from events, with a stack of its own."""

    def __init__(self, text: str, report: Report) -> None:
        self.lines = split_lines(text)
        self.report = report
        self.stack: list[tuple[Mapping | Sequence, str | None]] = []
        self.pending: list[tuple[Span, str] | None] = []
        self.own: list[bool] = []
        self.anchors: dict[str, Node] = {}
        self.nodes = 0
        self.aliases = 0
        self.root: Node | None = None

    def span(self, event: Any) -> Span:
        """Returns the event's position, cut to its first line."""
        start, end = event.start_mark, event.end_mark
        line = self.lines[start.line] if start.line < len(self.lines) else ""
        last = end.column if end.line == start.line else len(line)
        return Span(start.line + 1, start.column + 1, max(last, start.column + 1) + 1)

    def count(self, size: int, span: Span) -> None:
        self.nodes += size
        if self.nodes > MAX_NODES:
            raise UnreadableYaml(span, "too-many-nodes", f"a song may have at most {MAX_NODES:,} values")

    def check_depth(self, height: int, span: Span) -> None:
        if len(self.stack) + height > MAX_DEPTH:
            raise UnreadableYaml(span, "too-deep", f"a song may be nested {MAX_DEPTH} levels deep at most")

    def scalar(self, event: Any, span: Span) -> Scalar:
        """Returns the scalar's value by the core schema."""
        text: str = event.value
        if event.style or not event.implicit[0]:
            return Scalar(span, value=text)
        node = Scalar(span)
        if not text.isascii():
            looks_like_text = isinstance(core_value(without_odd_blanks(text)), str)
            node.invalid = self.has_odd_blank(text, span, anywhere=not looks_like_text)
        if _NOT_FINITE.fullmatch(text):
            self.report(span, "not-finite", f"{text} is not a number that a song may use", "")
            node.invalid = True
        elif len(text) > 40 and (_INTEGER.fullmatch(text) or _FLOAT.fullmatch(text)):
            self.report(span, "number-too-long", f"a number of {len(text)} digits is too long", "")
            node.invalid = True
        else:
            node.value = core_value(text)
            if isinstance(node.value, float) and node.value in (float("inf"), float("-inf")):
                self.report(span, "not-finite", f"{text} is too large", "")
                node.invalid = True
        return node

    def has_odd_blank(self, text: str, span: Span, *, anywhere: bool) -> bool:
        """Reports an odd kind of space, or an invisible character, in an unquoted scalar."""
        index = odd_blank_in(text, anywhere=anywhere)
        if index is None or (self.own and self.own[-1]):
            return False
        character = text[index]
        found = self.lines[span.line - 1].find(character, span.column - 1)
        fault = odd_blank(span.line, max(found, span.column - 1), character)
        self.report(fault.span, fault.code, fault.message, fault.hint)
        return True

    def attach(self, node: Node, anchor: str | None) -> None:
        """Puts a complete scalar or alias, or a just opened collection, into its parent."""
        if anchor is not None:
            self.anchors[anchor] = node
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1][0]
        if isinstance(parent, Sequence):
            parent.items.append(node)
            return
        key = self.pending[-1]
        assert key is not None
        span, name = key
        self.pending[-1] = None
        if name == "<<":
            self.report(
                span,
                "merge-key",
                "merge keys (<<) are not part of YAML 1.2",
                "use `use: NAME` to reuse a section",
            )
        elif name in parent.entries:
            first = parent.entries[name][0].line
            self.report(
                span,
                "duplicate-key",
                f"the key {shorten(name)} is already there in line {first}",
                "keep one of the two",
            )
        else:
            parent.entries[name] = (span, node)

    def expects_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1][0], Mapping) and self.pending[-1] is None

    def feed(self, event: Any) -> None:
        """Takes one event."""
        if isinstance(event, yaml.DocumentStartEvent):
            if self.root is not None:
                raise UnreadableYaml(
                    self.span(event),
                    "several-documents",
                    "a song file holds one document",
                    "take out the second ---",
                )
        elif isinstance(event, yaml.AliasEvent):
            self.alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            self.start(event, self.scalar)
        elif isinstance(event, yaml.SequenceStartEvent):
            self.start(event, lambda _, span: Sequence(span))
        elif isinstance(event, yaml.MappingStartEvent):
            self.start(event, lambda _, span: Mapping(span))
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self.end(event)

    def start(self, event: Any, make: Callable[[Any, Span], Node]) -> None:
        span = self.span(event)
        self.count(1, span)
        if event.tag is not None:
            tag = printable(event.tag)
            self.report(span, "tag", f"tags ({tag[:40]}) are not allowed", "write the value without it")
        if isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(event.value):
            raise UnreadableYaml(
                span, "yaml-syntax", "an escape is half of a character", "write the character itself"
            )
        if self.expects_key():
            if not isinstance(event, yaml.ScalarEvent):
                raise UnreadableYaml(
                    span, "bad-key", "a key must be a text", "a value may begin with [ or { only in quotes"
                )
            if event.anchor is not None:
                self.anchors[event.anchor] = Scalar(span, value=event.value)
            if not event.style and not event.value.isascii():
                self.has_odd_blank(event.value, span, anywhere=True)
            self.pending[-1] = (span, event.value)
            return
        key = self.pending[-1] if self.pending else None
        own = bool(self.own and self.own[-1]) or (key is not None and key[1].startswith("x-"))
        node = make(event, span)
        node.invalid |= event.tag is not None
        self.attach(node, event.anchor)
        if isinstance(node, Sequence | Mapping):
            self.check_depth(1, span)
            self.stack.append((node, event.anchor))
            self.pending.append(None)
            self.own.append(own)

    def end(self, event: Any) -> None:
        node, _ = self.stack.pop()
        self.pending.pop()
        self.own.pop()
        inside = [value for _, value in node.entries.values()] if isinstance(node, Mapping) else node.items
        node.size += sum(value.size for value in inside)
        node.height += max((value.height for value in inside), default=0)
        span, mark = node.span, event.end_mark
        if self.lines[span.line - 1][span.column - 1 : span.column] in ("{", "["):
            if mark.line + 1 == span.line:
                node.span = dataclasses.replace(span, end_column=mark.column + 1)
        elif isinstance(node, Mapping) and node.entries:
            # A mapping in block style has no token of its own, so its first key is its position.
            node.span = next(iter(node.entries.values()))[0]
        else:
            node.span = Span(span.line, span.column, span.column + 1)

    def alias(self, event: Any) -> None:
        span = self.span(event)
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise UnreadableYaml(span, "too-many-aliases", f"a song may use at most {MAX_ALIASES} aliases")
        target = self.anchors.get(event.anchor)
        name = shorten("*" + event.anchor)
        if target is None:
            raise UnreadableYaml(
                span,
                "unknown-alias",
                f"the alias {name} has no anchor before it",
                "put a text that begins with * in quotes",
            )
        if any(node is target for node, _ in self.stack):
            raise UnreadableYaml(span, "cycle", f"the alias {name} is inside the value that it repeats")
        self.count(target.size, span)
        self.check_depth(target.height, span)
        if self.expects_key():
            if not isinstance(target, Scalar):
                raise UnreadableYaml(span, "bad-key", "a key must be a text")
            self.pending[-1] = (span, str(target.value))
            return
        self.attach(dataclasses.replace(target, span=span), None)


def core_value(text: str) -> PlainScalar:
    """Returns the value of a plain scalar by YAML 1.2's core schema, without NaN and infinity.

    >>> [core_value(text) for text in ("no", "012", "1e3", "12:30:45", "~", "0x1F")]
    ['no', 12, 1000.0, '12:30:45', None, 31]
    """
    if _INTEGER.fullmatch(text):
        return int(text, {"0x": 16, "0o": 8}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    return text


def _loader_for(lines: list[str]) -> Any:
    """Returns PyYAML's C parser, or its slow one for texts in which the C parser may read too far ahead.

    The C parser has limits of its own on nesting, which differ between versions, and it reads on
    to the end of a line before it gives the first event of that line. So it never sees a line that
    by itself nests deeper than a song may: whatever the version, the limits of this module decide.
    """
    for line in lines:
        if _DASHES.search(line):
            return yaml.SafeLoader
        if line.count("[") + line.count("{") <= MAX_DEPTH:
            continue
        depth = 0
        for bracket in _BRACKET.finditer(line):
            depth += 1 if bracket[0] in "[{" else -1
            if depth > MAX_DEPTH:
                return yaml.SafeLoader
    return _FastLoader


def compose(text: str, report: Report) -> Node | None:
    """Builds the tree of a document.

    Args:
        text: The text that `riffcomposer.song.yaml_text.decode` returns.
        report: A function that is called once for each fault that leaves the rest readable.

    Returns:
        The root, or None for an empty file.

    Raises:
        UnreadableYaml: The text is not YAML, or exceeds a limit.
    """
    composer = _Composer(text, report)
    other = another_kind(composer.lines)
    if other is not None:
        raise other
    conflicts = merge_conflicts(composer.lines)
    for conflict in conflicts[:-1]:
        report(conflict.span, conflict.code, conflict.message, conflict.hint)
    if conflicts:
        raise conflicts[-1]
    loader = _loader_for(composer.lines)(text)
    try:
        while loader.check_event():
            composer.feed(loader.get_event())
    except yaml.MarkedYAMLError as error:
        raise syntax_fault(error, composer.lines) from None
    except yaml.YAMLError as error:
        raise UnreadableYaml(Span(1, 1, 2), "yaml-syntax", printable(str(error))) from None
    finally:
        loader.dispose()
    return composer.root
