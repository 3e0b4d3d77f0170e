"""The songs that `riffcompose new` writes: one for each style of the composer.

Words of the prompts are those that the default model has learnt; the composer reads instruments from them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from riffcomposer.loops.catalogue import Catalogue, Loop

Form = Literal["song", "tune", "drift"]
"""`song`: verse, chorus and a break; `tune`: two melodies in turn; `drift`: slow, without a beat."""


@dataclass(frozen=True)
class Starter:
    """A starter song.

    Attributes:
        tempo: In BPM.
        key: Key of the music.
        quiet, main, other: Prompts: how it begins and ends, what it is about, and its other side.
        form: Order and energy of the sections.
        meter: Time signature.
        strength: How far the model moves away from the score.
        loops: Words in the names, styles and tags of loops that suit, the best first.
    """

    tempo: float
    key: str
    quiet: str
    main: str
    other: str
    form: Form = "song"
    meter: str = "4/4"
    strength: float = 0.45
    loops: tuple[str, ...] = ()


STARTERS = {
    "afrobeat": Starter(
        108,
        "E minor",
        "clean electric guitar and shaker, afrobeat",
        "afrobeat groove with muted guitar, electric bass, congas",
        "afrobeat with brass section and hammond organ",
        loops=("afro",),
    ),
    "ambient": Starter(
        60,
        "A minor",
        "calm ambient drone with airy pad",
        "floating ambient, warm pad, sparse piano melody",
        "ethereal ambient, choir and harp, long notes",
        form="drift",
        strength=0.55,
        loops=("ambient",),
    ),
    "bells": Starter(
        72,
        "C major",
        "church bells on sunday",
        "tubular bells and glockenspiel, change ringing",
        "soft bells with celesta melody, cathedral",
        form="drift",
        strength=0.4,
        loops=("bells", "bell"),
    ),
    "blues": Starter(
        90,
        "E",
        "slow blues, acoustic guitar alone",
        "blues with piano, upright bass and drums, shuffle",
        "blues with harmonica, hammond organ and drums",
        loops=("blues",),
    ),
    "bossa nova": Starter(
        132,
        "D minor",
        "nylon guitar alone, bossa nova",
        "bossa nova with nylon guitar, upright bass and soft percussion",
        "bossa nova with flute melody and piano",
        loops=("bossa", "latin"),
    ),
    "chiptune": Starter(
        140,
        "C major",
        "8-bit pulse arpeggio, chiptune",
        "chiptune with square wave lead, triangle bass, noise drums",
        "fast chiptune melody, 8-bit pulse, retro game",
        strength=0.4,
        loops=("chiptune", "chip"),
    ),
    "church organ": Starter(
        66,
        "D minor",
        "quiet church organ, long chords",
        "church organ in a cathedral, solemn",
        "church organ with choir, majestic",
        form="drift",
        strength=0.4,
        loops=("organ",),
    ),
    "classical": Starter(
        100,
        "G major",
        "solo piano, gentle classical waltz",
        "classical chamber music, violin, cello and piano",
        "classical with flute and strings, graceful",
        form="tune",
        meter="3/4",
        loops=("classical", "strings"),
    ),
    "drum and bass": Starter(
        172,
        "A minor",
        "airy pad, atmospheric drum and bass intro",
        "liquid drum and bass, electric piano, deep sub bass, breakbeat",
        "drum and bass with synth pluck and reese bass",
        loops=("dnb", "drum and bass"),
    ),
    "folk": Starter(
        104,
        "D major",
        "fingerpicked acoustic guitar",
        "folk tune with violin and acoustic guitar",
        "folk dance with whistle, accordion and banjo",
        form="tune",
        loops=("folk",),
    ),
    "funk": Starter(
        102,
        "E minor",
        "muted guitar and hi-hat, funk",
        "funk groove with slap bass, clavinet and drums",
        "funk with brass section and electric piano",
        loops=("funk",),
    ),
    "hip hop": Starter(
        90,
        "C minor",
        "dark piano loop, hip hop",
        "boom bap hip hop beat with piano and sub bass",
        "hip hop beat with strings and flute",
        loops=("hip hop", "hip-hop"),
    ),
    "house": Starter(
        122,
        "F minor",
        "deep house kick and analog pad",
        "deep house groove with piano, electric bass and drums",
        "house with supersaw stabs and synth pluck",
        loops=("house",),
    ),
    "jazz": Starter(
        132,
        "F major",
        "jazz piano alone, late night",
        "jazz trio with piano, upright bass and brushes",
        "swinging jazz with tenor saxophone, piano and walking bass",
        strength=0.4,
        loops=("jazz",),
    ),
    "latin": Starter(
        104,
        "A minor",
        "nylon guitar and shaker, latin",
        "latin groove with piano montuno, upright bass and congas",
        "salsa with trumpet and trombone, congas",
        loops=("latin", "afro"),
    ),
    "lo-fi hip hop": Starter(
        90,
        "A minor",
        "solo electric piano, mellow lo-fi hip hop, vinyl crackle",
        "dusty lo-fi hip hop with electric piano, upright bass and drums",
        "chill lo-fi hip hop with vibraphone, warm pad and drums",
        loops=("lofi", "lo-fi"),
    ),
    "metal": Starter(
        132,
        "E minor",
        "distorted guitar alone, heavy riff",
        "metal with distorted guitars, picked bass and fast drums",
        "heavy metal with a lead guitar solo",
        loops=("metal",),
    ),
    "music box": Starter(
        80,
        "G major",
        "music box lullaby, slow",
        "music box and glockenspiel, gentle waltz",
        "celesta and kalimba, dreamy",
        form="tune",
        meter="3/4",
        strength=0.4,
        loops=("musicbox", "music box", "celesta"),
    ),
    "orchestral": Starter(
        90,
        "D minor",
        "slow strings, quiet orchestra",
        "cinematic orchestra with strings and french horn",
        "heroic orchestra with trumpet, brass section and timpani",
        loops=("orchestral", "strings"),
    ),
    "reggae": Starter(
        75,
        "G minor",
        "drawbar organ skank, reggae",
        "reggae with clean electric guitar, deep bass and one drop drums",
        "dub reggae with trombone and tape echo",
        loops=("reggae", "dub"),
    ),
    "rock": Starter(
        132,
        "A minor",
        "clean electric guitar, rock ballad",
        "rock with distorted guitar, electric bass and drums",
        "rock with overdriven guitar solo and rock organ",
        loops=("rock",),
    ),
    "synthwave": Starter(
        96,
        "C minor",
        "analog pad, night drive",
        "synthwave with saw bass, gated snare and string machine",
        "synthwave with supersaw lead, neon and bright",
        loops=("synthwave",),
    ),
    "techno": Starter(
        132,
        "A minor",
        "techno kick and drone, dark",
        "driving techno with acid bass and synth pluck",
        "techno with hypnotic polysynth and saw lead",
        loops=("techno",),
    ),
    "world": Starter(
        90,
        "D dorian",
        "koto alone, quiet",
        "world music with sitar, hand drums and drone",
        "shakuhachi and harp, peaceful",
        form="tune",
        loops=("world",),
    ),
}
"""A song for each of `riffcomposer.composer.styles.STYLES`."""

NAMES = {"lofi": "lo-fi hip hop", "dnb": "drum and bass", "musicbox": "music box", "organ": "church organ"}
"""Short names of styles."""


def starter_song(title: str, style: str, schema: str, catalogue: Catalogue) -> str:
    """Returns the text of a song to start from.

    Args:
        title: The song's title.
        style: A key of `STARTERS`.
        schema: Path of the JSON Schema, for editors.
        catalogue: The loops that may be named.
    """
    starter = STARTERS[style]
    return _head(title, style, starter, schema, catalogue) + _FORMS[starter.form](starter) + _TAIL


def _loops(starter: Starter, catalogue: Catalogue) -> list[Loop]:
    """Returns the catalogue's loops for a style."""
    found = []
    for word in starter.loops:
        for loop in catalogue.clips.values():
            text = " ".join((loop.name, loop.style, *loop.tags)).lower()
            if word in text and loop.meter == starter.meter and loop not in found:
                found.append(loop)
    return found


def _head(title: str, style: str, starter: Starter, schema: str, catalogue: Catalogue) -> str:
    names = ", ".join(loop.name for loop in _loops(starter, catalogue)[:4])
    loops = f"; loops that suit: {names}" if names else ""
    return f"""\
# yaml-language-server: $schema={schema}
# Hear it:        riffcompose render THIS_FILE
# Before that:    riffcompose check, riffcompose plan; the notes: riffcompose score
title: {_quoted(title)}
tempo: {starter.tempo:g}                    # BPM
meter: {starter.meter}
seed: {zlib.crc32(title.encode())}              # another seed, other notes and another take
model: default

defaults:                     # settings for every section that does not state its own
  init: score                 # music that is composed for each section; the model paints over it
  # init: clips/mine.wav      # or start from a recording or a loop{loops}
  score:
    style: {style}
    key: {starter.key}
    # chords: "i | VI | III | VII"     # your own chords, or names: "Am9 | Fmaj7 | C | G"
  strength: {starter.strength:g}              # how far a render moves away from the score, 0 to 1
  alpha_curve: ease           # how a walk moves: slowly near each of its points

sections:
"""


def _song(starter: Starter) -> str:
    return f"""\
  - name: intro
    prompt: {_quoted(starter.quiet)}
    bars: 8
    score: {{energy: {{0: 0.15, 8: 0.35}}}}     # who plays, and how densely: points by bar
    fade_in: 1 bar

  - name: verse               # one prompt; each clip has the next seed
    prompt: {_quoted(starter.main)}
    seed: 7
    bars: 16
    score: {{energy: {{0: 0.4, 8: 0.6}}}}
    transition: {{type: bridge, clips: 1}}     # a clip that leads over; or cut, or crossfade

  - name: chorus              # another theme has other chords and another melody
    prompt: {_quoted(starter.other)}
    seed: 11
    bars: 16
    score: {{theme: B, energy: {{0: 0.6, 8: 0.85}}}}
    transition: {{type: crossfade, length: 2 beats}}

  - name: break
    prompt: {_quoted(starter.quiet)}
    seed: 15
    bars: 4
    score: {{energy: 0.25}}
    gain_db: {{0: -3, 4: 0}}    # numbers may move over the bars

  - use: chorus               # the same section again, varied; keys stated here replace its own
    seed: 21

  - name: outro
    use: intro
    score: {{energy: {{0: 0.4, 8: 0.1}}}}
    fade_in: 0s
    fade_out: 3 bars
    transition: {{type: crossfade, length: 2 beats}}
"""


def _tune(starter: Starter) -> str:
    return f"""\
  - name: opening
    prompt: {_quoted(starter.quiet)}
    bars: 4
    score: {{energy: 0.2}}

  - name: first tune          # one prompt; each clip has the next seed
    prompt: {_quoted(starter.main)}
    seed: 7
    bars: 16
    score: {{energy: {{0: 0.35, 8: 0.55}}}}     # who plays, and how densely: points by bar
    transition: {{type: crossfade, length: 1 beat}}

  - name: second tune         # another theme has other chords and another melody
    prompt: {_quoted(starter.other)}
    seed: 11
    bars: 16
    score: {{theme: B, energy: {{0: 0.45, 8: 0.8}}}}

  - name: first tune again    # the same section again, varied; keys stated here replace its own
    use: first tune
    seed: 21
    score: {{energy: {{0: 0.6, 8: 0.8}}}}

  - name: ending
    prompt: {_quoted(starter.quiet)}
    bars: 8
    score: {{energy: {{0: 0.4, 8: 0.1}}}}
    fade_out: 2 bars
    transition: {{type: crossfade, length: 1 bar}}
"""


def _drift(starter: Starter) -> str:
    return f"""\
  - name: far away
    prompt: {_quoted(starter.quiet)}
    bars: 8
    score: {{energy: {{0: 0.15, 8: 0.3}}}}      # who plays, and how densely: points by bar
    fade_in: 2 bars

  - name: nearer              # several points: the sound turns from one into the next
    walk:
      - {{prompt: {_quoted(starter.main)}, seed: 7}}
      - {{prompt: {_quoted(starter.other)}, seed: 7}}
    bars: 16
    score: {{energy: {{0: 0.35, 16: 0.7}}}}
    transition: {{type: crossfade, length: 3 beats}}

  - name: another place       # another theme has other chords and another melody
    prompt: {_quoted(starter.other)}
    seed: 11
    bars: 12
    score: {{theme: B, energy: {{0: 0.7, 12: 0.4}}}}
    gain_db: {{0: 0, 12: -3}}   # numbers may move over the bars
    transition: {{type: crossfade, length: 3 beats}}

  - use: nearer               # the same section again, varied; keys stated here replace its own
    bars: 12
    score: {{energy: {{0: 0.6, 12: 0.3}}}}

  - name: away again
    use: far away
    score: {{energy: {{0: 0.3, 8: 0.1}}}}
    fade_in: 0s
    fade_out: 4 bars
"""


_FORMS = {"song": _song, "tune": _tune, "drift": _drift}

_TAIL = """
master:
  chain:
    - highpass: {cutoff_frequency_hz: 30}
    - compressor: {threshold_db: -18, ratio: 2, attack_ms: 10, release_ms: 150}
    - reverb: {room_size: 0.2, wet_level: 0.08, dry_level: 0.5}
  integrated_lufs: -14
  true_peak_dbtp: -1

output:
  formats: [flac]             # wav, flac, mp3, ogg
  stereo_width: 0.3           # 0 is mono
"""


def _quoted(text: str) -> str:
    """Writes a text as YAML in single quotes."""
    return "'" + text.replace("'", "''") + "'"
