"""The collection: pieces that depend on nothing but their number, most of them scores, of every kind."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.meters import METERS
from riffcomposer.composer.styles import STYLES
from riffcomposer.synth.foley import SOUNDS
from riffcomposer_training.collection import FOLEY, Kind, compose
from riffcomposer_training.score_pieces import draw_score
from riffcomposer_training.windows import GRID_TEMPI, STYLE_TEMPI, WIDE_S, WINDOW_S, on_grid, rendered_s


def test_tempi_are_on_the_grid_and_sounds_exist() -> None:
    assert set(STYLE_TEMPI) <= set(STYLES)
    assert {tempo for tempi in STYLE_TEMPI.values() for tempo in tempi} <= set(GRID_TEMPI)
    assert set(FOLEY) <= set(SOUNDS)
    assert len(FOLEY) >= 10


@given(st.integers(0, 100_000))
@settings(max_examples=60, deadline=None)
def test_pieces_are_sound(index: int) -> None:
    collected = compose(5, index)
    piece = collected.piece
    layout = piece.layout
    assert 1 <= len(collected.starts) <= 3
    assert list(collected.starts) == sorted(set(collected.starts))
    assert rendered_s(layout, collected.starts) >= collected.starts[-1] * layout.seconds_per_beat + WIDE_S
    for part in piece.parts:
        assert len(part.active) == layout.phrases
        assert list(part.notes) == sorted(part.notes)
        for note in part.notes:
            assert note.start >= 0
            assert note.length > 0
            assert 1 <= note.velocity <= 127
            if part.instrument is not None:
                assert part.instrument.low - 1 <= note.pitch <= part.instrument.high + 1
    if collected.kind != "score" and on_grid(layout):
        assert layout.tempo in GRID_TEMPI
        for start in collected.starts:
            samples = start * layout.seconds_per_beat * 44100
            assert samples == pytest.approx(round(samples), abs=1e-6)
            assert round(samples) % 441 == 0


@given(st.integers(0, 100_000))
@settings(max_examples=60, deadline=None)
def test_clips_of_scores_begin_where_those_of_a_render_do(index: int) -> None:
    collected = compose(5, index, kind="score")
    assert collected.composition is not None
    score = collected.composition.score
    bar_beats = float(score.measure.beats)
    clip_bars = max(1, int(WINDOW_S / (bar_beats * 60 / score.tempo) + 1e-9))
    for start in collected.starts:
        bar = start / bar_beats - 1  # a bar of lead-in
        assert bar % clip_bars == pytest.approx(0)
        assert 0 <= bar < score.bars
    assert collected.piece.layout.tempo == score.tempo


def test_scores_have_every_style_key_and_meter_and_tempi_of_their_own() -> None:
    rng = Random(3)
    scores = [draw_score(rng, style) for style in sorted(STYLES) * 40]
    assert {score.meter for score in scores} == set(METERS)
    assert len({score.key.split()[0] for score in scores if score.key}) == 12
    assert sum(score.tempo == 93.75 for score in scores) < len(scores) / 4
    assert len({score.tempo for score in scores}) > 80
    for score in scores:
        low, high = STYLES[score.style].tempo
        assert min(60, low) <= score.tempo <= max(180, high)
    assert 0.1 < sum(bool(score.chords) for score in scores) / len(scores) < 0.4
    assert 0.2 < sum(bool(score.parts) for score in scores) / len(scores) < 0.7


def test_a_piece_does_not_depend_on_those_before_it() -> None:
    alone = compose(1, 17)
    for index in range(17):
        compose(1, index)
    assert compose(1, 17) == alone
    assert compose(2, 17) != alone
    assert compose(1, 18) != alone


def test_most_pieces_are_scores_most_others_on_the_grid_and_all_kinds_occur() -> None:
    pieces = [compose(9, index) for index in range(400)]
    kinds = Counter(each.kind for each in pieces)
    assert set(kinds) == set(get_args(Kind))
    assert 0.55 <= kinds["score"] / len(pieces) <= 0.72
    others = [each for each in pieces if each.kind != "score"]
    assert 0.75 <= sum(on_grid(each.piece.layout) for each in others) / len(others) <= 0.93


@pytest.mark.parametrize("name", ["violin", "drone", "acid bass", "tubular bells"])
def test_an_instrument_that_is_asked_for_plays_alone(name: str) -> None:
    collected = compose(3, 4, instrument=name)
    assert collected.kind == "solo"
    assert [part.instrument for part in collected.piece.parts] == [INSTRUMENTS[name]]


def test_every_instrument_is_heard_often_enough() -> None:
    heard: Counter[str] = Counter()
    for index in range(2500):
        parts = compose(8, index).piece.parts
        heard.update({part.instrument.name for part in parts if part.instrument is not None})
    # 2,500 pieces give some 7,500 clips; a full run has six times as many.
    assert min(heard[name] for name in INSTRUMENTS) >= 3
    for name in ("violin", "banjo", "sitar", "church organ", "xylophone", "8-bit pulse"):
        assert heard[name] >= 20
