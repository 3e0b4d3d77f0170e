"""Bass lines of a whole section: roots that take the shortest way, notes that lead on, runs between phrases.

A line is written over the four beats of 4/4 as `BEAT TONE NEED`: where it is, what it plays (`R` the chord's
lowest note, `8` its octave, `3`, `5`, `7` the chord's tones, `A` a note that leads to the next chord, `N` the
next chord's root), and from which energy on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from riffcomposer.composer.instruments import Instrument
from riffcomposer.composer.section_ground import Draft, Ground, Measure, local_scale
from riffcomposer.composer.section_harmony import Span
from riffcomposer.composer.theory import at_or_above, nearest

Hit = tuple[float, str, float]
"""Beat, tone, energy."""


def _line(text: str) -> tuple[Hit, ...]:
    hits = []
    for item in text.split(","):
        at, tone, *need = item.split()
        hits.append((float(at), tone, float(need[0]) if need else 0.0))
    return tuple(hits)


def _every(step: float, tones: Sequence[str], skip: int = 0) -> tuple[Hit, ...]:
    """A tone at every step of the bar, sixteenths off the beat at more energy; each `skip`th is left out."""
    places = [place for place in range(round(4 / step)) if not skip or place % skip]
    return tuple(
        (place * step, tones[place % len(tones)], 0.0 if place * step % 1 == 0 or step > 0.3 else 0.25)
        for place in places
    )


# name: (lines, whether chords that change between two notes are left to the next note, length of a note as a
# share of the time to the next)
LINES: dict[str, tuple[tuple[tuple[Hit, ...], ...], bool, float]] = {
    "root fifth": (
        (
            _line("0 R, 2 5 .1, 3.5 A .55"),
            _line("0 R, 1.5 R .5, 2 5 .1, 3 A .4"),
            _line("0 R, 2 5 .1, 3 3 .45, 3.5 A .6"),
        ),
        False,
        0.9,
    ),
    "whole": ((_line("0 R"), _line("0 R, 2 5 .55"), _line("0 R, 3 A .5")), False, 0.98),
    "off-beat": (
        (
            _line("0.5 R, 1.5 R, 2.5 R, 3.5 R"),
            _line("0.5 R, 1.5 8 .3, 2.5 R, 3.5 R, 3.75 A .6"),
            _line("0.5 R, 1.5 R, 1.75 5 .5, 2.5 R, 3.5 A .4"),
        ),
        True,
        0.8,
    ),
    "sixteenths": ((_every(0.25, "R", 4), _every(0.25, "RRRRR8R"[:7], 4)), True, 0.8),
    "octaves": ((_every(0.5, "R8"), _every(0.5, ("R", "8", "R", "8", "5", "8", "3", "8"))), False, 0.85),
    "eighths": (
        (_every(0.5, "RRRRRRRA"), _every(0.5, "RRRRRR5A"), _every(0.5, "RRR5RR3A")),
        False,
        0.88,
    ),
    "slap": (
        (
            _line("0 R, 0.75 8 .5, 1.5 R .2, 1.75 8 .4, 2.5 R .2, 2.75 8 .5, 3.5 7 .35, 3.75 A .6"),
            _line("0 R, 0.75 R .3, 1.75 8 .45, 2 5 .3, 2.75 7 .4, 3 8 .35, 3.5 A .5"),
            _line("0 R, 0.5 8 .5, 1.25 R .4, 1.5 5 .3, 2 7 .25, 2.75 8 .5, 3.25 5 .4, 3.75 A .5"),
        ),
        False,
        0.6,
    ),
    "dub": (
        (
            _line("0.5 R, 1 R .2, 1.5 5, 3 R .1"),
            _line("0 R, 0.75 3 .2, 2 5, 2.5 R .3, 3.5 A .5"),
            _line("1 R, 1.5 R .3, 2 3, 3 5, 3.5 7 .4"),
            _line("0 R, 1.5 R .2, 2.5 5, 3 3 .2"),
        ),
        True,
        0.85,
    ),
    "reese": (
        (_line("0 R, 2.5 R .3"), _line("0 R, 2.5 5 .2"), _line("0 R, 1.75 8 .6, 2.5 7 .3")),
        False,
        0.95,
    ),
    "tumbao": ((_line("0 R .55, 1.5 5, 3 N"), _line("1.5 5, 2 R .6, 3 N, 3.5 N .65")), True, 0.92),
    "bossa": ((_line("0 R, 1.5 5 .1, 2 5, 3.5 N .1"), _line("0 R, 1.5 3 .3, 2 5, 3.5 A .1")), False, 0.92),
    "sub": (
        (_line("0 R, 2.5 R .2"), _line("0 R, 1.75 R .3, 2.5 5 .45, 3.5 A .55"), _line("0 R, 2.5 8 .4")),
        False,
        0.95,
    ),
    "waltz": ((_line("0 R"), _line("0 R, 2 5 .4, 3 A .5"), _line("0 5, 3 A .45")), False, 0.6),
    "arpeggio": (
        (_every(0.5, "R58385"), _every(0.5, "R535853A"), _every(0.5, "R583853A")),
        False,
        0.9,
    ),
}

_SPAN = 16
"""Semitones that a bass line spans, from its lowest root."""


@dataclass(frozen=True)
class _Riff:
    """What a player keeps to through a section.

    Attributes:
        lines: The line of a phrase's bars, and that of its last bar.
        loose: Whether chords that change between two notes wait for the next note.
        gate: Length of a note as a share of the time to the next.
    """

    lines: tuple[tuple[Hit, ...], ...]
    loose: bool
    gate: float


class _Bassist:
    """Writes a bass line bar by bar.

    Attributes:
        low, high: Lowest root, highest note.
        lowest: The instrument's lowest pitch.
        pitch: The last note's.
    """

    def __init__(
        self, ground: Ground, player: Instrument, pattern: str, kicks: Sequence[list[float]]
    ) -> None:
        self.ground, self.meter, self.pattern, self.kicks = ground, ground.meter, pattern, kicks
        base = max(player.low, 28) if player.low < 40 else player.low
        self.low = min(base + ground.song("bass register").randrange(4), max(player.low, player.high - 12))
        self.high, self.lowest = min(player.high, self.low + _SPAN), player.low
        self.pitch = self.low
        self.riff = self._draw_riff()

    def _draw_riff(self) -> _Riff:
        rng = self.ground.theme("bass riff")
        if self.pattern == "acid":
            tones = "RRRR835787"
            lines = tuple(
                tuple(
                    (place * 0.25, rng.choice(tones), rng.choice((0.0, 0.1, 0.3, 0.5)) if place else 0.0)
                    for place in range(16)
                    if not place or rng.random() < 0.8
                )
                for _ in range(3)
            )
            return _Riff(lines, True, 0.75)
        if self.pattern not in LINES:
            return _Riff((), False, 0.85)
        lines, loose, gate = LINES[self.pattern]
        return _Riff(tuple(rng.sample(lines, len(lines))), loose, gate)

    def play(self) -> list[Draft]:
        drafts: list[Draft] = []
        for bar in self.ground.bars:
            rng = self.ground.section(f"bass {bar.number}")
            if not bar.place:
                span = self.ground.span_at(bar.start)
                self.pitch = at_or_above(span.bass, self.low)
            if bar.holds:
                drafts += self._held(bar)
            elif self.pattern == "walking":
                drafts += self._walk(bar, rng)
            else:
                drafts += self._write(bar, rng)
        return _one_at_a_time(drafts)

    def _held(self, bar: Measure) -> list[Draft]:
        held = []
        for span in self.ground.spans_in(bar):
            begin, end = max(span.start, bar.start), min(span.end, bar.start + bar.length)
            if span.chord is not None:
                held.append(Draft(begin, end - begin, at_or_above(span.bass, self.low), 96))
        return held

    def _hits(self, bar: Measure, rng: Random) -> list[tuple[float, str, float]]:
        """Where the bar's notes are, and which."""
        if self.pattern == "locked":
            hits = [(at, "R", 0.0 if place == 0 else 0.1) for place, at in enumerate(self.kicks[bar.number])]
            hits = hits or [(0.0, "R", 0.0)]
            for place in range(2, len(hits)):
                if rng.random() < 0.3:
                    hits[place] = (hits[place][0], rng.choice("557"), hits[place][2])
            if rng.random() < 0.45:
                hits.append((self.meter.half + 0.5, rng.choice("5837"), 0.45))
            return [*hits, (float(self.meter.beats) - 0.5, "A", 0.4)] if rng.random() < 0.5 else hits
        lines = self.riff.lines
        # A riff of two bars, the second another one at times; the last bar of a phrase has its own.
        shape = 0 if bar.place % 2 == 0 else min(1, len(lines) - 1)
        if bar.ends_phrase or (bar.phrase % 2 and bar.place == 1):
            shape = len(lines) - 1
        line = lines[shape]
        kinds = len(self.meter.bars)
        carried = self.meter.carry([(at, 0.5) for at, _, _ in line], bar.number)
        hits = [
            (each.start, line[each.index][1], line[each.index][2] + 0.2 * each.filler) for each in carried
        ]
        if kinds == 2 and bar.number % 2 and not self.riff.loose and all(at > 0.01 for at, _, _ in hits):
            hits.append((0.0, "R", 0.05))
        return hits

    def _write(self, bar: Measure, rng: Random) -> list[Draft]:
        hits = [hit for hit in self._hits(bar, rng) if hit[0] < bar.length - 0.05]
        hits = self._with_roots(bar, hits)
        if bar.ends_phrase and rng.random() < self.ground.manners.walks:
            hits = self._with_run(bar, hits)
        drafts: list[Draft] = []
        for at, tone, need in sorted(hits):
            pitch = self._pitch(bar.start + at, tone, rng)
            if pitch is None:
                continue
            self.pitch = pitch
            velocity = round(rng.gauss(100 if tone == "R" else 92, 4))
            drafts.append(Draft(bar.start + at, 0.0, pitch, velocity, need))
        for place, draft in enumerate(drafts):
            end = drafts[place + 1].start if place + 1 < len(drafts) else bar.start + bar.length
            drafts[place] = draft._replace(length=max(0.1, (end - draft.start) * self.riff.gate))
        return drafts

    def _with_roots(self, bar: Measure, hits: Sequence[Hit]) -> list[Hit]:
        """Sees that each chord is heard: its lowest note where it begins, in loose riffs the next note."""
        result = sorted(hits)
        for span in self.ground.spans_in(bar):
            at = max(0.0, span.start - bar.start)
            near = 0.6 if self.riff.loose else 0.13
            found = [place for place, hit in enumerate(result) if abs(hit[0] - at) <= near]
            if not found:
                result.append((at, "R", 0.0 if at else 0.05))
            elif span.start > bar.start - 1e-6:
                place = found[-1]
                begin, tone, need = result[place]
                result[place] = (begin, tone, min(need, 0.1)) if self.riff.loose else (begin, "R", 0.0)
            result.sort()
        return result

    def _with_run(self, bar: Measure, hits: Sequence[Hit]) -> list[Hit]:
        """Three notes that run to the next chord in the bar's last beat and the half before."""
        last = self.meter.pulses(bar.number)[-1]
        step = 0.5 if last.length <= 1 or self.meter.compound else last.length / 2
        begin = last.start + last.length - 2 * step
        kept = [hit for hit in hits if hit[0] < begin - 0.05]
        return [*kept, (begin, "S", 0.3), (begin + step, "A", 0.3)]

    def _pitch(self, time: float, tone: str, rng: Random) -> int | None:
        span = self.ground.span_at(time)
        target = self.ground.next_span(time)
        if tone == "N" and target.chord is not None and self._soon(time, target):
            return self._near(target.bass)
        if span.chord is None:
            return None
        if tone in ("A", "S"):
            if not self._soon(time, target):
                return self._fold(self._root(span) + span.chord.fifth)
            return self._approach(span, target, rng, far=tone == "S")
        root = self._root(span)
        over = (root - span.chord.root) % 12  # a chord over another note than its root keeps its own tones
        steps = {
            "R": 0,
            "N": 0,
            "8": 12,
            "3": span.chord.third - over,
            "5": span.chord.fifth - over,
            "7": (11 if 11 in span.chord.intervals else 10) - over,
        }
        return self._fold(root + steps[tone])

    def _soon(self, time: float, target: Span) -> bool:
        """Whether a chord comes within the next beat and a half."""
        return target.start - time <= 1.6 and target.chord is not None

    def _root(self, span: Span) -> int:
        """The chord's lowest note, as near to the last note as can be."""
        return self._near(span.bass)

    def _near(self, pitch_class: int) -> int:
        first = at_or_above(pitch_class, self.low)
        choices = [pitch for pitch in (first, first + 12) if pitch <= self.high - 3] or [first]
        return nearest(self.pitch, choices)

    def _fold(self, pitch: int) -> int:
        """The pitch in the octave that is within the range, or a little below its lowest root."""
        while pitch > self.high:
            pitch -= 12
        while pitch < max(self.low - 3, self.lowest) or (pitch < self.low and pitch + 12 <= self.high):
            pitch += 12
        return pitch

    def _approach(self, span: Span, target: Span, rng: Random, *, far: bool = False) -> int:
        """A step from the next chord's lowest note, on the side where the line is; `far` is one step more."""
        goal = self._near(target.bass)
        side = -1 if self.pitch < goal else 1 if self.pitch > goal else rng.choice((-1, 1))
        scale = local_scale(self.ground.key, span.chord)
        in_scale = [pitch for pitch in range(goal + side, goal + 6 * side, side) if pitch % 12 in scale]
        if not far and self.ground.manners.harmony in ("jazz", "blues") and rng.random() < 0.4:
            return self._fold(goal + side)
        return self._fold(in_scale[1 if far and len(in_scale) > 1 else 0] if in_scale else goal + side)

    def _walk(self, bar: Measure, rng: Random) -> list[Draft]:
        """A note on every beat: chord tones and steps on the way to a note that leads to the next chord."""
        pulses = [
            pulse
            for pulse in self.meter.pulses(bar.number)
            if pulse.weight > 0 and pulse.start < bar.length - 0.05
        ]
        drafts: list[Draft] = []
        for place, pulse in enumerate(pulses):
            time = bar.start + pulse.start
            end = bar.start + (pulses[place + 1].start if place + 1 < len(pulses) else bar.length)
            span, target = self.ground.span_at(time), self.ground.next_span(time)
            if span.chord is None:
                continue
            if abs(span.start - time) < 0.05 or (not bar.place and not place):
                pitch = self._root(span)
            elif target.start <= end + 0.05 and target.chord is not None:
                pitch = self._approach(span, target, rng)
            else:
                pitch = self._passing(span, target, rng, strong=pulse.weight >= 2)
            need = 0.0 if pulse.weight >= 2 else 0.32
            velocity = round(rng.gauss(102 if place == 0 else 95, 4))
            drafts.append(Draft(time, (end - time) * 0.92, pitch, velocity, need))
            self.pitch = pitch
            if self.meter.name != "7/8" and rng.random() < 0.1:
                skip = 2 / 3 * pulse.length
                drafts.append(Draft(time + skip, pulse.length / 4, pitch, 74, 0.6))
        return drafts

    def _passing(self, span: Span, target: Span, rng: Random, *, strong: bool) -> int:
        """A tone of the chord (on accented beats) or of the scale, on the way to the next chord."""
        assert span.chord is not None
        classes = set(span.chord.pitch_classes) if strong else set(local_scale(self.ground.key, span.chord))
        goal = self._near(target.bass)
        middle = (self.low + self.high) / 2
        choices = [
            pitch
            for pitch in range(max(self.low - 1, self.lowest), self.high + 1)
            if pitch % 12 in classes
            and pitch != self.pitch
            and abs(pitch - self.pitch) <= (7 if strong else 4)
        ]
        if not choices:
            return self._root(span)
        way = (self.pitch + goal) / 2 + (rng.random() - 0.5) * 10

        def cost(pitch: int) -> float:
            chordal = 0.0 if pitch % 12 in span.chord.pitch_classes else 1.0  # type: ignore[union-attr]
            return abs(pitch - way) + 0.25 * abs(pitch - middle) + chordal

        return min(choices, key=cost)


def _one_at_a_time(drafts: Sequence[Draft]) -> list[Draft]:
    """Of notes that start together the first stays."""
    kept: list[Draft] = []
    for draft in sorted(drafts):
        if not kept or draft.start - kept[-1].start > 1e-3:
            kept.append(draft)
    return kept


def play(ground: Ground, player: Instrument, pattern: str, kicks: Sequence[list[float]]) -> list[Draft]:
    """Plays a bass line through a section.

    Args:
        ground: The section.
        player: Who plays.
        pattern: A key of `bass.STYLES`.
        kicks: For each bar where the kick drum falls, in quarter notes from the bar's start.
    """
    return _Bassist(ground, player, pattern, kicks).play()
