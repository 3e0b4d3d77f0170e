"""The rules of strength: nothing to start from is strength 1, and how many steps are run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riffcomposer.strength import effective_steps, rounded, strength_of


@pytest.mark.parametrize("stated", [None, 0.0, 0.4, 1.0])
def test_without_an_init_the_strength_is_one(stated: float | None) -> None:
    assert strength_of(stated, 0.55, has_init=False) == 1.0


def test_a_stated_strength_goes_before_the_models() -> None:
    assert strength_of(None, 0.55, has_init=True) == 0.55
    assert strength_of(0.0, 0.55, has_init=True) == 0.0
    assert strength_of(None, has_init=True) == 1.0


@given(st.integers(1, 1000), st.floats(0, 1))
def test_steps_rise_with_strength_and_never_exceed_the_schedule(steps: int, strength: float) -> None:
    assert 0 <= effective_steps(steps, strength) <= effective_steps(steps, 1.0) == steps


def test_rounding_has_no_negative_zero() -> None:
    assert str(rounded(-1e-12)) == "0.0"
