"""Piece number so-and-so of a collection: the same piece whatever was composed before it."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Literal

from riffcomposer.composer.arrangement import compose_band
from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.piece import Piece
from riffcomposer.composer.solos import compose_drums, compose_foley, compose_solo, draw_player
from riffcomposer.composer.styles import STYLES

Kind = Literal["band", "solo", "drums", "foley"]
SHARES: dict[Kind, int] = {"band": 56, "solo": 30, "drums": 10, "foley": 4}


def compose(
    seed: int,
    index: int,
    *,
    windows: int = 3,
    kind: Kind | None = None,
    style: str | None = None,
    instrument: str | None = None,
    tempo: float | None = None,
) -> Piece:
    """Composes piece `index` of collection `seed`.

    Args:
        seed: Names the collection.
        index: Names the piece.
        windows: Clips to be cut from it.
        kind, style, instrument, tempo: Fix what would be drawn otherwise; a style asks for a band,
            an instrument for a solo.
    """
    name = f"{seed}-{index}"
    rng = Random(f"riffcomposer {name}")
    drawn = rng.choices(list(SHARES), list(SHARES.values()))[0]
    kind = kind or ("band" if style else "solo" if instrument else drawn)
    if kind == "band":
        piece = compose_band(rng, name, index, windows, STYLES[style or rng.choice(sorted(STYLES))], tempo)
    elif kind == "solo":
        player = INSTRUMENTS[instrument] if instrument else draw_player(rng)
        piece = compose_solo(rng, name, index, windows, player, tempo)
    elif kind == "drums":
        piece = compose_drums(rng, name, index, windows, tempo)
    else:
        piece = compose_foley(rng, name, index, windows)
    return replace(piece, font=rng.choices([0, 1], [65, 35])[0], wetness=rng.uniform(0.6, 1.5))
