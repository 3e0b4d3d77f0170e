"""Reference pages that are made from the code: every key of a song, every command and option.

The pages are written at each build and are not committed, so they cannot be out of date.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from riffcomposer.cli.main import build_app
from riffcomposer.song.key_table import key_table

_KEYS_HEAD = """# Every key of a song

Bounds and defaults come from the same definitions that `riffcompose check` uses. The JSON Schema for editors
is `schemas/song.schema.json` in the repository; the first line of every song that `riffcompose new` writes
points an editor to it.

"""
_COMMANDS_HEAD = """# Every command

`riffcompose COMMAND --help` prints the same text in a terminal. Errors and exit codes are on
[a page of their own](errors.md).

"""


def write_pages(folder: Path) -> None:
    """Writes `keys.md` and `commands.md` into `folder`; leaves a page alone that has not changed."""
    pages = {"keys.md": _KEYS_HEAD + _headed(key_table()), "commands.md": _COMMANDS_HEAD + _commands()}
    for name, text in pages.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _headed(table: str) -> str:
    """The key table with its bold titles as headings, so that each part has an address."""
    lines = [
        f"## {line[2:-2]}" if line.startswith("**") and line.endswith("**") else line
        for line in table.splitlines()
    ]
    return "\n".join(lines) + "\n"


def _commands() -> str:
    group: Any = typer.main.get_command(build_app())
    return "\n".join(line for name, command in group.commands.items() for line in _command(name, command))


def _command(name: str, command: Any, parents: str = "riffcompose", level: int = 2) -> Iterator[str]:
    """The section of one command, and of its subcommands below it."""
    called = f"{parents} {name}"
    yield from (f"{'#' * level} `{called}`", "", _paragraph(command.help), "")
    subcommands = getattr(command, "commands", {})
    for child, subcommand in subcommands.items():
        yield from _command(child, subcommand, called, level + 1)
    shown = [parameter for parameter in command.params if parameter.name != "help"]
    if subcommands or not shown:
        return
    yield from ("| argument or option | what it does |", "|---|---|")
    for parameter in shown:
        yield f"| {_usage(parameter)} | {_paragraph(parameter.help)}{_default(parameter)} |"
    yield ""


def _usage(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
    names = [*parameter.opts, *parameter.secondary_opts]
    return ", ".join(f"`{option}{value}`" for option in names)


def _default(parameter: Any) -> str:
    value = parameter.default
    if callable(value) or value in (None, False, "", ()) or "Default" in (parameter.help or ""):
        return ""
    return f" Default: `{getattr(value, 'value', value)}`."


def _paragraph(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")
