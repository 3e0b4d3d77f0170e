"""Plays drum patterns: ghost notes, accents, fills at the ends of phrases, small variations."""

from __future__ import annotations

from random import Random

from riffcomposer.composer.grooves import DRUMS, GROOVES
from riffcomposer.composer.theory import Note

_QUIETER = {
    "hat": 0.85,
    "open": 0.85,
    "pedal": 0.8,
    "ride": 0.78,
    "crash": 0.85,
    "china": 0.7,
    "shaker": 0.8,
    "tamb": 0.8,
}
_VELOCITY = {"X": 120, "x": 100, "o": 72, "g": 38, "?": 62}


def _hits(steps: str, beats: float, rng: Random) -> list[tuple[float, int]]:
    step = beats / len(steps)
    hits = []
    for place, mark in enumerate(steps):
        if mark == "." or (mark == "?" and rng.random() < 0.6):
            continue
        hits.append((place * step, _VELOCITY[mark]))
    return hits


def _fill(beats: float, kind: str, rng: Random) -> list[Note]:
    """A fill over the last beat or two of a bar."""
    length = rng.choice([1.0, 1.0, 2.0]) if beats >= 4 else 1.0
    step = rng.choice([0.25, 0.25, 1 / 3, 0.5]) if kind != "swing" else 1 / 3
    drums = rng.choice(
        [("snare",), ("snare", "tom1", "tom2", "tom3"), ("tom1", "tom2", "tom3"), ("snare", "tom3")]
    )
    count = round(length / step)
    notes = []
    for place in range(count):
        if rng.random() < 0.15:
            continue
        drum = drums[min(len(drums) - 1, place * len(drums) // count)]
        velocity = int(70 + 45 * (place + 1) / count)
        notes.append(Note(beats - length + place * step, step, DRUMS[drum], velocity))
    return notes


def play(
    groove: str, bars: int, beats_per_bar: float, rng: Random, fills: bool = True, crash: bool = False
) -> list[Note]:
    """Plays one of the grooves of a family: hats accented, ghosts varied, fills before phrase ends.

    Args:
        groove: A family of `GROOVES`.
        bars: How many bars.
        beats_per_bar: Quarter notes in a bar (strings are stretched over it).
        rng: Where every draw comes from.
        fills: Whether the fourth bar of a phrase may end in a fill.
        crash: Whether a cymbal marks the start of a phrase.
    """
    pattern = rng.choice(GROOVES[groove])
    kept = {
        drum for drum in pattern if drum in ("kick", "snare", "clap", "rim") or rng.random() < 0.9
    } or set(pattern)
    loose = rng.uniform(2, 8)
    fill_bar = rng.choice([3, 3, 7])
    notes: list[Note] = []
    for bar in range(bars):
        start = bar * beats_per_bar
        filling = fills and bar % (fill_bar + 1) == fill_bar and rng.random() < 0.7
        fill = _fill(beats_per_bar, groove, rng) if filling else []
        fill_start = min((note.start for note in fill), default=beats_per_bar)
        for drum, strings in pattern.items():
            if drum not in kept:
                continue
            steps = strings if isinstance(strings, str) else strings[bar % len(strings)]
            for at, velocity in _hits(steps, beats_per_bar, rng):
                if velocity < 50 and rng.random() < 0.25:
                    continue
                if at >= fill_start - 1e-6 and drum != "kick":
                    continue
                loud = int(min(127, max(12, rng.gauss(velocity * _QUIETER.get(drum, 1.0), loose))))
                notes.append(Note(start + at, 0.1, DRUMS[drum], loud))
        notes += [note._replace(start=note.start + start) for note in fill]
        if crash and bar % 4 == 0 and rng.random() < 0.8:
            notes.append(Note(start, 0.5, DRUMS["crash"], rng.randint(90, 112)))
    return sorted(notes)
