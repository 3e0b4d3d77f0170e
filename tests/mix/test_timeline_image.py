"""The timeline picture: its size, its reduction of the sound, equal bytes, any names, any length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mix_signals import SAMPLE_RATE, strokes, tones
from PIL import Image

from riffcomposer.mix.blocks import ArrayReader
from riffcomposer.mix.timeline_image import (
    BANDS,
    TimelineLayer,
    TimelineSection,
    _band_of,
    overview,
    write_timeline,
)


# Columns that read the sound around them, and columns that read three windows of their own.
@pytest.mark.parametrize("count", [100, 10])
def test_reduction_keeps_extremes_and_pitch(count: int) -> None:
    audio = np.concatenate([tones([(-20, 1)], SAMPLE_RATE, 440), tones([(-6, 1)], SAMPLE_RATE, 3000)], axis=1)
    columns = overview(ArrayReader(audio), SAMPLE_RATE, count)
    tenth = count // 10
    assert columns.high[tenth] == pytest.approx(0.1, rel=0.01)
    assert columns.low[9 * tenth] == pytest.approx(-0.5, rel=0.01)
    assert columns.rms[9 * tenth] == pytest.approx(0.5 / np.sqrt(2), rel=0.01)
    for column, pitch in ((0, 440), (2 * tenth, 440), (8 * tenth, 3000), (count - 1, 3000)):
        assert abs(columns.bands[:, column].argmax() - _band_of(pitch)) <= 1


@pytest.mark.parametrize("samples", [1, 100, 5000])
def test_short_tracks(samples: int) -> None:
    columns = overview(ArrayReader(strokes(1)[:, :samples]), SAMPLE_RATE)
    assert columns.bands.shape == (BANDS, min(samples, 1800))
    assert np.isfinite(columns.bands).all()


def test_the_same_picture_twice_with_any_names(tmp_path: Path) -> None:
    audio = strokes(2)
    sections = [
        TimelineSection("a $\\frac{1}$ [red]\x1b[31m ☃ 夜", 0, 40000, "-14 LUFS"),
        TimelineSection("x" * 300, 40000, 40001),
        TimelineSection("", 40001, audio.shape[1]),
    ]
    for name in ("a.png", "b.png"):
        write_timeline(
            tmp_path / name,
            ArrayReader(audio),
            SAMPLE_RATE,
            sections,
            [0, 40000],
            title="$t$ " * 90,
            loop=True,
        )
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (1760, 792)
        assert not picture.info.get("Software")
        assert len(np.unique(np.asarray(picture.convert("L")))) > 100


def test_silence_can_be_drawn(tmp_path: Path) -> None:
    audio = np.zeros((2, 4000), np.float32)
    write_timeline(
        tmp_path / "a.png", ArrayReader(audio), SAMPLE_RATE, [TimelineSection("s", 0, 4000)], title="s"
    )
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_layers_are_lines_that_are_thin_where_they_wait(tmp_path: Path) -> None:
    audio = strokes(2)
    gate = ((30_000, 0.0), (40_000, 1.0))

    def picture(name: str, *layers: TimelineLayer) -> np.ndarray:
        section = TimelineSection("s", 0, audio.shape[1], layers=layers)
        write_timeline(tmp_path / name, ArrayReader(audio), SAMPLE_RATE, [section], title="s")
        with Image.open(tmp_path / name) as image:
            return np.asarray(image.convert("L"), np.int16)

    both = picture("a.png", TimelineLayer("drums"), TimelineLayer("keys"))
    waiting = picture("b.png", TimelineLayer("drums"), TimelineLayer("keys", gate))
    differs = np.flatnonzero((np.abs(both - waiting) > 20).sum(axis=0) > 4)
    left, right = 0.055 * both.shape[1], 0.985 * both.shape[1]
    heard = left + (right - left) * 40_000 / audio.shape[1]
    # Edges are drawn a little differently, by two pixels at most.
    assert left - 2 <= differs.min()
    assert differs.max() <= heard + 2
    assert len(differs) > 0.8 * (heard - left)
