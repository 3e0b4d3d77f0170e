"""`riffcompose new`: writes a commented song to start from."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riffcomposer.cli.console import plain, stdout
from riffcomposer.errors import UsageError

if TYPE_CHECKING:
    from riffcomposer.loops.catalogue import Catalogue, Loop


@dataclass(frozen=True)
class Style:
    """A style of starter song: prompts that the model understands, and words to find loops by.

    Attributes:
        score: The style that is composed.
        tempo: In BPM.
        words: Words in the names, styles and tags of suitable loops, the best first.
    """

    score: str
    tempo: float
    words: tuple[str, ...]
    intro: str
    main: str
    lead: str
    bits: str = ""


STYLES = {
    "lofi": Style(
        "lo-fi hip hop",
        93.75,
        ("lofi", "lo-fi"),
        "soft rhodes chords, rainy night, vinyl crackle",
        "lo-fi hip hop beat with rhodes and warm bass",
        "lo-fi hip hop beat, sparse vibraphone melody",
    ),
    "ambient": Style(
        "ambient",
        60,
        ("ambient",),
        "slow warm pad, distant choir",
        "ambient pad with soft piano drops, long reverb",
        "ambient drone, shimmering strings, no drums",
    ),
    "house": Style(
        "house",
        120,
        ("house",),
        "deep house kick and off-beat hi-hat",
        "deep house groove, warm bass, piano stabs",
        "deep house with a soft synth lead",
    ),
    "techno": Style(
        "techno",
        125,
        ("techno",),
        "techno kick, dark rumble",
        "driving techno, acid bass line",
        "techno with hypnotic synth arpeggio",
    ),
    "synthwave": Style(
        "synthwave",
        93.75,
        ("synthwave",),
        "synthwave pad, night drive",
        "synthwave, gated snare, octave bass",
        "synthwave with a bright saw lead",
    ),
    "jazz": Style(
        "jazz",
        125,
        ("jazz",),
        "upright bass and brushes, late night",
        "jazz piano trio, walking bass, ride cymbal",
        "jazz trio with a tenor saxophone solo",
    ),
    "folk": Style(
        "folk",
        100,
        ("folk",),
        "fingerpicked acoustic guitar",
        "folk guitar and fiddle, gentle",
        "folk tune on a tin whistle with guitar",
    ),
    "orchestral": Style(
        "orchestral",
        93.75,
        ("orchestral", "strings"),
        "soft strings, slow swell",
        "orchestral strings and horns, cinematic",
        "solo cello over string ostinato",
    ),
    "bells": Style(
        "bells",
        75,
        ("bells", "bell", "organ"),
        "church bells on sunday",
        "tubular bells and organ, cathedral reverb",
        "bells ringing changes over a soft organ",
    ),
    "funk": Style(
        "funk",
        100,
        ("funk",),
        "muted funk guitar and hi-hat",
        "funk groove, slap bass, clavinet",
        "funk groove with brass stabs",
    ),
    "reggae": Style(
        "reggae",
        75,
        ("reggae", "dub"),
        "reggae organ skank, one drop",
        "dub reggae, round bass, off-beat guitar",
        "dub with a melodica melody and tape echo",
    ),
    "dnb": Style(
        "drum and bass",
        170,
        ("dnb", "drum and bass"),
        "atmospheric pad, filtered breakbeat",
        "liquid drum and bass, deep reese bass",
        "drum and bass with airy arpeggio",
    ),
    "rock": Style(
        "rock",
        120,
        ("rock",),
        "clean electric guitar, drums with brushes",
        "rock backbeat, power chords, bass",
        "rock with a lead guitar solo",
    ),
    "musicbox": Style(
        "music box",
        75,
        ("musicbox", "music box", "celesta"),
        "music box lullaby",
        "music box and glockenspiel, broken triads",
        "celesta melody, gentle and slow",
    ),
    "chiptune": Style(
        "chiptune",
        125,
        ("chiptune", "chip"),
        "8-bit arpeggio",
        "chiptune, pulse lead, triangle bass, noise drums",
        "fast chiptune melody with vibrato",
    ),
    "latin": Style(
        "bossa nova",
        100,
        ("latin", "bossa", "afro"),
        "nylon guitar, shaker",
        "bossa nova guitar, soft percussion, upright bass",
        "latin groove with flute melody",
    ),
}


def _seed_clips(style: Style, catalogue: Catalogue) -> list[Loop]:
    """Returns the catalogue's loops for a style."""
    found = []
    for word in style.words:
        for clip in catalogue.clips.values():
            text = " ".join((clip.name, clip.style, *clip.tags)).lower()
            if word in text and clip.meter == "4/4" and clip not in found:
                found.append(clip)
    return found


def _schema_line(folder: Path) -> tuple[str, Path | None]:
    """Returns the schema's path for the song's first line, and where to write the schema if it is missing."""
    for above in (folder, *folder.parents):
        candidate = above / "schemas" / "song.schema.json"
        if candidate.is_file():
            return os.path.relpath(candidate, folder).replace(os.sep, "/"), None
    target = folder / "schemas" / "song.schema.json"
    return "schemas/song.schema.json", target


def starter_song(title: str, style: Style, schema: str, catalogue: Catalogue) -> str:
    """Returns the text of a song to start from."""
    clips = ", ".join(clip.name for clip in _seed_clips(style, catalogue)[:4])
    loops = f"; loops that suit: {clips}" if clips else ""
    init = (
        "  init: score\n"
        "  score:                      # music that is composed for each section; the model paints over it\n"
        f"    style: {style.score}\n"
        "    # key: A minor             # and chords, parts, energy, theme: see the documentation\n"
        f"  # init: clips/mine.wav      # or start from a loop or a recording{loops}\n"
        "  strength: 0.45              # how far a render moves away from it, 0 to 1\n"
    )
    tempo = style.tempo
    return f"""\
# yaml-language-server: $schema={schema}
# Hear it:        riffcompose render THIS_FILE
# Before that:    riffcompose check, riffcompose plan; for loops: riffcompose loops
title: {_quoted(title)}
tempo: {tempo:g}                  # BPM; loops are fitted to it, their pitch stays
meter: 4/4
seed: {zlib.crc32(title.encode())}              # another seed, another take
model: default

defaults:                     # settings for every section that does not state its own
{init}  alpha_curve: ease           # how a walk moves: slowly near each of its points

sections:
  - name: intro
    prompt: {style.intro}
    bars: 8                   # or clips: 4, or duration: 20s
    fade_in: 2 bars

  - name: verse               # one prompt that walks over seeds, 7 -> 8 -> 9
    prompt: {style.main}
    seed: 7
    bars: 16
    interpolation_steps: 4    # clips from one seed to the next
    transition: {{type: bridge, clips: 2}}     # lead into it; or cut, or crossfade

  - name: solo                # several points: the music turns from one into the next
    walk:
      - {{prompt: {_quoted(style.main)}, seed: 7}}
      - {{prompt: {_quoted(style.lead)}, seed: 7}}
    clips: 9                  # the walk spreads over them
    transition: {{type: bridge, clips: 1}}

  - use: verse                # the same section again; keys stated here replace its own
    seed: 21
    transition: {{type: crossfade, length: 2 beats}}

  - name: outro
    use: intro
    fade_in: 0s
    fade_out: 4 bars

master:
  chain:
    - highpass: {{cutoff_frequency_hz: 30}}
    - compressor: {{threshold_db: -18, ratio: 2, attack_ms: 10, release_ms: 150}}
    - reverb: {{room_size: 0.2, wet_level: 0.08, dry_level: 0.5}}
  integrated_lufs: -14
  true_peak_dbtp: -1

output:
  formats: [flac]             # wav, flac, mp3, ogg
  stereo_width: 0.3           # 0 is mono
"""


def _quoted(text: str) -> str:
    """Writes a text as YAML in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command()
    def new(
        path: Annotated[
            Path, typer.Argument(metavar="PATH", help="Where to write the song; .yaml is added.")
        ],
        style: Annotated[str, typer.Option("--style", help=f"One of {', '.join(STYLES)}.")] = "lofi",
        title: Annotated[str, typer.Option("--title", help="Title; by default from the file's name.")] = "",
        force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    ) -> None:
        """Write a commented song to start from."""
        from riffcomposer.files import write_text
        from riffcomposer.loops.catalogue import catalogue
        from riffcomposer.song.reader import parse_song
        from riffcomposer.song.schema import schema_text
        from riffcomposer.text import did_you_mean

        if style not in STYLES:
            hint = did_you_mean(style, STYLES) or f"there are {', '.join(STYLES)}"
            raise UsageError(f"no style {style!r}; {hint}")
        if path.suffix.lower() not in (".yaml", ".yml"):
            path = path.with_name(path.name + ".yaml")
        if not force and (path.exists() or path.is_symlink()):
            raise UsageError(f"{path} already exists; choose another name, or replace it with --force")
        title = title or path.stem.replace("-", " ").replace("_", " ").strip().title() or "Untitled"
        reference, missing_schema = _schema_line(path.parent.resolve())
        text = starter_song(title, STYLES[style], reference, catalogue())
        parse_song(
            text.encode(), path
        )  # a title may make the song invalid: it is checked before it is written
        write_text(path, text)
        if missing_schema is not None:
            write_text(missing_schema, schema_text())
        stdout().print(f"wrote {plain(path)}; next: riffcompose check {plain(path)}", soft_wrap=True)
