"""Printing for the command line: escaped text, tables, JSON, errors."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def prepare_streams() -> None:
    """Lets stdout and stderr take any text, whatever their encoding: what it lacks is printed as an escape.

    A Windows pipe is in the system's code page, cron and some containers have ASCII; a song may
    hold any character. A stream that is closed takes everything and shows nothing.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """Sends what is left to print on stdout nowhere, so that nothing fails again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stdout() -> Console:
    """The console for results. Colours follow the terminal and NO_COLOR."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())


def stderr() -> Console:
    """The console for progress and errors."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def plain(text: object) -> str:
    """Text from a song or a file made safe to print: no control characters, no markup."""
    from rich.markup import escape

    return escape(_CONTROL.sub("�", str(text)))


def print_line(text: str, style: str = "") -> None:
    """Prints one line of plain text on stdout, in a style on a terminal only; not markup.

    Rich takes a good part of a command's start: it is not loaded where nobody would see it.
    """
    text = _CONTROL.sub("�", text)
    if sys.stdout.isatty():
        from rich.text import Text

        stdout().print(Text(text, style=style), soft_wrap=True)
    else:
        sys.stdout.write(text + "\n")


def json_text(value: Any, stream: TextIO, *, indent: int | None = None) -> str:
    """A value as JSON, keys in the order given; with ASCII escapes where the stream's encoding needs them."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=str)
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent, default=str)
    return text


def print_json(value: Any) -> None:
    """Prints one JSON document on stdout, keys in the order given."""
    sys.stdout.write(json_text(value, sys.stdout, indent=2) + "\n")


def print_error(message: object) -> None:
    """Prints `error: ...` on stderr."""
    stderr().print(f"[bold red]error:[/] {plain(message)}")


def print_warning(message: object) -> None:
    """Prints `warning: ...` on stderr."""
    stderr().print(f"[bold yellow]warning:[/] {plain(message)}")
