"""Prints text, JSON, warnings and errors of the command line, safely escaped."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from riffcomposer.text import printable_lines

if TYPE_CHECKING:
    from rich.console import Console


def prepare_streams() -> None:
    """Makes stdout and stderr accept any text: characters that their encoding lacks become escapes.

    A Windows pipe uses the system's code page, cron and some containers use ASCII; a song may contain
    any character. A closed stream is replaced by one that discards everything.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


def drop_output(stream: TextIO | None = None) -> None:
    """Discards the rest of a stream, stdout by default, so that nothing fails again at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, (stream or sys.stdout).fileno())
    os.close(devnull)


def write(text: str, stream: TextIO | None = None) -> None:
    """Writes text to a stream, stdout by default; discards it once the reader of a pipe has gone."""
    stream = stream or sys.stdout
    try:
        stream.write(text)
    except BrokenPipeError:
        drop_output(stream)


def _console(stream: TextIO, *, soft_wrap: bool) -> Console:
    """Returns a console that goes on in silence once the reader of its pipe has gone: rich would exit."""
    from rich.console import Console

    console = Console(file=stream, highlight=False, soft_wrap=soft_wrap)
    console.on_broken_pipe = lambda: drop_output(stream)  # type: ignore[method-assign]
    return console


def stdout() -> Console:
    """Returns the console for results. Colours follow the terminal and NO_COLOR."""
    return _console(sys.stdout, soft_wrap=not sys.stdout.isatty())


def stderr() -> Console:
    """Returns the console for progress and errors."""
    return _console(sys.stderr, soft_wrap=True)


def plain(text: object) -> str:
    """Makes text from a song or a file safe to print, without control characters or markup."""
    from rich.markup import escape

    return escape(printable_lines(str(text)))


def print_line(text: str, style: str = "") -> None:
    """Prints one line of plain text without markup on stdout, in a style on terminals only.

    Rich is slow to import, so it is loaded only for a terminal.
    """
    text = printable_lines(text)
    if sys.stdout.isatty():
        from rich.text import Text

        stdout().print(Text(text, style=style), soft_wrap=True)
    else:
        write(text + "\n")


def json_text(value: Any, stream: TextIO, *, indent: int | None = None) -> str:
    """Returns a value as JSON with keys in the given order, and ASCII escapes if the stream needs them."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=str)
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent, default=str)
    return text


def print_json(value: Any) -> None:
    """Prints one JSON document on stdout, with keys in the given order."""
    write(json_text(value, sys.stdout, indent=2) + "\n")


def print_error(message: object) -> None:
    """Prints `error: ...` on stderr."""
    stderr().print(f"[bold red]error:[/] {plain(message)}")


def print_warning(message: object) -> None:
    """Prints `warning: ...` on stderr."""
    stderr().print(f"[bold yellow]warning:[/] {plain(message)}")
