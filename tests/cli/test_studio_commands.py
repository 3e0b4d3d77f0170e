"""`riffcompose studio`, `takes`, `pick` and `diff --html` on the command line."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from small_song import FakeEngines, Studio, make_studio

from riffcomposer.cli.main import main


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """The small song, rendered by the fake engine whoever asks."""
    monkeypatch.setattr("riffcomposer.render.engines.in_process.InProcessEngines", FakeEngines)
    monkeypatch.setattr("riffcomposer.studio.engines.InProcessEngines", FakeEngines)
    monkeypatch.setenv("RIFFCOMPOSER_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    return make_studio(tmp_path)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    return int(stop.value.code or 0)


def test_takes_are_listed_and_one_is_picked(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    before = studio.song.read_text()
    assert run("takes", "song.yaml", "second", "-n", "2", "--device", "cpu") == 0
    shown = capsys.readouterr().out
    assert "seed 1009" in shown
    assert "take-2/song.second.flac" in shown.replace(os.sep, "/")
    assert run("pick", "song.yaml", "second", "2") == 0
    assert "+    seed: 1009" in capsys.readouterr().out
    assert studio.song.read_text() == before.replace("seed: 9\n", "seed: 1009\n")
    assert run("pick", "song.yaml", "second", "2") == 0
    assert "what the song says already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("takes", "song.yaml", "secnd"), "did you mean"),
        (("takes", "song.yaml", "second", "--vary", "mood"), "seed, strength, loop"),
        (("pick", "song.yaml", "second", "2"), "riffcompose takes song.yaml second"),
        (("studio", "song.yaml", "--host", "0.0.0.0"), "--token"),
        (("studio", "song.yaml", "--port", "99999999"), "a port is 0 to 65535"),
        (("studio", "song.yaml", "--port", "-1"), "a port is 0 to 65535"),
        (("studio", "none.yaml"), "no such song or folder"),
    ],
)
def test_what_is_wrong_is_said(
    studio: Studio, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments[0] == "studio" and importlib.util.find_spec("nicegui") is None:
        pytest.skip("the extra `studio` is not installed")
    assert run(*arguments) == 2
    assert words in capsys.readouterr().err


def test_without_the_extra_the_message_says_what_to_install(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "nicegui" else find(name))
    assert run("studio", "song.yaml") == 2
    assert "pip install 'riffcomposer[studio]'" in capsys.readouterr().err


def test_diff_writes_a_page_with_both_versions(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *who, *words], check=True, capture_output=True)

    git("init", "-q")
    git("add", "song.yaml", "model")
    git("commit", "-qm", "first")
    studio.edit("gain_db: -3", "gain_db: -9")
    assert run("diff", "HEAD", "song.yaml", "--html", "page.html") == 0
    assert "wrote page.html" in capsys.readouterr().out
    text = (studio.folder / "page.html").read_text()
    sounds = re.findall(r'<audio[^>]* src="([^"]+)"', text)
    assert sounds == ["page-tracks/old/song.mp3", "page-tracks/new/song.mp3"]
    contents = [(studio.folder / sound).read_bytes() for sound in sounds]
    assert contents[0] != contents[1]
    assert "gain_db: -3 -&gt; -9" in text
    assert not (studio.folder / "song.lock").exists()


def test_the_command_serves_prints_its_link_and_ends(tmp_path: Path, repository: Path) -> None:
    if importlib.util.find_spec("nicegui") is None:
        pytest.skip("the extra `studio` is not installed")
    make_studio(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "PYTHONPATH": str(repository),
        "RIFFCOMPOSER_STORE": str(tmp_path / "store"),
        "PYTHONUNBUFFERED": "1",
    }
    command = [
        sys.executable,
        "-m",
        "riffcomposer",
        "studio",
        "song.yaml",
        "--no-browser",
        "--port",
        str(port),
    ]
    process: Any = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        link = process.stdout.readline().split(": ", 1)[1].strip()
        assert re.fullmatch(rf"http://127\.0\.0\.1:{port}/\?token=[\w-]{{20,}}", link)
        end = time.monotonic() + 60
        while True:
            try:
                opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
                assert b"riffcomposer" in opener.open(link).read()
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.1)
    finally:
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert link.rpartition("=")[2] not in said, "the token is in the log"
    assert "Traceback" not in said
