"""A page fetches a track by passage, and its picture without its sound."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from riffcomposer.errors import UsageError
from riffcomposer.studio.track_parts import BANDS, mel_overview, part_wav
from riffcomposer.studio.workspace import NotFound

RATE = 44100


@pytest.fixture
def track(tmp_path: Path) -> Path:
    """Two seconds of silence, then two of a sine of 1,000 Hz at full scale, left alone."""
    times = np.arange(2 * RATE) / RATE
    sine = np.concatenate([np.zeros(2 * RATE), np.sin(2 * np.pi * 1000 * times)])
    path = tmp_path / "track.flac"
    soundfile.write(path, np.stack([sine, sine], 1), RATE, subtype="PCM_24")
    return path


def test_parts_next_to_each_other_are_the_file(track: Path) -> None:
    whole, _ = soundfile.read(track, dtype="int32")
    parts = [
        soundfile.read(io.BytesIO(part_wav(track, start, start + 50_001)), dtype="int32")[0]
        for start in range(0, 4 * RATE, 50_001)
    ]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize(("start", "stop"), [(4 * RATE, 5 * RATE), (-1, 10), (10, 10)])
def test_a_part_that_is_not_there(track: Path, start: int, stop: int) -> None:
    with pytest.raises(NotFound, match="samples 0 to 176400"):
        part_wav(track, start, stop)


def test_the_picture_shows_when_and_at_which_pitch_it_sounds(track: Path) -> None:
    picture = np.frombuffer(mel_overview(track, 20), np.uint8).reshape(20, BANDS)
    assert picture[:9].max() == 0
    loudest = picture[11:].argmax(axis=1)
    assert len(set(loudest.tolist())) == 1
    low, high = (1127 * np.log1p(hertz / 700) for hertz in (40, 10000))
    hertz = 700 * np.expm1((low + (loudest[0] + 0.5) * (high - low) / BANDS) / 1127)
    assert hertz == pytest.approx(1000, rel=0.05)
    assert picture[15].max() >= 235


@pytest.mark.parametrize("columns", [0, 4097])
def test_a_picture_has_a_bounded_width(track: Path, columns: int) -> None:
    with pytest.raises(UsageError, match="4096"):
        mel_overview(track, columns)


def test_a_part_has_a_bounded_length(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros((40 * RATE, 1)), RATE)
    with pytest.raises(UsageError, match="30 s"):
        part_wav(path, 0, 31 * RATE)
