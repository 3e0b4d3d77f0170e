"""`riffcompose inspect`: shows what an output file or a MIDI file holds, and extracts an output's song."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from riffcomposer.cli.console import plain, print_json, stdout
from riffcomposer.errors import AudioError, UsageError
from riffcomposer.media.kinds import MIDI, kind_of
from riffcomposer.text import clock


def examine(path: Path, *, measured: bool = True) -> dict[str, Any]:
    """Returns length, tags, markers, loudness and recipe of a sound file.

    Raises:
        UsageError: Its suffix is not that of a file that riffcompose writes.
        AudioError: The file cannot be read.
    """
    from riffcomposer.mix.encoding import SoundFileReader, format_of
    from riffcomposer.mix.loudness import measure
    from riffcomposer.mix.tags import read_embedded

    embedded = read_embedded(path)
    with SoundFileReader(path) as audio:
        rate = audio.sample_rate
        if measured and rate % 10:
            raise AudioError(f"{path}: loudness needs a sample rate that is a multiple of 10, not {rate} Hz")
        loudness = measure(audio, rate).as_dict() if measured else None
        return {
            "file": path.name,
            "format": format_of(path),
            "title": embedded.title,
            "artist": embedded.artist,
            "comment": embedded.comment,
            "sample_rate": rate,
            "channels": audio.channels,
            "samples": audio.samples,
            "seconds": round(audio.samples / rate, 3),
            "markers": [
                {
                    "name": marker.name,
                    "sample": marker.start_sample,
                    "seconds": round(marker.start_sample / rate, 3),
                }
                for marker in embedded.markers
            ],
            "loop": None if embedded.loop is None else list(embedded.loop),
            "loudness": loudness,
            "recipe": embedded.recipe,
        }


def song_text(path: Path, recipe: dict[str, Any] | None) -> str:
    """Returns the song of a recipe as the text of a YAML file.

    Raises:
        AudioError: The file holds no recipe.
    """
    song = None if recipe is None else recipe.get("song")
    if isinstance(song, str):
        return song
    if not isinstance(song, dict):
        raise AudioError(f"{path}: holds no recipe; only files that riffcompose wrote have one")
    import yaml

    return yaml.safe_dump(song, sort_keys=False, allow_unicode=True, width=100)


def _show(found: dict[str, Any]) -> None:
    """Prints what was found, for people."""
    console = stdout()

    def row(name: str, value: object) -> None:
        console.print(f"[bold]{name:<10}[/] {plain(value)}")

    row("file", found["file"])
    for name in ("title", "artist", "comment"):
        if found[name]:
            row(name, found[name])
    channels = {1: "mono", 2: "stereo"}.get(found["channels"], f"{found['channels']} channels")
    row("length", f"{clock(found['seconds'], decimals=3)} ({found['samples']} samples)")
    row("audio", f"{found['format']}, {found['sample_rate']} Hz, {channels}")
    if found["loop"]:
        row("loop", f"samples {found['loop'][0]} to {found['loop'][1]}")
    loudness = found["loudness"]
    if loudness and loudness["integrated_lufs"] is None:
        row("loudness", "silent")
    elif loudness:
        row(
            "loudness",
            f"{loudness['integrated_lufs']} LUFS integrated, {loudness['short_term_max_lufs']} LUFS at most "
            f"over 3 s, range {loudness['loudness_range_lu']} LU, "
            f"true peak {loudness['true_peak_dbtp']} dBTP, "
            f"{loudness['clipped_samples']} clipped samples",
        )
    for number, marker in enumerate(found["markers"]):
        row("" if number else "sections", f"{clock(marker['seconds'], decimals=3):>9}  {marker['name']}")
    recipe = found["recipe"]
    if recipe is None:
        row("recipe", "none: not written by riffcompose, or its tags were removed")
        return
    for name, value in recipe.items():
        if name == "song":
            row("song", "inside; --song-out PATH writes it as a file")
        elif isinstance(value, dict):
            row(name, ", ".join(f"{key} {entry}" for key, entry in value.items()))
        else:
            row(name, value)


def _is_midi(path: Path) -> bool:
    try:
        return kind_of(path) is MIDI
    except OSError:
        return False  # whoever reads it says why it cannot be read


def _inspect_midi(path: Path, *, as_json: bool) -> None:
    """Prints what is in a MIDI file.

    Raises:
        MidiError: It cannot be read.
    """
    from riffcomposer.midi.describe import describe, facts
    from riffcomposer.midi.read import read_midi

    song = read_midi(path)
    if as_json:
        print_json(facts(song))
    else:
        stdout().print(plain(describe(song)), soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Adds `inspect` to the app."""

    @app.command()
    def inspect(
        file: Annotated[
            Path, typer.Argument(help="A .wav, .flac, .mp3, .ogg or MIDI file.", show_default=False)
        ],
        json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
        song_out: Annotated[
            Path | None,
            typer.Option("--song-out", help="Write the song of the recipe to this file.", show_default=False),
        ] = None,
        force: Annotated[
            bool, typer.Option("--force", help="Let --song-out replace an existing file.")
        ] = False,
        no_loudness: Annotated[
            bool,
            typer.Option(
                "--no-loudness", help="Show tags, markers and recipe only, without measuring loudness."
            ),
        ] = False,
    ) -> None:
        """Show recipe, sections and loudness of a rendered file, or the tracks of a MIDI file."""
        if file.is_dir():
            raise UsageError(f"{file}: is a folder; name a file in it")
        if not file.is_file():
            raise UsageError(f"{file}: there is no such file")
        if _is_midi(file):
            if song_out is not None:
                raise UsageError(f"{file}: is a MIDI file, which holds no recipe; leave out --song-out")
            _inspect_midi(file, as_json=json)
            return
        if song_out is not None and song_out.exists() and not force:
            raise UsageError(f"{song_out} exists; --force replaces it")
        found = examine(file, measured=not no_loudness)
        if song_out is not None:
            from riffcomposer.files import write_text

            write_text(song_out, song_text(file, found["recipe"]))
        if json:
            print_json(found)
        else:
            _show(found)
