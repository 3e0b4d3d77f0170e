"""`riffcompose score`: shows the music that is composed for a song, and writes it as MIDI or sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riffcomposer.cli.console import plain, print_json, print_line, stderr, stdout
from riffcomposer.cli.plan import Allow, bars_text
from riffcomposer.cli.store_option import StoreFolder, chosen_store
from riffcomposer.errors import UsageError
from riffcomposer.media.kinds import MIDI_SUFFIXES
from riffcomposer.text import cut, printable

if TYPE_CHECKING:
    from riffcomposer.composer.piece import Part
    from riffcomposer.plan.types import Plan
    from riffcomposer.render.composed_music import ComposedPart


def _player(part: Part) -> str:
    sound = part.kit if part.instrument is None else part.instrument.name
    return f"{part.role} {sound}"


def _chords(composed: ComposedPart) -> str:
    """The chords of a part, a bar between two `|`; a bar that repeats the one before is `%`."""
    composition = composed.composition
    beats = float(composition.score.measure.beats)
    bars: list[str] = []
    for number in range(round(composition.beats / beats + 0.499)):
        inside = [
            chord.name
            for chord in composition.chords
            if chord.start < (number + 1) * beats - 1e-6 and chord.end > number * beats + 1e-6
        ]
        bars.append(" ".join(dict.fromkeys(inside)))
    return " | ".join("%" if index and bar == bars[index - 1] else bar for index, bar in enumerate(bars))


def _as_json(composed: ComposedPart) -> dict[str, Any]:
    composition = composed.composition
    return {
        "section": composed.section.name,
        "name": composed.name,
        "bar": float(composed.bar),
        "bars": float(composition.score.bars),
        "style": composition.style,
        "key": composition.key,
        "theme": composition.score.theme,
        "variation": composition.score.variation,
        "chords": [
            {"quarter": chord.start, "name": chord.name, "pitch_classes": list(chord.pitch_classes)}
            for chord in composition.chords
        ],
        "parts": [
            {
                "role": part.role,
                "sound": part.kit if part.instrument is None else part.instrument.name,
                "notes": len(part.notes),
            }
            for part in composition.parts
        ],
    }


def _print(plan: Plan, parts: list[ComposedPart]) -> None:
    print_line(f"{printable(plan.title)}: {plan.grid.meter} at {float(plan.grid.tempo):g} BPM", "underline")
    for composed in parts:
        composition = composed.composition
        end = composed.bar + composition.score.bars
        theme = f"theme {composition.score.theme}"
        if composition.score.variation:
            theme += f", variation {composition.score.variation}"
        where = f"bars {bars_text(composed.bar, end)}"
        print_line(
            f"{printable(composed.name)}: {where}, {composition.style} in {composition.key}, {theme}", "bold"
        )
        print_line(f"  {cut(_chords(composed), 300)}")
        playing = [_player(part) for part in composition.parts if part.notes or part.role == "texture"]
        print_line(f"  {', '.join(playing) or 'nobody plays: raise the energy'}", "dim")


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command()
    def score(
        song: Annotated[Path, typer.Argument(metavar="SONG", help="The song file (YAML).")],
        midi: Annotated[
            Path | None,
            typer.Option("--midi", metavar="OUT.mid", help="Write the notes for another program."),
        ] = None,
        audio: Annotated[
            Path | None,
            typer.Option("--audio", metavar="OUT.flac", help="Write the sound that clips start from."),
        ] = None,
        stems: Annotated[
            bool,
            typer.Option("--stems", help="With --audio: also write drums, bass and so on by themselves."),
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print what is composed as JSON.")] = False,
        allow: Allow = None,
        store: StoreFolder = None,
    ) -> None:
        """Show the music that is composed for a song, and write it as MIDI or sound."""
        from riffcomposer.render.composed_music import (
            composed_parts,
            write_composed_audio,
            write_composed_midi,
        )
        from riffcomposer.render.session import Session
        from riffcomposer.render.stopping import StopFlag, stop_on_signals

        if stems and audio is None:
            raise UsageError("--stems needs --audio OUT.flac, beside which the stems are written")
        if midi is not None and midi.suffix.lower() not in MIDI_SUFFIXES:
            raise UsageError(f"{midi}: a MIDI file ends in {' or '.join(MIDI_SUFFIXES)}")
        session = Session(store=chosen_store(store), allowed_folders=tuple(allow or ()))
        plan = session.plan(song).plan
        parts = list(composed_parts(plan))
        if not parts:
            raise UsageError(
                f"{song}: no section starts from a score; write init: score, or a score: in defaults "
                "or in a section"
            )
        if as_json:
            print_json({"title": plan.title, "sections": [_as_json(part) for part in parts]})
        elif midi is None and audio is None:
            _print(plan, parts)
        if midi is not None:
            write_composed_midi(midi, plan)
            stdout().print(f"wrote {plain(midi)}", soft_wrap=True)
        if audio is not None:
            with stop_on_signals(StopFlag()) as stop:

                def tell(name: str) -> None:
                    stderr().print(f"playing {plain(name)}", soft_wrap=True)

                written = write_composed_audio(audio, plan, stems=stems, stop=stop, tell=tell)
            for path in written:
                stdout().print(f"wrote {plain(path)}", soft_wrap=True)
