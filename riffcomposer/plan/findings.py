"""Faults and lints that planning finds, each with its path in the song.

The planner knows paths (`("sections", 2, "overlap")`), not lines; the reader of the file turns a
finding into a diagnostic with line and column.
"""

from __future__ import annotations

from dataclasses import dataclass

from riffcomposer.errors import SongError
from riffcomposer.song.diagnostics import Severity
from riffcomposer.song.resolved import NodePath


@dataclass(frozen=True)
class Finding:
    """One fault or lint.

    Attributes:
        code: Short and stable, `too-slow` for instance.
        message: One sentence, without position.
        path: The value of the song that it is about.
        hint: What to do about it; may be empty.
    """

    severity: Severity
    code: str
    message: str
    path: NodePath = ()
    hint: str = ""

    @property
    def sentence(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


def fault(code: str, message: str, path: NodePath = (), hint: str = "") -> SongError:
    """Makes the error that carries one finding; the reader of the file adds line and column."""
    finding = Finding("error", code, message, path, hint)
    return SongError(finding.sentence, (finding,))
