"""What is wrong with a song, where, and what to do: one diagnostic for each fault.

Conventions: lines and columns count from 1, columns in characters; `end_column` is one past the
last character of the token. Line 0 means the whole file. Text that comes from a
song is made printable here, so that no terminal sequence in it ever reaches a terminal.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from riffcomposer.errors import SongError

Severity = Literal["error", "warning"]

MAX_DIAGNOSTICS = 200
"""Faults of one song that are listed; the rest are only counted."""

_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_SHOWN_WIDTH = 160


@dataclass(frozen=True)
class Span:
    """A token in the file: its line, its first column, and one past its last."""

    line: int
    column: int
    end_column: int


@dataclass(frozen=True)
class Diagnostic:
    """One fault.

    Attributes:
        code: Short and stable, `unknown-key` for instance.
        message: One sentence, without position.
        file: The song's name as the user gave it.
        source: The text of the line that the fault is on.
        hint: What to do about the fault; may be empty.
    """

    severity: Severity
    code: str
    message: str
    file: str
    line: int = 0
    column: int = 0
    end_column: int = 0
    source: str = ""
    hint: str = ""

    @property
    def sentence(self) -> str:
        """Message and hint as one printable sentence."""
        return printable(f"{self.message}; {self.hint}" if self.hint else self.message)

    @property
    def sort_key(self) -> tuple[int, int, str, str]:
        return (self.line, self.column, self.severity, self.message)


def printable(text: str) -> str:
    """Replaces each tab by a space and each control character by U+FFFD, so that columns stay the same."""
    return _UNPRINTABLE.sub("�", text.replace("\t", " "))


def shorten(value: object, limit: int = 40) -> str:
    """Shows a value in a message: text is quoted, and everything is cut to `limit` characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = printable(value if isinstance(value, str) else repr(value))
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return f"'{text}'" if isinstance(value, str) else text


def nearest(word: object, candidates: Iterable[str]) -> str:
    """Returns the candidate most similar to `word`, or an empty string if none is similar."""
    if not isinstance(word, str) or len(word) > 64:
        return ""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else ""


def did_you_mean(word: object, candidates: Iterable[str]) -> str:
    """Returns `did you mean 'strength'?`, or an empty string if no candidate is similar."""
    near = nearest(word, candidates)
    return f"did you mean '{near}'?" if near else ""


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorts diagnostics by position and drops repeated ones."""
    return sorted(dict.fromkeys(diagnostics), key=lambda diagnostic: diagnostic.sort_key)


def _width(text: str) -> int:
    """Returns how many terminal columns `text` takes."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


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
    """Formats diagnostics for people: position, sentence, source line, caret."""
    lines: list[str] = []
    for diagnostic in diagnostics:
        where = printable(diagnostic.file)
        if diagnostic.line:
            where += f":{diagnostic.line}:{diagnostic.column}"
        lines.append(f"{where}: {diagnostic.severity}: {diagnostic.sentence}")
        if diagnostic.line:
            lines += _excerpt(diagnostic)
    return "\n".join(lines)


def to_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """Formats diagnostics for programs: every field, with text made printable."""
    return {
        key: printable(value) if isinstance(value, str) else value
        for key, value in asdict(diagnostic).items()
    }


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


def song_error(file: str, diagnostics: Sequence[Diagnostic]) -> SongError:
    """Makes the error that carries `diagnostics`; its message is their text form."""
    ordered = in_order(diagnostics)
    if len(ordered) > MAX_DIAGNOSTICS:
        rest = len(ordered) - MAX_DIAGNOSTICS
        more = Diagnostic("error", "too-many-faults", f"{rest} more faults are not shown", file)
        ordered = [*ordered[:MAX_DIAGNOSTICS], more]
    return SongError(format_text(ordered), ordered)
