"""Reads a Standard MIDI File as notes on the song's grid.

    song = read_midi(Path("song.mid"), tracks=("melody", 3))

A file is never trusted: sizes, numbers of tracks, events and bars, and the file's length have limits, and
every fault is a `MidiError`. Reading takes time and memory in proportion to the file.

Who a channel belongs to: tracks that share one also share its program, pedal and controllers, as on a
synthesizer with one channel. Only where several tracks name a program of their own for one channel, each
keeps to itself, as programs write that put all tracks on channel 1.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from riffcomposer.composer.theory import Note
from riffcomposer.errors import MidiError
from riffcomposer.midi.general_midi import DRUM_CHANNEL, PROGRAM_NAMES
from riffcomposer.midi.performance import STUCK_QUARTERS, ChannelPlayer, Played, level_db, loudest
from riffcomposer.midi.smf_chunks import Chunks, read_chunks
from riffcomposer.midi.smf_events import STATUS, TRACK, Events, decode_tracks
from riffcomposer.midi.song import MidiPart, MidiSong
from riffcomposer.midi.texts import decode
from riffcomposer.midi.timeline import DEFAULT_MICROS, MeterEvent, key_name, lay_bars, lay_tempi

MAX_QUARTERS = 40_000
"""Longest file, in quarter notes: five and a half hours at 120 BPM."""

MAX_PARTS = 4096
"""Most parts: tracks, and changes of program in them."""

SHORTEST = 1 / 32
"""Shortest note, in quarter notes; notes without length get it."""

_OVERHANG = Fraction(1, 8)
"""By how much the end of the last note may be after the last bar, in quarter notes."""

_LISTED = 20
"""Most names of tracks that an error lists."""


@dataclass(frozen=True)
class _Grid:
    """How ticks become quarter notes: `tick * quarters / ticks`."""

    quarters: int
    ticks: int

    def at(self, tick: int) -> float:
        return tick * self.quarters / self.ticks

    def exactly(self, tick: int) -> Fraction:
        return Fraction(tick * self.quarters, self.ticks)


def read_midi(path: Path, *, tracks: tuple[str | int, ...] = ()) -> MidiSong:
    """Reads a MIDI file.

    Args:
        path: A Standard MIDI File of format 0 or 1, also in RMID; its bytes decide, not its name.
        tracks: The tracks to take: numbers as `describe` shows them, names, or sounds (`violin`, `drums`)
            where no track has such a name, upper and lower case alike. All by default.

    Raises:
        MidiError: The file cannot be read, is not MIDI, is damaged, too large or too long, is of a form that
            is not read, holds no notes, or lacks one of the tracks.
    """
    chunks = read_chunks(path)
    events = decode_tracks(chunks.tracks, str(path))
    grid = _grid(chunks, events)
    players = _play(events, grid)
    parts = _parts(players, events, grid, path)
    if not parts:
        raise MidiError(f"{path}: holds no notes that sound")
    length = Fraction(max(note.start + note.length for part in parts for note in part.notes))
    if length > MAX_QUARTERS:
        raise MidiError(
            f"{path}: lasts {float(length):,.0f} quarter notes; files of up to {MAX_QUARTERS:,} are read"
        )
    meters = [MeterEvent(grid.exactly(tick), top, bottom) for tick, top, bottom in sorted(events.meters)]
    covered = max(
        Fraction(max(part.notes[-1].start for part in parts)) + Fraction(SHORTEST), length - _OVERHANG
    )
    try:
        bars = lay_bars(meters, covered)
    except ValueError as fault:
        raise MidiError(f"{path}: {fault}; take out its odd time signatures") from None
    tempi = [(Fraction(0), micros) for _, micros in sorted(events.tempi)[:1]]
    if chunks.ticks_per_quarter:
        tempi = [(grid.exactly(tick), micros) for tick, micros in sorted(events.tempi)]
    _, sharps, minor = min(events.keys, default=(0, 0, False))
    song = MidiSong(
        path.name,
        parts,
        bars,
        lay_tempi(tempi),
        key_name(sharps, minor=minor) if events.keys else "",
        tuple((grid.exactly(tick), text) for tick, text in sorted(events.markers) if text),
        length,
        _remarks(chunks, players),
    )
    return replace(song, parts=_chosen(song.parts, tracks, str(path))) if tracks else song


def _grid(chunks: Chunks, events: Events) -> _Grid:
    """How long a tick is. In a file that counts SMPTE frames a quarter lasts as its first tempo says."""
    if chunks.ticks_per_quarter:
        return _Grid(1, chunks.ticks_per_quarter)
    micros = min(events.tempi, default=(0, DEFAULT_MICROS))[1]
    quarters = Fraction(1_000_000, micros) / chunks.ticks_per_second
    return _Grid(quarters.numerator, quarters.denominator)


def _play(events: Events, grid: _Grid) -> list[ChannelPlayer]:
    """Plays all channels through, each with those tracks together that share its state."""
    longest = STUCK_QUARTERS * grid.ticks // grid.quarters
    players = []
    for channel, streams in sorted(_streams(events).items()):
        drums = channel == DRUM_CHANNEL - 1 or channel in events.rhythm_channels
        for messages in streams:
            player = ChannelPlayer(channel, drums=drums, is_xg=events.is_xg)
            player.play(messages)
            player.finish(events.ends, longest)
            players.append(player)
    return players


def _streams(events: Events) -> dict[int, list[list[int]]]:
    """The messages of each channel, counted from 0: a list for each group of tracks that share its state."""
    by_track: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for track, messages in enumerate(events.messages):
        for message in messages:
            by_track[message >> STATUS & 0xF][track].append(message)
    streams: dict[int, list[list[int]]] = {}
    for channel, tracks in by_track.items():
        own = [track for track, messages in tracks.items() if _names_its_program(messages)]
        if len(own) < 2:
            own = []
        shared = [message for track in tracks if track not in own for message in tracks[track]]
        if len(tracks) > 1:
            shared.sort(key=lambda message: message >> TRACK)
        streams[channel] = [tracks[track] for track in own] + ([shared] if shared else [])
    return streams


def _names_its_program(messages: Sequence[int]) -> bool:
    """Whether a track has both notes and a program."""
    kinds = {message >> STATUS & 0xF0 for message in messages}
    return 0xC0 in kinds and 0x90 in kinds


def _parts(players: Sequence[ChannelPlayer], events: Events, grid: _Grid, path: Path) -> tuple[MidiPart, ...]:
    """All parts with notes that sound, in order of tracks, then channels.

    Raises:
        MidiError: There are too many.
    """
    found: list[tuple[ChannelPlayer, Played, tuple[tuple[float, float], ...]]] = []
    for player in players:
        if len(found) + len(player.parts) > MAX_PARTS:
            raise MidiError(f"{path}: has more than {MAX_PARTS:,} tracks and programs; split it")
        bends: tuple[tuple[float, float], ...] = ()
        if len(player.bends) > 1:
            bends = tuple((grid.at(tick), semitones) for tick, semitones in player.bends)
        found += [(player, played, bends) for played in player.parts]
    found.sort(key=lambda entry: (entry[1].track, entry[0].channel, entry[1].starts[0]))
    places = sorted({(played.track, player.channel) for player, played, _ in found})
    numbers = {place: number for number, place in enumerate(places, 1)}
    channels_of = defaultdict(set)
    for track, channel in places:
        channels_of[track].add(channel)
    parts = []
    for player, played, bends in found:
        notes, volume_db = _notes(player, played, grid)
        if not notes:
            continue
        name = decode(events.names[played.track])
        if not name or len(channels_of[played.track]) > 1:
            name = "Drums" if played.is_drums else PROGRAM_NAMES[played.program]
        parts.append(
            MidiPart(
                numbers[played.track, player.channel],
                name,
                player.channel + 1,
                played.program,
                played.is_drums,
                notes,
                () if played.is_drums else bends,
                played.pan,
                volume_db,
            )
        )
    return _one_name_each(parts)


def _notes(player: ChannelPlayer, played: Played, grid: _Grid) -> tuple[tuple[Note, ...], float]:
    """The notes of a part, without those that are turned down to nothing, and the part's level in dB."""
    levels = loudest(player.levels, played.starts, played.ends).tolist()
    reference = max(levels)
    notes = tuple(
        Note(
            grid.at(start),
            max(SHORTEST, grid.at(end - start)),
            pitch,
            max(1, round(velocity * level / reference)),
        )
        for start, end, pitch, velocity, level in zip(
            played.starts, played.ends, played.pitches, played.velocities, levels, strict=True
        )
        if level
    )
    return notes, level_db(reference) if reference else 0.0


def _one_name_each(parts: Sequence[MidiPart]) -> tuple[MidiPart, ...]:
    """Gives the parts of one track the name of its first part."""
    names: dict[int, str] = {}
    for part in parts:
        names.setdefault(part.track, part.name)
    return tuple(replace(part, name=names[part.track]) for part in parts)


def _remarks(chunks: Chunks, players: Sequence[ChannelPlayer]) -> tuple[str, ...]:
    found = []
    stuck = sum(player.stuck for player in players)
    if stuck:
        found.append(
            f"has {stuck:,} notes without an end; each lasts {STUCK_QUARTERS} quarter notes, or to the end "
            "of its track"
        )
    if not chunks.ticks_per_quarter:
        found.append(
            "counts time in SMPTE frames, not in quarter notes; its bars are where its first tempo puts them"
        )
    return tuple(found)


def _chosen(parts: Sequence[MidiPart], tracks: Sequence[str | int], path: str) -> tuple[MidiPart, ...]:
    """The parts of the tracks that are asked for, in the file's order.

    Raises:
        MidiError: There is no such track.
    """
    numbers: set[int] = set()
    named: dict[str, set[int]] = defaultdict(set)
    beginnings: dict[str, set[int]] = defaultdict(set)
    for part in parts:
        named[part.name.casefold()].add(part.track)
    for other in ("drums", *dict.fromkeys(part.sound.casefold() for part in parts)):
        if other not in named:
            named[other] = {
                part.track for part in parts if other in (part.sound.casefold(), "drums" * part.is_drums)
            }
    for part in parts:  # `lead: vibraphone` is also found as `lead`, where no other track has that name
        first, colon, _ = part.name.casefold().partition(":")
        if colon:
            beginnings[first.strip()].add(part.track)
    named = beginnings | named
    for wanted in tracks:
        found = {part.track for part in parts if part.track == wanted}
        if isinstance(wanted, str):
            found = named.get(" ".join(wanted.split()).casefold(), set())
        if not found:
            raise MidiError(f"{path}: {_no_such_track(wanted, parts, named)}")
        numbers |= found
    return tuple(part for part in parts if part.track in numbers)


def _quoted(name: str) -> str:
    """A name as a song has to write it: in quotes where it holds a colon."""
    return repr(name) if ": " in name else name


def _no_such_track(wanted: str | int, parts: Sequence[MidiPart], named: Mapping[str, set[int]]) -> str:
    listed = list(dict.fromkeys(f"{part.track} {_quoted(part.name)}" for part in parts))
    others = ", ".join(listed[:_LISTED]) + (", ..." if len(listed) > _LISTED else "")
    message = f"has no track {wanted!r}"
    close = difflib.get_close_matches(str(wanted)[:100].casefold(), list(named)[:1000], 1, 0.6)
    if isinstance(wanted, str) and close:
        name = next((part.name for part in parts if part.name.casefold() == close[0]), close[0])
        return f"{message}: did you mean {name!r}? Its tracks are {others}"
    return f"{message}: its tracks are {others}"
