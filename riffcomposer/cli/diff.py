"""`riffcompose diff`: shows what changed between two git revisions of a song, in musical terms."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riffcomposer.cli.console import print_json, print_line
from riffcomposer.cli.song_comparison import compare, compare_staged, comparison_json
from riffcomposer.cli.store_option import StoreFolder, chosen_store
from riffcomposer.errors import UsageError

if TYPE_CHECKING:
    from riffcomposer.plan.song_diff import FieldChange, SongDiff


def _change_lines(changes: tuple[FieldChange, ...], indent: str) -> list[str]:
    return [f"{indent}{change.field}: {change.old} -> {change.new}" for change in changes]


def _lines(diff: SongDiff) -> list[str]:
    lines = _change_lines(diff.changes, "")
    marks = {"added": "+", "removed": "-"}
    for section in diff.sections:
        words = []
        for kind in section.kinds:
            if kind == "renamed":
                words.append(f"renamed from {section.old_name}")
            elif kind == "moved":
                words.append(f"moved from place {section.old_place} to {section.new_place}")
            elif kind != "changed" or len(section.kinds) == 1:
                words.append(kind)
        lines.append(f"{marks.get(section.kinds[0], '~')} section {section.name}: {', '.join(words)}")
        lines += _change_lines(section.changes, "    ")
    return lines


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command()
    def diff(
        arguments: Annotated[
            list[str],
            typer.Argument(
                metavar="REV [REV] SONG",
                help="A git revision (or two, or a range A..B; the second is the working tree if left out), "
                "and the song file.",
            ),
        ],
        staged: Annotated[
            bool,
            typer.Option(
                "--staged", "--cached", help="Compare the revision, HEAD if left out, with what is staged."
            ),
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the changes as JSON.")] = False,
        html: Annotated[
            Path | None,
            typer.Option(
                "--html", metavar="FILE", help="Render both versions, and write a page to compare them."
            ),
        ] = None,
        store: StoreFolder = None,
    ) -> None:
        """Show what changed between two revisions of a song: sections, fields, clips to render again."""
        from riffcomposer.text import printable

        if not staged and len(arguments) not in (2, 3):
            raise UsageError("diff takes one or two revisions and a song: riffcompose diff HEAD~1 song.yaml")
        *given, song_text = arguments
        if (
            given
            and given[0].endswith((".yaml", ".yml"))
            and os.path.exists(given[0])
            and not os.path.exists(song_text)
        ):
            raise UsageError(
                f"the song comes last: riffcompose diff {' '.join([*given[1:], song_text, given[0]])}"
            )
        opened = chosen_store(store)
        found = (compare_staged if staged else compare)(song_text, given, opened)
        if as_json:
            print_json(comparison_json(found))
            return
        lines = _lines(found.changes) or ["no audible change"]
        if found.is_new:
            lines.insert(0, f"new: {found.old.name} does not have {found.new.file}")
        if found.old.file != found.new.file:
            lines.insert(0, f"renamed: {found.old.file} -> {found.new.file}")
        if found.counts is None:
            lines.append(f"clips to render again are unknown: {found.why_not}")
        else:
            again = {name: count for name, count in found.counts.items() if count[0]}
            lines.append(f"clips to render again: {found.to_render[0]} of {found.to_render[1]}")
            lines += [
                f"    {', '.join(filter(None, names))}: {count} of {whole}"
                for names, (count, whole) in again.items()
            ]
        if html is not None and found.is_new:
            raise UsageError(f"there is nothing to compare with: {found.old.name} does not have the song")
        if html is not None:
            from riffcomposer.cli.comparison_page import write_comparison

            lines += [f"wrote {path}" for path in write_comparison(found, lines, html, opened)]
        for line in lines:
            print_line(printable(line), {"+": "green", "-": "red", "~": "yellow"}.get(line[:1], ""))
