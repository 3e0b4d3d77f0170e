"""Properties of fades: symmetry, constant power, range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riffcomposer.mix.fades import Shape, falling, rising
from riffcomposer.units import cut_samples

SHAPES: tuple[Shape, ...] = ("equal_power", "linear", "smooth")


@given(length=st.integers(0, 500), shape=st.sampled_from(SHAPES))
def test_fades_are_symmetric_and_bounded(length: int, shape: Shape) -> None:
    x = np.arange(length)
    up, down = rising(shape, x, length), falling(shape, x, length)
    np.testing.assert_allclose(up, down[::-1], atol=1e-6)
    assert np.all((up >= 0) & (up <= 1))
    assert np.all(np.diff(up) >= 0)
    outside = np.array([-1, length, length + 5])
    np.testing.assert_array_equal(rising(shape, outside, length), [0, 1, 1])
    np.testing.assert_array_equal(falling(shape, outside, length), [1, 0, 0])


@given(length=st.integers(1, 500))
def test_power_or_amplitude_is_kept(length: int) -> None:
    x = np.arange(length)
    power = rising("equal_power", x, length) ** 2 + falling("equal_power", x, length) ** 2
    np.testing.assert_allclose(power, 1, atol=1e-6)
    for shape in ("linear", "smooth"):
        np.testing.assert_allclose(rising(shape, x, length) + falling(shape, x, length), 1, atol=1e-6)


@pytest.mark.parametrize("sample_rate", [44100, 48000])
def test_a_cut_is_a_few_milliseconds(sample_rate: int) -> None:
    assert 0.003 < cut_samples(sample_rate) / sample_rate < 0.01
