"""The store on a file system that works."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.errors import StoreError
from riffcomposer.files import process_place
from riffcomposer.store import sealed_file
from riffcomposer.store.store import Store, default_root


def key(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", warn=pytest.fail)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=5000))
def test_what_goes_in_comes_out(tmp_path_factory: pytest.TempPathFactory, payload: bytes) -> None:
    store = Store(tmp_path_factory.mktemp("store"), warn=pytest.fail)
    store.put("clip", key(1), payload)
    assert store.get("clip", key(1)) == payload
    path = store.path("clip", key(1))
    assert path is not None
    assert path.read_bytes().startswith(payload)


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert store.get("clip", key(1)) is None
    assert store.path("clip", key(1)) is None
    assert not store.has("clip", key(1))
    assert store.info().entries == {}
    assert store.verify().checked == 0
    assert store.sweep() == 0
    assert not store.root.exists()


def test_a_large_payload_is_written_and_mapped_in_place(store: Store) -> None:
    with store.put_file("passage", key(1)) as temporary:
        audio = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=(2, 50_000))
        audio[:] = 0.25
        audio.flush()
        del audio
        assert not store.has("passage", key(1))
    path = store.path("passage", key(1))
    assert path is not None
    mapped = np.load(path, mmap_mode="r")
    assert mapped.shape == (2, 50_000)
    assert float(mapped.sum()) == 25_000


def test_a_writer_that_fails_leaves_nothing(store: Store) -> None:
    def write() -> None:
        with store.put_file("passage", key(1)) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert tree(store.root) == set()


def test_kinds_do_not_mix(store: Store) -> None:
    store.put("clip", key(1), b"clip")
    assert store.get("passage", key(1)) is None


@pytest.mark.parametrize(("kind", "name"), [("../x", key(1)), ("clip", "../../etc"), ("trash", key(1))])
def test_no_way_out_of_the_store(store: Store, kind: Any, name: str) -> None:
    with pytest.raises(ValueError, match="not a kind and a key"):
        store.put(kind, name, b"")


def test_gc_trashes_the_least_recently_used_and_keeps_what_is_named(store: Store) -> None:
    for name in range(6):
        store.put("clip", key(name), bytes(1000))
        age(store._place("clip", key(name)), 10_000 - name)
    assert store.get("clip", key(0)) is not None  # used just now: it comes last
    size = 1048
    dry = store.gc({"clip": {key(1)}}, cap_bytes=3 * size, dry_run=True)
    done = store.gc({"clip": {key(1)}}, cap_bytes=3 * size)
    assert (
        [entry.key for entry in dry.trashed]
        == [entry.key for entry in done.trashed]
        == [key(2), key(3), key(4)]
    )
    assert (done.kept_bytes, done.named_bytes) == (3 * size, size)
    assert {name for name in range(6) if store._place("clip", key(name)).exists()} == {0, 1, 5}
    assert store.info().trash == (3, 3 * size)


def test_what_is_in_the_trash_is_still_found_and_comes_back(store: Store) -> None:
    store.put("clip", key(1), b"payload")
    store.gc(cap_bytes=0)
    assert store.has("clip", key(1))
    assert store.get("clip", key(1)) == b"payload"
    assert store.info().trash == (0, 0)
    assert store.info().entries["clip"][0] == 1


def test_the_trash_is_emptied_when_it_is_old(store: Store) -> None:
    store.put("clip", key(1), b"payload")
    assert store.gc(cap_bytes=0).removed == (0, 0)
    age(store._trash_place("clip", key(1)), 8 * 86_400)
    assert store.gc(cap_bytes=0).removed[0] == 1
    assert not store.has("clip", key(1))


def test_a_disk_too_full_for_the_trash_is_still_freed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("clip", key(1), b"payload")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "mkdir", full)
    assert len(store.gc(cap_bytes=0).trashed) == 1
    assert tree(store.root) == set()


def test_no_trash_days_empties_it_at_once(store: Store) -> None:
    store.put("clip", key(1), b"payload")
    done = store.gc(cap_bytes=0, trash_days=0)
    assert (len(done.trashed), done.removed[0]) == (1, 1)
    assert tree(store.root) == set()


def test_locks_are_remembered_while_they_exist(store: Store, tmp_path: Path) -> None:
    lock = tmp_path / "söng\nof mine.lock"
    lock.write_text("")
    store.notes.remember_lock(lock, {"passage": [key(1)]})
    store.notes.remember_lock(lock, {"passage": [key(2)]})
    assert store.notes.remembered_locks() == {lock: {"passage": {key(2)}}}
    lock.unlink()
    assert store.notes.remembered_locks() == {}


def test_temporaries_of_the_dead_are_swept_and_those_of_the_living_stay(store: Store) -> None:
    store.put("clip", key(1), b"payload")
    folder = store._place("clip", key(1)).parent
    dead = folder / f".tmp-999999999-{process_place()}-00000000-x.npy"
    living = folder / f".tmp-{os.getpid()}-{process_place()}-00000000-x.npy"
    dead.touch()
    living.touch()
    assert store.sweep() == 1
    assert living.exists()
    assert not dead.exists()


def test_a_read_only_store_reads(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("clip", key(1), b"payload")
    store.put("clip", key(2), b"payload")
    store.gc({"clip": [key(1)]}, cap_bytes=0)
    age(store._place("clip", key(1)), 1000)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    for name in ("utime", "replace", "rename", "mkdir", "unlink"):
        monkeypatch.setattr(os, name, refuse)
    assert store.get("clip", key(1)) == b"payload"
    assert store.get("clip", key(2)) == b"payload"  # out of the trash, where it stays
    with pytest.raises(StoreError, match="cannot be written"):
        store.put("clip", key(3), b"payload")


def test_where_the_store_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RIFFCOMPOSER_STORE", str(tmp_path))
    assert default_root() == tmp_path
    monkeypatch.delenv("RIFFCOMPOSER_STORE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_root() == tmp_path / "cache" / "riffcomposer" / "store"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_root() == Path.home() / ".cache" / "riffcomposer" / "store"


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str]]:
    """How often each payload is hashed, by kind and key."""
    counts: Counter[tuple[str, str]] = Counter()
    hasher = sealed_file._hasher

    def counting(kind: str, key: str) -> Any:
        counts[kind, key] += 1
        return hasher(kind, key)

    monkeypatch.setattr(sealed_file, "_hasher", counting)
    return counts


def test_a_payload_is_hashed_once(tmp_path: Path, hashed: Counter[tuple[str, str]]) -> None:
    once = {("clip", key(1)): 1, ("passage", key(1)): 1}
    store = Store(tmp_path)
    store.put("clip", key(1), b"x" * 1000)
    with store.put_file("passage", key(1)) as temporary:
        temporary.write_bytes(b"y" * 5000)
    for _ in range(3):
        assert store.get("clip", key(1)) == b"x" * 1000
        assert store.path("passage", key(1)) is not None
    assert hashed == once
    hashed.clear()
    store = Store(tmp_path)
    for _ in range(3):
        assert store.get("clip", key(1)) == b"x" * 1000
        assert store.path("passage", key(1)) is not None
    assert hashed == once


def test_an_old_entry_is_hashed_once_though_its_time_of_use_is_set(
    tmp_path: Path, hashed: Counter[tuple[str, str]]
) -> None:
    Store(tmp_path).put("clip", key(1), b"x" * 1000)
    place = Store(tmp_path).path("clip", key(1))
    assert place is not None
    os.utime(place, (1e9, 1e9))
    hashed.clear()
    store = Store(tmp_path)
    assert [store.get("clip", key(1)) for _ in range(3)] == [b"x" * 1000] * 3
    assert place.stat().st_mtime > 1e9 + 1
    assert hashed["clip", key(1)] == 1


def test_damage_is_noticed_however_soon_it_comes_after_a_hash(tmp_path: Path) -> None:
    store = Store(tmp_path, warn=lambda _: None)
    for number in range(50):
        payload = bytes([number]) * 1000
        store.put("clip", key(1), payload)
        place = store.path("clip", key(1))
        assert place is not None
        content = bytearray(place.read_bytes())
        content[number] ^= 1
        place.write_bytes(content)
        assert store.get("clip", key(1)) is None
