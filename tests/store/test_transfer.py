"""Copying entries to another place and back: verified, never twice, and nothing that is damaged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from small_song import FakeEngine, make_studio

from riffcomposer.cli.main import main
from riffcomposer.errors import StoreError, UsageError
from riffcomposer.store.store import Store
from riffcomposer.store.store_entries import entry_name, parse_entry_name
from riffcomposer.store.transfer import fsspec_remote, pull, push

KEYS = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(3)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    for number, key in enumerate(KEYS):
        made.put("clip", key, f"clip {number}".encode())
    made.put("passage", KEYS[0], b"sound")
    made.put("track", KEYS[0], b"names of files on this machine")
    return made


@pytest.fixture
def place(tmp_path: Path) -> str:
    return f"file://{tmp_path / 'shared'}"


def test_there_and_back(store: Store, place: str, tmp_path: Path) -> None:
    assert push(store, fsspec_remote(place)).copied == 4
    assert push(store, fsspec_remote(place)).present == 4
    other = Store(tmp_path / "other")
    done = pull(other, fsspec_remote(place))
    assert (done.copied, done.present, done.bad) == (4, 0, ())
    assert other.get("clip", KEYS[1]) == b"clip 1"
    assert other.get("passage", KEYS[0]) == b"sound"
    assert not other.has("track", KEYS[0])
    assert pull(other, fsspec_remote(place)).present == 4


def test_only_what_is_wanted(store: Store, place: str, tmp_path: Path) -> None:
    wanted = {"clip": {KEYS[1]}, "passage": {KEYS[1]}}
    assert push(store, fsspec_remote(place), wanted).copied == 1
    other = Store(tmp_path / "other")
    assert pull(other, fsspec_remote(place), {"clip": set(KEYS)}).copied == 1
    assert [entry.key for entry in other.entries()] == [KEYS[1]]


@pytest.mark.parametrize("damage", ["changed", "half", "empty", "renamed"])
def test_what_is_damaged_there_is_not_stored(store: Store, place: str, tmp_path: Path, damage: str) -> None:
    push(store, fsspec_remote(place))
    path = tmp_path / "shared" / entry_name("clip", KEYS[1])
    content = path.read_bytes()
    other = tmp_path / "shared" / entry_name("clip", KEYS[2])
    path.write_bytes(
        {
            "changed": b"x" + content[1:],
            "half": content[: len(content) // 2],
            "empty": b"",
            "renamed": other.read_bytes(),
        }[damage]
    )
    target = Store(tmp_path / "other")
    done = pull(target, fsspec_remote(place))
    assert done.copied == 3
    assert [name for name, _ in done.bad] == [entry_name("clip", KEYS[1])]
    assert not target.has("clip", KEYS[1])
    assert not list((tmp_path / "other").rglob(".tmp-*"))


def test_a_half_upload_is_replaced(store: Store, place: str, tmp_path: Path) -> None:
    push(store, fsspec_remote(place))
    path = tmp_path / "shared" / entry_name("clip", KEYS[1])
    content = path.read_bytes()
    path.write_bytes(content[:9])
    assert push(store, fsspec_remote(place)).copied == 1
    assert path.read_bytes() == content


def test_a_damaged_entry_does_not_leave(store: Store, place: str, tmp_path: Path) -> None:
    path = tmp_path / "store" / entry_name("clip", KEYS[1])
    path.write_bytes(b"x" + path.read_bytes()[1:])
    fresh = Store(tmp_path / "store", warn=lambda sentence: None)
    assert push(fresh, fsspec_remote(place)).copied == 3
    assert not (tmp_path / "shared" / entry_name("clip", KEYS[1])).exists()


def test_foreign_files_are_left_alone(store: Store, place: str, tmp_path: Path) -> None:
    push(store, fsspec_remote(place))
    for name in ("clip/README", "clip/../../escape.npy", f"clip/ab/{'0' * 61}.npy", "clip/zz/x.npy"):
        path = tmp_path / "shared" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not ours")
    assert pull(Store(tmp_path / "other"), fsspec_remote(place)).copied == 4


def test_names_are_read_back_strictly() -> None:
    assert parse_entry_name(entry_name("clip", KEYS[0])) == ("clip", KEYS[0])
    for name in (
        "",
        "clip",
        f"clip/{KEYS[0]}.npy",
        f"trash/{KEYS[0][:2]}/{KEYS[0][2:]}.npy",
        "clip/../x.npy",
    ):
        assert parse_entry_name(name) is None


def test_any_fsspec_url_will_do(store: Store, tmp_path: Path) -> None:
    place = "memory://riffcomposer-test"
    assert push(store, fsspec_remote(place)).copied == 4
    assert pull(Store(tmp_path / "other"), fsspec_remote(place)).copied == 4


def test_places_that_cannot_be_are_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="carrier-pigeon"):
        fsspec_remote("carrier-pigeon://loft")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match="file"):
        push(store, fsspec_remote(f"file://{tmp_path / 'file'}"))


def test_a_teammate_masters_the_same_track_without_rendering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make_studio(tmp_path / "first")
    first.render()
    other = make_studio(tmp_path / "second")
    (other.folder / "song.lock").write_bytes((first.folder / "song.lock").read_bytes())

    def cache(folder: Path, *arguments: Any) -> dict[str, Any]:
        monkeypatch.setenv("RIFFCOMPOSER_STORE", str(folder / "store"))
        with pytest.raises(SystemExit) as stop:
            main(["cache", *map(str, arguments), "--json"])
        assert stop.value.code == 0
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return told

    assert cache(first.folder, "push", tmp_path / "shared", first.song)["copied"] == 10
    assert cache(other.folder, "pull", tmp_path / "shared", other.song)["copied"] == 10
    engine = FakeEngine()
    other.render(engine)
    assert engine.rendered == []
    assert other.outputs() == first.outputs()
