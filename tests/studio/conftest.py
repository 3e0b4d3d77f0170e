"""The small song in a folder that a studio serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from served_studio import Served, serve
from small_song import FakeEngine, make_studio

from riffcomposer.render.passage_work import DecodeSettings


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "songs"
    folder.mkdir()
    make_studio(folder)
    yield from serve(folder, FakeEngine())


@pytest.fixture
def quick_jams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jams of many pieces, decoded with the preset that costs least."""

    def fast(_: str, version: int, seed: int) -> DecodeSettings:
        return DecodeSettings("fast", version, seed)

    monkeypatch.setattr("riffcomposer.studio.jam.DecodeSettings", fast)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One studio for tests that change nothing."""
    folder = tmp_path_factory.mktemp("standing") / "songs"
    folder.mkdir()
    make_studio(folder)
    yield from serve(folder, FakeEngine())
