"""Plays a channel's events through: keys, pedal and controllers become notes with lengths and levels.

- A note ends at its note-off, or, where the sustain pedal is down, when the pedal comes up or the pitch is
  played again. Of notes of one pitch that overlap, the first off ends the first.
- A note whose end never comes lasts for `STUCK_QUARTERS`, but not past the end of its track.
- A note's velocity is scaled by the loudest moment of volume and expression while it sounds.

Source: MIDI 1.0 detailed specification; RP-015 for "reset all controllers".
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from riffcomposer.midi.smf_events import STATUS, TICK, TRACK

STUCK_QUARTERS = 16
"""Longest that a note without an end lasts, in quarter notes."""

_VOLUME, _EXPRESSION, _CENTRE = 100, 127, 8192
_MAX_BEND_RANGE = 96.0
_BANK, _DATA, _VOLUME_CC, _PAN, _EXPRESSION_CC, _DATA_LOW, _PEDAL = 0, 6, 7, 10, 11, 38, 64
_NRPN, _RPN_LOW, _RPN, _SOUND_OFF, _RESET, _NOTES_OFF = (98, 99), 100, 101, 120, 121, range(123, 128)
_NO_RPN = (127, 127)
_GM2_DRUMS, _GM2_MELODY, _XG_DRUMS = 120, 121, 127


@dataclass
class Played:
    """The notes that one sound plays in one track, in ticks.

    Attributes:
        track: Counted from 0.
        program: Of the instrument, or of the kit.
        is_drums: Whether it is a kit.
        starts, ends, pitches, velocities: Of each note, in order of starts.
        pans: Sum of the notes' positions, each 0 (left) to 127 (right).
    """

    track: int
    program: int
    is_drums: bool
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    pitches: list[int] = field(default_factory=list)
    velocities: list[int] = field(default_factory=list)
    pans: int = 0

    @property
    def pan(self) -> float:
        """The mean position of its notes, -1 left to 1 right."""
        return max(-1.0, (self.pans / len(self.starts) - 64) / 63)


_Key = tuple[Played, int]


class ChannelPlayer:
    """Plays the events of one channel.

    Args:
        channel: Counted from 0.
        drums: Whether the channel plays drums where no bank says otherwise.
        is_xg: Whether bank 127 is drums.

    Attributes:
        channel: As given.
        parts: What was played; notes get their ends by `finish`.
        levels: Ticks, and volume times expression from there.
        bends: Ticks, and semitones from there.
        stuck: Number of notes whose end never came.
    """

    def __init__(self, channel: int, *, drums: bool, is_xg: bool = False) -> None:
        self.channel, self._drums, self._is_xg = channel, drums, is_xg
        self._bank, self._program, self._is_drums = 0, 0, drums
        self._pedal, self._pan = False, 64
        self._volume, self._expression = _VOLUME, _EXPRESSION
        self._wheel, self._range = _CENTRE, 2.0
        self._rpn = _NO_RPN
        self._open: dict[int, deque[_Key]] = defaultdict(deque)  # by track and pitch
        self._held: dict[int, list[_Key]] = {}
        self._parts: dict[tuple[int, int, bool], Played] = {}
        self.levels: list[tuple[int, int]] = [(0, _VOLUME * _EXPRESSION)]
        self.bends: list[tuple[int, float]] = [(0, 0.0)]
        self.stuck = 0

    @property
    def parts(self) -> list[Played]:
        return list(self._parts.values())

    def play(self, messages: Iterable[int]) -> None:
        """Takes all messages of the channel, by time."""
        for message in messages:
            status = message >> STATUS & 0xF0
            first, second = message >> 8 & 0x7F, message & 0x7F
            tick = message >> TICK
            if status == 0x90 and second:
                self._on(tick, message >> TRACK & 0xFFFF, first, second)
            elif status in (0x80, 0x90):
                self._off(tick, (message >> TRACK & 0xFFFF) << 8 | first)
            elif status == 0xB0:
                self._control(tick, first, second)
            elif status == 0xC0:
                self._program = first
                self._is_drums = self._bank_is_drums()
            elif status == 0xE0:
                self._wheel = second << 7 | first
                self._bent(tick)

    def finish(self, ends: Sequence[int], longest: int) -> None:
        """Ends the notes whose end did not come.

        Args:
            ends: Of each track, the tick of its last event.
            longest: How many ticks such a note lasts at most.
        """
        for notes in self._held.values():
            for part, index in notes:
                part.ends[index] = max(part.ends[index], min(ends[part.track], part.ends[index] + longest))
        for waiting in self._open.values():
            for part, index in waiting:
                start = part.starts[index]
                part.ends[index] = max(start, min(ends[part.track], start + longest))
                self.stuck += 1

    def _bank_is_drums(self) -> bool:
        if self._bank == _GM2_DRUMS or (self._is_xg and self._bank == _XG_DRUMS):
            return True
        return self._drums and self._bank != _GM2_MELODY

    def _on(self, tick: int, track: int, pitch: int, velocity: int) -> None:
        place = track << 8 | pitch
        for held, index in self._held.pop(place, ()):
            held.ends[index] = tick
        sound = (track, self._program, self._is_drums)
        part = self._parts.get(sound)
        if part is None:
            part = self._parts[sound] = Played(*sound)
        self._open[place].append((part, len(part.starts)))
        part.starts.append(tick)
        part.ends.append(tick)
        part.pitches.append(pitch)
        part.velocities.append(velocity)
        part.pans += self._pan

    def _off(self, tick: int, place: int) -> None:
        waiting = self._open.get(place)
        if waiting:
            part, index = waiting.popleft()
            part.ends[index] = tick
            if self._pedal and not part.is_drums:
                self._held.setdefault(place, []).append((part, index))

    def _control(self, tick: int, number: int, value: int) -> None:
        if number == _PEDAL:
            self._pedal = value >= 64
            if not self._pedal:
                self._release(tick)
        elif number in (_VOLUME_CC, _EXPRESSION_CC):
            if number == _VOLUME_CC:
                self._volume = value
            else:
                self._expression = value
            self._levelled(tick)
        elif number == _PAN:
            self._pan = value
        elif number == _BANK:
            self._bank = value
        elif number in (_RPN, _RPN_LOW, *_NRPN):
            high, low = self._rpn
            self._rpn = (value, low) if number == _RPN else (high, value) if number == _RPN_LOW else _NO_RPN
        elif number in (_DATA, _DATA_LOW) and self._rpn == (0, 0):
            whole = value if number == _DATA else math.floor(self._range)
            self._range = min(_MAX_BEND_RANGE, whole + (value / 100 if number == _DATA_LOW else 0.0))
            self._bent(tick)
        elif number == _RESET:
            self._reset(tick)
        elif number == _SOUND_OFF or number in _NOTES_OFF:
            self._silence(tick, at_once=number == _SOUND_OFF)

    def _release(self, tick: int) -> None:
        for notes in self._held.values():
            for part, index in notes:
                part.ends[index] = tick
        self._held = {}

    def _silence(self, tick: int, *, at_once: bool) -> None:
        for place, waiting in list(self._open.items()):
            while waiting:
                self._off(tick, place)
            del self._open[place]
        if at_once:
            self._release(tick)

    def _reset(self, tick: int) -> None:
        self._pedal, self._expression, self._wheel, self._rpn = False, _EXPRESSION, _CENTRE, _NO_RPN
        self._release(tick)
        self._levelled(tick)
        self._bent(tick)

    def _levelled(self, tick: int) -> None:
        level = self._volume * self._expression
        if level != self.levels[-1][1]:
            self.levels.append((tick, level))

    def _bent(self, tick: int) -> None:
        semitones = (self._wheel - _CENTRE) / _CENTRE * self._range
        if semitones != self.bends[-1][1]:
            self.bends.append((tick, semitones))


def loudest(
    levels: Sequence[tuple[int, int]], starts: Sequence[int], ends: Sequence[int]
) -> npt.NDArray[np.int64]:
    """The greatest level while each note sounds.

    Args:
        levels: Ticks, rising, and the level from there; the first is at 0.
        starts, ends: Of each note, in ticks.
    """
    ticks = np.array([tick for tick, _ in levels], np.int64)
    first = np.searchsorted(ticks, starts, "right") - 1
    last = np.maximum(np.searchsorted(ticks, ends, "left") - 1, first)
    # A table of maxima over 1, 2, 4, ... levels; two entries of it cover any stretch.
    tables = [np.array([level for _, level in levels], np.uint16)]
    while (width := 1 << len(tables)) <= len(ticks):
        half = tables[-1]
        tables.append(
            np.maximum(half[: len(ticks) - width + 1], half[width // 2 :][: len(ticks) - width + 1])
        )
    rows = np.log2(last - first + 1).astype(np.int64)
    found = np.empty(len(first), np.int64)
    for row in np.unique(rows):
        chosen = rows == row
        table = tables[row]
        found[chosen] = np.maximum(table[first[chosen]], table[last[chosen] - (1 << int(row)) + 1])
    return found


def level_db(level: float) -> float:
    """Level in dB of volume times expression: 0 for a volume of 100 and full expression (RP-003)."""
    return 40 * math.log10(level / (_VOLUME * _EXPRESSION))
