"""What all players of a section have in common: its bars, its chords, its energy, and where draws come from.

Draws are labelled instead of taken from one stream: each bar of each player has a generator of its own, so a
change in one place does not change what is drawn in another. Labels of the *song* depend on the seed and the
style, those of the *theme* on the theme besides, those of the *section* on the variation besides.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from riffcomposer.composer.chord_names import Symbol, parse_symbol
from riffcomposer.composer.meters import Meter
from riffcomposer.composer.section_harmony import (
    PHRASE_BARS,
    Span,
    cadence,
    draw_theme,
    home_chord,
    name_of,
    theme_bars,
    written_bars,
)
from riffcomposer.composer.section_score import Score
from riffcomposer.composer.style import Style
from riffcomposer.composer.style_manners import MANNERS, Manners
from riffcomposer.composer.theory import SCALES, Chord, Key


class Draft(NamedTuple):
    """A note before it is known whether the section has the energy for it.

    Attributes:
        start, length: In quarter notes from the section's start, before swing.
        pitch: MIDI number.
        velocity: Before accents and dynamics.
        need: The energy from which on it is played.
        bend: See `theory.Note`.
    """

    start: float
    length: float
    pitch: int
    velocity: int
    need: float = 0.0
    bend: float = 0.0


@dataclass(frozen=True)
class Measure:
    """One bar of a section.

    Attributes:
        number: Counted from 0.
        start: In quarter notes.
        length: In quarter notes; the last bar of a section may be cut.
        phrase: Which phrase it is in.
        place: Which bar of the phrase, 0 to 3.
        ends_phrase: Whether it is the phrase's last.
        ends_section: Whether it is the section's last.
        holds: Whether it is the held last bar of a song.
    """

    number: int
    start: float
    length: float
    phrase: int
    place: int
    ends_phrase: bool
    ends_section: bool
    holds: bool


@dataclass(frozen=True)
class Ground:
    """What all players of a section have in common.

    Attributes:
        score: What was asked.
        style, manners: Of the section.
        key: Its key.
        meter: Its meter.
        bars: Its bars.
        spans: Its chords, without gaps, the last one ending with the section.
        after: The chord that the section leads to.
        end: Length of the section in quarter notes.
    """

    score: Score
    style: Style
    manners: Manners
    key: Key
    meter: Meter
    bars: tuple[Measure, ...]
    spans: tuple[Span, ...]
    after: Span
    end: float
    _starts: tuple[float, ...] = field(default=(), compare=False)

    def song(self, label: str) -> Random:
        """The generator of a draw that all sections of a song have in common."""
        return Random(f"{self.score.seed} {self.style.name} {label}")

    def theme(self, label: str) -> Random:
        """The generator of a draw that all sections with one theme have in common."""
        return Random(f"{self.score.seed} {self.style.name} {self.score.theme} {label}")

    def section(self, label: str) -> Random:
        """The generator of a draw of this section."""
        return Random(
            f"{self.score.seed} {self.style.name} {self.score.theme} {self.score.variation} {label}"
        )

    def span_at(self, time: float) -> Span:
        """The chord at a time; before the section the first, after it the one that it leads to."""
        if time >= self.end - 1e-6:
            return self.after
        return self.spans[max(0, bisect_right(self._starts, time + 1e-6) - 1)]

    def next_span(self, time: float) -> Span:
        """The chord after the one at a time."""
        place = bisect_right(self._starts, time + 1e-6)
        return self.spans[place] if place < len(self.spans) else self.after

    def spans_in(self, bar: Measure) -> Sequence[Span]:
        """The chords of a bar."""
        first = max(0, bisect_right(self._starts, bar.start + 1e-6) - 1)
        last = bisect_right(self._starts, bar.start + bar.length - 1e-6)
        return self.spans[first:last]


def _measures(score: Score) -> tuple[Measure, ...]:
    length = float(score.measure.beats)
    whole = score.bars.numerator // score.bars.denominator
    rest = float(score.bars - whole) * length
    lengths = [length] * whole + ([rest] if rest > 1e-9 else [])
    count = len(lengths)
    return tuple(
        Measure(
            number,
            number * length,
            each,
            number // PHRASE_BARS,
            number % PHRASE_BARS,
            number % PHRASE_BARS == PHRASE_BARS - 1 or number == count - 1,
            number == count - 1,
            score.closes and number == count - 1,
        )
        for number, each in enumerate(lengths)
    )


def _places(meter: Meter, count: int) -> list[float]:
    """Where in a bar its chords begin: the second of two at its half, more of them on beats."""
    if count == 2:
        return [0.0, meter.half]
    beats = [pulse.start for pulse in meter.bars[0] if pulse.weight > 0]
    if count <= len(beats):
        return [beats[-(-place * len(beats) // count)] for place in range(count)]
    return [float(meter.beats) * place / count for place in range(count)]


def _span(symbol: Symbol, tonic: int, start: float, end: float) -> Span:
    return Span(start, end, symbol.chord(tonic), symbol.bass_class(tonic) or 0, name_of(symbol, tonic))


def _spans(
    bars: Sequence[Measure], chords: Sequence[Sequence[Symbol]], meter: Meter, tonic: int
) -> tuple[Span, ...]:
    """The chords of all bars; a chord that goes on into the next bar is one span for each phrase."""
    spans: list[Span] = []
    for bar, symbols in zip(bars, chords, strict=True):
        places = [place for place in _places(meter, len(symbols)) if place < bar.length - 1e-6]
        ends = [*places[1:], bar.length]
        for symbol, place, end in zip(symbols, places, ends, strict=False):
            span = _span(symbol, tonic, bar.start + place, bar.start + end)
            last = spans[-1] if spans else None
            if last and (last.name, last.bass) == (span.name, span.bass) and (bar.place or place):
                spans[-1] = Span(last.start, span.end, last.chord, last.bass, last.name)
            else:
                spans.append(span)
    return tuple(spans)


def draw_key(style: Style, seed: int) -> Key:
    """The key of a song whose score does not name one."""
    rng = Random(f"{seed} {style.name} key")
    return Key(rng.randrange(12), rng.choice(style.scales))


def lay_ground(score: Score, style: Style, key: Key) -> Ground:
    """Plans bars and chords of a section.

    Args:
        score: What is asked.
        style: The score's, or the one that was drawn for it.
        key: Likewise.
    """
    manners, meter, bars = MANNERS[style.name], score.measure, _measures(score)
    bare = Ground(score, style, manners, key, meter, bars, (), Span(0, 0, None, 0, ""), 0.0)
    if score.progression:
        chords = [tuple(bar) for bar in written_bars(score.progression, len(bars))]
        first = chords[0][0]
    else:
        bar_s = float(meter.beats) * 60 / score.tempo
        theme = draw_theme(style, manners.harmony, key, bar_s, bare.theme("harmony"))
        first = theme.periods["A"][0][0]
        goal = parse_symbol(score.next_chord) if score.next_chord else first
        chords = list(theme_bars(theme, key, len(bars), score.variation, goal, bare.section))
        if score.closes:
            ending = cadence(manners.harmony, key, home_chord(style, key))
            chords[-2:] = ending[-len(chords) :] if len(chords) < 2 else ending
    following = parse_symbol(score.next_chord) if score.next_chord else first
    end = float(score.beats)
    after = _span(following, key.tonic, end, end + float(meter.beats))
    spans = _spans(bars, chords, meter, key.tonic)
    starts = tuple(span.start for span in spans)
    return Ground(score, style, manners, key, meter, bars, spans, after, end, starts)


def local_scale(key: Key, chord: Chord | None) -> frozenset[int]:
    """Pitch classes that sound right over a chord.

    They are the key's scale, in which tones of the chord that it lacks replace those a semitone away.
    """
    scale = {(key.tonic + step) % 12 for step in SCALES[key.scale]}
    if chord is None:
        return frozenset(scale)
    tones = set(chord.pitch_classes)
    foreign = tones - scale
    clashing = {(tone + step) % 12 for tone in foreign for step in (-1, 1)} - tones
    return frozenset((scale - clashing) | tones)
