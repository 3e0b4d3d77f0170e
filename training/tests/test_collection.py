"""The collection: pieces that depend on nothing but their number, mostly on the grid, of every kind."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.styles import STYLES
from riffcomposer.synth.foley import SOUNDS
from riffcomposer_training.collection import FOLEY, compose
from riffcomposer_training.windows import GRID_TEMPI, STYLE_TEMPI, on_grid, rendered_s


def test_tempi_are_on_the_grid_and_sounds_exist() -> None:
    assert set(STYLE_TEMPI) <= set(STYLES)
    assert {tempo for tempi in STYLE_TEMPI.values() for tempo in tempi} <= set(GRID_TEMPI)
    assert set(FOLEY) <= set(SOUNDS)
    assert len(FOLEY) >= 10


@given(st.integers(0, 100_000))
@settings(max_examples=60, deadline=None)
def test_pieces_are_sound(index: int) -> None:
    piece = compose(5, index).piece
    layout = piece.layout
    assert layout.phrase_start_s(0) >= 1.8
    assert rendered_s(layout) >= layout.phrase_start_s(layout.phrases - 1) + 5.12
    for part in piece.parts:
        assert len(part.active) == layout.phrases
        assert list(part.notes) == sorted(part.notes)
        for note in part.notes:
            assert note.start >= 0
            assert note.length > 0
            assert 1 <= note.velocity <= 127
            if part.instrument is not None:
                assert part.instrument.low - 1 <= note.pitch <= part.instrument.high + 1
    if on_grid(layout):
        assert layout.tempo in GRID_TEMPI
        for window in range(layout.phrases):
            samples = layout.phrase_start_s(window) * 44100
            assert samples == pytest.approx(round(samples), abs=1e-6)
            assert round(samples) % 441 == 0


def test_a_piece_does_not_depend_on_those_before_it() -> None:
    alone = compose(1, 17)
    for index in range(17):
        compose(1, index)
    assert compose(1, 17) == alone
    assert compose(2, 17) != alone
    assert compose(1, 18) != alone


def test_most_pieces_are_on_the_grid_and_all_kinds_occur() -> None:
    pieces = [compose(9, index) for index in range(250)]
    share = sum(on_grid(each.piece.layout) for each in pieces) / len(pieces)
    assert 0.78 <= share <= 0.93
    assert {each.kind for each in pieces} == {"band", "solo", "drums", "foley"}


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
