"""What is wrong with a song, where, and what to do: one diagnostic for each fault.

Every stage reports with this one type. A stage that knows the song as values fills in `path`, the
keys that lead to the value; where the song's text is known, `riffcomposer.song.source` adds file,
line and columns. A fault of a file that no song names (see `riffcomposer.media`) has neither; its
message is then a predicate, `is silent`, that whoever knows the file's name puts the name before.

Conventions: lines and columns count from 1, columns in characters; `end_column` is one past the
last character of the token. Line 0 means the whole file. Text that comes from a song is made
printable when a diagnostic is formatted.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from riffcomposer.text import printable

Severity = Literal["error", "warning"]

NodePath = tuple[str | int, ...]
"""The keys and indices that lead to a value of the song: ("sections", 2, "strength")."""

_SHOWN_WIDTH = 160


@dataclass(frozen=True)
class Span:
    """A token in the file: its line, its first column, and one past its last."""

    line: int
    column: int
    end_column: int


@dataclass(frozen=True)
class Diagnostic:
    """One fault or warning.

    Attributes:
        code: Short and stable, `unknown-key` for instance.
        message: One sentence, without position.
        path: The value of the song that it is about; () for the whole song.
        hint: What to do about it; may be empty.
        at_key: The key at `path` is at fault, not its value.
        keys: For `missing-key`, keys of which any one removes the fault; for `unknown-key`, the key that
            was probably meant.
        file: The song's name as the user gave it; empty as long as it is not known.
        source: The text of the line that the fault is on.
    """

    severity: Severity
    code: str
    message: str
    path: NodePath = ()
    hint: str = ""
    at_key: bool = field(default=False, kw_only=True)
    keys: tuple[str, ...] = field(default=(), kw_only=True)
    file: str = field(default="", kw_only=True)
    line: int = field(default=0, kw_only=True)
    column: int = field(default=0, kw_only=True)
    end_column: int = field(default=0, kw_only=True)
    source: str = field(default="", kw_only=True)

    @property
    def sentence(self) -> str:
        """Message and hint as one printable sentence."""
        return printable(f"{self.message}; {self.hint}" if self.hint else self.message)

    @property
    def sort_key(self) -> tuple[int, int, str, str]:
        return (self.line, self.column, self.severity, self.message)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorts diagnostics by position and drops those that a reader could not tell from another.

    What several sections inherit has several paths and one place in the file.
    """
    first: dict[tuple[object, ...], Diagnostic] = {}
    for each in diagnostics:
        shown = (each.file, each.line, each.column, each.end_column, each.severity, each.code, each.sentence)
        first.setdefault(shown, each)
    return sorted(first.values(), key=lambda diagnostic: diagnostic.sort_key)


def _width(text: str) -> int:
    """Returns how many terminal columns `text` takes: two for wide characters, none for marks on others."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.category(character) in ("Mn", "Me") for character in text)


def _excerpt(diagnostic: Diagnostic) -> list[str]:
    """Returns the source line and a line of carets; a long line is cut around the token."""
    source, start = diagnostic.source, diagnostic.column - 1
    end = max(min(diagnostic.end_column - 1, len(source)), start + 1)
    if len(source) > _SHOWN_WIDTH:
        first = max(0, min(start - 40, len(source) - _SHOWN_WIDTH))
        source = source[first : first + _SHOWN_WIDTH]
        start, end = start - first, min(end - first, _SHOWN_WIDTH)
    source = printable(source)
    carets = "^" * max(1, _width(source[start:end]))
    return [
        f"{diagnostic.line:5d} | {source}".rstrip(),
        f"{'':5} | {' ' * _width(source[:start])}{carets}",
    ]


def format_text(diagnostics: Sequence[Diagnostic]) -> str:
    """Formats diagnostics for people: position, sentence, source line, caret.

    A diagnostic without a file is its sentence alone.
    """
    lines: list[str] = []
    for diagnostic in diagnostics:
        if not diagnostic.file:
            lines.append(diagnostic.sentence)
            continue
        where = printable(diagnostic.file)
        if diagnostic.line:
            where += f":{diagnostic.line}:{diagnostic.column}"
        lines.append(f"{where}: {diagnostic.severity}: {diagnostic.sentence}")
        if diagnostic.line:
            lines += _excerpt(diagnostic)
    return "\n".join(lines)


def to_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """Formats a diagnostic for programs: what a reader is shown, with text made printable."""
    names = ("severity", "code", "message", "file", "line", "column", "end_column", "source", "hint")
    values = {name: getattr(diagnostic, name) for name in names}
    return {name: printable(value) if isinstance(value, str) else value for name, value in values.items()}


def _escape(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def format_github(diagnostics: Sequence[Diagnostic]) -> str:
    """Formats diagnostics as GitHub workflow commands (docs.github.com, "Workflow commands", `::error`)."""
    lines = []
    for diagnostic in diagnostics:
        properties = {"file": diagnostic.file}
        if diagnostic.line:
            properties |= {
                "line": str(diagnostic.line),
                "endLine": str(diagnostic.line),
                "col": str(diagnostic.column),
                "endColumn": str(diagnostic.end_column),
            }
        properties["title"] = diagnostic.code
        listed = ",".join(f"{key}={_escape(printable(value), ':,')}" for key, value in properties.items())
        lines.append(f"::{diagnostic.severity} {listed}::{_escape(diagnostic.sentence)}")
    return "\n".join(lines)
