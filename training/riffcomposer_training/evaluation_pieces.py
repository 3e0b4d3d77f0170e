"""Pieces that nothing was trained on, of every style, played as what a song's clips start from is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

import numpy as np
import numpy.typing as npt

from riffcomposer.composer.styles import STYLES
from riffcomposer.synth.piece_audio import render_piece
from riffcomposer.synth.soundfont_player import default_player
from riffcomposer.synth.voices import SAMPLE_RATE
from riffcomposer_training.captions import caption, sounding
from riffcomposer_training.clips import levels_at
from riffcomposer_training.collection import compose
from riffcomposer_training.hearing import chords_right
from riffcomposer_training.known_music import KnownMusic, known_music
from riffcomposer_training.windows import rendered_s

EVALUATION_SEED = 900_001
"""Seed of a collection that no model is trained on."""

_MOST_TRIES = 40


@dataclass(frozen=True)
class EvaluationPiece:
    """One clip of a piece.

    Attributes:
        style: A key of `STYLES`.
        caption: What is heard.
        level: The level that a render starts from, float32 [512, 576].
        music: The notes, onsets and chords in it.
    """

    style: str
    caption: str
    level: npt.NDArray[np.float32]
    music: KnownMusic

    @cached_property
    def chords_right(self) -> list[bool]:
        """For each chord, whether it is the one that fits best in the piece itself."""
        return chords_right(self.level, self.music)


def evaluation_pieces(each: int, seed: int = EVALUATION_SEED) -> list[EvaluationPiece]:
    """Composes and renders `each` clips of every style, all players heard, at least two in each clip."""
    return [
        piece
        for place, style in enumerate(sorted(STYLES))
        for piece in _of_style(style, each, seed, 1000 * place)
    ]


def _of_style(style: str, each: int, seed: int, first: int) -> list[EvaluationPiece]:
    found: list[EvaluationPiece] = []
    for index in range(first, first + _MOST_TRIES * each):
        if len(found) == each:
            break
        collected = compose(seed, index, windows=1, kind="score", style=style)
        if collected.heard or len(sounding(collected, 0)) < 2:
            continue
        piece = replace(collected.piece, font=0, wetness=1.0)
        (audio,) = render_piece(
            piece, duration_s=rendered_s(piece.layout, collected.starts), player=default_player()
        )
        start = round(collected.starts[0] * piece.layout.seconds_per_beat * SAMPLE_RATE)
        (level,) = levels_at(audio, [start])
        text = caption(collected, 0, Random(f"captions {piece.seed}"))
        found.append(EvaluationPiece(style, text, level, known_music(collected, 0, level.shape[1])))
    return found
