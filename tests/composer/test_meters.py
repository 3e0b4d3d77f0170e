"""Meters: bars add up, accents are where the meter has them, and rhythms of 4/4 keep their character."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riffcomposer.composer.meters import METERS, parse_meter

STRONG = {
    "2/4": (0.0,),
    "3/4": (0.0,),
    "4/4": (0.0, 2.0),
    "5/4": (0.0, 3.0),
    "6/8": (0.0, 1.5),
    "7/8": (0.0, 1.5, 2.5),
    "12/8": (0.0, 3.0),
}


@pytest.mark.parametrize("name", METERS)
def test_a_bar_is_filled_by_its_pulses(name: str) -> None:
    meter = parse_meter(name)
    top, bottom = map(int, name.split("/"))
    assert meter.beats == Fraction(4 * top, bottom)
    for number in range(2):
        at = 0.0
        for pulse in meter.pulses(number):
            assert pulse.start == at
            at += pulse.length
        assert at == float(meter.beats)
    assert meter.strong == STRONG[name]
    assert meter.weight(0.0) == 3
    assert 0 < meter.half < float(meter.beats)


@pytest.mark.parametrize("name", METERS)
def test_the_downbeat_of_4_4_is_the_downbeat_everywhere(name: str) -> None:
    carried = list(parse_meter(name).carry([(0.0, 1.0)], 0))
    assert carried[0].start == 0.0


@given(
    st.sampled_from(METERS),
    st.lists(st.tuples(st.integers(0, 15).map(lambda place: place / 4), st.floats(0.1, 4)), max_size=12),
    st.integers(0, 3),
)
def test_carried_hits_are_inside_the_bar(name: str, hits: list[tuple[float, float]], bar: int) -> None:
    meter = parse_meter(name)
    for carried in meter.carry(hits, bar):
        assert 0 <= carried.start < float(meter.beats)
        assert carried.length > 0
        assert 0 <= carried.index < len(hits)


def test_4_4_is_played_as_written() -> None:
    hits = [(0.0, 1.5), (1.5, 0.5), (2.75, 1.0)]
    carried = list(parse_meter("4/4").carry(hits, 0))
    assert [(each.start, each.length) for each in carried] == [pytest.approx(hit) for hit in hits]


def test_two_bars_of_a_short_meter_play_one_of_4_4() -> None:
    backbeats = [(1.0, 0.1), (3.0, 0.1)]
    for name, second in (("2/4", 1.0), ("6/8", 1.5)):
        for bar in range(4):
            assert [each.start for each in parse_meter(name).carry(backbeats, bar)] == [second]


def test_sixteenths_become_triplets_where_beats_have_three_eighths() -> None:
    carried = parse_meter("12/8").carry([(0.0, 0.5), (0.5, 0.5), (1.0, 0.5)], 0)
    assert [each.start for each in carried] == pytest.approx([0.0, 1.0, 1.5])


def test_an_unknown_meter_is_named() -> None:
    with pytest.raises(ValueError, match="9/16"):
        parse_meter("9/16")
