"""What is read from a MIDI file: parts with their notes, bars, tempi."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction

from riffcomposer.composer.theory import Note
from riffcomposer.midi.general_midi import PROGRAM_NAMES, kit_of
from riffcomposer.midi.timeline import Bar, longest_tempo


@dataclass(frozen=True)
class MidiPart:
    """What one sound plays in a file. A track that changes its program has a part for each.

    Attributes:
        track: Number of the track, as `describe` shows it.
        name: The track's name, or its sound's where it has none.
        channel: 1 to 16.
        program: General MIDI program, or the kit's program of drums.
        is_drums: Whether pitches are drums.
        notes: Rising by start; velocities hold the channel's changes of volume and expression.
        bends: The pitch wheel as places and semitones, rising; each holds until the next. Empty without
            bends. Parts of one channel share it.
        pan: -1 left to 1 right.
        volume_db: Level by volume and expression; 0 for General MIDI's usual volume of 100.
    """

    track: int
    name: str
    channel: int
    program: int
    is_drums: bool
    notes: tuple[Note, ...]
    bends: tuple[tuple[float, float], ...] = ()
    pan: float = 0.0
    volume_db: float = 0.0

    @property
    def sound(self) -> str:
        """The name of its program or kit."""
        return f"{kit_of(self.program)} kit" if self.is_drums else PROGRAM_NAMES[self.program]

    def bend_at(self, quarter: float) -> float:
        """The semitones by which the wheel bends the part at a place."""
        number = bisect_right(self.bends, quarter, key=lambda point: point[0])
        return self.bends[number - 1][1] if number else 0.0

    @property
    def low(self) -> int:
        """Its lowest pitch."""
        return min(note.pitch for note in self.notes)

    @property
    def high(self) -> int:
        """Its highest pitch."""
        return max(note.pitch for note in self.notes)


@dataclass(frozen=True)
class MidiSong:
    """The notes of a MIDI file.

    Attributes:
        name: The file's name.
        parts: At least one; each has notes. In order of tracks.
        bars: All of them; the last notes may ring on a little after them.
        tempi: Places in quarter notes, and the BPM that hold from there.
        key: The first key signature, `A minor`; empty without one.
        markers: Places in quarter notes, and texts.
        length: Quarter notes from the file's start to the end of the last note.
        remarks: What was put right, as predicates: `has 2 notes without an end; ...`.
    """

    name: str
    parts: tuple[MidiPart, ...]
    bars: tuple[Bar, ...]
    tempi: tuple[tuple[Fraction, Fraction], ...]
    key: str
    markers: tuple[tuple[Fraction, str], ...]
    length: Fraction
    remarks: tuple[str, ...] = ()

    @property
    def meters(self) -> tuple[tuple[int, str], ...]:
        """Each meter with the number of its first bar, counted from 0."""
        changes: list[tuple[int, str]] = []
        for number, bar in enumerate(self.bars):
            if not changes or changes[-1][1] != bar.meter:
                changes.append((number, bar.meter))
        return tuple(changes)

    def bar_at(self, quarter: float) -> int:
        """The number of the bar at a place, counted from 0; the last bar after the end."""
        return max(0, bisect_right(self.bars, quarter, key=lambda bar: float(bar.start)) - 1)


def tempo_of(song: MidiSong) -> Fraction:
    """The tempo of a file in BPM: the one that holds for most quarter notes."""
    return longest_tempo(song.tempi, song.length)
