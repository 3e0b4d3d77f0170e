"""`riffcompose check`: reports what is wrong with songs, without rendering or writing anything."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riffcomposer.cli.console import print_json, stdout, write
from riffcomposer.cli.store_option import StoreFolder, chosen_store

if TYPE_CHECKING:
    from riffcomposer.diagnostics import Diagnostic


class Format(StrEnum):
    """How diagnostics are printed."""

    text = "text"
    json = "json"
    github = "github"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _print_text(diagnostics: list[Diagnostic], songs: int) -> None:
    from riffcomposer.diagnostics import format_text

    errors = sum(diagnostic.severity == "error" for diagnostic in diagnostics)
    warnings = len(diagnostics) - errors
    verdict = (
        f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
        if diagnostics
        else "no errors or warnings"
    )
    summary = f"{_count(songs, 'song')}: {verdict}"
    if not sys.stdout.isatty():
        for diagnostic in diagnostics:
            write(f"{format_text([diagnostic])}\n")
        write(summary + "\n")
        return
    from rich.text import Text

    console = stdout()
    for diagnostic in diagnostics:
        text = Text(format_text([diagnostic]))
        style = "bold red" if diagnostic.severity == "error" else "bold yellow"
        text.highlight_words([f": {diagnostic.severity}: "], style)
        console.print(text, soft_wrap=True)
    console.print(Text(summary), soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command()
    def check(
        songs: Annotated[list[Path], typer.Argument(metavar="SONG...", help="Song files (YAML).")],
        output_format: Annotated[
            Format,
            typer.Option("--format", help="text for people, json for programs, github for annotations."),
        ] = Format.text,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print the diagnostics as JSON, like --format json.")
        ] = False,
        strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on warnings as well.")] = False,
        allow: Annotated[
            list[Path] | None,
            typer.Option("--allow", metavar="DIR", help="A further folder that the song's files may be in."),
        ] = None,
        store: StoreFolder = None,
    ) -> None:
        """Check songs for faults; each is shown with line, column and what to do about it."""
        from riffcomposer.diagnostics import format_github, to_json
        from riffcomposer.render.session import Session

        if as_json:
            output_format = Format.json
        with Session(store=chosen_store(store), allowed_folders=tuple(allow or ())) as session:
            results = {path: session.check(path) for path in songs}
        everything = [diagnostic for diagnostics in results.values() for diagnostic in diagnostics]
        errors = sum(diagnostic.severity == "error" for diagnostic in everything)
        failed = errors > 0 or (strict and len(everything) > 0)
        if output_format is Format.json:
            print_json(
                {
                    "ok": not failed,
                    "errors": errors,
                    "warnings": len(everything) - errors,
                    "songs": [
                        {
                            "file": str(path),
                            "diagnostics": [to_json(diagnostic) for diagnostic in diagnostics],
                        }
                        for path, diagnostics in results.items()
                    ],
                }
            )
        elif output_format is Format.github:
            if everything:
                write(format_github(everything) + "\n")
        else:
            _print_text(everything, len(songs))
        if failed:
            raise typer.Exit(1)
