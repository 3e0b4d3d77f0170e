"""`riffcompose check`: reports what is wrong with songs, without rendering or writing anything."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riffcomposer.cli.console import print_json, stdout

if TYPE_CHECKING:
    from riffcomposer.checkpoints.profile import LocatedModel
    from riffcomposer.song.diagnostics import Diagnostic, Severity
    from riffcomposer.song.reader import LoadedSong


class Format(StrEnum):
    """How diagnostics are printed."""

    text = "text"
    json = "json"
    github = "github"


def _plan_findings(song: LoadedSong, model: LocatedModel, folders: tuple[Path, ...]) -> list[Diagnostic]:
    """Yields the findings of planning: its lints, or the faults that stop it."""
    from riffcomposer.device import guess_backend
    from riffcomposer.errors import SongError
    from riffcomposer.loops.catalogue import catalogue
    from riffcomposer.plan.init_scan import scan_inits
    from riffcomposer.plan.inputs import SongFiles
    from riffcomposer.plan.plan_lints import lint_plan
    from riffcomposer.plan.planner import plan_song
    from riffcomposer.store.prepared_song import diagnosed

    try:
        plan = plan_song(
            song.resolved,
            song_path=song.path,
            model=model,
            catalogue=catalogue(),
            backend=guess_backend(),
            files=SongFiles(song.folder, folders),
        )
        found = scan_inits(plan, song.resolved, model.profile.spectrogram)
        return diagnosed(song, [*lint_plan(plan, song.resolved), *found])
    except SongError as error:
        return diagnosed(song, error.diagnostics)


def examine(path: Path, allowed_folders: tuple[Path, ...] = ()) -> list[Diagnostic]:
    """Returns all faults and lints of one song, by position."""
    from riffcomposer.checkpoints.locate import locate_model
    from riffcomposer.checkpoints.verify import verify_model
    from riffcomposer.errors import ModelError, SongError
    from riffcomposer.loops.catalogue import catalogue
    from riffcomposer.song.diagnostics import in_order
    from riffcomposer.song.lints import lint
    from riffcomposer.song.reader import load_song

    try:
        song = load_song(path)
    except SongError as error:
        return list(error.diagnostics)
    found: list[Diagnostic] = []
    model = None
    try:
        model = locate_model(song.resolved.model, song.folder)
        if model.derived:
            message = "the model has no riffcomposer.json: its profile is a guess from its configuration"
            found.append(song.diagnostic("warning", "guessed-profile", message, ("model",)))
        verify_model(model, hashes=False)
    except ModelError as error:
        # A folder beside the song is part of it; another model may be on the machine that renders.
        if model is None:
            severity: Severity = "error" if song.resolved.model.startswith(".") else "warning"
            hint = "checks that depend on it are left out"
            found.append(song.diagnostic(severity, "no-model", str(error), ("model",), hint))
        else:
            found.append(song.diagnostic("error", "bad-model", str(error), ("model",)))
    found += lint(
        song,
        None if model is None else model.profile,
        catalogue(),
        allowed_folders=allowed_folders,
        model_folder=None if model is None else model.folder,
    )
    if model is not None and not any(diagnostic.severity == "error" for diagnostic in found):
        found += _plan_findings(song, model, allowed_folders)
    return in_order(found)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _print_text(diagnostics: list[Diagnostic], songs: int) -> None:
    from riffcomposer.song.diagnostics import format_text

    errors = sum(diagnostic.severity == "error" for diagnostic in diagnostics)
    warnings = len(diagnostics) - errors
    verdict = (
        f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
        if diagnostics
        else "no errors or warnings"
    )
    summary = f"{_count(songs, 'song')}: {verdict}"
    if not sys.stdout.isatty():
        sys.stdout.writelines(f"{format_text([diagnostic])}\n" for diagnostic in diagnostics)
        sys.stdout.write(summary + "\n")
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
    ) -> None:
        """Check songs for faults; each is shown with line, column and what to do about it."""
        from riffcomposer.song.diagnostics import format_github, to_json

        if as_json:
            output_format = Format.json
        results = {path: examine(path, tuple(allow or ())) for path in songs}
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
                sys.stdout.write(format_github(everything) + "\n")
        else:
            _print_text(everything, len(songs))
        if failed:
            raise typer.Exit(1)
