"""The collection of pieces that a model is trained on; a piece depends only on its number and the seed.

Most of it is what renders start from: sections composed from scores (`score_pieces`). The rest is bands on
a grid, solos of every instrument, drums alone, and everyday sounds (foley).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Literal

from riffcomposer.composer.arrangement import compose_band
from riffcomposer.composer.instruments import INSTRUMENTS, Instrument
from riffcomposer.composer.piece import Layout, Part, Piece
from riffcomposer.composer.section import Composition
from riffcomposer.composer.solos import DRUM_SOLOS, compose_drums, compose_solo
from riffcomposer.composer.styles import STYLES
from riffcomposer_training.caption_words import FOLEY_WORDS
from riffcomposer_training.score_pieces import draw_score_piece
from riffcomposer_training.windows import draw_layout, phrase_starts

Kind = Literal["score", "band", "solo", "drums", "foley"]
SHARES: dict[Kind, int] = {"score": 62, "band": 6, "solo": 22, "drums": 6, "foley": 4}
FOLEY = tuple(FOLEY_WORDS)

_FAST_GROOVES = ("breaks", "metal", "swing", "son")


@dataclass(frozen=True)
class CollectionPiece:
    """One piece of a collection.

    Attributes:
        kind: Kind of piece.
        piece: The music; its seed is `COLLECTION-INDEX`.
        starts: Where each clip begins, in quarter notes from the piece's start.
        heard: The roles that are heard; all of them if empty.
        composition: What a piece of the kind `score` is made from, with its chords.
    """

    kind: Kind
    piece: Piece
    starts: tuple[float, ...]
    heard: tuple[str, ...] = ()
    composition: Composition | None = None

    @property
    def meter(self) -> str:
        """`4/4`, `3/4`."""
        if self.composition is not None:
            return self.composition.score.measure.name
        return f"{self.piece.layout.bar_beats:g}/4"


def compose(
    seed: int,
    index: int,
    *,
    windows: int = 3,
    kind: Kind | None = None,
    style: str | None = None,
    instrument: str | None = None,
    tempo: float | None = None,
) -> CollectionPiece:
    """Composes piece `index` of collection `seed`.

    Args:
        seed: Seed of the collection.
        index: Number of the piece in the collection.
        windows: Number of clips to cut from it, at most.
        kind, style, instrument, tempo: Values to use instead of random ones. A style without a kind means
            a score, an instrument without a kind a solo.
    """
    name = f"{seed}-{index}"
    rng = Random(f"riffcomposer {name}")
    font, wetness = rng.choices([0, 1, 2], [65, 20, 15])[0], rng.uniform(0.6, 1.5)
    drawn = rng.choices(list(SHARES), list(SHARES.values()))[0]
    kind = kind or ("score" if style else "solo" if instrument else drawn)
    if kind == "score":
        drawn_piece = draw_score_piece(rng, name, windows, style, tempo)
        return CollectionPiece(
            kind,
            replace(drawn_piece.piece, font=font),
            drawn_piece.starts,
            drawn_piece.heard,
            drawn_piece.composition,
        )
    if kind == "band":
        played = STYLES[style or rng.choice(sorted(STYLES))]
        piece = compose_band(rng, name, draw_layout(rng, windows + 1, played, tempo), played)
    elif kind == "solo":
        player = INSTRUMENTS[instrument] if instrument else _draw_player(rng)
        piece = compose_solo(rng, name, draw_layout(rng, windows + 1, None, tempo), player)
    elif kind == "drums":
        family = rng.choice(DRUM_SOLOS)
        if tempo is None and family in _FAST_GROOVES and rng.random() < 0.6:
            tempo = 187.5
        piece = compose_drums(rng, name, draw_layout(rng, windows + 1, None, tempo), family)
    else:
        piece = _compose_foley(rng, name, draw_layout(rng, windows + 1, None, 93.75))
    return CollectionPiece(kind, replace(piece, font=font, wetness=wetness), phrase_starts(piece.layout))


def _compose_foley(rng: Random, seed: str, layout: Layout) -> Piece:
    """A piece that is one everyday sound."""
    part = Part("foley", None, rng.choice(FOLEY), (), 0.0, (True,) * layout.phrases)
    return Piece(seed, "", layout, 0, "", (part,), rng.choice(["none", "room"]), -6.0)


_WANTED = (
    "piano",
    "acoustic guitar",
    "violin",
    "flute",
    "trumpet",
    "alto saxophone",
    "cello",
    "distorted guitar",
    "electric piano",
    "church organ",
    "tubular bells",
    "harp",
    "banjo",
    "accordion",
    "choir",
    "sitar",
    "clarinet",
    "strings",
    "upright bass",
    "harmonica",
    "bagpipes",
    "synth pluck",
    "supersaw",
    "8-bit pulse",
    "french horn",
    "nylon guitar",
    "xylophone",
    "marimba",
    "steel drums",
    "oboe",
)
"""Instruments that prompts name most often, which are drawn more often as solos."""


@cache
def _solo_weights() -> dict[str, float]:
    """Weight of each instrument in drawing solos; it is higher for instruments that bands seldom use.

    So every instrument's word is heard in enough clips to be learnt.
    """
    heard = dict.fromkeys(sorted(INSTRUMENTS), 0.0)
    for style in STYLES.values():
        for choice in (style.bass, style.comp, style.second, style.pad, style.lead):
            for name in choice.instruments:
                heard[name] += choice.chance / len(choice.instruments) / len(STYLES)
    return {name: (3.0 if name in _WANTED else 1.0) / (0.012 + share) for name, share in heard.items()}


def _draw_player(rng: Random) -> Instrument:
    """Draws an instrument for a solo by `_solo_weights`."""
    weights = _solo_weights()
    return INSTRUMENTS[rng.choices(list(weights), list(weights.values()))[0]]
