"""How a track shows itself in a notebook."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, cast

import pytest

from riffcomposer.render.track import Track


def track(*files: Path) -> Track:
    return Track("<b>Night & Day</b>", files, {}, cast(Any, None))


def test_the_smallest_file_plays_in_the_page(tmp_path: Path) -> None:
    large, small = tmp_path / "song.flac", tmp_path / "song.mp3"
    large.write_bytes(b"f" * 2000)
    small.write_bytes(b"m" * 1000)
    page = track(large, small)._repr_html_()
    assert "<p>&lt;b&gt;Night &amp; Day&lt;/b&gt;</p>" in page
    assert f'src="data:audio/mpeg;base64,{base64.b64encode(b"m" * 1000).decode()}"' in page


def test_a_long_track_is_named_and_not_put_into_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a & b.wav"
    path.write_bytes(b"w" * 1001)
    monkeypatch.setattr("riffcomposer.render.track._LARGEST_IN_A_PAGE", 1000)
    page = track(path)._repr_html_()
    assert len(page) < 1000
    assert "a &amp; b.wav" in page
    assert "<audio" not in page
