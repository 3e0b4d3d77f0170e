"""The small song in a folder of its own: as it was written, or rendered already."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_song import Studio, make_studio


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return make_studio(tmp_path)


@pytest.fixture(scope="session")
def rendered_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the small song was rendered; a folder not to be changed."""
    studio = make_studio(tmp_path_factory.mktemp("rendered"))
    studio.render()
    return studio.folder


@pytest.fixture
def rendered(rendered_once: Path, tmp_path: Path) -> Studio:
    """A copy of the rendered song, with its store, its lock and its outputs."""
    return Studio(shutil.copytree(rendered_once, tmp_path, dirs_exist_ok=True))
