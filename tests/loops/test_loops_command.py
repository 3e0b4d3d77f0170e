"""`riffcompose loops`: the list, its JSON, and a loop as a sound file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from riffcomposer.cli.main import main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["loops", *arguments])
    return int(stop.value.code or 0)


def test_lists_all_by_style(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    text = capsys.readouterr().out
    assert "lofi-keys" in text
    assert "beats-80" in text
    assert "80 clips at 93.75 BPM" in text
    assert run("list") == 0
    assert capsys.readouterr().out == text


def test_json_has_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json") == 0
    content = json.loads(capsys.readouterr().out)
    first = content["clips"][0]
    assert set(first) == {
        "name", "style", "description", "tempo", "bars", "meter", "key", "tags", "path", "sha256",
    }  # fmt: skip
    assert first["tempo"] == 93.75
    assert Path(first["path"]).is_file()
    assert len(content["masks"]) >= 6


@pytest.mark.parametrize("style", ["lofi", "Lo-Fi Hip Hop", "LO FI"])
def test_a_style_is_found_however_it_is_written(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--style", style, "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert {clip["style"] for clip in content["clips"]} == {"lo-fi hip hop"}
    assert content["masks"] == []


def test_unknown_names_get_near_ones(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("--style", "polka") == 2
    assert "the styles are lo-fi hip hop" in capsys.readouterr().err
    assert run("write", "lofi-key", "--out", str(tmp_path / "x.wav")) == 2
    assert "did you mean lofi-keys" in capsys.readouterr().err
    assert run("write", "lofi-keys", "--out", str(tmp_path / "x.aiff")) == 2
    assert "unknown audio format" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_writes_a_loop_that_closes(tmp_path: Path) -> None:
    out = tmp_path / "loop.wav"
    assert run("write", "ambient-pad", "--out", str(out), "--preset", "fast") == 0
    audio, rate = soundfile.read(out)
    assert rate == 44100
    assert len(audio) == 512 * 441
    steps = np.abs(np.diff(audio))
    assert abs(audio[0] - audio[-1]) <= steps.max()
    assert 0.02 < np.abs(audio).max() <= 0.99
    assert [path.name for path in tmp_path.iterdir()] == ["loop.wav"]


def test_the_command_has_kept_its_old_name(capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for name in ("loops", "seeds"):
        with pytest.raises(SystemExit) as stop:
            main([name, "list", "--json"])
        assert not stop.value.code
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert "loops" in commands
    assert "seeds" not in commands
