"""`clip`: audio to images and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from riffcomposer.cli.main import main


def _run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    time = np.arange(44_100) / 44_100
    path = tmp_path / "in" / "tone.wav"
    path.parent.mkdir()
    soundfile.write(path, np.stack([0.3 * np.sin(2 * np.pi * 440 * time), np.zeros_like(time)], 1), 44_100)
    return path


def test_a_folder_is_cut_into_clips_and_comes_back_as_sound(
    tone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, sounds = tmp_path / "images", tmp_path / "sounds"
    assert _run("clip", "to-image", tone.parent, "--out", images, "--duration", "400ms", "--stereo") == 0
    assert sorted(path.name for path in images.iterdir()) == ["tone-000.png", "tone-001.png"]
    capsys.readouterr()
    assert _run("clip", "info", images / "tone-000.png", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["frames"], facts["channels"], facts["exif"]) == (40, 2, True)
    assert facts["parameters"]["stereo"] is True
    assert _run("clip", "to-audio", images, "--out", sounds, "--preset", "fast", "--format", "flac") == 0
    audio, rate = soundfile.read(sounds / "tone-001.flac")
    assert (rate, audio.shape) == (44_100, (40 * 441, 2))
    assert np.abs(audio[:, 0]).max() > 0.1 > np.abs(audio[:, 1]).max()


def test_info_reads_audio(tone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("clip", "info", tone) == 0
    out = capsys.readouterr().out
    assert "channels: 2" in out
    assert "sample_rate: 44100" in out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["to-image", "{folder}/none.wav"], 3),
        (["to-image", "{folder}/in/tone.wav", "--duration", "soon"], 2),
        (["to-image", "{folder}/in/tone.wav", "--duration", "1ms"], 2),
        (["to-image", "{folder}/empty"], 2),
        (["to-audio", "{folder}/in/tone.wav"], 3),
        (["to-audio", "{folder}/in/tone.wav", "--format", "aac"], 2),
        (["info", "{folder}/in"], 3),
    ],
)
def test_mistakes_end_in_a_message_and_write_nothing(
    tone: Path, tmp_path: Path, arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    command = [argument.format(folder=tmp_path) for argument in arguments]
    out = ["--out", str(tmp_path / "out")] if command[0] != "info" else []
    assert _run("clip", *command, *out) == code
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err
    assert sorted(tmp_path.rglob("*")) == before
    assert tone.exists()
