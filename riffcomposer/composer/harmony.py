"""Accompaniment: voice-led chords in the rhythms of a style, broken chords, strums, pads, power chords."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from riffcomposer.composer.broken_chords import FIGURES, Bar
from riffcomposer.composer.instruments import Instrument
from riffcomposer.composer.rhythms import RHYTHMS, Hit, Rhythm, fitted
from riffcomposer.composer.theory import Chord, Note, at_or_above, lead_voices


@dataclass(frozen=True)
class Accompaniment:
    """What a pattern is given to play.

    Attributes:
        chords: The chord of each bar.
        bar_beats: Quarter notes in a bar.
        player: Who plays.
        rng: Where every draw comes from.
        voices: Most notes in a chord.
        rootless: Whether the root is left to the bass.
    """

    chords: Sequence[Chord]
    bar_beats: float
    player: Instrument
    rng: Random
    voices: int = 4
    rootless: bool = False

    def near(self, velocity: int) -> int:
        """Draws a velocity around one."""
        return int(min(124, max(24, self.rng.gauss(velocity, 5))))


@dataclass(frozen=True)
class _Voiced:
    """The chords as one player voices them, and what it keeps to through a piece.

    Attributes:
        tones: The voicing of each bar.
        low: Lowest pitch of the voicings.
        level: Velocity around which it plays.
        shape: Which of a pattern's alternatives it plays, 0 to 11.
        vary: Whether every second bar takes the next alternative.
    """

    tones: list[tuple[int, ...]]
    low: int
    level: int
    shape: int
    vary: bool


def voicing_range(instrument: Instrument, rng: Random) -> tuple[int, int]:
    """Where chords sit on an instrument: about an octave and a half around the middle register."""
    low = max(instrument.low, rng.choice([50, 52, 55, 48]))
    low = min(low, instrument.high - 16)
    return low, min(instrument.high, low + 21)


def _voice(music: Accompaniment) -> _Voiced:
    low, high = voicing_range(music.player, music.rng)
    tones = lead_voices(music.chords, low, high, music.voices, music.rootless)
    return _Voiced(
        tones, low, music.rng.randint(78, 96), music.rng.randrange(12), vary=music.rng.random() < 0.4
    )


def _pad(music: Accompaniment) -> list[Note]:
    """Chords held until they change."""
    voiced, beats, chords = _voice(music), music.bar_beats, music.chords
    notes: list[Note] = []
    for number, chord in enumerate(chords):
        if number > 0 and chords[number - 1] == chord:
            continue
        follow = number + 1
        while follow < len(chords) and chords[follow] == chord:
            follow += 1
        length = (follow - number) * beats * 0.99
        for pitch in voiced.tones[number]:
            notes.append(Note(number * beats, length, pitch, music.near(voiced.level - 12)))
    return sorted(notes)


def _chorale(music: Accompaniment) -> list[Note]:
    """Two chords per bar, each held for half of it."""
    voiced, half = _voice(music), music.bar_beats / 2
    return sorted(
        Note(number * music.bar_beats + start, half * 0.97, pitch, music.near(voiced.level - 12))
        for number, tones in enumerate(voiced.tones)
        for start in (0.0, half)
        for pitch in tones
    )


def _broken(figure: str, music: Accompaniment) -> list[Note]:
    """Chords broken by one of `FIGURES`; notes out of the player's range are left out."""
    voiced, player = _voice(music), music.player
    notes: list[Note] = []
    for number, (chord, tones) in enumerate(zip(music.chords, voiced.tones, strict=True)):
        for start, length, pitch in FIGURES[figure](Bar(chord, tones, music.bar_beats, voiced.shape)):
            if player.low <= pitch <= player.high and music.rng.random() > 0.03:
                accent = 9 if start % 1 < 0.01 else 0
                velocity = music.near(voiced.level + accent)
                notes.append(Note(number * music.bar_beats + start, length, pitch, velocity))
    return sorted(notes)


def _struck(rhythm: Rhythm, music: Accompaniment) -> list[Note]:
    """Chords struck together, or strummed by instruments that are."""
    voiced, rng = _voice(music), music.rng
    strummed = music.player.family in ("guitar", "plucked")
    notes: list[Note] = []
    up = True
    for number, (chord, tones) in enumerate(zip(music.chords, voiced.tones, strict=True)):
        origin = number * music.bar_beats
        pick = voiced.shape + (number % 2 if voiced.vary else 0)
        for start, length in fitted(rhythm.shapes[pick % len(rhythm.shapes)], music.bar_beats):
            if rhythm.dropped and rng.random() < rhythm.dropped:
                continue
            accent = 8 if start % 1 == 0 else -3
            chosen = tones[-rhythm.upper_voices :]
            spread = rng.uniform(0.010, 0.022) if strummed else 0.0
            for place, pitch in enumerate(chosen if up else reversed(chosen)):
                velocity = music.near(voiced.level + accent)
                notes.append(Note(origin + start + place * spread, length, pitch, velocity))
            up = not up if strummed and rhythm.alternating else up
        for start, length, pitch in rhythm.bass(chord, music.player, voiced.low) if rhythm.bass else ():
            if start < music.bar_beats:
                notes.append(Note(origin + start, length, pitch, music.near(voiced.level + 8)))
    return sorted(notes)


def _fifths(music: Accompaniment, number: int) -> tuple[int, int, int]:
    """Root, fifth and octave of a bar's chord, low on the instrument."""
    root = at_or_above(music.chords[number].root, max(music.player.low, 40))
    return root, root + 7, root + 12


RIFFS: tuple[tuple[Hit, ...], ...] = (
    ((0.0, 0.9), (1.5, 0.4), (2.0, 0.9), (3.5, 0.4)),
    ((0.0, 1.4), (1.5, 0.9), (2.5, 1.4)),
)
"""Accents of power chords in a bar of 4/4."""


def _draw_riff(rng: Random) -> tuple[list[Hit], bool]:
    """What a power chord player keeps to: its accents, and whether it gallops."""
    accents = list(RIFFS[0] if rng.random() < 0.5 else RIFFS[1])
    return accents, rng.random() < 0.5


def _power_notes(music: Accompaniment, hits: Callable[[int], list[Hit]]) -> list[Note]:
    """Root, fifth and octave at each of a bar's hits."""
    return [
        Note(number * music.bar_beats + start, length, pitch, music.near(112))
        for number in range(len(music.chords))
        for start, length in hits(number)
        for pitch in _fifths(music, number)
    ]


def _power(music: Accompaniment) -> list[Note]:
    """Power chords: a riff in one bar, one held chord in the next."""
    accents, _ = _draw_riff(music.rng)
    held: list[Hit] = [(0.0, music.bar_beats * 0.98)]
    return _power_notes(music, lambda number: held if number % 2 else fitted(accents, music.bar_beats))


def _power_eighths(music: Accompaniment) -> list[Note]:
    """Power chords in eighths."""
    _draw_riff(music.rng)
    hits: list[Hit] = [(place * 0.5, 0.44) for place in range(int(music.bar_beats * 2))]
    return _power_notes(music, lambda number: hits)


def _power_mutes(music: Accompaniment) -> list[Note]:
    """Palm-muted sixteenths on the root, galloping or not, with a power chord every second beat."""
    _, gallop = _draw_riff(music.rng)
    notes: list[Note] = []
    for number in range(len(music.chords)):
        tones = _fifths(music, number)
        for place in range(int(music.bar_beats * 4)):
            if gallop and place % 4 == 1:
                continue
            at = number * music.bar_beats + place * 0.25
            if place % 8 == 0:
                notes += [Note(at, 0.4, pitch, music.near(112)) for pitch in tones]
            else:
                notes.append(Note(at, 0.14, tones[0], music.near(84)))
    return notes


PATTERNS: dict[str, Callable[[Accompaniment], list[Note]]] = {
    "pad": _pad,
    "chorale": _chorale,
    "power": _power,
    "power eighths": _power_eighths,
    "power mutes": _power_mutes,
    **{name: partial(_broken, name) for name in FIGURES},
    **{name: partial(_struck, rhythm) for name, rhythm in RHYTHMS.items()},
}


def play(pattern: str, music: Accompaniment) -> list[Note]:
    """Plays chords, one per bar, in a pattern of `PATTERNS`.

    All patterns but the power chords lead the voices within the instrument's middle register.

    Raises:
        ValueError: There is no such pattern.
    """
    if pattern not in PATTERNS:
        raise ValueError(f"{pattern!r} is not a chord pattern: choose one of {', '.join(PATTERNS)}")
    return PATTERNS[pattern](music)
