"""Terminals and pipes that are not UTF-8: every command prints its output, with escapes."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_song import FakeEngine, Studio, make_studio

from riffcomposer.cli.console import json_text, prepare_streams
from riffcomposer.cli.main import main
from riffcomposer.cli.progress import progress
from riffcomposer.render.events import RenderEvent

ENCODINGS = ["ascii", "cp1252", "shift_jis", "utf-8"]
FAULTY = "title: 夜のバス 🎵\nsections:\n  - {name: вступ, prompt: café, bars: 2, седьмой: 1}\n"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A song with names of all scripts, rendered; its folder is not to be changed."""
    studio = make_studio(tmp_path_factory.mktemp("夜"))
    studio.edit("title: Small Song", "title: 夜のバス 🎵")
    studio.edit("name: first", "name: вступ")
    studio.edit("prompt: steady drums", "prompt: ł café, bells")
    studio.render(FakeEngine())
    return studio


@pytest.fixture
def studio(rendered: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A copy of it."""
    monkeypatch.setenv("RIFFCOMPOSER_DEVICE", "cpu")
    shutil.copytree(rendered.folder, tmp_path / "夜")
    monkeypatch.setenv("RIFFCOMPOSER_STORE", str(tmp_path / "夜" / "store"))
    return Studio(tmp_path / "夜")


class Streams:
    """Stdout and stderr of an encoding, strict, as a process gets them from a pipe."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
        self.encoding = encoding
        self.bytes = {name: io.BytesIO() for name in ("stdout", "stderr")}
        self.texts = {name: io.TextIOWrapper(raw, encoding=encoding) for name, raw in self.bytes.items()}
        for name, stream in self.texts.items():
            monkeypatch.setattr(sys, name, stream)

    def read(self, name: str) -> str:
        """What was written; the bytes are right in the encoding."""
        self.texts[name].flush()
        return self.bytes[name].getvalue().decode(self.encoding)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def shown(text: str, encoding: str) -> str:
    """How a text is printed."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


COMMANDS: dict[str, tuple[tuple[str, ...], int]] = {
    "check": (("check", "song.yaml", "faulty.yaml"), 1),
    "check --json": (("check", "--json", "song.yaml", "faulty.yaml"), 1),
    "check --format github": (("check", "--format", "github", "faulty.yaml"), 1),
    "plan": (("plan", "song.yaml"), 0),
    "plan --json": (("plan", "--json", "song.yaml"), 0),
    "plan of a faulty song": (("plan", "faulty.yaml"), 1),
    "render": (("render", "--out", "out", "song.yaml"), 0),
    "render --json": (("render", "--out", "out", "--json", "song.yaml"), 0),
    "render of no song": (("render", "朝.yaml"), 1),
    "inspect": (("inspect", "out/song.flac"), 0),
    "inspect --json": (("inspect", "--json", "out/song.flac"), 0),
    "cache info": (("cache", "info"), 0),
    "loops": (("loops",), 0),
    "models info": (("models", "info", "./夜"), 5),
    "a wrong option": (("check", "--夜"), 2),
    "a wrong command": (("夜",), 2),
    "help": (("--help",), 0),
    "help of render": (("render", "--help"), 0),
    "diff": (("diff", "HEAD", "song.yaml"), 0),
    "diff --json": (("diff", "--json", "HEAD", "song.yaml"), 0),
    "diff of a revision that is not there": (("diff", "夜", "song.yaml"), 2),
    "clip": (("clip", "to-image", "夜.wav"), 3),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command(name: str, encoding: str, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, code = COMMANDS[name]
    (studio.folder / "faulty.yaml").write_text(FAULTY, encoding="utf-8")
    monkeypatch.chdir(studio.folder)
    if "diff" in arguments:
        identity = ["-c", "user.name=夜", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
        for command in (["init", "-q"], ["add", "song.yaml"], ["commit", "-q", "-m", "夜"]):
            subprocess.run(["git", *identity, *command], check=True, capture_output=True)
        studio.edit("ł café", "ł thé")
    streams = Streams(monkeypatch, encoding)
    found = run(*arguments)
    out, error = streams.read("stdout"), streams.read("stderr")
    assert found == code or (name == "clip" and found), error
    assert "Traceback" not in error
    assert out + error
    if "--json" in arguments:
        assert any(word in json.dumps(json.loads(out), ensure_ascii=False) for word in ("夜", "ł", "седьмой"))
    elif code == 1 and "faulty.yaml" in arguments:
        assert shown("седьмой", encoding) in out + error


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_progress(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    event = RenderEvent("write", 1, 1, "files", 1.0, None, None, "夜🎵.flac")
    streams = Streams(monkeypatch, encoding)
    prepare_streams()
    for style in ("json", "plain", "live"):
        with progress(style) as observer:
            observer(event)
    first, *others = streams.read("stderr").splitlines()
    assert json.loads(first)["detail"] == "夜🎵.flac"
    assert shown("夜🎵.flac", encoding) in "".join(others)


def test_json_stays_json_where_a_character_has_no_escape_of_four_digits() -> None:
    for encoding in ENCODINGS:
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        text = json_text({"title": "🎵", "file": "caf\udce9"}, stream)
        assert json.loads(text) == {"title": "🎵", "file": "caf\udce9"}
        text.encode(encoding)


def test_what_the_user_asked_for_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHONIOENCODING=ascii:replace."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    monkeypatch.setattr(sys, "stdout", stream)
    prepare_streams()
    assert stream.errors == "replace"


def test_closed_streams(monkeypatch: pytest.MonkeyPatch, studio: Studio) -> None:
    """`>&-`, or a Windows program without a console: Python then has None."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert run("check", studio.song) == 0
    assert run("check", studio.folder / "nosuch.yaml") == 1
    for stream in (sys.stdout, sys.stderr):
        stream.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX pipes")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check", "song.yaml", "nosuch.yaml"], 1),
        (["check", "song.yaml"], 0),
        (["plan", "song.yaml"], 0),
        (["plan", "--json", "song.yaml"], 0),
        (["loops", "list"], 0),
        (["cache", "info"], 0),
    ],
)
def test_a_reader_that_has_gone_changes_no_exit_code(arguments: list[str], code: int, studio: Studio) -> None:
    """`riffcompose check song.yaml | true`, in a shell with pipefail."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as pipe:
        for unbuffered in ("", "1"):
            done = subprocess.run(
                [sys.executable, "-m", "riffcomposer", *arguments],
                check=False,
                stdout=pipe,
                stderr=subprocess.PIPE,
                text=True,
                cwd=studio.folder,
                env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            )
            assert done.returncode == code
            assert "Traceback" not in done.stderr
            assert "BrokenPipe" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the current folder of a process")
def test_a_current_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = (
        "import os, sys; os.rmdir(os.getcwd()); from riffcomposer.cli.main import main; main(['check', 'a'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, cwd=gone
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the current folder cannot be used")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk that is always full")
@pytest.mark.parametrize(
    "arguments", [["check", "song.yaml"], ["plan", "--json", "song.yaml"], ["--version"]]
)
def test_a_full_disk_behind_stdout(arguments: list[str], studio: Studio) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "riffcomposer", *arguments],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=studio.folder,
        )
    assert done.returncode == 4
    assert done.stderr.startswith("error: the output cannot be written")
    assert done.stderr.count("\n") == 1


NO_UTF8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("variables", [{"LC_ALL": "C"}, NO_UTF8], ids=["C", "old C"])
def test_a_process_in_the_C_locale(variables: dict[str, str], studio: Studio) -> None:
    """Cron, and containers; old ones have no UTF-8 at all, and file names are bytes."""
    (studio.folder / "夜.yaml").write_text(FAULTY, encoding="utf-8")
    ours = ("LANG", "PYTHONIOENCODING")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        [sys.executable, "-m", "riffcomposer", "check", "夜.yaml"],
        check=False,
        capture_output=True,
        cwd=studio.folder,
        env=environment | variables,
    )
    assert done.returncode == 1, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"unknown key" in done.stdout
