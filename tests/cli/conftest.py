"""A repository of songs as the current folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from planned_songs import CATALOGUE, write_model
from song_repositories import git

from riffcomposer.loops import catalogue as seeds


@pytest.fixture
def repository_of_songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty repository as the current folder, with nothing of the user's own git about."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("RIFFCOMPOSER_DEVICE", "cpu")
    monkeypatch.setattr(seeds, "read_catalogue", lambda: CATALOGUE)
    seeds.catalogue.cache_clear()
    folder = tmp_path / "repo"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git("init", "-q")
    write_model(folder / "model")
    yield folder
    seeds.catalogue.cache_clear()
