"""A song file as text: its lines, its tree, and diagnostics that point into it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from riffcomposer.diagnostics import Diagnostic, NodePath, Severity, Span
from riffcomposer.song import nodes
from riffcomposer.song.nodes import Node, Scalar

_CUT_BY_A_COMMENT = {"bad-path", "bad-file", "unknown-name"}
_COMMENT = re.compile(r"[ \t]+#")
_ONLY_A_COMMENT = re.compile(r"[ \t]*:[ \t]+#")


@dataclass
class Source:
    """A song's file.

    Attributes:
        file: The file's name as the user gave it, for messages.
        lines: The file's lines as YAML counts them.
        root: The tree of the document.
    """

    file: str
    lines: list[str] = field(default_factory=list)
    root: Node = field(default_factory=lambda: Scalar(Span(1, 1, 2)))

    def position(self, path: NodePath, *, key: bool = False) -> Span:
        """Returns the position of the value (or the key) at `path`, or of its nearest ancestor."""
        return nodes.position(self.root, path, key=key)

    def at(self, span: Span, severity: Severity, code: str, message: str, hint: str = "") -> Diagnostic:
        """Makes a diagnostic at a span."""
        source = self.lines[span.line - 1] if 0 < span.line <= len(self.lines) else ""
        if code in _CUT_BY_A_COMMENT and _COMMENT.match(source, span.end_column - 1):
            hint = "' #' begins a comment: if it is a part of the name, put the name in quotes"
        if code == "missing-value" and _ONLY_A_COMMENT.match(source, span.end_column - 1):
            hint = "' #' begins a comment: put the text in quotes"
        return Diagnostic(
            severity,
            code,
            message,
            hint=hint,
            file=self.file,
            line=span.line,
            column=span.column,
            end_column=span.end_column,
            source=source,
        )

    def located(self, diagnostic: Diagnostic) -> Diagnostic:
        """Adds file, line and columns to a diagnostic that has a path only."""
        if diagnostic.file:
            return diagnostic
        span = self.position(diagnostic.path, key=diagnostic.at_key)
        found = self.at(span, diagnostic.severity, diagnostic.code, diagnostic.message, diagnostic.hint)
        return replace(found, path=diagnostic.path, at_key=diagnostic.at_key, keys=diagnostic.keys)

    def diagnostic(
        self,
        severity: Severity,
        code: str,
        message: str,
        path: NodePath,
        hint: str = "",
        *,
        key: bool = False,
    ) -> Diagnostic:
        """Makes a diagnostic at the value (or the key) at `path`."""
        return self.located(Diagnostic(severity, code, message, path, hint, at_key=key))
