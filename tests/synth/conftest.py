"""A sampler with a tiny font."""

from __future__ import annotations

import pytest
from tiny_font import write_tiny_font

from riffcomposer.synth.sampler import Sampler


@pytest.fixture(scope="session")
def sampler(tmp_path_factory: pytest.TempPathFactory) -> Sampler:
    """Plays every preset as a sine."""
    pytest.importorskip("tinysoundfont", reason="needs tinysoundfont: pip install --no-deps tinysoundfont")
    return Sampler([write_tiny_font(tmp_path_factory.mktemp("font") / "tiny.sf2")])
