"""`riffcompose score`: what is composed, as text, MIDI and sound."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from planned_songs import write_model

from riffcomposer.cli.main import main
from riffcomposer.midi.read import read_midi

Run = Callable[..., tuple[int, str, str]]

RATE = 44_100
BEAT = RATE // 2
"""At 120 BPM."""

SONG = """\
title: Two Halves
tempo: 120
meter: 3/4
model: ./model
defaults: {init: score, score: {style: jazz, key: D minor, energy: 0.8}}
sections:
  - {name: first, prompt: jazz trio, bars: 4, score: {chords: "Dm7 | G7 | Dm7 A7 | Dm7"}}
  - {name: rain, prompt: rain, init: none, score: {}, bars: 4, transition: cut}
  - name: last
    prompt: jazz trio
    bars: 4
    score: {theme: B}
    transition: {type: bridge, clips: 1}
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.setenv("RIFFCOMPOSER_DEVICE", "cpu")
    monkeypatch.setenv("RIFFCOMPOSER_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "model")
    (tmp_path / "song.yaml").write_text(SONG.replace(", score: {}", ""))

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["score", *arguments])
        captured = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return stop.value.code, captured.out, captured.err

    return run


def test_the_music_in_words(run: Run) -> None:
    code, out, _ = run("song.yaml")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "Two Halves: 3/4 at 120 BPM"
    assert lines[1] == "first: bars 1-4, jazz in D minor, theme A"
    assert lines[2].strip() == "Dm7 | G7 | Dm7 A7 | Dm7"
    # The bridge before it is one clip of three bars.
    assert any(line.startswith("last: bars 12-15, jazz in D minor, theme B") for line in lines)
    assert "rain" not in out


def test_the_music_for_programs(run: Run) -> None:
    _, out, _ = run("song.yaml", "--json")
    first, last = json.loads(out)["sections"]
    assert (first["bar"], first["bars"], last["bar"]) == (0, 4, 11)
    assert [chord["name"] for chord in first["chords"]] == ["Dm7", "G7", "Dm7", "A7", "Dm7"]
    assert first["chords"][1]["pitch_classes"] == [7, 11, 2, 5]
    assert {part["role"] for part in first["parts"]} >= {"drums", "bass"}


def test_the_notes_are_at_their_bars_of_the_track(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("song.yaml", "--midi", "out.mid")
    assert (code, out) == (0, "wrote out.mid\n")
    midi = read_midi(tmp_path / "out.mid")
    starts = {name: at for at, name in midi.markers}
    assert starts["last"] - starts["first"] == 33
    quiet = [
        note
        for part in midi.parts
        for note in part.notes
        if starts["first"] + 12 <= note.start < starts["last"] - 3
    ]
    assert quiet == []


def test_the_sound_is_at_the_bars_of_the_track_and_the_stems_add_up(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("song.yaml", "--audio", "out.wav", "--stems")
    assert code == 0
    files = [line.removeprefix("wrote ") for line in out.splitlines()]
    assert files[0] == "out.wav"
    assert {"out.drums.wav", "out.bass.wav"} <= set(files[1:])
    whole, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate == RATE
    assert whole.shape == ((15 * 3 * BEAT) + 4 * RATE, 2)
    stems = sum(soundfile.read(tmp_path / name, dtype="float32")[0] for name in files[1:])
    level = np.sqrt(np.square(whole).mean())
    assert np.sqrt(np.square(stems - whole).mean()) < 0.35 * level
    assert np.abs(whole).max() < 1

    def rms(first_bar: float, last_bar: float) -> float:
        part = whole[int(first_bar * 3 * BEAT) : int(last_bar * 3 * BEAT)]
        return float(np.sqrt(np.square(part).mean()))

    # The second section is noise, and so is the bridge into the third.
    assert rms(7, 10) < 0.01 * rms(0, 4)
    assert rms(11, 15) > 0.3 * rms(0, 4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--stems",), "--stems needs --audio"),
        (("--midi", "out.flac"), "a MIDI file ends in .mid"),
        (("--audio", "out.mid"), "unknown audio format '.mid'"),
    ],
)
def test_what_cannot_be_written_is_said(run: Run, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = run("song.yaml", *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_a_song_without_scores(run: Run, tmp_path: Path) -> None:
    (tmp_path / "song.yaml").write_text("model: ./model\nsections: [{prompt: jazz, init: none, bars: 4}]\n")
    code, _, err = run("song.yaml")
    assert code == 2
    assert "no section starts from a score; write init: score" in err
