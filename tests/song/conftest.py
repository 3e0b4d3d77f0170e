"""Fixtures for the song language: a small catalogue, and songs from text."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from riffcomposer.diagnostics import Diagnostic
from riffcomposer.errors import SongError
from riffcomposer.loops.catalogue import Catalogue, Loop, SeedMask
from riffcomposer.song.reader import LoadedSong, parse_song


@pytest.fixture(scope="session")
def small_catalogue() -> Catalogue:
    """Two loops and a mask; their files are never opened."""

    def clip(name: str, tempo: int, meter: str = "4/4") -> Loop:
        return Loop(name, "lofi", "", Fraction(tempo), 2, meter, "A minor", (), Path(f"{name}.png"), "0" * 64)

    mask = SeedMask("beats-80", "", Path("beats-80.png"), "0" * 64)
    return Catalogue(
        {"lofi-keys": clip("lofi-keys", 94), "waltz-box": clip("waltz-box", 94, "3/4")}, {"beats-80": mask}
    )


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], LoadedSong]:
    """Reads a song from text, as if it lay in an empty folder."""
    return lambda text: parse_song(text.encode(), tmp_path / "song.yaml", "song.yaml")


@pytest.fixture
def faults_in(load: Callable[[str], LoadedSong]) -> Callable[[str], list[Diagnostic]]:
    """The diagnostics of a text that is no song; none if it is one."""

    def faults(text: str) -> list[Diagnostic]:
        try:
            load(text)
        except SongError as error:
            return list(error.diagnostics)
        return []

    return faults
