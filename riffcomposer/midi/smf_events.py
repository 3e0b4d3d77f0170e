"""Decodes the events of a track: notes and controllers as packed numbers, names, tempi, meters and keys.

An event of a channel is one integer, `tick << 40 | track << 24 | status << 16 | first << 8 | second`, so that
a long file takes little memory and events sort by time, then track. System exclusive and texts that are not
used are passed over without being read.

Source: RP-001, sections "MTrk events" and "Meta-events".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from riffcomposer.errors import MidiError
from riffcomposer.midi.texts import decode

MAX_EVENTS = 400_000
"""Most events of a file."""

MAX_TICK = 1 << 31
"""Latest tick; at 960 ticks per quarter note that is two million quarters."""

MAX_CHANGES = 50_000
"""Most tempi, meters and key signatures of a file, each."""

MAX_MARKERS = 2000
"""Markers that are kept."""

MAX_NAME_BYTES = 800
"""Bytes of a track's name that are kept."""

TICK, TRACK, STATUS = 40, 24, 16
"""By how many bits tick, track and status are shifted in an event; the first data byte is shifted by 8."""

_XG_ON = re.compile(rb"\x43[\x10-\x1f]\x4c\0\0\x7e\0")
_GS_RHYTHM_PART = re.compile(rb"\x41[\0-\x7f]\x42\x12\x40([\x10-\x1f])\x15([\x01\x02])", re.DOTALL)

_TRACK_NAME, _MARKER, _END, _TEMPO, _METER, _KEY = 0x03, 0x06, 0x2F, 0x51, 0x58, 0x59


@dataclass
class Events:
    """The events of all tracks.

    Attributes:
        messages: Of each track, its packed channel messages by time.
        names: Of each track, the bytes of its name; empty where there is none.
        tempi: Tick, and microseconds per quarter note.
        meters: Tick, numerator, denominator; only possible ones.
        keys: Tick, sharps (flats are negative), whether minor; only possible ones.
        markers: Tick and text.
        ends: Of each track, the tick of its last event.
        is_xg: Whether the file turns Yamaha's XG on, where bank 127 is drums.
        rhythm_channels: Channels that Roland's GS makes drum channels, counted from 0.
        count: Number of events, those that are passed over included.
    """

    messages: list[list[int]] = field(default_factory=list)
    names: list[bytes] = field(default_factory=list)
    tempi: list[tuple[int, int]] = field(default_factory=list)
    meters: list[tuple[int, int, int]] = field(default_factory=list)
    keys: list[tuple[int, int, bool]] = field(default_factory=list)
    markers: list[tuple[int, str]] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    is_xg: bool = False
    rhythm_channels: set[int] = field(default_factory=set)
    count: int = 0

    def add_meta(self, kind: int, tick: int, content: bytes) -> None:
        """Keeps a meta event if it is one that counts.

        Raises:
            ValueError: It is a tempo that cannot be.
        """
        if kind == _TRACK_NAME:
            self.names[-1] = self.names[-1] or content[:MAX_NAME_BYTES]
        elif kind == _MARKER and len(self.markers) < MAX_MARKERS:
            self.markers.append((tick, decode(content)))
        elif kind == _TEMPO:
            micros = int.from_bytes(content, "big")
            if len(content) != 3 or micros == 0:
                raise ValueError("a tempo is 3 bytes that are not all 0")
            self.tempi.append((tick, micros))
        elif kind == _METER and len(content) >= 2 and 1 <= content[0] <= 64 and content[1] <= 6:
            self.meters.append((tick, content[0], 1 << content[1]))
        elif kind == _KEY and len(content) == 2 and content[1] <= 1:
            sharps = int.from_bytes(content[:1], "big", signed=True)
            if -7 <= sharps <= 7:
                self.keys.append((tick, sharps, bool(content[1])))


def decode_tracks(tracks: tuple[bytes, ...], name: str) -> Events:
    """Decodes all tracks of a file.

    Args:
        tracks: The content of each track chunk.
        name: What errors call the file.

    Raises:
        MidiError: A track is damaged, or there are too many events or too late ones.
    """
    events = Events()
    for number, track in enumerate(tracks):
        events.names.append(b"")
        try:
            _decode_track(track, number, events)
        except (IndexError, ValueError) as fault:
            what = "it ends within an event" if isinstance(fault, IndexError) else str(fault)
            raise MidiError(
                f"{name}: track {number + 1} is damaged: {what}; save the file again from the program that "
                "made it"
            ) from None
        if events.count > MAX_EVENTS:
            raise MidiError(
                f"{name}: has more than {MAX_EVENTS:,} events; take out tracks, or thin out its controllers"
            )
        if max(len(events.tempi), len(events.meters), len(events.keys)) > MAX_CHANGES:
            raise MidiError(
                f"{name}: has more than {MAX_CHANGES:,} changes of tempo, meter or key; thin them out"
            )
        events.is_xg = events.is_xg or _XG_ON.search(track) is not None
        for block, _ in _GS_RHYTHM_PART.findall(track):
            # The blocks of parts are numbered 10, 1 to 9, 11 to 16.
            events.rhythm_channels.add({0: 9}.get(block[0] & 15, (block[0] & 15) - (block[0] & 15 < 10)))
    return events


def _decode_track(track: bytes, number: int, events: Events) -> None:
    """Appends a track's events to `events`; stops after the first event over `MAX_EVENTS`.

    Raises:
        IndexError: The track ends within an event.
        ValueError: There is something in it that cannot be.
    """
    messages: list[int] = []
    events.messages.append(messages)
    keep = messages.append
    at, tick, status, left = 0, 0, 0, MAX_EVENTS - events.count
    end, base = len(track), number << TRACK
    while at < end and left >= 0:
        left -= 1
        byte = track[at]
        at += 1
        if byte < 0x80:
            tick += byte
        else:
            delta, at = _number(track, at - 1)
            tick += delta
        byte = track[at]
        if byte < 0x80:
            if not status:
                raise ValueError(f"byte {at} is data without a status")
        else:
            at += 1
            if byte >= 0xF0:
                at, is_end = _decode_other(track, byte, at, tick, events)
                if is_end:
                    break
                continue
            status = byte
        first = track[at]
        if 0xC0 <= status < 0xE0:
            second = 0
            at += 1
        else:
            second = track[at + 1]
            at += 2
        if first | second > 127:
            raise ValueError(f"byte {at - 1} is a status where data is expected")
        keep(tick << TICK | base | status << STATUS | first << 8 | second)
    if tick > MAX_TICK:
        raise ValueError(f"its last event is at tick {tick:,}, later than {MAX_TICK:,}")
    events.ends.append(tick)
    events.count = MAX_EVENTS - left


def _decode_other(track: bytes, status: int, at: int, tick: int, events: Events) -> tuple[int, bool]:
    """Decodes a meta event or passes over system exclusive.

    Returns:
        Where the next event begins, and whether this one ends the track.
    """
    kind = -1
    if status == 0xFF:
        kind = track[at]
        at += 1
    elif status not in (0xF0, 0xF7):
        raise ValueError(f"byte {at - 1} is 0x{status:02x}, which is no event of a file")
    length, at = _number(track, at)
    if at + length > len(track):
        raise IndexError
    if kind >= 0:
        events.add_meta(kind, tick, track[at : at + length])
    return at + length, kind == _END


def _number(track: bytes, at: int) -> tuple[int, int]:
    """Reads a variable-length quantity of at most four bytes; returns it and where the next byte is."""
    value = 0
    for place in range(at, at + 4):
        byte = track[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    raise ValueError(f"the number at byte {at} is longer than four bytes")
