"""Training clips are windows of a composed piece that begin at a bar.

They are as wide as most renders, 5.76 s: a clip of 5.12 s and what comes after it. Pieces of the kind `score`
have the tempi that songs have (`score_pieces`); most others are *on the grid*: their tempo is one at which
5.12 s is a whole number of bars, a phrase.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from riffcomposer.composer.piece import Layout
from riffcomposer.composer.style import Style

WINDOW_S = 5.12
"""Length of a clip that is as wide as the model's image."""

WIDE_S = 5.76
"""Length of a training clip: a beat at 93.75 BPM more, as renders are wider than their clip."""

GRID_TEMPI = (46.875, 93.75, 140.625, 187.5)
"""Tempi at which 5.12 s is a whole number of bars (140.625 in bars of three)."""

GRID_SHARE = 0.85
"""Share of the pieces that are on the grid."""

_PLAIN_TEMPO = 93.75
STYLE_TEMPI: dict[str, tuple[float, ...]] = {
    "folk": (93.75, 140.625, 93.75),
    "classical": (93.75, 140.625, 93.75),
    "church organ": (93.75, 93.75, 46.875),
    "music box": (93.75, 140.625, 93.75),
    "jazz": (187.5, 93.75, 187.5),
    "rock": (93.75, 187.5, 93.75),
    "metal": (93.75, 187.5),
    "latin": (93.75, 187.5),
    "bossa nova": (93.75, 187.5),
    "ambient": (93.75, 46.875),
    "drum and bass": (187.5,),
    "chiptune": (93.75, 187.5, 187.5),
}
"""Tempi on the grid that fit a style; all others are played at 93.75 BPM."""

_LEAD_IN_S = 1.9
"""Least seconds of music before the first window."""


def draw_layout(rng: Random, phrases: int, style: Style | None, tempo: float | None) -> Layout:
    """Draws tempo and meter, mostly on the grid.

    Args:
        rng: Source of all random values.
        phrases: Number of phrases.
        style: Style whose tempi and meters are drawn from; None for 4/4 at any tempo.
        tempo: Tempo in BPM; None draws one.
    """
    if tempo is None:
        if rng.random() < GRID_SHARE:
            tempo = rng.choice(STYLE_TEMPI.get(style.name, (_PLAIN_TEMPO,))) if style else _PLAIN_TEMPO
        else:
            low, high = style.tempo if style else (65.0, 150.0)
            tempo = float(round(rng.uniform(low, high)))
    bar_beats = rng.choice(style.meters) if style else 4.0
    if tempo in GRID_TEMPI:
        bar_beats = 3.0 if tempo == 140.625 else 4.0
    bar_s = bar_beats * 60 / tempo
    lead_in_bars, window_bars = math.ceil(_LEAD_IN_S / bar_s), round(WINDOW_S / bar_s)
    return Layout(tempo, bar_beats, max(1, lead_in_bars), max(1, window_bars), phrases)


def on_grid(layout: Layout) -> bool:
    """Whether a window is exactly a phrase, a whole number of bars."""
    return abs(layout.phrase_bars * layout.seconds_per_bar - WINDOW_S) < 1e-9


def phrase_starts(layout: Layout) -> tuple[float, ...]:
    """Where all phrases but the last begin, in quarter notes from the piece's start."""
    return tuple(layout.phrase_start_beats(phrase) for phrase in range(layout.phrases - 1))


def rendered_s(layout: Layout, starts: Sequence[float]) -> float:
    """Seconds of audio to render: up to the end of the last window and a little more."""
    return max(starts) * layout.seconds_per_beat + WIDE_S + 0.35
