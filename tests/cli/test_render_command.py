"""`riffcompose render` as a user runs it: the shipped model, whole processes, signals, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from riffcomposer.cli.main import main

SONG = """\
title: Two Clips
defaults: {init: lofi-keys, strength: 0.5}
sections:
  - name: only
    prompt: lo-fi hip hop with electric piano
    clips: CLIPS
output: {formats: [wav], decoder: fast}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("render")
    (folder / "two.yaml").write_text(SONG.replace("CLIPS", "2"))
    (folder / "many.yaml").write_text(SONG.replace("CLIPS", "40"))
    (folder / "wrong.yaml").write_text(SONG.replace("CLIPS", "2").replace("strength: 0.5", "strength: 1.5"))
    return folder


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "riffcomposer", "render", *arguments, "--out", str(folder / "out")]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, *arguments),
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "RIFFCOMPOSER_STORE": str(folder / "store"), "RIFFCOMPOSER_DEVICE": "cpu"}


def run_here(
    folder: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Runs the command in this process, for answers that need no render: exit code, stdout, stderr."""
    monkeypatch.setenv("RIFFCOMPOSER_STORE", str(folder / "store"))
    monkeypatch.setenv("RIFFCOMPOSER_DEVICE", "cpu")
    with pytest.raises(SystemExit) as stop:
        main(["render", *arguments, "--out", str(folder / "out")])
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


@pytest.fixture(scope="module")
def first(folder: Path) -> subprocess.CompletedProcess[str]:
    return run(folder, str(folder / "two.yaml"), "--json", "--progress", "json")


def test_the_shipped_model_renders_a_song(folder: Path, first: subprocess.CompletedProcess[str]) -> None:
    assert first.returncode == 0, first.stderr
    result = json.loads(first.stdout)
    assert result["clips_rendered"] == 2
    assert result["mastered"]
    assert abs(result["seconds"] - 10.24) < 1e-6
    assert abs(result["report"]["outputs"][0]["integrated_lufs"] + 14) < 0.3
    assert (folder / "out" / "two.wav").stat().st_size > 10.24 * 44100 * 6
    assert (folder / "two.lock").exists()


def test_progress_is_a_json_object_a_line(first: subprocess.CompletedProcess[str]) -> None:
    events = [json.loads(line) for line in first.stderr.splitlines()]
    assert {"load", "clips", "decode", "mix", "master", "write"} == {event["stage"] for event in events}
    clips = [event["done"] for event in events if event["stage"] == "clips"]
    assert clips == sorted(clips)
    assert clips[-1] == 2


def test_the_tempo_of_the_track_is_the_songs(first: subprocess.CompletedProcess[str]) -> None:
    tempo = json.loads(first.stdout)["report"]["tempo"]
    assert tempo["measured_bpm"] is None or abs(tempo["deviation_percent"]) < 1


def test_again_says_that_nothing_was_to_do(folder: Path, first: subprocess.CompletedProcess[str]) -> None:
    again = run(folder, str(folder / "two.yaml"))
    assert again.returncode == 0, again.stderr
    assert "up to date" in again.stdout
    assert "LUFS" in again.stdout


def test_a_faulty_song_is_answered_with_its_line(folder: Path) -> None:
    wrong = run(folder, str(folder / "wrong.yaml"))
    assert wrong.returncode == 1
    assert "wrong.yaml:2:" in wrong.stderr
    assert "strength must be at most 1 (got 1.5)" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_one_faulty_song_does_not_stop_the_others(
    folder: Path,
    first: subprocess.CompletedProcess[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    both = [str(folder / "wrong.yaml"), str(folder / "two.yaml")]
    code, out, _ = run_here(folder, both, monkeypatch, capsys)
    assert code == 1
    assert "up to date" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.yaml"], 1, "there is no such file"),
        (["--formats", "aiff", "x.yaml"], 2, "wav, flac, mp3, ogg"),
        (["--progress", "loud", "x.yaml"], 2, "auto, live, plain, json, none"),
        (["--onyl", "a", "x.yaml"], 2, "--only"),
        ([], 2, "SONG"),
    ],
)
def test_wrong_calls_say_what_is_wrong(
    folder: Path,
    arguments: list[str],
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found, _, said = run_here(folder, arguments, monkeypatch, capsys)
    assert found == code
    assert message in said
    assert "Traceback" not in said


def test_a_budget_is_refused_with_its_flag(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limited = [str(folder / "two.yaml"), "--jobs-limit", "1"]
    code, _, said = run_here(folder, limited, monkeypatch, capsys)
    assert code == 1
    assert "--jobs-limit" in said


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_signal_stops_soon_and_keeps_what_is_finished(folder: Path) -> None:
    """SIGTERM; that the other signals raise the same flag is tested in tests/render/test_stopping.py."""
    with subprocess.Popen(
        command(folder, str(folder / "many.yaml"), "--progress", "json"),
        env=environment(folder),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if not line.startswith("{"):  # a warning about the song
                continue
            event = json.loads(line)
            if event["stage"] == "clips" and event["done"] > 0:
                break
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        rest = process.stderr.read()
        assert process.wait(120) == 143
        assert time.monotonic() - began < 60, "it did not stop between steps"
    assert "Traceback" not in rest
    assert "stopped" in rest
    assert not (folder / "out" / "many.wav").exists()
