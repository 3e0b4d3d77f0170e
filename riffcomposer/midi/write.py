"""Writes composed sections as a Standard MIDI File of format 1.

The first track has tempo, meters, key signatures, section names as markers and chord names as texts; then
comes a track for each player, an instrument or a kit, through all sections. Textures have no notes and are
left out; a synthesised voice is played by the nearest General MIDI program. A pitch that is played again
while it still sounds is ended first, since MIDI has one key for each pitch.

mido makes the bytes. Sources: RP-001; General MIDI 1; registered parameter 0 for the range of bends.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from riffcomposer.composer.piece import Part
from riffcomposer.composer.section import LEAD_IN, Composition
from riffcomposer.composer.section_score import parse_key
from riffcomposer.composer.theory import Note
from riffcomposer.errors import MidiError
from riffcomposer.files import write_bytes
from riffcomposer.midi.general_midi import DRUM_CHANNEL, kit_program, program_of
from riffcomposer.midi.texts import tidy

if TYPE_CHECKING:
    from mido import Message, MetaMessage, MidiTrack

TICKS = 960
"""Ticks in a quarter note."""

_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL - 1)
_GLIDE_SECONDS, _GLIDE_STEPS, _GLIDE_CURVE = 8 * 480 / 44_100, 8, 1.5
"""How a note that is bent reaches its pitch, as the synth plays it."""

_BEND_RANGE, _WIDEST_BEND, _WHEEL = 2, 24, 8191
_END, _SET_UP, _BEND, _START = range(4)
"""What comes first at one tick."""

_MAJOR = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR = ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")
_MINOR_SCALES = ("minor", "harmonic minor", "minor pentatonic", "blues")
_PARENT = {"dorian": 10, "phrygian": 8, "lydian": 7, "mixolydian": 5}
"""Semitones up from a mode's tonic to that of the major scale with the same notes."""


@dataclass
class _Player:
    """A track to be written.

    Attributes:
        role: What it plays.
        sound: Its instrument or kit.
        parts: Number of each section that it plays in, where that starts, and its part there.
        channel: Counted from 0.
    """

    role: str
    sound: str
    parts: list[tuple[int, Fraction, Part]] = field(default_factory=list)
    channel: int = DRUM_CHANNEL - 1

    @property
    def sections(self) -> set[int]:
        return {number for number, _, _ in self.parts}


def write_midi(
    path: Path,
    sections: Sequence[tuple[str, Composition]],
    *,
    tempo: Fraction,
    title: str = "",
    starts: Sequence[Fraction] | None = None,
) -> None:
    """Writes sections as a MIDI file. A file that is there is replaced.

    A pick-up before the first section moves everything back by one bar.

    Args:
        path: The file.
        sections: Names and compositions, at least one.
        tempo: BPM of them all.
        title: Name of the first track.
        starts: Where each section starts, in quarter notes, rising; one after another if None.

    Raises:
        MidiError: There is nothing to write.
        StoreError: The file cannot be written.
    """
    write_bytes(path, midi_bytes(sections, tempo=tempo, title=title, starts=starts))


def midi_bytes(
    sections: Sequence[tuple[str, Composition]],
    *,
    tempo: Fraction,
    title: str = "",
    starts: Sequence[Fraction] | None = None,
) -> bytes:
    """The content of the file that `write_midi` writes."""
    if not sections:
        raise MidiError("there is no section to write as MIDI")
    from mido import MidiFile

    places = _starts([composition for _, composition in sections], starts)
    midi = MidiFile(type=1, ticks_per_beat=TICKS, charset="utf-8")
    midi.tracks.append(_conductor(sections, places, tempo, title))
    for player in _players([composition for _, composition in sections], places):
        midi.tracks.append(_track(player, tempo))
    content = io.BytesIO()
    midi.save(file=content)
    return content.getvalue()


def _starts(compositions: Sequence[Composition], stated: Sequence[Fraction] | None) -> list[Fraction]:
    """Where each section starts, and where the last one ends, in quarter notes."""
    first = compositions[0]
    has_pick_up = any(note.start < 0 for part in first.parts for note in part.notes)
    if stated is None:
        stated = list(accumulate((each.score.beats for each in compositions[:-1]), initial=Fraction(0)))
    moved = first.score.measure.beats if has_pick_up and stated[0] < LEAD_IN else Fraction(0)
    starts = [start + moved for start in stated]
    return [*starts, starts[-1] + compositions[-1].score.beats]


def _conductor(
    sections: Sequence[tuple[str, Composition]], starts: Sequence[Fraction], tempo: Fraction, title: str
) -> MidiTrack:
    from mido import MetaMessage

    events: list[tuple[int, int, MetaMessage]] = [
        (0, _SET_UP, MetaMessage("track_name", name=tidy(title))),
        (0, _SET_UP, MetaMessage("set_tempo", tempo=round(60_000_000 / tempo))),
    ]
    meter, key, bar_line = "", "", Fraction(0)
    for (name, composition), start in zip(sections, starts, strict=False):
        at = _tick(start)
        measure = composition.score.measure
        if measure.name != meter or (start - bar_line) % measure.beats:
            # A section that starts inside a bar begins a new one.
            top, bottom = measure.name.split("/")
            place = at if meter else 0
            change = MetaMessage("time_signature", numerator=int(top), denominator=int(bottom))
            events.append((place, _SET_UP, change))
            meter, bar_line = measure.name, start
        signature = _signature(composition.key)
        if signature != key:
            events.append((at if key else 0, _SET_UP, MetaMessage("key_signature", key=signature)))
            key = signature
        events.append((at, _START, MetaMessage("marker", text=tidy(name))))
        for chord in composition.chords:
            text = MetaMessage("text", text=chord.name)
            events.append((_tick(start + Fraction(chord.start)), _START, text))
    return _laid(events, _tick(starts[-1]))


def _signature(key: str) -> str:
    """The key signature of a key, as mido names it. A mode has that of the major scale with its notes."""
    tonic, scale = parse_key(key)
    if scale in _MINOR_SCALES:
        return _MINOR[tonic]
    return _MAJOR[(tonic + _PARENT.get(scale, 0)) % 12]


def _players(compositions: Sequence[Composition], starts: Sequence[Fraction]) -> list[_Player]:
    """Everybody who plays, each with a channel."""
    players: dict[tuple[str, str], _Player] = {}
    for number, (composition, start) in enumerate(zip(compositions, starts, strict=False)):
        for part in composition.parts:
            if part.notes:
                sound = part.kit if part.instrument is None else part.instrument.name
                player = players.setdefault((part.role, sound), _Player(part.role, sound))
                player.parts.append((number, start, part))
    _give_channels([player for player in players.values() if player.role != "drums"])
    return list(players.values())


def _give_channels(players: Sequence[_Player]) -> None:
    """Gives each player a channel; where they do not suffice, players of different sections share one."""
    used: dict[int, set[int]] = {channel: set() for channel in _CHANNELS}
    for player in players:
        player.channel = min(
            _CHANNELS, key=lambda channel: (len(used[channel] & player.sections), len(used[channel]))
        )
        used[player.channel] |= player.sections


def _track(player: _Player, tempo: Fraction) -> MidiTrack:
    from mido import MetaMessage

    name = MetaMessage("track_name", name=f"{player.role}: {player.sound}")
    events: list[tuple[int, int, Message | MetaMessage]] = [(0, _SET_UP, name)]
    spans = _spans(player)
    bend = max((abs(note.bend) for _, _, note in spans), default=0.0)
    bend_range = max(_BEND_RANGE, min(_WIDEST_BEND, math.ceil(bend)))
    first = True
    for _, start, part in player.parts:
        messages = _set_up(part, player.channel, bend_range if bend and first else 0)
        events += [(0 if first else _tick(start), _SET_UP, message) for message in messages]
        first = False
    for on, off, note in spans:
        events += _played(note, (on, off), player.channel)
        if note.bend:
            events += _glide(note.bend / bend_range, on, player.channel, tempo)
    return _laid(events, 0)


def _set_up(part: Part, channel: int, bend_range: int) -> list[Message]:
    """Chooses a player's sound, level and place, and with `bend_range` the range of its bends."""
    from mido import Message

    program = kit_program(part.kit) if part.instrument is None else program_of(part.instrument)
    volume = max(1, min(127, round(100 * 10 ** (part.gain_db / 40))))
    pan = max(0, min(127, 64 + round(63 * part.pan)))
    controls = [(7, volume), (10, pan)]
    if bend_range:
        controls += [(101, 0), (100, 0), (6, bend_range), (38, 0), (101, 127), (100, 127)]
    return [
        Message("control_change", channel=channel, control=0, value=0),
        Message("control_change", channel=channel, control=32, value=0),
        Message("program_change", channel=channel, program=program),
        *(
            Message("control_change", channel=channel, control=number, value=value)
            for number, value in controls
        ),
    ]


def _spans(player: _Player) -> list[tuple[int, int, Note]]:
    """A player's notes with the ticks where they start and end: of each pitch, one after another."""
    spans: dict[tuple[int, int], tuple[int, Note]] = {}
    for _, start, part in player.parts:
        for note in part.notes:
            on = max(0, _tick(start + Fraction(note.start)))
            off = max(on + 1, _tick(start + Fraction(note.start) + Fraction(note.length)))
            other = spans.get((note.pitch, on))
            if other is None or other[0] < off:
                spans[note.pitch, on] = (off, note)
    ordered = sorted((pitch, on, off, note) for (pitch, on), (off, note) in spans.items())
    return [
        (on, min(off, next_on) if next_pitch == pitch else off, note)
        for (pitch, on, off, note), (next_pitch, next_on) in zip(
            ordered, [*(entry[:2] for entry in ordered[1:]), (-1, 0)], strict=True
        )
    ]


def _played(note: Note, ticks: tuple[int, int], channel: int) -> list[tuple[int, int, Message]]:
    from mido import Message

    return [
        (ticks[0], _START, Message("note_on", channel=channel, note=note.pitch, velocity=note.velocity)),
        (ticks[1], _END, Message("note_off", channel=channel, note=note.pitch, velocity=64)),
    ]


def _glide(share: float, on: int, channel: int, tempo: Fraction) -> list[tuple[int, int, Message]]:
    """The wheel of a note that starts at `share` of the range of bends and comes to its pitch."""
    from mido import Message

    step = _GLIDE_SECONDS / _GLIDE_STEPS * float(tempo) / 60 * TICKS
    found = []
    for number in range(_GLIDE_STEPS + 1):
        wheel = round(share * (1 - number / _GLIDE_STEPS) ** _GLIDE_CURVE * _WHEEL)
        message = Message("pitchwheel", channel=channel, pitch=max(-_WHEEL, min(_WHEEL, wheel)))
        found.append((on + round(number * step), _BEND, message))
    return found


def _laid(events: Sequence[tuple[int, int, Message | MetaMessage]], end: int) -> MidiTrack:
    """Puts events in order, each with the ticks since the one before it.

    Args:
        end: Where the track ends at the earliest.
    """
    from mido import MetaMessage, MidiTrack

    track, before = MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - before))
        before = tick
    track.append(MetaMessage("end_of_track", time=max(0, end - before)))
    return track


def _tick(quarter: Fraction) -> int:
    return round(quarter * TICKS)
