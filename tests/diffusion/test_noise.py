"""Spherical interpolation and noise that belongs to a clip."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.diffusion.noise import ClipNoise, slerp

SHAPE = (4, 8, 8)


@settings(max_examples=40)
@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1), st.floats(0, 1))
def test_slerp_keeps_the_norm_and_is_symmetric(seed_a: Any, seed_b: Any, alpha: Any) -> None:
    a = torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed_a))
    b = torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed_b))
    mixed = slerp(a, b, alpha)
    low, high = sorted((float(a.norm()), float(b.norm())))
    assert 0.95 * low < float(mixed.norm()) < 1.05 * high
    assert torch.allclose(mixed, slerp(b, a, 1 - alpha), atol=1e-5)


def test_slerp_ends_exactly_at_its_ends() -> None:
    a, b = torch.ones(3), torch.tensor([1.0, 2.0, 3.0])
    assert torch.equal(slerp(a, b, 0.0), a)
    assert torch.equal(slerp(a, b, 1.0), b)


def test_slerp_of_a_quarter_turn() -> None:
    mixed = slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 0.5)
    assert torch.allclose(mixed, torch.tensor([2**-0.5, 2**-0.5]))


@pytest.mark.parametrize("factor", [1.0, -1.0, 0.0])
def test_slerp_of_parallel_opposite_and_zero_stays_finite(factor: Any) -> None:
    a = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(slerp(a, a * factor, 0.5)).all()


def test_noise_is_that_of_the_seed_alone() -> None:
    noise = ClipNoise(7, 8, 0.0, SHAPE)
    generator = torch.Generator().manual_seed(7)
    for _ in range(2):
        assert torch.equal(noise.draw(), torch.randn(SHAPE, generator=generator))
    assert torch.equal(ClipNoise(7, 8, 1.0, SHAPE).draw(), ClipNoise(8, 7, 0.0, SHAPE).draw())


def test_noise_of_the_largest_seed() -> None:
    assert torch.isfinite(ClipNoise(2**63 - 1, 0, 0.5, SHAPE).draw()).all()
