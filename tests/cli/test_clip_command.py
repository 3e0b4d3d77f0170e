"""`clip`: audio to images and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

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
        (["to-image", "{folder}/in/tone.wav", "{folder}/in/tone.wav"], 2),
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


def test_one_image_and_one_sound_are_named_as_everybody_types_them(tone: Path, tmp_path: Path) -> None:
    image, sound, other = tmp_path / "t.png", tmp_path / "new" / "t.flac", tmp_path / "t.ogg"
    assert _run("clip", "to-image", tone, image) == 0
    assert _run("clip", "to-audio", image, sound, "--preset", "fast") == 0
    assert _run("clip", "to-audio", image, "--out", other, "--preset", "fast") == 0
    assert soundfile.info(sound).format == "FLAC"
    assert soundfile.info(other).format == "OGG"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "new", "t.ogg", "t.png"]


def test_an_output_that_is_there_is_replaced(tone: Path, tmp_path: Path) -> None:
    (tmp_path / "t.png").write_bytes(b"an older one")
    assert _run("clip", "to-image", tone, tmp_path / "t.png") == 0
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["to-audio", "a.png", "b.png", "out.wav"], "one file, and there may be several inputs"),
        (["to-audio", "pictures", "out.wav"], "one file, and there may be several inputs"),
        (["to-audio", "a.png", "out.wav", "--out", "x.wav"], "two places to write to"),
        (["to-audio", "a.png", "out.wav", "--format", "mp3"], "contradict each other"),
        (["to-audio", "a.png", "out.m4a"], "a file to write ends in .wav"),
        (["to-audio", "a.png", "sounds/"], "--out sounds"),
        (["to-audio", "a.png", "empty"], "--out empty"),
        (["to-audio", "a.png", "pictures/a.png"], "under one name"),
        (["to-image", "in/tone.wav", "out.jpg"], "a file to write ends in .png"),
        (["to-image", "in/tone.wav", "out.png", "--duration", "1s"], "cuts into several images"),
        (["to-image", "a.png", "out.png"], "is a PNG image, not a sound"),
    ],
)
def test_what_could_mean_two_things_is_asked_back(
    tone: Path,
    tmp_path: Path,
    arguments: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "pictures").mkdir()
    for name in ("a.png", "b.png", "pictures/a.png"):
        Image.new("L", (40, 512), 200).save(tmp_path / name)
    before = sorted(tmp_path.rglob("*"))
    assert _run("clip", *arguments) in (2, 3)
    assert says in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_sounds_that_were_put_right_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loud = np.sin(np.arange(44_100) / 20) * 1_000
    soundfile.write(tmp_path / "loud.wav", loud, 44_100, subtype="FLOAT")
    assert _run("clip", "to-image", tmp_path / "loud.wav", tmp_path / "loud.png") == 0
    assert "16-bit integers" in capsys.readouterr().err
    assert _run("clip", "info", tmp_path / "loud.png", "--json") == 0
    assert json.loads(capsys.readouterr().out)["loudest_level"] < 0.99


def test_info_goes_by_content(tone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tone.png").write_bytes(tone.read_bytes())
    assert _run("clip", "info", tmp_path / "tone.png", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["seconds"], facts["channels"]) == ("audio", 1.0, 2)


def test_a_full_disk_is_named_with_the_sound_to_write(
    tone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> None:
        raise soundfile.LibsndfileError(2)  # "System error."

    class Left:
        f_bavail, f_frsize = 1, 4096

    assert _run("clip", "to-image", tone, tmp_path / "a.png") == 0
    monkeypatch.setattr(soundfile, "write", refused)
    monkeypatch.setattr("riffcomposer.mix.encoding.os.statvfs", lambda _: Left)
    assert _run("clip", "to-audio", tmp_path / "a.png", tmp_path / "a.wav", "--preset", "fast") == 4
    assert f"{tmp_path / 'a.wav'}: no space left" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "in"]
