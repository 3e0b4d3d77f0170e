"""What a report says of files that are not what the song asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_song import Studio

from riffcomposer.cli.render import _misses, _summary_lines
from riffcomposer.render.quality import find_misses

pytestmark = [
    pytest.mark.filterwarnings("error::ResourceWarning"),
    pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning"),
]


def report(*figures: tuple[str, float | None, float | None]) -> dict[str, Any]:
    outputs = [
        {"file": file, "integrated_lufs": lufs, "true_peak_dbtp": peak} for file, lufs, peak in figures
    ]
    made: dict[str, Any] = {"outputs": outputs, "target": {"integrated_lufs": -14, "true_peak_dbtp": -1}}
    return {**made, "misses": find_misses(made)}


def test_every_file_is_looked_at_for_loudness_and_true_peak() -> None:
    made = report(("x.flac", -14.0, -1.05), ("x.mp3", -15.7, -1.1), ("x.ogg", -14.1, -0.58))
    assert made["misses"] == [
        {"file": "x.mp3", "figure": "integrated_lufs", "wanted": -14, "got": -15.7},
        {"file": "x.ogg", "figure": "true_peak_dbtp", "wanted": -1, "got": -0.58},
    ]
    said = _misses(made)
    assert len(said) == 2
    assert said[0].startswith("x.mp3: the loudness is -15.7 LUFS, not -14")
    assert said[1].startswith("x.ogg: the true peak is -0.58 dBTP, above -1")


def test_silence_is_said_once() -> None:
    assert _misses(report(("x.flac", None, None), ("x.mp3", None, None))) == ["the track is silent"]
    assert _misses(report(("x.flac", -14.0, -1.2))) == []


def test_a_render_writes_what_it_missed(rendered: Studio, tmp_path: Path) -> None:
    rendered.edit("formats: [flac]", "formats: [flac, ogg]")
    rendered.edit("integrated_lufs: -30", "integrated_lufs: -5")
    track = rendered.render()
    written = json.loads((tmp_path / "out" / "song.report.json").read_text())
    assert [output["file"] for output in written["outputs"]] == ["song.flac", "song.ogg"]
    assert {miss["file"] for miss in written["misses"]} == {"song.flac", "song.ogg"}
    assert track.report["misses"] == written["misses"]


def test_a_render_says_how_much_it_moves(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ten seconds are enough to tell, so that half a minute need not be rendered.
    monkeypatch.setattr("riffcomposer.mix.movement.MIN_STEPS", 3)
    studio.edit("length: 1 beat}", "length: 1 beat}\nlength: 12s")
    track = studio.render()
    movement = json.loads((tmp_path / "out" / "song.report.json").read_text())["movement"]
    assert movement["bars"]["lag_bars"] == 1
    assert movement["windows"]["count"] == 1
    assert movement["windows"]["worst"] == movement["excerpt"]
    said = [line for line in _summary_lines(track) if line.startswith("movement: ")]
    assert len(said) == 1
    assert said[0].endswith(movement["verdict"])
    assert not any("different clips" in line for line in _summary_lines(track))


def test_a_short_render_says_that_it_is_too_short(rendered: Studio) -> None:
    lines = _summary_lines(rendered.render())
    assert "movement: too short to tell, which takes 34 s" in lines
