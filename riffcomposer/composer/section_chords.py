"""Accompaniment of a whole section: led voices in a style's rhythms, with pushes and other shapes in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from riffcomposer.composer.bells import ring_changes
from riffcomposer.composer.broken_chords import FIGURES, Bar
from riffcomposer.composer.harmony import RIFFS
from riffcomposer.composer.instruments import Instrument
from riffcomposer.composer.rhythms import RHYTHMS, Rhythm
from riffcomposer.composer.section_ground import Draft, Ground, Measure
from riffcomposer.composer.section_harmony import Span
from riffcomposer.composer.theory import at_or_above
from riffcomposer.composer.voice_leading import Register, Voicing, lead

_CENTRES = {"comp": 59.0, "pad": 61.0, "second": 66.0}
_LEVELS = {"comp": 88, "pad": 76, "second": 80}
# Broken chords that are written in beats of 4/4; all others fill a bar of any length evenly.
_WRITTEN_IN_FOUR = ("travis", "montuno")
# Patterns in thirds of a beat, which beats of three eighths have anyway; sixteenths give way to eighths where
# they would be too fast to play.
_IN_EIGHTHS = {"arp triplet": "arp 8"}
_SLOWER = {
    "arp 16": "arp 8",
    "chip arp": "arp 16",
    "ripple": "arp 8",
    "arp triplet": "arp 8",
    "sixteenth mutes": "eighths",
}
_FASTEST_TEMPO = 165
_LOWEST_THUMB = 45
"""Highest lowest pitch of an instrument on which a thumb can play a bass below the chords."""

_UNTIL_NEXT = 0.55
"""In quarter notes: a chord struck this late in a bar may be the next bar's, ahead of time."""


def playable(pattern: str, player: Instrument, ground: Ground) -> str:
    """The pattern that is asked for, or one in its place that player, meter and tempo allow."""
    if pattern.startswith("power") and player.family != "guitar":
        pattern = "eighths"
    if player.family in ("strings", "brass", "choir") and player.sustained and pattern.startswith("arp"):
        pattern = "staccato"
    if ground.meter.compound:
        pattern = _IN_EIGHTHS.get(pattern, pattern)
    if ground.score.tempo > _FASTEST_TEMPO:
        pattern = _SLOWER.get(pattern, pattern)
    if pattern == "travis" and player.low > _LOWEST_THUMB:
        pattern = "arp 8"
    if pattern == "waltz arp" and ground.meter.name != "3/4":
        pattern = "arp 8"
    if pattern == "oom pah" and ground.meter.name not in ("3/4", "6/8"):
        pattern = "boom chick"
    if pattern == "boom chick" and ground.meter.name == "3/4":
        pattern = "oom pah"
    return pattern


class _Accompanist:
    """One player of chords.

    Attributes:
        role: comp, second or pad.
        voiced: The voicing of each chord of the section; empty where there is none.
        level: Velocity around which it plays.
    """

    def __init__(self, ground: Ground, role: str, player: Instrument, voices: int) -> None:
        self.ground, self.meter, self.role, self.player = ground, ground.meter, role, player
        rng = ground.song(f"{role} register")
        centre = _CENTRES[role] + rng.choice((-2, 0, 2))
        centre = max(player.low + 8.0, min(player.high - 8.0, centre))
        low, high = max(player.low, int(centre) - 10), min(player.high, int(centre) + 11)
        self.register = Register(low, high, voices, ground.style.rootless, centre)
        self.level = _LEVELS[role] + rng.randint(-4, 4)
        self.shape = ground.theme(f"{role} shape").randrange(12)
        self.voiced = self._voices()
        self._at = {span.start: tones for span, tones in zip(ground.spans, self.voiced, strict=True)}

    def _voices(self) -> list[Voicing]:
        spans = [span for span in self.ground.spans if span.chord is not None]
        phrases = {bar.start for bar in self.ground.bars if not bar.place}
        starts = [span.start in phrases for span in spans]
        chords = [span.chord for span in spans if span.chord is not None]
        found = iter(lead(chords, [span.bass for span in spans], starts, self.register))
        return [next(found) if span.chord is not None else () for span in self.ground.spans]

    def tones(self, span: Span) -> Voicing:
        """The voicing of a chord; the chord after the section's end takes that of its start."""
        if span.start in self._at:
            return self._at[span.start]
        chord = span.chord
        return lead([chord], [span.bass], [True], self.register)[0] if chord is not None else ()

    def near(self, rng: Random, offset: int = 0) -> int:
        return round(rng.gauss(self.level + offset, 4))

    def play(self, pattern: str) -> list[Draft]:
        drafts: list[Draft] = []
        for bar in self.ground.bars:
            rng = self.ground.section(f"{self.role} {bar.number}")
            if bar.holds:
                drafts += self._held(bar, rng)
            elif pattern in ("pad", "whole", "chorale"):
                drafts += self._sustained(bar, pattern, rng)
            elif pattern.startswith("power"):
                drafts += self._power(bar, pattern, rng)
            elif pattern in FIGURES:
                drafts += self._broken(bar, pattern, rng)
            else:
                drafts += self._struck(bar, RHYTHMS[pattern], rng)
        low, high = self.player.low, self.player.high
        return sorted(draft for draft in drafts if low <= draft.pitch <= high)

    def _chord(
        self, time: float, length: float, tones: Sequence[int], rng: Random, need: float, offset: int = 0
    ) -> Iterator[Draft]:
        """All voices at once; the inner ones need more energy than the outer ones."""
        for place, pitch in enumerate(tones):
            inner = 0 < place < len(tones) - 1
            yield Draft(time, length, pitch, self.near(rng, offset), need + (0.06 * place if inner else 0.0))

    def _held(self, bar: Measure, rng: Random) -> Iterator[Draft]:
        for span in self.ground.spans_in(bar):
            begin, end = max(span.start, bar.start), min(span.end, bar.start + bar.length)
            yield from self._chord(begin, end - begin, self.tones(span), rng, 0.0)

    def _sustained(self, bar: Measure, pattern: str, rng: Random) -> Iterator[Draft]:
        """Chords held until they change; a chorale strikes some voices again in the middle of a bar."""
        end = bar.start + bar.length
        for span in self.ground.spans_in(bar):
            if pattern == "pad" and (span.start < bar.start - 1e-6):
                continue
            begin = max(span.start, bar.start)
            close = span.end if pattern == "pad" else min(span.end, end)
            places = [begin]
            if pattern == "chorale" and begin < bar.start + self.meter.half - 1e-6 < close - 1e-6:
                places.append(bar.start + self.meter.half)
            for number, place in enumerate(places):
                stop = places[number + 1] if number + 1 < len(places) else close
                tones = self.tones(span)
                if number and len(tones) > 2 and rng.random() < 0.6:
                    tones = (*tones[1:-1], tones[-1]) if rng.random() < 0.5 else tones[:-1]
                yield from self._chord(place, (stop - place) * 0.99, tones, rng, 0.0 if not number else 0.3)
                top = tones[-1] + 12 if tones else 0
                if tones and self.role == "pad" and top <= self.player.high:
                    yield Draft(place, (stop - place) * 0.99, top, self.near(rng, -14), 0.72)

    def _broken(self, bar: Measure, figure: str, rng: Random) -> Iterator[Draft]:
        """A figure over each chord of the bar, turned to another shape from phrase to phrase."""
        shape = self.shape + bar.phrase % 2 + (1 if bar.ends_phrase else 0)
        spans = self.ground.spans_in(bar)
        for span in spans:
            tones = self.tones(span)
            if len(tones) < 2 or span.chord is None:
                continue
            written = figure in _WRITTEN_IN_FOUR
            beats = 4.0 if written else float(self.meter.beats)
            steps = FIGURES[figure](Bar(span.chord, tones, beats, shape))
            for at, length, pitch in self._carried(steps, bar) if written else steps:
                time = bar.start + at
                if not span.start - 1e-6 <= time < span.end - 1e-6 or at >= bar.length - 1e-6:
                    continue
                if not self.player.low <= pitch <= self.player.high:
                    continue
                weight = self.meter.weight(at)
                half = abs(at * 2 - round(at * 2)) < 0.02
                need = 0.0 if weight >= 2 else 0.08 if weight else 0.2 if half else 0.4
                yield Draft(time, length, pitch, self.near(rng, 6 if weight else 0), need)

    def _carried(
        self, steps: Sequence[tuple[float, float, int]], bar: Measure
    ) -> Iterator[tuple[float, float, int]]:
        for each in self.meter.carry([(at, length) for at, length, _ in steps], bar.number):
            yield each.start, each.length, steps[each.index][2]

    def _struck(self, bar: Measure, rhythm: Rhythm, rng: Random) -> Iterator[Draft]:
        """Chords struck together or strummed, some of them ahead of the bar that they belong to."""
        ground = self.ground
        # Two phrases keep to a shape, their last bars take another; later periods begin with the next one.
        pick = self.shape + bar.number // 8 + (1 if bar.place % 2 or bar.ends_phrase else 0)
        shape = rhythm.shapes[pick % len(rhythm.shapes)]
        hits = [
            (each.start, min(each.length, bar.length - each.start), each.filler)
            for each in self.meter.carry(shape, bar.number)
            if each.start < bar.length - 0.05
        ]
        for span in ground.spans_in(bar):
            at = max(0.0, span.start - bar.start)
            near = 0.6 if rhythm.bass is None else 1.1
            if not any(at - 0.05 <= hit[0] <= at + near for hit in hits):
                hits.append((at, min(0.9, span.end - bar.start - at), False))
        strummed = self.player.family in ("guitar", "plucked")
        pushed = ground.manners.pushes > 0 and rng.random() < ground.manners.pushes
        up, heard = False, -1.0
        for at, length, filler in sorted(set(hits)):
            if rhythm.dropped and rng.random() < rhythm.dropped * 0.8 and at:
                continue
            time = bar.start + at
            span = ground.span_at(time)
            if pushed and bar.length - at <= _UNTIL_NEXT and not bar.ends_section:
                span = ground.span_at(bar.start + bar.length)
            if span.end > time:
                length = min(length, span.end - time)  # noqa: PLW2901 (a chord is over when the next one comes)
            tones = self.tones(span)[-rhythm.upper_voices :]
            weight = self.meter.weight(at)
            half = abs(at * 2 - round(at * 2)) < 0.02
            need = (0.0 if weight >= 2 else 0.1 if weight else 0.18 if half else 0.34) + 0.15 * filler
            if span.start != heard:
                need, heard = 0.0, span.start  # a new chord is always heard
            spread = rng.uniform(0.008, 0.018) if strummed else 0.0
            chord = list(self._chord(time, length, tones, rng, need, 6 if weight else -2))
            for place, draft in enumerate(reversed(chord) if up else chord):
                yield draft._replace(start=draft.start + place * spread)
            up = not up if strummed and rhythm.alternating else up
        if rhythm.bass is not None:
            yield from self._left_hand(bar, rhythm, rng)

    def _left_hand(self, bar: Measure, rhythm: Rhythm, rng: Random) -> Iterator[Draft]:
        assert rhythm.bass is not None
        for span in self.ground.spans_in(bar):
            if span.chord is None:
                continue
            chord = replace(span.chord, root=span.bass)
            steps = rhythm.bass(chord, self.player, self.register.low)
            for at, length, pitch in self._carried(steps, bar):
                time = bar.start + at
                if span.start - 1e-6 <= time < span.end - 1e-6 and at < bar.length - 1e-6:
                    yield Draft(time, length, pitch, self.near(rng, 6), 0.1)

    def _power(self, bar: Measure, pattern: str, rng: Random) -> Iterator[Draft]:
        """Power chords: a riff of accents, driven eighths, or palm-muted sixteenths with chords between."""
        theme = self.ground.theme(f"{self.role} riff")
        accents = theme.choice(RIFFS)
        gallop = theme.random() < 0.5
        hits: list[tuple[float, float, bool]] = []
        if pattern == "power eighths":
            hits = [(place * 0.5, 0.44, False) for place in range(round(float(self.meter.beats) * 2))]
        elif pattern == "power mutes":
            fast = self.ground.score.tempo > _FASTEST_TEMPO
            step = 0.5 if fast else 0.25
            for place in range(round(float(self.meter.beats) / step)):
                if gallop and place % 4 == 1 and not fast:
                    continue
                opened = self.meter.weight(place * step) >= 2
                hits.append((place * step, 0.4 if opened else 0.14, not opened))
        elif bar.place % 2 and not bar.ends_phrase:
            hits = [(0.0, float(self.meter.beats) * 0.98, False)]
        else:
            hits = [(each.start, each.length, False) for each in self.meter.carry(accents, bar.number)]
        starts = [span.start - bar.start for span in self.ground.spans_in(bar)]
        hits += [(at, 0.9, False) for at in starts if at > 0 and all(abs(at - hit[0]) > 0.1 for hit in hits)]
        for at, length, muted in sorted(hits):
            span = self.ground.span_at(bar.start + at)
            if at >= bar.length - 0.05 or span.chord is None:
                continue
            root = at_or_above(span.bass, max(self.player.low, 40))
            need = 0.0 if self.meter.weight(at) else 0.24 if abs(at * 2 - round(at * 2)) < 0.02 else 0.42
            length = min(length, bar.length - at, max(0.1, span.end - bar.start - at))  # noqa: PLW2901 (cut to its bar and chord)
            yield Draft(bar.start + at, length, root, self.near(rng, 6 if muted else 20), need)
            if not muted:
                yield Draft(bar.start + at, length, root + span.chord.fifth, self.near(rng, 16), need + 0.1)
                yield Draft(bar.start + at, length, root + 12, self.near(rng, 14), need + 0.28)


def play(ground: Ground, role: str, player: Instrument, pattern: str) -> list[Draft]:
    """Plays chords through a section.

    Args:
        ground: The section.
        role: comp, second or pad: in which register, and how loud.
        player: Who plays.
        pattern: A key of `harmony.PATTERNS`, or `changes` for bells that ring changes.
    """
    if pattern == "changes" and ground.score.progression:
        pattern = "quarters"  # rung changes know no chords, and some are asked for
    if pattern == "changes":
        rung = ring_changes(ground.section("changes"), player, ground.key.tonic, ground.end)
        return [
            Draft(note.start, note.length, note.pitch, note.velocity, 0.3 * (place % 2))
            for place, note in enumerate(rung)
        ]
    voices = 4 if role == "pad" else ground.song(f"{role} voices").choice(ground.style.voices)
    return _Accompanist(ground, role, player, voices).play(playable(pattern, player, ground))
