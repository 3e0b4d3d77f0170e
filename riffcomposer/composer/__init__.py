"""Composes short pieces of music as notes: no audio here, and no heavy imports.

`collection.compose(seed, index)` makes piece `index` of the collection `seed`, by way of
`arrangement` (bands and loops) or `solos`; everything else is what those are made from: `theory`
(keys, chords, voice leading), `instruments`, `styles` (the grammar), `drums`, `bass`, `harmony` and
`melody` (the parts).

Conventions: time is in quarter notes from the piece's start, pitch is a MIDI number, velocity is
1 to 127. Every draw comes from the `random.Random` that is passed in.
"""
