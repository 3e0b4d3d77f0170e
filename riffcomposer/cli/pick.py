"""`riffcompose pick`: writes the chosen take of a section into the song."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

import typer

from riffcomposer.cli.console import print_line


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command()
    def pick(
        song: Annotated[Path, typer.Argument(metavar="SONG", help="The song file (YAML).")],
        section: Annotated[str, typer.Argument(metavar="SECTION", help="The section's name.")],
        number: Annotated[int, typer.Argument(metavar="NUMBER", help="The take, as `takes` numbers them.")],
        out: Annotated[
            Path | None,
            typer.Option("--out", "-o", metavar="DIR", help="Folder of the takes, as `takes --out` had it."),
        ] = None,
    ) -> None:
        """Write a take into the song: one value changes, and every other byte stays."""
        from riffcomposer.files import write_bytes
        from riffcomposer.song.reader import load_song
        from riffcomposer.studio.section_takes import picked, takes_file

        path = load_song(song).path
        before = path.read_bytes()
        after = picked(before, path, section, number, takes_file(path, section, out))
        if after == before:
            print_line(f"{song}: take {number} is what the song says already")
            return
        write_bytes(path, after)
        old, new = (text.decode("utf-8-sig").splitlines() for text in (before, after))
        for line in difflib.unified_diff(old, new, str(song), str(song), lineterm="", n=1):
            print_line(line, {"+": "green", "-": "red"}.get(line[:1], ""))
