"""A sound font player with a tiny font."""

from __future__ import annotations

import pytest
from tiny_font import write_tiny_font

from riffcomposer.synth.soundfont_player import SoundFontPlayer


@pytest.fixture(scope="session")
def player(tmp_path_factory: pytest.TempPathFactory) -> SoundFontPlayer:
    """Plays every preset as a sine."""
    return SoundFontPlayer([write_tiny_font(tmp_path_factory.mktemp("font") / "tiny.sf2")])
