"""`riffcompose plan` as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from planned_songs import CATALOGUE, section, song, write_song

from riffcomposer.cli.main import main
from riffcomposer.lock.lock_file import lock_path, write_lock
from riffcomposer.loops import catalogue as seeds
from riffcomposer.render.prepare import prepare_song
from riffcomposer.store.store import Store


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("RIFFCOMPOSER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("RIFFCOMPOSER_DEVICE", "cpu")
    monkeypatch.setattr(seeds, "read_catalogue", lambda: CATALOGUE)
    seeds.catalogue.cache_clear()
    yield
    seeds.catalogue.cache_clear()


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def plan_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert run("plan", *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_table_says_what_where_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bridge = {"type": "bridge", "clips": 1}
    path = write_song(tmp_path, song(section("a", bars=4, seed=7), section("b", bars=3, transition=bridge)))
    assert run("plan", path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "section",
        "bars",
        "clip",
        "prompt",
        "or",
        "walk",
        "strength",
        "steps",
        "state",
    ]
    assert lines[1].split() == ["a", "1-4", '"prompt', "of", 'a"']
    assert lines[2].split() == ["1-2", "1", "seed", "7", "0.5", "10", "of", "20", "new"]
    assert lines[3].split()[:6] == ["3-4", "2", "seed", "7", "->", "8,"]
    assert lines[5].split()[:3] == ["5-6", "1", "bridge"]
    assert lines[7].split()[:2] == ["9", "3"]
    # 9 bars at 93.75 BPM are 23.04 s.
    assert lines[-3].startswith("Test: 0:23.0 (1,016,064 samples, 9 bars of 4/4 at 93.75 BPM)")
    assert lines[-2] == "5 clips of 2 bars, 5 different: 0 cached, 5 new, 0 changed"


def test_what_moves_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = [{"lowpass": {"cutoff_frequency_hz": {"0": 400, "4": 9000}}}]
    layers = [{"name": "drums", "gain_db": {"0": -20, "4": 0}}, {"name": "keys", "chain": sweep}]
    path = write_song(
        tmp_path,
        song(
            section("a", bars=4, strength={"0": 0.3, "4": 0.6}, chain=sweep),
            section("b", bars=4, init="score", score={"energy": {"0": 0.2, "4": 0.7}}, layers=layers),
            master={"chain": [{"gain": {"gain_db": {"0": -6, "8": 0}}}]},
        ),
    )
    assert run("plan", path) == 0
    out = capsys.readouterr().out
    assert "moves  strength {0: 0.3, 4: 0.6}, lowpass cutoff_frequency_hz {0: 400, 4: 9000}" in out
    assert "moves  energy {0: 0.2, 4: 0.7}" in out
    assert out.count("moves  ") >= 3
    assert "({0: -20, 4: 0} dB)" in out
    assert "master moves: gain gain_db {0: -6, 8: 0}" in out


def test_lengths_in_json_add_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_song(tmp_path, song(section("a"), section("b", duration="31s"), tempo=97.3))
    found = plan_json(capsys, path)
    clips = [clip for part in found["sections"] for clip in part["clips"] if clip["kind"] != "tail"]
    assert sum(clip["slot_samples"] for clip in clips) == found["totals"]["samples"]
    assert found["totals"]["seconds"] == found["totals"]["samples"] / 44_100
    assert set(found["jobs"]) == {clip["key"] for part in found["sections"] for clip in part["clips"]}


def test_cached_new_and_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_song(tmp_path, song(section("a", clips=2), section("b", clips=2)))
    store = Store(tmp_path / "store")
    prepared = prepare_song(path, store)
    for key in prepared.plan.jobs:
        store.put("clip", key, b"level")
    write_lock(lock_path(path), prepared.plan)
    assert run("plan", path, "--exit-code") == 0
    assert "4 cached, 0 new, 0 changed" in capsys.readouterr().out

    write_song(tmp_path, song(section("a", clips=2, strength=0.6, init="bells"), section("b", clips=3)))
    assert run("plan", path, "--exit-code") == 10
    out = capsys.readouterr().out
    assert "2 cached, 1 new, 2 changed" in out
    assert "changed (strength: 0.5 -> 0.6; init: lofi-keys (aaaaaaaa) -> bells (bbbbbbbb))" in out
    changed = plan_json(capsys, path)["sections"][0]["clips"][0]
    assert changed["changes"][0] == {"field": "strength", "old": "0.5", "new": "0.6"}


@pytest.mark.parametrize(
    ("flag", "value", "fields"),
    [
        ("--jobs-limit", 3, {"clips": 4}),
        ("--minutes-limit", 0.1, {"clips": 4}),
        ("--disk-limit", 0.001, {"clips": 4}),
        ("--memory-limit", 0.001, {"clips": 4}),
    ],
)
def test_a_plan_over_budget_exits_1_and_names_the_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, value: float, fields: dict[str, Any]
) -> None:
    path = write_song(tmp_path, song(section("a", **fields)))
    assert run("plan", path, flag, value) == 1
    error = capsys.readouterr().err
    assert flag in error
    assert f"{path}:" in error
    assert run("plan", path, flag, 100) == 0


def test_faults_have_their_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_song(tmp_path, song(section("a"), tempo=21))
    assert run("plan", path) == 1
    assert f"{path}:4:11: error: a bar of 4/4 at 21 BPM" in capsys.readouterr().err
    assert run("plan", tmp_path / "missing.yaml") == 1
    path = write_song(tmp_path, song(section("a"), model="./nowhere"))
    assert run("plan", path) == 5


def test_a_damaged_lock_is_told_and_ignored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_song(tmp_path, song(section("a")))
    lock_path(path).write_text("<<<<<<< ours\n")
    assert run("plan", path) == 0
    captured = capsys.readouterr()
    assert "not a lock that can be read" in captured.err
    assert "0 cached, 4 new, 0 changed" in captured.out


def test_song_text_cannot_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\u009b31m[red]x\u202e"
    path = write_song(tmp_path, song(section(evil), title=evil))
    assert run("plan", path) in (0, 1)
    captured = capsys.readouterr()
    assert "\u009b" not in captured.out + captured.err
    assert "\u202e" not in captured.out + captured.err
    if captured.out:
        assert "[red]" in captured.out


def test_draft_plans_fewer_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_song(tmp_path, song(section("a")))
    steps = {job["num_inference_steps"] for job in plan_json(capsys, path, "--draft")["jobs"].values()}
    assert steps == {10}


def test_plan_writes_nothing_and_imports_no_torch(tmp_path: Path) -> None:
    path = write_song(
        tmp_path, song(section("a", init="clips/x.png"), section("b", init="clips/x.wav", seed=9))
    )
    (tmp_path / "clips").mkdir()
    Image.new("L", (512, 512), 200).save(tmp_path / "clips" / "x.png")
    soundfile.write(tmp_path / "clips" / "x.wav", np.sin(np.arange(300_000) / 20), 44_100)
    before = files_in(tmp_path)
    script = (
        "import sys\nfrom unittest import mock\nfrom planned_songs import CATALOGUE\n"
        "from riffcomposer.loops import catalogue as seeds\nseeds.read_catalogue = lambda: CATALOGUE\n"
        "from riffcomposer.cli.main import main\n"
        f"try:\n    main(['plan', {str(path)!r}])\n"
        "except SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "heavy = {'torch', 'torchaudio', 'diffusers', 'transformers', 'pedalboard', 'matplotlib', 'scipy'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    tests = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={
            "PYTHONPATH": f"{tests}:{tests.parent}",
            "RIFFCOMPOSER_STORE": str(tmp_path / "store"),
            "PATH": "",
        },
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert files_in(tmp_path) == before
