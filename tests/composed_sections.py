"""Scores to compose, as given ones and as strategies, and readings of what was composed."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from riffcomposer.composer.meters import METERS
from riffcomposer.composer.piece import Part
from riffcomposer.composer.section import Composition
from riffcomposer.composer.section_score import TEMPI, Score
from riffcomposer.composer.styles import STYLES
from riffcomposer.curves import Curve

FULL = Curve.level(0.9)
PITCHED = ("bass", "comp", "second", "pad", "lead")

styles = st.sampled_from(sorted(STYLES))
scores = st.builds(
    Score,
    bars=st.fractions(Fraction(1, 4), 24, max_denominator=4),
    tempo=st.floats(*TEMPI),
    style=styles,
    key=st.sampled_from(["", "A minor", "F# dorian", "Bb major", "C blues", "E minor pentatonic"]),
    meter=st.sampled_from(METERS),
    chords=st.sampled_from(
        ["", "Am9 | Dm9 | G13 | Cmaj9 E7", "i | N.C. | bVI/i bVII V7/i", "C5 x3 | Fsus2 G/B Am C/E F"]
    ),
    energy=st.floats(0, 1).map(Curve.level),
    theme=st.sampled_from("AB"),
    variation=st.integers(0, 3),
    seed=st.integers(0, 10_000),
    opens=st.booleans(),
    closes=st.booleans(),
)


def part(composition: Composition, role: str) -> Part:
    return next(part for part in composition.parts if part.role == role)


def score(style: str = "lo-fi hip hop", bars: int = 16, **others: object) -> Score:
    return Score(Fraction(bars), 90.0, style=style, energy=FULL, **others)  # type: ignore[arg-type]


def bar_of(composition: Composition, start: float) -> int:
    return int((start + 0.12) // float(composition.score.measure.beats))


def rounded(part: Part, composition: Composition) -> list[tuple[int, ...]]:
    """The notes of each bar: place in the bar in 24ths of a beat, and pitch."""
    beats = float(composition.score.measure.beats)
    bars: list[list[int]] = [[] for _ in range(int(composition.score.bars))]
    for note in part.notes:
        number = bar_of(composition, note.start)
        if 0 <= number < len(bars) and note.start > -0.12:
            bars[number] += [round((note.start - number * beats) * 6), note.pitch]
    return [tuple(bar) for bar in bars]
