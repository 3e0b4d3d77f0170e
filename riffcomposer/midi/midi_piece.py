"""Makes a stretch of a MIDI file a piece for the synth.

A piece has one meter and one tempo: bars of the length of the stretch's first bar, and the tempo that is
asked for. Notes keep their places in quarter notes. A part keeps its pitch wheel; in the notes, a scoop or a
bend of a string is a glide at the start as well, for players that know no wheel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import accumulate

from riffcomposer.composer.piece import Layout, Part, Piece
from riffcomposer.composer.section_score import parse_key
from riffcomposer.composer.theory import Note
from riffcomposer.errors import MidiError
from riffcomposer.midi.general_midi import instrument_of, kit_of
from riffcomposer.midi.song import MidiPart, MidiSong

_PADS = ("pad", "choir")
_PLAYS_ONE_NOTE = 1.3
"""Most notes at a time, on average, of a part that may be the melody."""

_LEAST_GLIDE = 0.25
"""Least semitones by which a note glides; less is a vibrato or a detuning."""

_MOST_GAIN_DB, _LEAST_GAIN_DB = 6.0, -18.0
_USUAL_VELOCITY = 90


def as_piece(
    song: MidiSong,
    *,
    start_bar: int,
    bars: int,
    tempo: float,
    roles: Mapping[int, str] | None = None,
    lead_in_bars: int = 1,
    mix: str = "room",
) -> Piece:
    """Makes some bars of a file a piece.

    A note that already sounds at the stretch's start is played from there on; one that goes on after its end
    is ended there. The lead-in has the music before the stretch, so that its tails sound into it, or is
    silent where the file starts.

    Args:
        start_bar: The first bar, counted from 0.
        bars: How many bars of the file.
        tempo: BPM in quarter notes.
        roles: The roles of tracks by their numbers: drums, bass, comp, second, pad or lead. The others are
            given theirs by `role_of` and `lead_of`.
        lead_in_bars: Bars before the stretch.
        mix: Name of the effect chain.

    Raises:
        MidiError: The file has not so many bars.
    """
    if start_bar < 0 or bars < 1 or start_bar + bars > len(song.bars):
        raise MidiError(
            f"{song.name}: has {len(song.bars)} bars; {bars} from bar {start_bar + 1} on are asked for"
        )
    first, end = song.bars[start_bar], song.bars[start_bar + bars - 1].end
    # The bar's length as its meter has it: the bar itself may be cut short by a change of meter.
    top, bottom = first.meter.split("/")
    bar_beats = Fraction(4 * int(top), int(bottom))
    layout = Layout(tempo, float(bar_beats), lead_in_bars, 1, math.ceil((end - first.start) / bar_beats))
    origin = first.start - lead_in_bars * bar_beats
    lead = lead_of(song.parts)
    parts = []
    for part in song.parts:
        role = (roles or {}).get(part.track) or ("lead" if part.track == lead else role_of(part))
        taken = _taken(part, role, float(origin), float(end), layout)
        if taken is not None:
            parts.append(taken)
    tonic, scale = parse_key(song.key) if song.key else (0, "")
    seed = f"{song.name} {start_bar}"
    louder = _level_db(song, float(first.start), float(end)) - _level_db(song, 0.0, math.inf)
    loudness_db = max(_LEAST_GAIN_DB, min(_MOST_GAIN_DB, louder))
    return Piece(seed, "", layout, tonic, scale, tuple(parts), mix, loudness_db)


def _level_db(song: MidiSong, start: float, end: float) -> float:
    """About how loud the notes that start from `start` to before `end` are while any of them sounds.

    Their powers add up; a velocity is an amplitude's square root, as in `_gain_db`.
    """
    notes = sorted(note for part in song.parts for note in part.notes if start <= note.start < end)
    if not notes:
        return 0.0
    power = sum((note.velocity / _USUAL_VELOCITY) ** 4 * note.length for note in notes)
    return 10 * math.log10(power / _sounding(notes))


def role_of(part: MidiPart) -> str:
    """The role of a part by its sound: drums, bass, pad, or comp for the rest."""
    if part.is_drums:
        return "drums"
    family = instrument_of(part.program).family
    if family == "bass":
        return "bass"
    return "pad" if family in _PADS or part.program in range(48, 52) else "comp"


def lead_of(parts: Sequence[MidiPart]) -> int | None:
    """The number of the track that is probably the melody: of those that play one note at a time and neither
    drums nor bass, the one that plays highest, each note counted by its length; None without such a track."""
    heights: dict[int, float] = {}
    for part in parts:
        if role_of(part) in ("drums", "bass") or _notes_at_a_time(part.notes) > _PLAYS_ONE_NOTE:
            continue
        total = sum(note.length for note in part.notes)
        height = sum(note.pitch * note.length for note in part.notes) / total
        heights[part.track] = max(height, heights.get(part.track, 0.0))
    return max(heights, key=lambda track: heights[track], default=None)


def _notes_at_a_time(notes: Sequence[Note]) -> float:
    """How many notes sound at a time, on average, while any sounds."""
    return sum(note.length for note in notes) / _sounding(notes)


def _sounding(notes: Sequence[Note]) -> float:
    """Quarter notes in which any of some notes sounds; their starts rise."""
    sounding, at = 0.0, -math.inf
    for note in notes:
        end = note.start + note.length
        sounding += max(0.0, end - max(at, note.start))
        at = max(at, end)
    return sounding


def _taken(part: MidiPart, role: str, start: float, end: float, layout: Layout) -> Part | None:
    """The part of the piece for a part of the file from `start` to `end`; None if it is silent there."""
    notes = []
    for note in part.notes:
        first, last = max(note.start, start), min(note.start + note.length, end)
        if note.start >= end or last <= first or (part.is_drums and note.start < start):
            continue
        bent = _bent(part, note) if part.bends else note
        notes.append(bent._replace(start=first - start, length=last - first))
    if not notes:
        return None
    notes.sort()
    instrument = None if part.is_drums else instrument_of(part.program)
    return Part(
        role,
        instrument,
        kit_of(part.program) if part.is_drums else "",
        tuple(notes),
        _gain_db(part),
        _active(notes, layout),
        pan=part.pan,
        bends=_bends(part, start, end),
    )


def _bends(part: MidiPart, start: float, end: float) -> tuple[tuple[float, float], ...]:
    """The wheel from `start` to `end`, in quarter notes from `start`; nothing if it rests in the middle.

    Of several events at one place, the last counts.
    """
    points = {0.0: part.bend_at(start)}
    points |= {at - start: semitones for at, semitones in part.bends if start < at < end}
    return tuple(points.items()) if any(points.values()) else ()


def _active(notes: Sequence[Note], layout: Layout) -> tuple[bool, ...]:
    """For each phrase, a bar, whether a note sounds in it."""
    begun = [0] * (layout.phrases + 1)
    for note in notes:
        first = int(note.start / layout.bar_beats) - layout.lead_in_bars
        end = math.ceil((note.start + note.length) / layout.bar_beats) - layout.lead_in_bars
        if end > 0:
            begun[min(layout.phrases, max(0, first))] += 1
            begun[min(layout.phrases, end)] -= 1
    return tuple(count > 0 for count in accumulate(begun[:-1]))


def _gain_db(part: MidiPart) -> float:
    """The part's level relative to the usual one of its role, since the synth evens parts out by role."""
    velocity = sum(note.velocity for note in part.notes) / len(part.notes)
    played = 40 * math.log10(velocity / _USUAL_VELOCITY)
    return max(_LEAST_GAIN_DB, min(_MOST_GAIN_DB, part.volume_db + played))


def _bent(part: MidiPart, note: Note) -> Note:
    """A note with the wheel in it: at the nearest pitch that it is bent to, and gliding there from its start.

    What counts for both is where the wheel is at the note's start and in its middle.
    """
    first, settled = part.bend_at(note.start), part.bend_at(note.start + note.length / 2)
    glide = first - settled
    pitch = max(0, min(127, note.pitch + round(settled)))
    return note._replace(
        pitch=pitch, bend=glide if abs(glide) >= _LEAST_GLIDE else 0.0, tuned=pitch - note.pitch
    )
