"""Melodies of a whole section: a theme's motifs in question and answer, varied each time they come back.

A theme has two motifs (rhythm, steps, register) and a turned one, each a bar long. A phrase of four bars uses
them in a form such as AABA; the first phrase of a pair ends open, the second at home. Accented notes are
tones of the chord that do not rub against it; the others go by the motif's steps on the scale that fits the
chord. Each phrase starts anew from the theme, so a changed chord changes its own phrase only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from riffcomposer.composer.instruments import Instrument
from riffcomposer.composer.melody import CELLS, Motif, draw_motifs
from riffcomposer.composer.meters import Meter
from riffcomposer.composer.section_ground import Draft, Ground, Measure, local_scale
from riffcomposer.composer.section_harmony import Span
from riffcomposer.composer.theory import PENTATONIC, SCALES, nearest

Cell = tuple[float, ...]
"""Lengths in quarter notes, negative for a rest."""

# Bars of two beats of three eighths each.
_COMPOUND: dict[str, tuple[Cell, ...]] = {
    "sparse": ((1.5, -1.5), (-1.5, 1, 0.5), (2.5, -0.5), (-0.5, 1, 1.5), (1, 0.5, -1.5)),
    "singing": ((1, 0.5, 1.5), (1.5, 1, 0.5), (1, 0.5, 1, 0.5), (2.5, 0.5), (1.5, 1.5)),
    "hymn": ((1.5, 1.5), (3,), (1.5, 1, 0.5)),
    "stabs": ((0.5, -1, 0.5, -1), (-1, 0.5, 0.5, -1), (0.5, -0.5, 0.5, -1.5)),
}
_AHEAD = 0.6
"""In quarter notes: how far a syncopated note may be ahead of the accent that it is heard on."""

_FEWEST_NOTES = 5
"""Notes of the first two motifs together, at least, if there are such rhythms."""

_STEADY = ("sparse", "singing", "hymn")
_QUICK, _FASTEST_RUN = ("running", "reel"), 180
"""Rhythms in sixteenths, and the tempo above which they give way to eighths."""

_RIGID_FAMILIES = ("keys", "mallets", "bells", "organ", "chip", "plucked")
_TOP = 88
"""Melodies stay below this pitch unless the instrument is higher altogether."""

_CENTRES = (72, 74, 69, 67, 76, 64, 60, 57)


def _theme_motifs(ground: Ground, kind: str) -> tuple[dict[str, Motif], str]:
    """The motifs of a theme by letter, and their form; motifs of hardly any notes are drawn again."""
    if ground.score.tempo > _FASTEST_RUN and kind in _QUICK:
        kind = "lively"
    rng = ground.theme("motifs")
    cells, leaps = cells_for(ground.meter, kind), ground.style.melody.leaps
    drawn = draw_motifs(cells, leaps, rng)
    for _ in range(4):
        if sum(length > 0 for letter in "AB" for length in drawn[0][letter].cell) >= _FEWEST_NOTES:
            break
        drawn = draw_motifs(cells, leaps, rng)
    return drawn


def _cut(cell: Cell, begin: float, end: float) -> Cell:
    """The part of a cell between two places; a note that is cut keeps what is left of it."""
    at, kept = 0.0, []
    for length in cell:
        first, last = max(at, begin), min(at + abs(length), end)
        if last - first > 0.05:
            kept.append((last - first) if length > 0 and first == at else first - last)
        at += abs(length)
    if at < end - 0.05:
        kept.append(max(at, begin) - end)
    return tuple(kept)


def cells_for(meter: Meter, kind: str) -> tuple[Cell, ...]:
    """Rhythms of a bar in a meter; in meters of half a 4/4 bar, of two bars."""
    known = CELLS[kind]
    threes = (
        CELLS["three"]
        if kind in _STEADY
        else tuple(_cut(cell, 0, 3) for cell in known if sum(map(abs, cell)) > 3)
    )
    dotted = _COMPOUND.get(kind, CELLS["jig"])
    if meter.name == "3/4":
        return known if kind in ("three", "jig") else threes or CELLS["three"]
    if meter.name == "6/8":
        return dotted
    if meter.name == "12/8":
        return tuple((*cell, *dotted[(place + 1) % len(dotted)]) for place, cell in enumerate(dotted))
    fours = known if kind not in ("three", "jig") else CELLS["singing" if kind == "three" else "reel"]
    if meter.name == "5/4":
        first = threes or CELLS["three"]
        return tuple((*cell, *_cut(fours[place % len(fours)], 2, 4)) for place, cell in enumerate(first))
    if meter.name == "7/8":
        return tuple(
            (*_cut(dotted[place % len(dotted)], 0, 1.5), *_cut(cell, 2, 4))
            for place, cell in enumerate(fours)
        )
    return fours


@dataclass(frozen=True)
class _Phrase:
    """How one phrase is played.

    Attributes:
        form: The motif of each bar.
        need: From which energy on it is played.
        tail: From which energy on its last bar goes on after its first note.
        home: Whether it ends at home.
        shift: Semitones by which its register is moved.
        busy: How often long notes are broken up, 0 to 1.
    """

    form: str
    need: float
    tail: float
    home: bool
    shift: int
    busy: float


class _Soloist:
    """Writes a melody phrase by phrase.

    Attributes:
        motifs: The theme's, by letter.
        centre: Pitch around which the line moves.
        low, high: Its range.
        pitch: The last note's.
    """

    def __init__(self, ground: Ground, player: Instrument, kind: str) -> None:
        self.ground, self.meter, self.player = ground, ground.meter, player
        taste, rng = ground.style.melody, ground.theme("lead")
        self.motifs, self.form = _theme_motifs(ground, kind)
        self.pentatonic = rng.random() < taste.pentatonic
        fitting = [each for each in _CENTRES if player.low + 7 <= each <= player.high - 7]
        self.centre = fitting[0] if fitting else (player.low + player.high) // 2
        if len(fitting) > 1 and rng.random() < 0.3:
            self.centre = fitting[1]
        self.reach = rng.choice((8, 9, 10))
        # A note that sounds on over one of these places is heard there as if it were struck.
        self.tied_over = (*self.meter.strong, float(self.meter.beats))
        self.low, self.high = self._range(0)
        self.pitch = self.centre
        self.level = 98 + rng.randint(-4, 4)
        self._ladders: dict[tuple[int, str], list[int]] = {}

    def _range(self, shift: int) -> tuple[int, int]:
        centre = self.centre + shift
        low, high = max(self.player.low, centre - self.reach), min(self.player.high, centre + self.reach)
        return low, max(low + 7, min(high, _TOP))

    def _phrase(self, number: int) -> _Phrase:
        """Draws how a phrase is played: the second of a pair answers the first."""
        ground = self.ground
        rng = ground.section(f"lead phrase {number}")
        answers = number % 2 == 1
        letters = self.form if number // 2 % 2 == 0 else self.form.translate(str.maketrans("AB", "BA"))
        variation = ground.score.variation
        shift = rng.choice((0, 0, 2, -2)) if number or variation else 0
        if number // 2 % 2 == 1 or variation % 2 == 1:
            shift += rng.choice((2, 3, 4)) if self.centre + 4 + self.reach <= self.player.high else -3
        need = 0.0 if number % 4 != 2 or rng.random() < 0.5 else 0.6
        tail = 0.25 if rng.random() < ground.manners.chatter else 0.7
        busy = min(0.6, 0.12 * variation + 0.15 * (number >= 2) + (0.1 if answers else 0.0))
        return _Phrase(letters, need, tail, answers, shift, busy)

    def play(self) -> list[Draft]:
        drafts: list[Draft] = []
        phrases: dict[int, _Phrase] = {}
        for bar in self.ground.bars:
            if bar.phrase not in phrases:
                phrases[bar.phrase] = self._phrase(bar.phrase)
            phrase = phrases[bar.phrase]
            if not bar.place:
                self.low, self.high = self._range(phrase.shift)
                self.pitch = min(self.high - 3, max(self.low + 3, self.centre + phrase.shift))
                self._ladders = {}
            rng = self.ground.section(f"lead {bar.number}")
            if bar.holds:
                drafts += self._held(bar)
            else:
                drafts += self._write(bar, phrase, rng)
        if not self.ground.score.opens:
            drafts += self._pick_up(drafts)
        return _legato(sorted(drafts), self.player.sustained)

    def _held(self, bar: Measure) -> Iterator[Draft]:
        span = self.ground.span_at(bar.start)
        tones = self._safe(span)
        home = [pitch for pitch in tones if pitch % 12 == self.ground.key.tonic] or tones
        if home:
            length = min(span.end - bar.start, bar.length)
            yield Draft(bar.start, length, nearest(self.pitch, home), self.level)

    def _rhythm(self, motif: Motif, bar: Measure) -> list[tuple[float, float]]:
        """Starts and lengths of a bar's notes; meters of half a bar of 4/4 use half of a cell."""
        cell = motif.cell
        length = float(self.meter.beats)
        if len(self.meter.bars) == 2 and sum(map(abs, cell)) > length + 0.1:
            half = length * (bar.number % 2)
            cell = _cut(cell, half, half + length)
        hits, at = [], 0.0
        for each in cell:
            if each > 0 and at < bar.length - 0.05:
                hits.append((at, min(each, bar.length - at)))
            at += abs(each)
        return hits

    def _write(self, bar: Measure, phrase: _Phrase, rng: Random) -> Iterator[Draft]:
        """Writes a bar: the motif, moved to the chords."""
        motif = self.motifs[phrase.form[bar.place]]
        hits = self._rhythm(motif, bar)
        if not hits:
            return
        arc = 1.0 - abs(bar.place - 1.5) / 3
        goal = self.low + (motif.register * 0.7 + arc * 0.3) * (self.high - self.low)
        self.pitch = round(0.5 * self.pitch + 0.5 * goal)
        for index, (at, length) in enumerate(hits):
            span = self.ground.span_at(bar.start + at)
            ladder = self._ladder(span)
            weight = self.meter.weight(at)
            step = motif.steps[index % len(motif.steps)] if index else 0
            if index and rng.random() < 0.08 + 0.1 * phrase.busy:
                step = rng.choice((-1, 1, 2, -2))
            self.pitch = self._stepped(ladder, step)
            last = bar.ends_phrase and index == len(hits) - 1
            tied = next((place for place in self.tied_over if at + 0.1 < place < at + length - 0.1), None)
            if tied is not None:
                later = self.ground.span_at(bar.start + tied + 0.01)
                if tied - at <= _AHEAD:
                    span = later  # a note this short before an accent belongs to the chord on the accent
                elif later.name != span.name:
                    length = tied - at  # noqa: PLW2901 (cut to its chord)
            if weight >= 2 or tied is not None or (index == 0 and not last) or length >= 1.5:
                self.pitch = self._settled(span)
            elif weight == 1:
                self.pitch = self._off_rubs(span, ladder)
            if last:
                self.pitch = self._phrase_end(span, phrase.home)
            need = 0.0 if weight >= 2 or index == 0 else 0.08 if weight else 0.25
            if length < 0.4:
                need += 0.12
            if bar.ends_phrase and at >= self.meter.half - 1e-6 and not last:
                need = max(need, phrase.tail)
            yield from self._note(bar, at, length, weight, phrase.need + need, span, rng)
            if length >= 1 and rng.random() < phrase.busy and not last:
                turn = self._stepped(ladder, rng.choice((-1, 1)))
                half = length / 2 if not self.meter.compound else 1.0 if length >= 1.5 else 0.5
                need = max(0.35, phrase.need + 0.1)
                yield Draft(bar.start + at + half, length - half, turn, self.level - 12, need)

    def _note(
        self, bar: Measure, at: float, length: float, weight: int, need: float, span: Span, rng: Random
    ) -> Iterator[Draft]:
        """The note, and what leads into it."""
        taste = self.ground.style.melody
        bent = self.player.family not in _RIGID_FAMILIES and length >= 0.5 and rng.random() < taste.bends
        bend = rng.choice((-2.0, -1.0, -1.0, 1.0)) if bent else 0.0
        velocity = round(rng.gauss(self.level + (4 if weight >= 2 else 0), 4))
        if weight >= 2 and length >= 0.5 and rng.random() < taste.ornaments and bar.start + at > 0.2:
            above = self._stepped(self._ladder(span), 1)
            yield Draft(bar.start + at - 0.09, 0.08, above, velocity - 22, max(0.3, need + 0.1))
        yield Draft(bar.start + at, length, self.pitch, velocity, need, bend)

    def _scale(self, span: Span) -> frozenset[int]:
        key, taste = self.ground.key, self.ground.style.melody
        classes = local_scale(key, span.chord)
        if taste.blues and span.chord is not None:
            blue = {(key.tonic + step) % 12 for step in SCALES["blues"]}
            return frozenset(blue | set(span.chord.pitch_classes[:3]))
        if self.pentatonic and key.scale in PENTATONIC:
            five = {(key.tonic + step) % 12 for step in SCALES[PENTATONIC[key.scale]]}
            tones = span.chord.pitch_classes[:4] if span.chord else ()
            return frozenset((five & classes) | set(tones))
        return classes

    def _ladder(self, span: Span) -> list[int]:
        """The pitches that a line may use over a chord, rising."""
        found = self._ladders.get((span.bass, span.name))
        if found is None:
            classes = self._scale(span)
            found = [pitch for pitch in range(self.low, self.high + 1) if pitch % 12 in classes]
            self._ladders[span.bass, span.name] = found
        return found or [self.centre]

    def _stepped(self, ladder: Sequence[int], step: int) -> int:
        """Some steps up or down from the last note; turns round at the ends of the range."""
        place = ladder.index(nearest(self.pitch, ladder)) + step
        if not 0 <= place < len(ladder):
            place -= 2 * step
        return ladder[max(0, min(len(ladder) - 1, place))]

    def _safe(self, span: Span) -> list[int]:
        """Tones of the chord within the range that are no semitone away from another of its tones."""
        if span.chord is None:
            tonic = self.ground.key.tonic
            wanted = {tonic, (tonic + 7) % 12}
        else:
            tones = span.chord.pitch_classes
            wanted = {tone for tone in tones if (tone - 1) % 12 not in tones} or set(tones)
        return [pitch for pitch in range(self.low, self.high + 1) if pitch % 12 in wanted]

    def _settled(self, span: Span) -> int:
        return nearest(self.pitch, self._safe(span) or [self.pitch])

    def _off_rubs(self, span: Span, ladder: Sequence[int]) -> int:
        """The note, or the nearest of the scale that is no semitone above a tone of the chord."""
        tones = span.chord.pitch_classes if span.chord else ()
        calm = [pitch for pitch in ladder if (pitch - 1) % 12 not in tones]
        return nearest(self.pitch, calm or ladder)

    def _phrase_end(self, span: Span, home: bool) -> int:
        """The last note of a phrase: the tonic or the root at home, another tone of the chord elsewhere."""
        safe = self._safe(span) or [self.pitch]
        root = span.chord.root if span.chord else self.ground.key.tonic
        wanted = [pitch for pitch in safe if (pitch % 12 in (self.ground.key.tonic, root)) == home]
        return nearest(self.pitch, wanted or safe)

    def _pick_up(self, drafts: Sequence[Draft]) -> Iterator[Draft]:
        """Two notes that lead into the section's first note, before the section begins."""
        first = next((draft for draft in sorted(drafts) if draft.start > -0.5), None)
        if first is None or first.start > 0.01 or self.ground.section("pick-up").random() > 0.6:
            return
        rng = self.ground.section("pick-up notes")
        self.low, self.high = self._range(0)
        self._ladders = {}
        ladder = self._ladder(self.ground.spans[0])
        self.pitch = first.pitch
        step = rng.choice((-1, -1, 1))
        unit = 0.5
        for count in (2, 1):
            pitch = self._stepped(ladder, step * count)
            need = max(0.45, first.need) + (0.15 if count == 2 else 0.0)
            yield Draft(-unit * count, unit * 0.9, pitch, self.level - 10, need)


def _legato(drafts: Sequence[Draft], sustained: bool) -> list[Draft]:
    """Notes end before the next begins; a grace note counts as its main note's beginning."""
    share = 0.97 if sustained else 0.9
    ended = []
    for place, draft in enumerate(drafts):
        length = draft.length * share
        if place + 1 < len(drafts):
            length = min(length, max(0.05, drafts[place + 1].start - draft.start))
        ended.append(draft._replace(length=length))
    return ended


def play(ground: Ground, player: Instrument, kind: str) -> list[Draft]:
    """Plays a melody through a section; `kind` is a key of `melody.CELLS`."""
    return _Soloist(ground, player, kind).play()


def motifs_of(ground: Ground, kind: str) -> tuple[Motif, ...]:
    """The motifs A, B and C of a section's theme."""
    motifs, _ = _theme_motifs(ground, kind)
    return tuple(motifs[letter] for letter in "ABC")
