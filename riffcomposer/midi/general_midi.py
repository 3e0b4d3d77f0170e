"""General MIDI: the names of its programs and drum kits, and instruments of ours for them.

Source: General MIDI System Level 1, sound set; kits as in General MIDI 2 and Roland GS.
"""

from __future__ import annotations

from functools import cache

from riffcomposer.composer.instruments import INSTRUMENTS, Instrument

DRUM_CHANNEL = 10
"""The channel of drums."""

# Eight programs of one family per line: family | whether they hold their notes | names.
_SOUND_SET = """
keys|d|Acoustic Grand Piano, Bright Acoustic Piano, Electric Grand Piano, Honky-tonk Piano, \
Electric Piano 1, Electric Piano 2, Harpsichord, Clavinet
mallets|d|Celesta, Glockenspiel, Music Box, Vibraphone, Marimba, Xylophone, Tubular Bells, Dulcimer
organ|s|Drawbar Organ, Percussive Organ, Rock Organ, Church Organ, Reed Organ, Accordion, Harmonica, \
Tango Accordion
guitar|d|Nylon Guitar, Steel Guitar, Jazz Guitar, Clean Guitar, Muted Guitar, Overdriven Guitar, \
Distortion Guitar, Guitar Harmonics
bass|d|Acoustic Bass, Fingered Bass, Picked Bass, Fretless Bass, Slap Bass 1, Slap Bass 2, Synth Bass 1, \
Synth Bass 2
strings|s|Violin, Viola, Cello, Contrabass, Tremolo Strings, Pizzicato Strings, Orchestral Harp, Timpani
strings|s|String Ensemble 1, String Ensemble 2, Synth Strings 1, Synth Strings 2, Choir Aahs, Voice Oohs, \
Synth Voice, Orchestra Hit
brass|s|Trumpet, Trombone, Tuba, Muted Trumpet, French Horn, Brass Section, Synth Brass 1, Synth Brass 2
reeds|s|Soprano Sax, Alto Sax, Tenor Sax, Baritone Sax, Oboe, English Horn, Bassoon, Clarinet
winds|s|Piccolo, Flute, Recorder, Pan Flute, Blown Bottle, Shakuhachi, Whistle, Ocarina
synth lead|s|Square Lead, Sawtooth Lead, Calliope Lead, Chiff Lead, Charang Lead, Voice Lead, Fifths Lead, \
Bass and Lead
pad|s|New Age Pad, Warm Pad, Polysynth Pad, Choir Pad, Bowed Pad, Metallic Pad, Halo Pad, Sweep Pad
effect|s|Rain, Soundtrack, Crystal, Atmosphere, Brightness, Goblins, Echoes, Sci-fi
world|d|Sitar, Banjo, Shamisen, Koto, Kalimba, Bagpipe, Fiddle, Shanai
percussion|d|Tinkle Bell, Agogo, Steel Drums, Woodblock, Taiko Drum, Melodic Tom, Synth Drum, Reverse Cymbal
effect|s|Guitar Fret Noise, Breath Noise, Seashore, Bird Tweet, Telephone Ring, Helicopter, Applause, Gunshot
"""

_ROWS = [line.split("|") for line in _SOUND_SET.strip().splitlines()]

PROGRAM_NAMES = tuple(name.strip() for _, _, names in _ROWS for name in names.split(","))
"""The names of programs 0 to 127."""

KITS = {
    0: "acoustic",
    8: "room",
    16: "power",
    24: "electronic",
    25: "808",
    32: "jazz",
    40: "brush",
    48: "orchestra",
}
"""Our kit for each program of the drum channel that General MIDI 2 names a kit for."""


def kit_of(program: int) -> str:
    """The kit of a program on a drum channel: of other programs, the kit of the same group of eight."""
    return KITS.get(program) or KITS.get(program // 8 * 8, "acoustic")


def kit_program(kit: str) -> int:
    """The program of the kit that is nearest to one of ours."""
    programs = {name: program for program, name in KITS.items()} | {"909": 25, "gated": 16, "chip": 24}
    return programs.get(kit, 0)


_VOICE_PROGRAMS = {
    "supersaw": 81,
    "acid": 38,
    "reese": 39,
    "sub": 39,
    "sawbass": 38,
    "fmbass": 36,
    "pulse12": 80,
    "pulse25": 80,
    "pulse50": 80,
    "triangle": 38,
    "fmbell": 98,
    "churchbell": 14,
    "glide": 81,
    "analogpad": 89,
    "airpad": 91,
    "drone": 95,
    "pluck": 84,
    "stringmachine": 50,
    "karplus": 25,
    "organtone": 16,
}


def program_of(instrument: Instrument) -> int:
    """The program of an instrument; of a synthesised voice, the program that is nearest to it."""
    return _VOICE_PROGRAMS[instrument.voice] if instrument.voice else instrument.program


@cache
def instrument_of(program: int) -> Instrument:
    """The instrument of a program: one of ours if there is one, else one by General MIDI's name."""
    for each in INSTRUMENTS.values():
        if each.program == program:
            return each
    family, hold, _ = _ROWS[program // 8]
    name = PROGRAM_NAMES[program].lower()
    return Instrument(name, (name,), program, 0, 127, hold == "s", family)
