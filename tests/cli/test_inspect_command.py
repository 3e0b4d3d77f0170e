"""`riffcompose inspect` on files of riffcomposer, of other programs, and on files that are no sound."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from riffcomposer.cli.main import main
from riffcomposer.mix.blocks import ArrayReader
from riffcomposer.mix.markers import Marker
from riffcomposer.mix.master import Mastering, MasterSettings
from riffcomposer.mix.output import write_track
from riffcomposer.mix.tags import Tags

SONG = {"title": "Nacht ☃", "tempo": 93.75, "sections": [{"name": "intro", "prompt": "bells"}]}


@pytest.fixture
def track(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    audio = (0.1 * rng.standard_normal((2, 44100))).astype(np.float32)
    stage = Mastering(
        ArrayReader(audio), MasterSettings(), sample_rate=44100, loop=True, folder=tmp_path / "scratch"
    )
    path = tmp_path / "night.wav"
    tags = Tags("Nacht [red]☃", comment="c", recipe={"song": SONG, "versions": {"mix": 1}})
    write_track(path, stage, stage.render(), tags, [Marker("intro", 0), Marker("end", 22050)])
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["inspect", *map(str, arguments)])
    out, error = capsys.readouterr()
    return int(stop.value.code or 0), out, error


def test_json_has_everything(track: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, track, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["samples"], found["seconds"], found["loop"]) == (44100, 1.0, [0, 44100])
    assert found["recipe"]["song"] == SONG
    assert list(found["recipe"]["song"]) == list(SONG), "the song's order is kept"
    assert found["markers"][1] == {"name": "end", "sample": 22050, "seconds": 0.5}
    assert found["loudness"]["integrated_lufs"] == pytest.approx(-14, abs=0.1)


def test_people_get_text(track: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, track)
    assert code == 0
    for words in ("Nacht [red]☃", "0:01.000", "LUFS", "intro", "--song-out", "mix 1"):
        assert words in out


def test_the_song_comes_back(track: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = track.parent / "songs" / "again.yaml"
    code, _, _ = run(capsys, track, "--song-out", target, "--no-loudness")
    assert code == 0
    assert yaml.safe_load(target.read_text(encoding="utf-8")) == SONG
    code, _, error = run(capsys, track, "--song-out", target)
    assert code == 2
    assert "--force" in error
    assert run(capsys, track, "--song-out", target, "--force", "--no-loudness")[0] == 0


def test_a_file_of_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.flac"
    soundfile.write(path, np.zeros(4000), 44100)
    code, out, _ = run(capsys, path)
    assert code == 0
    assert "silent" in out
    assert "none" in out
    code, _, error = run(capsys, path, "--song-out", tmp_path / "y.yaml")
    assert code == 3
    assert "no recipe" in error
    assert not (tmp_path / "y.yaml").exists()


def test_what_is_no_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.mp3").write_text("<html>")
    for name, expected in (("x.mp3", 3), ("missing.wav", 2), ("", 2)):
        code, out, error = run(capsys, tmp_path / name)
        assert code == expected
        assert error.startswith("error: ")
        assert not out
