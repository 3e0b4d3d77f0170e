"""Printing for the command line: escaped text, tables, JSON, errors."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


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


def print_json(value: Any) -> None:
    """Prints one JSON document on stdout, keys in the order given."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def print_error(message: object) -> None:
    """Prints `error: ...` on stderr."""
    stderr().print(f"[bold red]error:[/] {plain(message)}")


def print_warning(message: object) -> None:
    """Prints `warning: ...` on stderr."""
    stderr().print(f"[bold yellow]warning:[/] {plain(message)}")
