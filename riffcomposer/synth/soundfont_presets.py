"""Which preset plays a General MIDI program that a sound font lacks.

The rule, in this order:

1. A program that the font has is played by itself.
2. Else the first program in `SUBSTITUTES` that the font has.
3. Else the nearest number within the program's family; General MIDI numbers its 16 families in groups of
   eight (*General MIDI System Level 1*, MIDI Manufacturers Association, 1991).
4. Else the nearest number of all.

A drum kit that the font lacks is played by the standard kit, else by the nearest number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

DRUM_BANK = 128
FAMILY = 8

SUBSTITUTES: Mapping[int, tuple[int, ...]] = {
    37: (36,),  # slap bass 2: slap bass 1
    51: (50, 48),  # synth strings 2: synth strings 1, strings
    55: (61, 48),  # orchestra hit: brass section, strings
    63: (62, 61),  # synth brass 2: synth brass 1, brass section
    83: (82, 73),  # chiff lead: calliope lead, flute
    85: (54, 53),  # voice lead: synth voice, voice oohs
    86: (81, 62),  # fifths lead: saw lead
    96: (99, 88),  # rain: atmosphere, new age pad
    97: (95, 89),  # soundtrack: sweep pad, warm pad
    100: (88, 98),  # brightness: new age pad, crystal
    101: (94, 91),  # goblins: halo pad, choir pad
    102: (99, 88),  # echoes: atmosphere
    103: (93, 90),  # science fiction: metallic pad
    113: (112, 115),  # agogo: tinkle bell, woodblock
    116: (47, 117),  # taiko drum: timpani
    117: (47, 116),  # melodic tom: timpani
    118: (47, 117),  # synth drum: timpani
    119: (95, 89),  # reverse cymbal: sweep pad
    120: (28, 25),  # guitar fret noise: muted guitar
    121: (77, 78),  # breath noise: shakuhachi
    122: (95, 89),  # seashore: sweep pad
    123: (78, 72),  # bird tweet: whistle, piccolo
    124: (112, 9),  # telephone ring: tinkle bell, glockenspiel
    125: (95, 89),  # helicopter: sweep pad
    126: (95, 89),  # applause: sweep pad
    127: (47, 116),  # gunshot: timpani
}


def nearest_program(program: int, presets: Collection[tuple[int, int]]) -> tuple[int, int] | None:
    """The preset that plays a General MIDI program.

    Args:
        program: 0 to 127.
        presets: The font's presets as (bank, program).

    Returns:
        A preset of bank 0, by the rule above; None if the font has none there.
    """
    programs = sorted(number for bank, number in presets if bank == 0)
    wanted = (program, *SUBSTITUTES.get(program, ()))
    found = next((each for each in wanted if each in programs), None)
    if found is None:
        family = [each for each in programs if each // FAMILY == program // FAMILY]
        found = min(family or programs, key=lambda each: abs(each - program), default=None)
    return None if found is None else (0, found)


def nearest_kit(program: int, presets: Collection[tuple[int, int]]) -> tuple[int, int] | None:
    """The preset that plays a drum kit; None if the font has no kit."""
    programs = sorted(number for bank, number in presets if bank == DRUM_BANK)
    wanted = [each for each in (program, 0) if each in programs]
    found = next(iter(wanted), None)
    if found is None:
        found = min(programs, key=lambda each: abs(each - program), default=None)
    return None if found is None else (DRUM_BANK, found)
