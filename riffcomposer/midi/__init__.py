"""Standard MIDI Files: reads a user's file as notes on the song's grid, and writes composed sections as one.

`read` gives a `song.MidiSong`; `describe` says what is in it; `midi_piece` makes a stretch of it a piece for
the synth; `write` writes compositions. Below them, `smf_chunks` takes the file apart, `smf_events` decodes a
track's bytes, `performance` turns a channel's events into notes, `timeline` has meters, bars and tempi,
`general_midi` names programs and kits, `texts` decodes names.

Conventions: time is in quarter notes from the file's start, whatever tempo the file has: the song's tempo
decides how long a quarter is. Pitch is a MIDI number, velocity 1 to 127, a program 0 to 127. Tracks and
channels count from 1, bars from 0.

Sources: Standard MIDI Files 1.0 (RP-001), MIDI 1.0 detailed specification, General MIDI 1 and 2 (RP-003,
RP-024), response to reset all controllers (RP-015).
"""
