"""The small song in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_song import Studio, make_studio


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return make_studio(tmp_path)
