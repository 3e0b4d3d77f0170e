"""Draws scores as songs have them, and composes them: the music that renders of the model start from.

Style, key, meter, tempo, chords, players, energy and theme are drawn at random; what is not drawn is left to
the composer, as in a song that does not say it. Clips begin where a render's clips do: at a bar, as many bars
apart as fit into an image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.meters import METERS
from riffcomposer.composer.piece import Piece
from riffcomposer.composer.section import Composition, compose_section
from riffcomposer.composer.section_score import Score, Wish
from riffcomposer.composer.styles import STYLES
from riffcomposer.composer.theory import PITCH_NAMES
from riffcomposer.composer.words import KIT_WORDS
from riffcomposer.curves import Curve
from riffcomposer_training.windows import WIDE_S, WINDOW_S

_PLAIN_METERS = {4.0: "4/4", 3.0: "3/4", 2.0: "2/4", 6.0: "12/8"}
_LEAD_IN_BARS = 1
"""As in renders."""

_SECTION_S = 24.0
"""About how long a drawn section is."""

_CHORDS = {
    False: ("I", "ii", "iii", "IV", "V", "vi", "I", "IV", "V", "vi"),
    True: ("i", "iv", "v", "VI", "VII", "III", "i", "VI", "VII"),
}
_LAYERS = (("drums",), ("bass",), ("comp", "second", "pad"), ("lead",), ("drums", "bass"), ("lead", "comp"))
"""Roles that songs give a layer of its own."""


@dataclass(frozen=True)
class ScorePiece:
    """A composed section, ready to be played.

    Attributes:
        composition: The section with its chords.
        piece: The same for the synth, with a bar of lead-in.
        starts: Where each clip begins, in quarter notes from the piece's start.
        heard: The roles that are heard; all of them if empty.
    """

    composition: Composition
    piece: Piece
    starts: tuple[float, ...]
    heard: tuple[str, ...]


def draw_score_piece(
    rng: Random, seed: str, windows: int, style: str | None = None, tempo: float | None = None
) -> ScorePiece:
    """Draws a score, composes it, and draws where its clips begin.

    Args:
        rng: Source of all random values.
        seed: What the synth's noise is drawn from.
        windows: Most clips to cut from it.
        style: A key of `STYLES`; None draws one.
        tempo: In BPM; None draws one, mostly within the style's range.
    """
    composition = compose_section(draw_score(rng, style or rng.choice(sorted(STYLES)), tempo))
    heard: tuple[str, ...] = ()
    if rng.random() < 0.15:
        playing = {part.role for part in composition.parts if part.notes}
        fitting = [roles for roles in _LAYERS if playing & set(roles)]
        heard = rng.choice(fitting) if fitting else ()
    wetness = 1.0 if rng.random() < 0.6 else rng.uniform(0.6, 1.5)
    piece = replace(composition.as_piece(_LEAD_IN_BARS), seed=seed, wetness=wetness)
    return ScorePiece(composition, piece, _starts(rng, composition, windows), heard)


def draw_score(rng: Random, style: str, tempo: float | None = None) -> Score:
    """Draws what a section of a song asks for."""
    played = STYLES[style]
    if tempo is None:
        drawn = rng.random()
        tempo = 93.75 if drawn < 0.15 else float(round(rng.uniform(*played.tempo)))
        if drawn > 0.9:
            tempo = float(round(rng.uniform(60, 180)))
    meter = _PLAIN_METERS.get(rng.choice(played.meters), "4/4")
    if rng.random() < 0.1:
        meter = rng.choice(METERS)
    empty = Score(Fraction(1), tempo, meter=meter)
    bar_s = float(empty.measure.beats) * 60 / tempo
    bars = 4 * max(1, round(_SECTION_S / bar_s / 4))
    key = chords = ""
    scale = rng.choice(played.scales)
    if rng.random() < 0.4:
        key = f"{rng.choice(PITCH_NAMES)} {scale}"
    if rng.random() < 0.25:
        minor = scale in ("minor", "dorian", "phrygian", "harmonic minor", "minor pentatonic", "blues")
        chords = " | ".join(rng.choice(_CHORDS[minor]) for _ in range(4))
    return Score(
        Fraction(bars),
        tempo,
        style=style,
        key=key,
        meter=meter,
        chords=chords,
        parts=_draw_wishes(rng),
        energy=_draw_energy(rng, bars),
        theme=rng.choice("ABC"),
        variation=rng.choice((0, 0, 1, 2)),
        seed=rng.randrange(1 << 31),
        opens=rng.random() < 0.1,
        closes=rng.random() < 0.1,
    )


def _draw_energy(rng: Random, bars: int) -> Curve:
    """Mostly a level, else a rise or a fall."""
    if rng.random() < 0.7:
        return Curve.level(round(rng.uniform(0.1, 1.0), 2))
    low, high = round(rng.uniform(0.1, 0.4), 2), round(rng.uniform(0.6, 1.0), 2)
    first, last = (low, high) if rng.random() < 0.6 else (high, low)
    return Curve(((Fraction(0), first), (Fraction(bars), last)))


def _draw_wishes(rng: Random) -> tuple[Wish, ...]:
    """For less than half of the scores a player or two who are asked for, or drums that are silent."""
    wishes: dict[str, Wish] = {}
    if rng.random() < 0.35:
        names = sorted(name for name, each in INSTRUMENTS.items() if each.family != "effect")
        instrument = INSTRUMENTS[rng.choice(names)]
        role = "bass" if instrument.family == "bass" else rng.choice(("lead", "comp"))
        if instrument.family == "pad":
            role = "pad"
        wishes[role] = Wish(role, instrument.name)
    drawn = rng.random()
    if drawn < 0.12:
        wishes["drums"] = Wish("drums", silent=True)
    elif drawn < 0.24:
        wishes["drums"] = Wish("drums", rng.choice(sorted(KIT_WORDS)))
    return tuple(wishes.values())


def _starts(rng: Random, composition: Composition, windows: int) -> tuple[float, ...]:
    """Where clips begin, in rising order; now and then the last one runs into the end."""
    score = composition.score
    bar_beats, beat_s = float(score.measure.beats), 60 / score.tempo
    clip_bars = max(1, int(WINDOW_S / (bar_beats * beat_s) + 1e-9))
    bars = range(0, int(score.bars), clip_bars)
    whole = [bar for bar in bars if (float(score.bars) - bar) * bar_beats * beat_s >= WIDE_S]
    possible = list(bars) if rng.random() < 0.1 else whole or list(bars)[:1]
    chosen = sorted(rng.sample(possible, min(windows, len(possible))))
    return tuple((_LEAD_IN_BARS + bar) * bar_beats for bar in chosen)
