"""Curves over bars."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riffcomposer.curves import EASES, Curve, Ease

POINTS = ((Fraction(0), 0.3), (Fraction(7, 2), 0.9), (Fraction(30), 0.1))


@pytest.mark.parametrize(
    ("points", "ease", "message"),
    [
        ((), "linear", "must have a value"),
        (((Fraction(0), 0.5),), "bouncy", "'bouncy' is not an ease"),
        (((Fraction(4), 0.5), (Fraction(4), 0.6)), "linear", "rising bars"),
    ],
)
def test_what_is_no_curve_is_refused(points: Any, ease: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Curve(points, ease)


def test_a_curve_runs_through_its_points() -> None:
    points = ((Fraction(2), 0.2), (Fraction(6), 0.8))
    linear, eased, steps = Curve(points), Curve(points, "ease"), Curve(points, "step")
    for curve in (linear, eased, steps):
        assert [curve.at(bar) for bar in (0, 2, 6, 20)] == pytest.approx([0.2, 0.2, 0.8, 0.8])
    assert linear.at(4) == eased.at(4) == pytest.approx(0.5)
    assert linear.at(3) == pytest.approx(0.35)
    assert eased.at(3) < linear.at(3)
    assert steps.at(5.9) == 0.2


@given(st.floats(0, 40), st.sampled_from(EASES))
def test_a_curve_stays_between_its_points(bar: float, ease: Ease) -> None:
    assert 0.1 - 1e-9 <= Curve(POINTS, ease).at(bar) <= 0.9 + 1e-9


@given(st.floats(0, 40), st.integers(0, 40), st.sampled_from(EASES))
def test_a_shifted_curve_is_the_same_later(bar: float, shift: int, ease: Ease) -> None:
    curve = Curve(POINTS, ease)
    assert curve.shifted(Fraction(shift)).at(bar) == pytest.approx(curve.at(bar + shift), abs=1e-9)


def test_a_curve_is_printed_as_a_song_writes_it() -> None:
    assert str(Curve.level(0.5)) == "0.5"
    assert str(Curve(POINTS, "ease")) == "{0: 0.3, 3.5: 0.9, 30: 0.1, ease: ease}"


def test_a_curve_is_plain_data_as_a_song_writes_it() -> None:
    assert Curve.level(0.5).plain == 0.5
    assert Curve(POINTS).plain == {"0": 0.3, "3.5": 0.9, "30": 0.1}
    assert Curve(POINTS, "ease").plain == {"0": 0.3, "3.5": 0.9, "30": 0.1, "ease": "ease"}


def test_a_curve_over_samples_has_the_same_values() -> None:
    over = Curve(POINTS).mapped(lambda bar: round(1000 * bar))
    assert [over.at(1000 * bar) for bar in (0, 2, 3.5, 9, 40)] == pytest.approx(
        [Curve(POINTS).at(bar) for bar in (0, 2, 3.5, 9, 40)]
    )
    close = Curve(((Fraction(0), 0.1), (Fraction(1, 3), 0.4)))
    assert close.mapped(lambda bar: 7).points == ((Fraction(7), 0.4),)
