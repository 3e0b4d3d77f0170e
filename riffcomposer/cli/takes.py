"""`riffcompose takes`: renders takes of a section, to be listened to side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riffcomposer.cli.console import plain, print_json, print_line, stdout
from riffcomposer.cli.store_option import StoreFolder, chosen_store
from riffcomposer.errors import UsageError

if TYPE_CHECKING:
    from riffcomposer.studio.section_takes import Take


NEARNESS_HELP = (
    "near prompt: how much better the song's model denoises the clips when it is told their prompt, in "
    "percent of the error; higher is nearer, below 0 means that they sound like something else"
)


def _figure(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:.2f}{unit}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.2f} %"


def take_lines(takes: list[Take]) -> list[str]:
    """A table of takes and their figures."""
    rows = [("take", "what", "loudness", "worst join", "near prompt", "new harmony", "texture")]
    for take in takes:
        figures = take.figures
        rows.append(
            (
                str(take.candidate.number),
                take.candidate.label,
                _figure(figures["integrated_lufs"], " LUFS"),
                _figure(figures["joins_worst_db"], " dB"),
                _percent(figures["nearness"]),
                _figure(figures["new_harmony"]),
                _figure(figures["texture_db"], " dB"),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    reasons = {reason: number for take in takes for reason, number in _reasons(take)}
    return [*lines, *(f"- in take {number}: {reason}" for reason, number in reasons.items())]


def _reasons(take: Take) -> list[tuple[str, int]]:
    """Why a take lacks a figure, with its number."""
    return [(f"{name}: {why}", take.candidate.number) for name, why in take.figures["why"].items()]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command()
    def takes(
        song: Annotated[Path, typer.Argument(metavar="SONG", help="The song file (YAML).")],
        section: Annotated[str, typer.Argument(metavar="SECTION", help="The section's name.")],
        count: Annotated[int, typer.Option("--count", "-n", help="Number of takes, 2 to 24.")] = 4,
        vary: Annotated[str, typer.Option("--vary", help="What differs: seed, strength or loop.")] = "seed",
        draft: Annotated[bool, typer.Option("--draft", help="Few steps and the fast decoder.")] = False,
        out: Annotated[
            Path | None,
            typer.Option(
                "--out", "-o", metavar="DIR", help="Folder. Default: renders/takes/ beside the song."
            ),
        ] = None,
        device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
        store: StoreFolder = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the takes as JSON on stdout.")] = False,
    ) -> None:
        """Render takes of a section (other seeds, strengths or loops); `pick` writes one into the song."""
        from riffcomposer.cli.progress import progress
        from riffcomposer.render.session import Session
        from riffcomposer.render.settings import RenderSettings
        from riffcomposer.render.stopping import StopFlag, stop_on_signals
        from riffcomposer.song.reader import load_song
        from riffcomposer.studio.engines import KeptEngines
        from riffcomposer.studio.section_takes import (
            VARIATIONS,
            candidates,
            takes_file,
            write_takes,
        )
        from riffcomposer.studio.take_renderer import TakeRenderer

        chosen = next((name for name in VARIATIONS if name == vary), None)
        if chosen is None:
            raise UsageError(f"--vary {vary}: give one of {', '.join(VARIATIONS)}")
        loaded = load_song(song)
        content = loaded.path.read_bytes()
        file = takes_file(loaded.path, section, out)
        settings = RenderSettings(draft=draft, out=file.parent)
        made: list[Take] = []
        engines = KeptEngines()
        with (
            stop_on_signals(StopFlag()) as stop,
            Session(
                store=chosen_store(store),
                device=device,
                stop=stop,
                engines=engines,
            ) as session,
        ):
            renderer = TakeRenderer(session, engines, loaded.path, content, section)
            for candidate in candidates(loaded, section, count, chosen):
                with progress("auto") as session.observer:
                    made.append(renderer.render(candidate, settings))
                write_takes(file, section, made)
        if as_json:
            print_json([take.as_dict() for take in made])
            return
        for line in take_lines(made):
            print_line(line)
        print_line(NEARNESS_HELP)
        for take in made:
            print_line(f"{take.candidate.number}: {take.file}")
        stdout().print(f"next: riffcompose pick {plain(song)} '{plain(section)}' NUMBER", soft_wrap=True)
