"""`riffcompose new`: writes a commented song to start from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from riffcomposer.cli.console import plain, print_line, stdout
from riffcomposer.cli.starter_songs import starter_song
from riffcomposer.cli.starter_styles import NAMES, STARTERS
from riffcomposer.errors import UsageError


def schema_line(folder: Path) -> tuple[str, Path | None]:
    """Returns the schema's path for the song's first line, and where to write the schema if it is missing."""
    for above in (folder, *folder.parents):
        candidate = above / "schemas" / "song.schema.json"
        if candidate.is_file():
            return os.path.relpath(candidate, folder).replace(os.sep, "/"), None
    target = folder / "schemas" / "song.schema.json"
    return "schemas/song.schema.json", target


def style_named(name: str) -> str:
    """Returns the style that a name or a short name means.

    Raises:
        UsageError: There is none.
    """
    from riffcomposer.composer.prompt_words import named
    from riffcomposer.text import did_you_mean

    known = [*STARTERS, *NAMES]
    style = NAMES.get(name.lower(), name.lower())
    found = style if style in STARTERS else named("style", style)
    if not found:
        raise UsageError(
            f"no style {name!r}; {did_you_mean(name, known) or 'see riffcompose new --list-styles'}"
        )
    return found


def _list_styles(wanted: bool) -> None:
    if wanted:
        for style, starter in STARTERS.items():
            print_line(f"{style:14}  {starter.tempo:3g} BPM, {starter.meter}: {starter.main}")
        raise typer.Exit


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command()
    def new(
        path: Annotated[
            Path, typer.Argument(metavar="PATH", help="Where to write the song; .yaml is added.")
        ],
        style: Annotated[
            str, typer.Option("--style", help="A style, as --list-styles shows them.")
        ] = "lo-fi hip hop",
        title: Annotated[str, typer.Option("--title", help="Title; by default from the file's name.")] = "",
        force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
        list_styles: Annotated[
            bool,
            typer.Option(
                "--list-styles", help="Show all styles and exit.", callback=_list_styles, is_eager=True
            ),
        ] = False,
    ) -> None:
        """Write a commented song to start from."""
        from riffcomposer.files import write_text
        from riffcomposer.loops.catalogue import catalogue
        from riffcomposer.song.reader import parse_song
        from riffcomposer.song.schema import schema_text

        del list_styles
        style = style_named(style)
        if path.name in ("", ".."):
            raise UsageError(f"{path} is a folder; name the song to write: {path / 'song.yaml'}")
        if path.suffix.lower() not in (".yaml", ".yml"):
            path = path.with_name(path.name + ".yaml")
        if not force and (path.exists() or path.is_symlink()):
            raise UsageError(f"{path} already exists; choose another name, or replace it with --force")
        title = title or path.stem.replace("-", " ").replace("_", " ").strip().title() or "Untitled"
        reference, missing_schema = schema_line(path.parent.resolve())
        text = starter_song(title, style, reference, catalogue())
        parse_song(
            text.encode(), path
        )  # a title may make the song invalid: it is checked before it is written
        write_text(path, text)
        if missing_schema is not None:
            write_text(missing_schema, schema_text())
        stdout().print(f"wrote {plain(path)}; next: riffcompose check {plain(path)}", soft_wrap=True)
