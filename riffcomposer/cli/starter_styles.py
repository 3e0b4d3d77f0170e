"""What the starter song of each style is made of: tempo, key, prompts and form.

Words of the prompts are those that the default model has learnt; the composer reads instruments from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
        parts: Who plays, where the style's usual players do not suit the model.
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
    parts: str = ""
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
        "jazz trio with piano, jazz guitar and upright bass",
        "swinging jazz with tenor saxophone, piano and walking bass",
        strength=0.4,
        parts="{drums: none}      # its cymbals become hiss",
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
        "clean electric guitar alone, quiet",
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
        "drone and soft analog pad, dark",
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
