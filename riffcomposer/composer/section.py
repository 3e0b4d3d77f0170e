"""Composes a whole section from a score.

    composition = compose_section(Score(Fraction(16), 84.0, style="lo-fi hip hop", key="A minor"))

The players write everything that they would play at full energy, each note with the energy that it needs.
What the section's energy does not reach is then left out, so more energy never takes a note away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from riffcomposer.composer import section_bass, section_chords, section_drums, section_melody
from riffcomposer.composer.grooves import BACKBEAT, TRIPLE_GROOVES
from riffcomposer.composer.melody import Motif
from riffcomposer.composer.piece import Layout, Part, Piece
from riffcomposer.composer.section_cast import Player, draw_cast, draw_style
from riffcomposer.composer.section_ground import Draft, Ground, draw_key, lay_ground
from riffcomposer.composer.section_harmony import Span
from riffcomposer.composer.section_score import Score, parse_key
from riffcomposer.composer.theory import Key, Note
from riffcomposer.composer.timing import TIGHT_MIXES

LEAD_IN = 1.1
"""Most quarter notes by which a pick-up is ahead of its section."""

_GAIN_DB = {"drums": -1.0, "bass": -1.5, "comp": -3.0, "second": -6.0, "pad": -7.0, "lead": -0.5}
_TEXTURE_GAIN_DB = {"vinyl": -26.0}
_OTHER_TEXTURE_GAIN_DB = -18.0
_HAND_DRUMS, _HAND_DRUMS_DB = ("son", "afro"), -3.0
"""Tuned percussion, which covers the harmony where it is as loud as a drum kit."""

_ENTRY_BARS = 2
"""Players enter and leave at every second bar."""

_NEED_SCALE = 1.45
"""The energy at which a note that needs 1 would be heard; the players count from 0 to about 0.65."""

_BREATH_BARS, _BREATH = 8, 0.45
"""In each so many bars but the first, a role or two wait for so much more energy in half of them."""

_MELODIC = ("bass", "lead")
_STRUM = 0.09
"""Most quarter notes from the first to the last string of a strummed chord."""

_FASTEST_SIXTEENTHS = 190
"""In BPM: above this tempo nobody plays sixteenths."""

_LOUD = 104
"""Velocities above this are pressed together, so that accents at full energy do not end in one level."""

_ACCENTS = (-4, 0, 5, 8)
"""Velocity added by the weight of a position in its bar."""


@dataclass(frozen=True)
class Sounding:
    """A chord as it is heard.

    Attributes:
        start, end: In quarter notes from the section's start.
        name: `Am9`, `C/E`, `N.C.`.
        pitch_classes: Its tones, the lowest first; empty for no chord.
    """

    start: float
    end: float
    name: str
    pitch_classes: tuple[int, ...]


@dataclass(frozen=True)
class Composition:
    """A composed section.

    Attributes:
        score: What it was composed from.
        style: A key of `STYLES`.
        key: `A minor`.
        parts: All players that may play, also those that the energy never reaches. Their notes are in quarter
            notes from the section's start. A pick-up is before 0 by at most `LEAD_IN` quarter notes; no note
            starts or sounds on after the end.
        chords: The chords as they are heard, without gaps.
        motifs: The motifs of the theme's melody; none without a lead.
        beats: Length in quarter notes.
        mix, loudness_db, font: See `piece.Piece`.
    """

    score: Score
    style: str
    key: str
    parts: tuple[Part, ...]
    chords: tuple[Sounding, ...]
    motifs: tuple[Motif, ...]
    beats: float
    mix: str
    loudness_db: float
    font: int

    def chord_at(self, beat: float) -> Sounding:
        """The chord at a place in quarter notes."""
        return next((chord for chord in self.chords if beat < chord.end - 1e-6), self.chords[-1])

    def as_piece(self, lead_in_bars: int = 1) -> Piece:
        """The section as a piece for the synth: bars before it for pick-ups, and a phrase for each bar."""
        score = self.score
        bar_beats = float(score.measure.beats)
        bars = math.ceil(score.bars)
        layout = Layout(score.tempo, bar_beats, lead_in_bars, 1, bars)
        shift = lead_in_bars * bar_beats
        parts = tuple(
            replace(part, notes=tuple(note._replace(start=note.start + shift) for note in part.notes))
            for part in self.parts
            if part.notes or part.role == "texture"
        )
        tonic, scale = parse_key(self.key)
        seed = f"{score.seed} {self.style} {score.theme} {score.variation}"
        return Piece(seed, self.style, layout, tonic, scale, parts, self.mix, self.loudness_db, self.font)


def compose_section(score: Score) -> Composition:
    """Composes a section; the same score always gives the same notes."""
    style = draw_style(score)
    key = Key(*parse_key(score.key)) if score.key else draw_key(style, score.seed)
    ground = lay_ground(score, style, key)
    players = draw_cast(score, style)
    written = _write(ground, players)
    energies = _energies(ground)
    presence = _presence(ground, players, energies)
    parts = tuple(
        _performed(ground, player, written.get(player.role, ()), presence[player.role], energies)
        for player in players
    )
    return Composition(
        score,
        style.name,
        key.name,
        parts,
        tuple(_sounding(span) for span in ground.spans),
        next((section_melody.motifs_of(ground, each.pattern) for each in players if each.role == "lead"), ()),
        ground.end,
        style.mix,
        style.loudness_db,
        ground.song("font").randrange(2),
    )


def _sounding(span: Span) -> Sounding:
    if span.chord is None:
        return Sounding(span.start, span.end, span.name, ())
    classes = dict.fromkeys((span.bass, *span.chord.pitch_classes))
    return Sounding(span.start, span.end, span.name, tuple(classes))


def _write(ground: Ground, players: Sequence[Player]) -> dict[str, list[Draft]]:
    """What each role would play at full energy; the bass listens to the drums."""
    written: dict[str, list[Draft]] = {}
    by_role = {player.role: player for player in players}
    if "drums" in by_role:
        written["drums"] = section_drums.play(ground, by_role["drums"].pattern)
    for role, player in by_role.items():
        if player.instrument is None:
            continue
        if role == "bass":
            beats = [0.0, ground.meter.half]
            kicks = [section_drums.kicks(written.get("drums", ()), bar) or beats for bar in ground.bars]
            written[role] = section_bass.play(ground, player.instrument, player.pattern, kicks)
        elif role == "lead":
            written[role] = section_melody.play(ground, player.instrument, player.pattern)
        else:
            written[role] = section_chords.play(ground, role, player.instrument, player.pattern)
    return written


def _energies(ground: Ground) -> list[float]:
    """The energy of each bar; the first half of a song's first section rises to it."""
    score = ground.score
    count = len(ground.bars)
    rising = max(1.0, min(8.0, count / 2))
    energies = []
    for bar in ground.bars:
        level = score.energy.at(bar.number + 0.5)
        if score.opens and bar.number < rising:
            level *= 0.3 + 0.7 * (bar.number // _ENTRY_BARS * _ENTRY_BARS) / rising
        energies.append(level)
    return energies


def _presence(ground: Ground, players: Sequence[Player], energies: Sequence[float]) -> dict[str, list[bool]]:
    """For each role, whether it plays in each bar.

    A role plays where the mean energy of a pair of bars reaches its level. From the second eight bars on, one
    role or two of each eight, but never the first, wait for more energy in half of them: the music breathes.
    """
    count = len(energies)
    levels = {player.role: [player.level] * count for player in players}
    roles = [player.role for player in players if player.role != "texture"]
    for begin in range(_BREATH_BARS, count, _BREATH_BARS):
        rng = ground.section(f"breath {begin}")
        some = min(len(roles) - 1, rng.choice((1, 1, 2)))
        first = begin + rng.choice((0, 4))
        for waiting in rng.sample(roles[1:], some) if some > 0 else ():
            for bar in range(first, min(first + 4, count)):
                levels[waiting][bar] += _BREATH
    presence: dict[str, list[bool]] = {role: [] for role in levels}
    for begin in range(0, count, _ENTRY_BARS):
        pair = energies[begin : begin + _ENTRY_BARS]
        mean = sum(pair) / len(pair) + 1e-9
        for role, needed in levels.items():
            presence[role] += [mean >= max(needed[begin : begin + len(pair)])] * len(pair)
    return presence


def _performed(
    ground: Ground,
    player: Player,
    drafts: Sequence[Draft],
    presence: Sequence[bool],
    energies: Sequence[float],
) -> Part:
    """What is heard of a player's notes: by the energy, with dynamics, swing and human timing."""
    bar_beats = float(ground.meter.beats)
    last = len(energies) - 1
    gain = _GAIN_DB.get(player.role, _TEXTURE_GAIN_DB.get(player.kit, _OTHER_TEXTURE_GAIN_DB))
    if player.pattern in _HAND_DRUMS:
        gain += _HAND_DRUMS_DB
    fast = ground.score.tempo > _FASTEST_SIXTEENTHS
    kept: list[tuple[Draft, float]] = []
    for draft in drafts:
        bar = max(0, min(last, int(draft.start / bar_beats + 0.02)))
        playable = not fast or _on_eighths(draft.start)
        if playable and presence[bar] and energies[bar] >= _NEED_SCALE * draft.need - 1e-9:
            kept.append((draft, energies[bar]))
    if player.role in _MELODIC:
        kept = _lengthened(ground, kept)
    timing = _Timing(ground, player)
    notes = sorted(timing.note(draft, energy) for draft, energy in kept)
    active = [False] * len(energies)
    for note in notes:
        active[max(0, min(last, int(note.start / bar_beats + 0.02)))] = True
    if player.role == "texture":
        active = [True] * len(energies)
    return Part(player.role, player.instrument, player.kit, tuple(notes), gain, tuple(active), player.pattern)


def _on_eighths(start: float) -> bool:
    """Whether a note is on an eighth or on a triplet, or strummed within some milliseconds of one."""
    return any((start + 0.01) % step < _STRUM for step in (0.5, 1 / 3))


def _lengthened(ground: Ground, kept: Sequence[tuple[Draft, float]]) -> list[tuple[Draft, float]]:
    """Lets notes sound on, up to twice as long and within their chord, where others were left out."""
    result = []
    for place, (draft, energy) in enumerate(kept):
        length = draft.length
        if place + 1 < len(kept):
            room = kept[place + 1][0].start - draft.start
            if room < length:
                length = max(0.05, room)
            elif length >= 0.4:
                room = min(room, ground.span_at(draft.start).end - draft.start)
                length = max(length, min(2 * length, 0.9 * room))
        result.append((draft._replace(length=length), energy))
    return result


def _shifts(label: str) -> list[float]:
    """Normal deviates, cut at two standard deviations."""
    rng = Random(label)
    return [max(-2.0, min(2.0, rng.gauss(0, 1))) for _ in range(101)]


class _Timing:
    """Dynamics and timing of one player: accents, the shape of phrases, swing, a few milliseconds."""

    def __init__(self, ground: Ground, player: Player) -> None:
        self.ground, self.meter = ground, ground.meter
        style, role = ground.style, player.role
        rng = ground.song("swing")
        swing = rng.uniform(*style.swing)
        straight = role == "pad" or player.pattern in TRIPLE_GROOVES or self.meter.compound
        eighths_are_beats = self.meter.name == "7/8" and style.swing_unit == 0.5
        self.unit = style.swing_unit
        self.swing = 0.0 if straight or eighths_are_beats else swing
        beat_ms = 60000 / ground.score.tempo
        tight = style.mix in TIGHT_MIXES
        rhythmic = role in ("drums", "bass")
        self.spread = ((0.5 if tight else 2.0) if rhythmic else (1.5 if tight else 5.0)) / beat_ms
        self.late = (ground.song("late").uniform(0, 6) if role == "lead" else 0.0) / beat_ms
        self.snare_late = rng.uniform(*style.snare_late_ms) / beat_ms if role == "drums" else 0.0
        self.role, self.bar_beats = role, float(self.meter.beats)
        self.shifts = _shifts(f"{ground.score.seed} {ground.score.theme} {ground.score.variation} {role}")

    def note(self, draft: Draft, energy: float) -> Note:
        """A draft as it is played."""
        ground, bar_beats = self.ground, self.bar_beats
        number = math.floor(draft.start / bar_beats + 1e-6)
        at = draft.start - number * bar_beats
        start, length = draft.start, draft.length
        if self.swing and draft.start > -1e-6:
            place, rest = divmod(self.meter.off_pulse(at) + 0.01, self.unit)
            if place % 2 == 1 and rest < _STRUM:  # the strings of a strummed chord swing together
                start += self.swing * self.unit
                length = max(0.1, length - self.swing * self.unit)  # it ends where it would have
        if self.snare_late and draft.pitch in BACKBEAT:
            start += self.snare_late
        start += self.late + self._early_or_late(draft) * self.spread
        if draft.start >= 0:
            start = max(0.0, min(start, ground.end - 0.01))
        else:
            start = max(-LEAD_IN, start)
        if self.role != "drums":
            length = min(length, ground.end - start)
        return Note(
            start, max(0.02, length), draft.pitch, self._velocity(draft, energy, number, at), draft.bend
        )

    def _early_or_late(self, draft: Draft) -> float:
        """In standard deviations, at most two; it does not depend on which other notes are played."""
        place = round(draft.start * 24) * 7 + draft.pitch * 5
        return self.shifts[place % len(self.shifts)]

    def _velocity(self, draft: Draft, energy: float, number: int, at: float) -> int:
        """Louder with energy, towards the third bar of a phrase and on accented beats."""
        place = number % 4
        swell = (-2, 1, 4, 1)[place] + 3 * at / self.bar_beats
        level = draft.velocity + 52 * (energy - 0.6) + swell
        if self.role != "drums" or draft.velocity > 60:
            level += _ACCENTS[self.meter.weight(at)]
        if level > _LOUD:
            level = _LOUD + 0.4 * (level - _LOUD)
        return max(12, min(127, round(level)))
