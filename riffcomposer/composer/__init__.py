"""Composes music as notes: no audio here, and nothing but the standard library.

`section` composes one section of a song from a `score`: the music of songs. `prompt_words` says what a prompt
asks for, `chord_names` and `meters` read what a score names. The players of a section are `section_drums`,
`section_bass`, `section_chords` and `section_melody`; they share a `section_ground` (bars, chords from
`section_harmony`, energy) and are chosen by `section_cast`; `section_figures` counts what came of it.

`arrangement` puts a piece for several players together and `solos` one for a single player: the music of the
training data and of the catalogue of loops. They are made from `theory` (keys, chords, voice leading),
`instruments`, `styles` (which tempi, chords, players and patterns a style has), `drums`, `bass`, `harmony`
and `melody` (what each player plays), `part_entrances` (who plays when) and `timing` (swing and the small
shifts of a human player).

Conventions: time is in quarter notes from the piece's start, pitch is a MIDI number, velocity is
1 to 127. Every draw comes from the `random.Random` that is passed in, so the same seed gives the same notes.
"""

COMPOSER_VERSION = 3
"""Raised whenever the same arguments give other notes: keys of what is rendered from them hold it."""
