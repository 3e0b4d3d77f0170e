"""The small song in a folder that a studio serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from served_studio import Served, serve
from small_song import FakeEngine, make_studio


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "songs"
    folder.mkdir()
    make_studio(folder)
    yield from serve(folder, FakeEngine())
