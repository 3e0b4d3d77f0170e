"""Bounded YAML: a tree of positioned nodes built on PyYAML's event stream.

The rules are those of YAML 1.2's core schema (yaml.org/spec/1.2.2, section 10.3), not PyYAML's
1.1: `no` is text, `012` is twelve, `12:30:45` is text, `1e3` is a number. Refused: duplicate
keys, tags, merge keys, NaN and infinity, several documents, cycles, and anything past the
limits below, which are checked on events, before a tree is built: PyYAML's C composer crashes
on deep nesting, and a few aliases can stand for billions of nodes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import yaml

from riffcomposer.song.diagnostics import Span, printable, shorten
from riffcomposer.song.nodes import Mapping, Node, PlainScalar, Scalar, Sequence

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_NODES = 30_000
MAX_ALIASES = 100

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff\ufffe\uffff]")

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Report = Callable[[Span, str, str, str], None]
"""Takes span, code, message and hint of a fault that does not stop the reading."""


class UnreadableYaml(Exception):
    """Not YAML, or past a limit: there is no tree.

    Attributes:
        span, code, message, hint: As for `Report`.
    """

    def __init__(self, span: Span, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.span, self.code, self.message, self.hint = span, code, message, hint


def split_lines(text: str) -> list[str]:
    """The lines of a text as YAML counts them."""
    return _LINE_BREAK.split(text)


def decode(content: bytes) -> str:
    """UTF-8, with or without a byte order mark, without control characters.

    Raises:
        UnreadableYaml: Too long, another encoding, or not a text.
    """
    if len(content) > MAX_BYTES:
        raise UnreadableYaml(
            Span(0, 0, 0), "too-large", f"the file is larger than a song may be ({MAX_BYTES // 1024} KiB)"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = split_lines(content[: error.start].decode("utf-8-sig", errors="replace"))
        span = Span(len(before), len(before[-1]) + 1, len(before[-1]) + 2)
        raise UnreadableYaml(span, "not-utf8", "the file is not UTF-8", "save it as UTF-8") from None
    found = _NOT_TEXT.search(text)
    if found:
        before = split_lines(text[: found.start()])
        span = Span(len(before), len(before[-1]) + 1, len(before[-1]) + 2)
        hint = "save it as UTF-8" if found[0] == "\0" else "take it out"
        raise UnreadableYaml(
            span,
            "control-character",
            f"the control character U+{ord(found[0]):04X} may not stand in a song",
            hint,
        )
    return text


class _Composer:
    """Builds the tree from events, with a stack of its own."""

    def __init__(self, text: str, report: Report) -> None:
        self.lines = split_lines(text)
        self.report = report
        self.stack: list[tuple[Mapping | Sequence, str | None]] = []
        self.pending: list[tuple[Span, str] | None] = []
        self.anchors: dict[str, Node] = {}
        self.nodes = 0
        self.aliases = 0
        self.root: Node | None = None

    def span(self, event: Any) -> Span:
        """The event's place; cut to its first line."""
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
        """The scalar's value by the core schema."""
        text: str = event.value
        if event.style or not event.implicit[0]:
            return Scalar(span, value=text)
        node = Scalar(span)
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
        if self.expects_key():
            if not isinstance(event, yaml.ScalarEvent):
                raise UnreadableYaml(
                    span, "bad-key", "a key must be a text", "a value may begin with [ or { only in quotes"
                )
            if event.anchor is not None:
                self.anchors[event.anchor] = Scalar(span, value=event.value)
            self.pending[-1] = (span, event.value)
            return
        node = make(event, span)
        node.invalid |= event.tag is not None
        self.attach(node, event.anchor)
        if isinstance(node, Sequence | Mapping):
            self.check_depth(1, span)
            self.stack.append((node, event.anchor))
            self.pending.append(None)

    def end(self, event: Any) -> None:
        node, _ = self.stack.pop()
        self.pending.pop()
        inside = [value for _, value in node.entries.values()] if isinstance(node, Mapping) else node.items
        node.size += sum(value.size for value in inside)
        node.height += max((value.height for value in inside), default=0)
        span, mark = node.span, event.end_mark
        if self.lines[span.line - 1][span.column - 1 : span.column] in ("{", "["):
            if mark.line + 1 == span.line:
                node.span = dataclasses.replace(span, end_column=mark.column + 1)
        elif isinstance(node, Mapping) and node.entries:
            # A mapping in block style has no token of its own: its first key stands for it.
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
            raise UnreadableYaml(span, "unknown-alias", f"the alias {name} has no anchor before it")
        if any(node is target for node, _ in self.stack):
            raise UnreadableYaml(span, "cycle", f"the alias {name} stands inside what it stands for")
        self.count(target.size, span)
        self.check_depth(target.height, span)
        if self.expects_key():
            if not isinstance(target, Scalar):
                raise UnreadableYaml(span, "bad-key", "a key must be a text")
            self.pending[-1] = (span, str(target.value))
            return
        self.attach(dataclasses.replace(target, span=span), None)


def core_value(text: str) -> PlainScalar:
    """The value of a plain scalar by YAML 1.2's core schema, NaN and infinity left out.

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


_PLAIN_ENGLISH = (
    (
        "mapping values are not allowed",
        "a colon is out of place here",
        "put a text that holds ': ' in quotes",
    ),
    (
        "found character that cannot start any token",
        "this character cannot begin a value",
        "put the text in quotes",
    ),
    ("could not find expected ':'", "a ':' is missing after this key", ""),
    ("did not find expected key", "a key was expected here", "check the indentation and the brackets"),
    ("did not find expected '-' indicator", "a list item (-) was expected here", "check the indentation"),
    ("did not find expected ',' or", "a comma or a closing bracket is missing", ""),
    ("found unexpected end of stream", "a quote is not closed", ""),
    (
        "found unknown escape character",
        "unknown escape in a quoted text",
        "use single quotes, or \\\\ for a backslash",
    ),
    (
        "block sequence entries are not allowed",
        "a list item (-) is out of place here",
        "check the indentation",
    ),
)


def _plain_syntax_error(error: yaml.MarkedYAMLError, lines: list[str]) -> UnreadableYaml:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    if line >= len(lines):
        line, column = len(lines) - 1, len(lines[-1])
    text = lines[line]
    span = Span(line + 1, column + 1, column + 2)
    problem = error.problem or "this is not YAML"
    if "\t" in text[: column + 1] and not text[: column + 1].strip():
        return UnreadableYaml(span, "yaml-syntax", "a tab cannot indent YAML", "use blanks")
    for part, message, hint in _PLAIN_ENGLISH:
        if part in problem:
            return UnreadableYaml(span, "yaml-syntax", message, hint)
    return UnreadableYaml(span, "yaml-syntax", problem)


def compose(text: str, report: Report) -> Node | None:
    """Builds the tree of a document.

    Args:
        text: What `decode` gave.
        report: Called once for each fault that leaves the rest readable.

    Returns:
        The root, or None for an empty file.

    Raises:
        UnreadableYaml: There is no tree.
    """
    composer = _Composer(text, report)
    loader = _Loader(text)
    try:
        while loader.check_event():
            composer.feed(loader.get_event())
    except yaml.MarkedYAMLError as error:
        raise _plain_syntax_error(error, composer.lines) from None
    except yaml.YAMLError as error:
        raise UnreadableYaml(Span(1, 1, 2), "yaml-syntax", printable(str(error))) from None
    finally:
        loader.dispose()
    return composer.root
