"""`riffcompose check`: exit codes, formats, and nothing written or loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from riffcomposer.checkpoints.profile import LocatedModel, ModelProfile
from riffcomposer.cli.main import main
from riffcomposer.errors import ModelError
from riffcomposer.loops.catalogue import Catalogue, Loop
from riffcomposer.render.session import Session

GOOD = "title: Good\nsections:\n  - {prompt: jazz, bars: 8, init: keys}\n"
BAD = "title: Bad\nsections:\n  - {prompt: jazz, bars: 8, init: keyz}\n  - {prompt: a, bars: -1}\n"
ODD = "title: Odd\nsections:\n  - {prompt: jazz, bars: 8, init: keys, strength: 0.9}\n"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the command with a model and a catalogue of the test's own; gives code, stdout, stderr."""
    clip = Loop("keys", "lofi", "", Fraction(375, 4), 2, "4/4", "", (), tmp_path / "keys.png", "0" * 64)
    model = LocatedModel("default", tmp_path, ModelProfile("test model"), "d" * 64)
    monkeypatch.setattr("riffcomposer.render.prepare.catalogue", lambda: Catalogue({"keys": clip}, {}))
    monkeypatch.setattr("riffcomposer.render.prepare.locate_model", lambda *_, **__: model)
    monkeypatch.setattr("riffcomposer.render.prepare.verify_model", lambda *_, **__: None)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(list(arguments))
        captured = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return stop.value.code, captured.out, captured.err

    return run


def _write(**songs: str) -> None:
    for name, text in songs.items():
        Path(f"{name}.yaml").write_text(text, encoding="utf-8")


def test_a_good_song(run: Run) -> None:
    _write(good=GOOD)
    assert run("check", "good.yaml") == (0, "1 song: no errors or warnings\n", "")


def test_a_bad_song(run: Run) -> None:
    _write(bad=BAD)
    code, out, _ = run("check", "bad.yaml")
    assert code == 1
    assert out == (
        "bad.yaml:4:23: error: bars must be above 0 (got -1)\n"
        "    4 |   - {prompt: a, bars: -1}\n"
        "      |                       ^^\n"
        "1 song: 1 error, 0 warnings\n"
    )


def test_names_and_files_are_checked(run: Run) -> None:
    _write(bad=BAD.replace("-1", "1"))
    code, out, _ = run("check", "bad.yaml")
    assert code == 1
    assert "bad.yaml:3:35: error: the catalogue has no loop 'keyz'; did you mean 'keys'?" in out


def test_several_songs(run: Run) -> None:
    _write(good=GOOD, bad=BAD, odd=ODD)
    code, out, _ = run("check", "odd.yaml", "bad.yaml", "good.yaml")
    assert code == 1
    assert out.index("odd.yaml:3") < out.index("bad.yaml:4")
    assert out.endswith("3 songs: 1 error, 1 warning\n")


def test_strict(run: Run) -> None:
    _write(odd=ODD)
    assert run("check", "odd.yaml")[0] == 0
    assert run("check", "--strict", "odd.yaml")[0] == 1


@pytest.mark.parametrize("option", [["--format", "json"], ["--json"]])
def test_json(run: Run, option: list[str]) -> None:
    _write(good=GOOD, odd=ODD)
    code, out, _ = run("check", *option, "good.yaml", "odd.yaml")
    report = json.loads(out)
    assert code == 0
    assert (report["ok"], report["errors"], report["warnings"]) == (True, 0, 1)
    assert [song["file"] for song in report["songs"]] == ["good.yaml", "odd.yaml"]
    (fault,) = report["songs"][1]["diagnostics"]
    assert (fault["line"], fault["column"], fault["code"]) == (3, 51, "off-beat")


def test_github(run: Run) -> None:
    _write(bad=BAD)
    code, out, _ = run("check", "--format", "github", "bad.yaml")
    assert code == 1
    assert out == (
        "::error file=bad.yaml,line=4,endLine=4,col=23,endColumn=25,title=out-of-range::"
        "bars must be above 0 (got -1)\n"
    )


def test_a_missing_song(run: Run) -> None:
    assert run("check", "none.yaml") == (
        1, "none.yaml: error: there is no such file\n1 song: 1 error, 0 warnings\n", "",
    )  # fmt: skip


def test_terminal_codes_in_a_song(run: Run) -> None:
    _write(evil='title: "a\\e[31mb"\n"\\e]0;x\\a": 1\nsections: [{prompt: "[red]a", bars: 0}]\n')
    code, out, err = run("check", "evil.yaml")
    assert code == 1
    assert "\x1b" not in out + err
    assert "[red]a" in out


def test_lints_of_the_plan(run: Run) -> None:
    _write(same="sections:\n  - {init: keys, bars: 8, strength: 0}\n")
    code, out, _ = run("check", "same.yaml")
    assert code == 0
    assert "same.yaml:2:24: warning: " in out


def test_a_model_that_is_not_here(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def locate_model(reference: str, folder: Path) -> LocatedModel:
        raise ModelError(f"model {reference} is not on this disk")

    monkeypatch.setattr("riffcomposer.render.prepare.locate_model", locate_model)
    _write(good=GOOD, own="model: ./mine\n" + GOOD)
    code, out, _ = run("check", "good.yaml")
    assert code == 0
    assert "warning: model default is not on this disk; checks that depend on it are left out" in out
    code, out, _ = run("check", "own.yaml")
    assert code == 1
    assert "own.yaml:1:8: error: model ./mine is not on this disk" in out


def test_usage(run: Run) -> None:
    assert run("check")[0] == 2
    assert run("check", "--format", "xml", "a.yaml")[0] == 2


def test_nothing_is_written_and_no_torch_loaded(tmp_path: Path) -> None:
    song = tmp_path / "song.yaml"
    song.write_text(GOOD.replace(", init: keys", ""), encoding="utf-8")
    before = song.stat().st_mtime_ns
    program = (
        "import sys\n"
        "from riffcomposer.loops import catalogue as seeds\n"
        "seeds.catalogue = lambda: seeds.Catalogue({}, {})\n"
        "from riffcomposer.cli.main import main\n"
        "try:\n"
        "    main(['check', 'song.yaml'])\n"
        "except SystemExit as stop:\n"
        "    heavy = {'torch', 'diffusers', 'transformers', 'pedalboard', 'matplotlib', 'scipy'} & "
        "set(sys.modules)\n"
        "    print(stop.code, sorted(heavy))\n"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(tmp_path), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.endswith("0 []\n"), done.stdout + done.stderr
    assert list(tmp_path.rglob("*")) == [song]
    assert song.stat().st_mtime_ns == before


def test_the_shipped_songs() -> None:
    """The songs in the repository have no faults and no lints, with the shipped seeds and model."""
    songs = sorted((Path(__file__).parents[2] / "songs").glob("*.yaml"))
    assert len(songs) >= 3
    for song in songs:
        assert Session().check(song) == []
