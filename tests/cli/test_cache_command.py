"""`riffcompose cache` as a user meets it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from planned_songs import planned, section, song

from riffcomposer.cli.main import main
from riffcomposer.lock.lock_file import write_lock
from riffcomposer.plan.types import Plan
from riffcomposer.store.store import Store

PASSAGE = hashlib.sha256(b"passage").hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("RIFFCOMPOSER_STORE", str(tmp_path / "store"))
    return Store(tmp_path / "store")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any]:
    with pytest.raises(SystemExit) as stop:
        main(["cache", *map(str, arguments), "--json"])
    out = capsys.readouterr().out
    return int(stop.value.code or 0), json.loads(out) if out else None


def fill(store: Store) -> Plan:
    plan = planned(song(section("a", clips=3)))
    for key in plan.jobs:
        store.put("clip", key, bytes(1000))
    store.put("passage", PASSAGE, bytes(500))
    store.put("clip", OTHER, bytes(1000))
    return plan


def test_info(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    fill(store)
    code, found = run(capsys, "info")
    assert code == 0
    assert found["path"] == str(store.root)
    assert found["entries"] == {
        "clip": {"count": 4, "bytes": 4 * 1048},
        "passage": {"count": 1, "bytes": 548},
    }
    with pytest.raises(SystemExit):
        main(["cache", "info"])
    assert "clip: 4" in capsys.readouterr().out


def test_verify_exits_4_where_something_was_bad(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    fill(store)
    assert run(capsys, "verify") == (0, {"checked": 5, "checked_bytes": 4 * 1048 + 548, "bad": []})
    place = next((store.root / "clip").rglob("*.npy"))
    place.write_bytes(b"")
    code, found = run(capsys, "verify")
    assert code == 4
    assert [entry["path"] for entry in found["bad"]] == [str(place)]
    assert run(capsys, "verify")[0] == 0


@pytest.mark.parametrize("way", ["remembered", "song", "lock", "folder", "half merged"])
def test_gc_keeps_what_a_lock_names(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    plan = fill(store)
    lock = tmp_path / "songs" / "x.lock"
    write_lock(lock, plan, [PASSAGE])
    (tmp_path / "songs" / "x.yaml").touch()
    if way == "half merged":
        lock.write_text("<<<<<<< ours\n" + lock.read_text())
    if way == "remembered":
        store.notes.remember_lock(lock)
    paths = {"song": lock.with_suffix(".yaml"), "folder": lock.parent, "remembered": None}.get(way, lock)
    code, found = run(capsys, "gc", "--max-size", 0, "--trash-days", 0, *([paths] if paths else []))
    assert code == 0
    assert found["trashed"]["count"] == 1
    assert found["kept_bytes"] == found["named_bytes"] == 3 * 1048 + 548
    assert store.get("clip", OTHER) is None
    assert store.get("passage", PASSAGE) is not None
    assert all(store.get("clip", key) is not None for key in plan.jobs)


def test_gc_under_the_cap_or_dry_changes_nothing(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    fill(store)
    assert run(capsys, "gc")[1]["trashed"]["count"] == 0
    assert run(capsys, "gc", "--max-size", 0, "--dry-run")[1]["trashed"]["count"] == 5
    assert store.info().entries["clip"][0] == 4


def test_gc_refuses_a_path_that_names_no_lock(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(store)
    assert run(capsys, "gc", tmp_path / "missing.yaml")[0] == 4
