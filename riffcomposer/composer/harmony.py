"""Accompaniment: voice-led chords in the rhythms of a style, broken chords, strums, pads, power chords."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from riffcomposer.composer.instruments import Instrument
from riffcomposer.composer.theory import Chord, Note, at_or_above, lead_voices

# (start, length) within a bar of 4/4, in quarter notes; several shapes a rhythm.
RHYTHMS: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "whole": (((0, 3.9),),),
    "half": (((0, 1.9), (2, 1.9)), ((0, 2.4), (2.5, 1.4))),
    "quarters": (((0, 0.9), (1, 0.9), (2, 0.9), (3, 0.9)),),
    "charleston": (
        ((0, 1.3), (1.5, 0.4)),
        ((0, 0.5), (1.5, 1.2)),
        ((0.5, 0.4), (2, 1.2)),
        ((1.5, 0.4), (3.5, 0.5)),
    ),
    "lazy": (
        ((0, 1.4), (1.75, 1.9)),
        ((0.0, 2.4), (2.75, 0.9)),
        ((0, 0.9), (1.5, 2.3)),
        ((0.25, 1.2), (2.25, 1.4)),
    ),
    "tresillo": (
        ((0, 0.6), (0.75, 0.6), (1.5, 0.4), (2, 0.6), (2.75, 0.6), (3.5, 0.4)),
        ((0, 0.7), (1.5, 0.7), (3, 0.7)),
    ),
    "stabs": (
        ((0.5, 0.3), (1.5, 0.3), (2.5, 0.3), (3.5, 0.3)),
        ((0, 0.25), (0.75, 0.25), (2.5, 0.25)),
        ((1.5, 0.3), (2.25, 0.3), (3.5, 0.3)),
    ),
    "skank": (
        ((0.5, 0.18), (1.5, 0.18), (2.5, 0.18), (3.5, 0.18)),
        ((1, 0.2), (3, 0.2)),
        ((0.5, 0.18), (0.75, 0.15), (1.5, 0.18), (2.5, 0.18), (2.75, 0.15), (3.5, 0.18)),
    ),
    "bubble": (
        ((0.5, 0.2), (0.75, 0.2), (1.5, 0.2), (1.75, 0.2), (2.5, 0.2), (2.75, 0.2), (3.5, 0.2), (3.75, 0.2)),
    ),
    "sixteenth mutes": (tuple((i * 0.25, 0.11) for i in range(16)),),
    "chops": (
        ((0.5, 0.12), (0.75, 0.12), (1.5, 0.12), (2.25, 0.12), (2.75, 0.12), (3.5, 0.12)),
        ((0, 0.15), (0.75, 0.12), (1.25, 0.12), (2.5, 0.12), (3.25, 0.12)),
    ),
    "eighths": (tuple((i * 0.5, 0.45) for i in range(8)),),
    "staccato": (
        tuple((i * 0.5, 0.22) for i in range(8)),
        (
            (0, 0.2),
            (0.25, 0.2),
            (0.5, 0.2),
            (1, 0.2),
            (1.5, 0.2),
            (2, 0.2),
            (2.25, 0.2),
            (2.5, 0.2),
            (3, 0.2),
            (3.5, 0.2),
        ),
    ),
    "strum": (
        ((0, 0.9), (1, 0.45), (1.5, 0.45), (2.5, 0.45), (3, 0.45), (3.5, 0.45)),
        ((0, 0.9), (1, 0.9), (1.5, 0.4), (2, 0.9), (3, 0.9), (3.5, 0.4)),
    ),
    "boom chick": (((1, 0.35), (3, 0.35)), ((1, 0.35), (1.5, 0.3), (3, 0.35), (3.5, 0.3))),
    "oom pah": (((1, 0.6), (2, 0.6)),),
    "bossa comp": (
        ((0, 0.4), (1, 0.4), (1.5, 0.9), (3, 0.4), (3.5, 0.4)),
        ((0.5, 0.4), (1.5, 0.9), (2.5, 0.4), (3.5, 0.4)),
    ),
    "son guajeo": (((0, 0.4), (1, 0.4), (1.5, 0.4), (2.5, 0.4), (3.5, 0.4)),),
    "highlife": (((0, 0.3), (0.5, 0.3), (1.25, 0.3), (1.75, 0.3), (2.5, 0.3), (3.0, 0.3), (3.5, 0.3)),),
}

ARPEGGIOS = (
    "arp 8",
    "arp 16",
    "arp triplet",
    "alberti",
    "travis",
    "ripple",
    "chip arp",
    "montuno",
    "waltz arp",
)


def _bend_rhythm(shape: Sequence[tuple[float, float]], bar_beats: float) -> list[tuple[float, float]]:
    """Cuts a 4/4 rhythm to a shorter bar."""
    return [(start, min(length, bar_beats - start)) for start, length in shape if start < bar_beats - 0.05]


def voicing_range(instrument: Instrument, rng: Random) -> tuple[int, int]:
    """Where chords sit on an instrument: about an octave and a half around the middle register."""
    low = max(instrument.low, rng.choice([50, 52, 55, 48]))
    low = min(low, instrument.high - 16)
    return low, min(instrument.high, low + 21)


def _arpeggio(
    kind: str, chord: Chord, voicing: tuple[int, ...], bar_beats: float, rng: Random, shape: int
) -> list[tuple[float, float, int]]:
    tones = list(voicing)
    if kind == "chip arp":
        step, order = 0.125, tones[:3]
    elif kind == "arp 16":
        step = 0.25
        order = [
            [*tones, tones[0] + 12],
            tones + tones[-2:0:-1],
            tones[::-1],
            [tones[0], tones[-1], tones[len(tones) // 2], tones[-1]],
        ][shape % 4]
    elif kind == "arp triplet":
        step, order = 1 / 3, (tones[:3] if shape % 2 else tones[:3][::-1])
    elif kind == "alberti":
        step, order = 0.5, [tones[0], tones[-1], tones[len(tones) // 2], tones[-1]]
    elif kind == "travis":
        base = at_or_above(chord.root, max(40, tones[0] - 19))
        alternate = base + chord.fifth if base + chord.fifth < tones[0] else base
        upper = tones[-3:] if len(tones) >= 3 else tones
        picks = [base, upper[-1], alternate, upper[0], base, upper[-1], alternate, upper[len(upper) // 2]]
        return [(i * 0.5, 0.9 if i % 2 == 0 else 0.5, picks[i % 8]) for i in range(int(bar_beats * 2))]
    elif kind == "ripple":
        step = 0.25
        order = tones + [tone + 12 for tone in tones] + [tone + 12 for tone in tones[-2::-1]]
    elif kind == "montuno":
        octave = [tones[0], tones[0] + 12]
        beats = [
            (0, octave),
            (0.5, tones[1:2]),
            (1, octave),
            (1.5, tones[2:3] or tones[1:2]),
            (2.25, octave),
            (2.75, tones[1:2]),
            (3.25, octave),
            (3.75, tones[-1:]),
        ]
        return [(at, 0.3, pitch) for at, pitches in beats for pitch in pitches if at < bar_beats]
    elif kind == "waltz arp":
        step, order = (
            bar_beats / 6,
            [tones[0] - 12, tones[0], tones[-1], tones[len(tones) // 2], tones[-1], tones[0]],
        )
    else:
        step = 0.5
        order = [[*tones, tones[0] + 12], tones + tones[-2:0:-1], tones[::-1]][shape % 3]
    count = round(bar_beats / step)
    return [(i * step, step * 1.15, order[i % len(order)]) for i in range(count)]


def play(
    rhythm: str,
    chords: Sequence[Chord],
    bar_beats: float,
    instrument: Instrument,
    rng: Random,
    voices: int = 4,
    rootless: bool = False,
) -> list[Note]:
    """Plays chords, one a bar, voice-led within the instrument's middle register.

    Args:
        rhythm: A key of `RHYTHMS`, one of `ARPEGGIOS`, `pad`, `power`, `power mutes`, `octave riff`
            or `chorale`.
        chords: The chord of each bar.
        bar_beats: Quarter notes in a bar.
        instrument: Who plays.
        rng: Where every draw comes from.
        voices: Most notes in a chord.
        rootless: Leave the root to the bass.
    """
    if rhythm.startswith("power"):
        return _power(rhythm, chords, bar_beats, instrument, rng)
    low, high = voicing_range(instrument, rng)
    voicing = lead_voices(chords, low, high, voices, rootless)
    notes: list[Note] = []
    level = rng.randint(78, 96)
    shape = rng.randrange(12)
    vary = rng.random() < 0.4
    strummed = instrument.family in ("guitar", "plucked") and rhythm not in ARPEGGIOS
    up = True
    for bar, (chord, tones) in enumerate(zip(chords, voicing, strict=True)):
        origin = bar * bar_beats
        if rhythm == "pad" or rhythm == "chorale":
            held = bar > 0 and chords[bar - 1] == chord and rhythm == "pad"
            if held:
                continue
            span = bar_beats
            follow = bar + 1
            while rhythm == "pad" and follow < len(chords) and chords[follow] == chord:
                span, follow = span + bar_beats, follow + 1
            steps = (
                [(0.0, span * 0.99)]
                if rhythm == "pad"
                else [(0.0, bar_beats / 2 * 0.97), (bar_beats / 2, bar_beats / 2 * 0.97)]
            )
            for start, length in steps:
                notes += [Note(origin + start, length, pitch, _near(level - 12, rng)) for pitch in tones]
            continue
        if rhythm in ARPEGGIOS:
            for start, length, pitch in _arpeggio(rhythm, chord, tones, bar_beats, rng, shape):
                if instrument.low <= pitch <= instrument.high and rng.random() > 0.03:
                    accent = 9 if start % 1 < 0.01 else 0
                    notes.append(Note(origin + start, length, pitch, _near(level + accent, rng)))
            continue
        shapes = RHYTHMS[rhythm]
        pick = shapes[(shape + (bar % 2 if vary else 0)) % len(shapes)]
        for start, length in _bend_rhythm(pick, bar_beats):
            if rhythm == "sixteenth mutes" and rng.random() < 0.28:
                continue
            accent = 8 if start % 1 == 0 else -3
            chosen = tones if rhythm != "boom chick" else tones[-3:]
            spread = rng.uniform(0.010, 0.022) if strummed else 0.0
            order = chosen if up else tuple(reversed(chosen))
            for place, pitch in enumerate(order):
                notes.append(Note(origin + start + place * spread, length, pitch, _near(level + accent, rng)))
            up = not up if strummed and rhythm == "strum" else up
        if rhythm == "boom chick":
            base = at_or_above(chord.root, max(instrument.low, 40))
            for beat, pitch in (
                (0.0, base),
                (
                    2.0,
                    base + chord.fifth - 12
                    if base + chord.fifth - 12 >= instrument.low
                    else base + chord.fifth,
                ),
            ):
                if beat < bar_beats:
                    notes.append(Note(origin + beat, 0.8, pitch, _near(level + 8, rng)))
        if rhythm == "oom pah":
            notes.append(
                Note(
                    origin, 0.9, max(instrument.low, at_or_above(chord.root, low) - 12), _near(level + 8, rng)
                )
            )
    return sorted(notes)


def _power(
    rhythm: str, chords: Sequence[Chord], bar_beats: float, instrument: Instrument, rng: Random
) -> list[Note]:
    """Root and fifth, held, in eighths, or palm-muted with accents."""
    notes: list[Note] = []
    accents = (
        [(0, 0.9), (1.5, 0.4), (2, 0.9), (3.5, 0.4)]
        if rng.random() < 0.5
        else [(0, 1.4), (1.5, 0.9), (2.5, 1.4)]
    )
    gallop = rng.random() < 0.5
    for bar, chord in enumerate(chords):
        root = at_or_above(chord.root, max(instrument.low, 40))
        shape = (root, root + 7, root + 12)
        if rhythm == "power":
            hits = [(0.0, bar_beats * 0.98)] if bar % 2 else _bend_rhythm(accents, bar_beats)
        elif rhythm == "power eighths":
            hits = [(i * 0.5, 0.44) for i in range(int(bar_beats * 2))]
        else:
            step = 0.25
            hits = []
            for i in range(int(bar_beats / step)):
                if gallop and i % 4 == 1:
                    continue
                hits.append((i * step, 0.14))
        for start, length in hits:
            accent = rhythm == "power mutes" and start % 2 == 0
            tones = shape if rhythm != "power mutes" or accent else shape[:1]
            loud = 112 if accent or rhythm != "power mutes" else 84
            notes += [
                Note(bar * bar_beats + start, 0.4 if accent else length, pitch, _near(loud, rng))
                for pitch in tones
            ]
    return notes


def _near(velocity: int, rng: Random) -> int:
    return int(min(124, max(24, rng.gauss(velocity, 5))))
