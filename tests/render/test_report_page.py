"""The report's page: one file, everything escaped, no script but its own."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from small_song import Studio

from riffcomposer.render.report_page import page, report_page


def written(studio: Studio) -> str:
    (found,) = studio.folder.rglob("song.report.html")
    return found.read_text(encoding="utf-8")


def test_it_is_beside_the_track_and_has_player_sections_joins_and_text(rendered: Studio) -> None:
    text = written(rendered)
    assert '<audio controls preload="metadata" src="song.flac">' in text
    assert all(f">{name}</button>" in text for name in ("first", "second", "third"))
    assert text.count("data-at=") > 5
    assert "transition: {type: bridge, clips: 1}" in text
    assert "data:image/png;base64," in text


def test_nothing_is_loaded_from_elsewhere(rendered: Studio) -> None:
    text = written(rendered)
    assert "http:" not in text
    assert "https:" not in text
    # What the policy names is what is in the page.
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    for tag in ("style", "script"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert content is not None
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]


def test_what_comes_from_a_song_is_escaped(rendered: Studio, tmp_path: Path) -> None:
    evil = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    figures: dict[str, Any] = {"integrated_lufs": -14.0, "true_peak_dbtp": -1.0}
    report = {
        "title": evil,
        "seconds": 2.0,
        "samples": 88200,
        "outputs": [{"file": f"{evil}.mp3", **figures}],
        "sections": [{"name": evil, "start_sample": 0, **figures}],
        "repetition": {"distinct": 1},
        "movement": {"verdict": evil},
        "joins": {"each": []},
        "transitions": [],
        "misses": [{"file": evil, "figure": "integrated_lufs", "got": -13, "wanted": -14}],
    }
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG")
    text = report_page(report, 44100, evil, picture)
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert text.count("<script") == 1


def test_a_title_with_a_placeholder_stays_as_it_is() -> None:
    assert "<title>$body ${x}</title>" in page("$body ${x}", ["text"])


def test_comments_alone_do_not_make_the_track_again(rendered: Studio) -> None:
    rendered.edit("title:", "# a comment\ntitle:")
    assert not rendered.render().result.mastered
