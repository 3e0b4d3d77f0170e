"""The store on a file system that fails, returns damaged files, or is shared."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from riffcomposer.errors import DiskFullError, StoreError
from riffcomposer.store.store import Store

PAYLOADS = {hashlib.sha256(bytes([name])).hexdigest(): bytes([name]) * (3000 + name) for name in range(4)}
FIRST, SECOND = list(PAYLOADS)[:2]


def fill(store: Store) -> None:
    for key, payload in PAYLOADS.items():
        store.put("clip", key, payload)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def flip_seal(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def truncate(length: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, length)


def swap(path: Path) -> None:
    other = path.parents[1] / SECOND[:2] / f"{SECOND[2:]}.npy"
    other.replace(path)


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").touch()


def become_link(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    path.replace(elsewhere)
    path.symlink_to(elsewhere)


def become_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


NO_FILES = [become_folder, become_link, become_pipe]
CONTENTS = [flip, flip_seal, truncate(0), truncate(1), truncate(1500), swap, append]


@pytest.mark.parametrize("damage", [*CONTENTS, *NO_FILES])
@pytest.mark.parametrize("way", ["get", "path"])
def test_a_corrupt_entry_is_warned_of_once_missed_and_made_again(
    tmp_path: Path, damage: Callable[[Path], None], way: str
) -> None:
    warnings: list[str] = []
    store = Store(tmp_path, warn=warnings.append)
    fill(store)
    place = store._place("clip", FIRST)
    damage(place)
    assert getattr(store, way)("clip", FIRST) is None
    assert getattr(store, way)("clip", FIRST) is None
    assert len(warnings) == 1
    assert str(place) in warnings[0]
    assert store.info().bad[0] == 1
    store.put("clip", FIRST, PAYLOADS[FIRST])
    assert store.get("clip", FIRST) == PAYLOADS[FIRST]
    assert len(warnings) == 1
    store.gc(trash_days=0)
    assert store.info().bad == (0, 0)


@pytest.mark.parametrize("damage", NO_FILES)
def test_a_put_makes_its_way_through_what_is_no_file(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    store = Store(tmp_path, warn=lambda _: None)
    fill(store)
    damage(store._place("clip", FIRST))
    store.put("clip", FIRST, PAYLOADS[FIRST])
    assert store.get("clip", FIRST) == PAYLOADS[FIRST]


def test_verify_finds_every_bad_entry_and_only_those(tmp_path: Path) -> None:
    store = Store(tmp_path, warn=lambda _: None)
    fill(store)
    flip(store._place("clip", FIRST))
    become_pipe(store._place("clip", SECOND))
    found = store.verify()
    assert found.checked == 4
    assert {path for path, _ in found.bad} == {store._place("clip", FIRST), store._place("clip", SECOND)}
    assert store.verify().bad == ()


def test_has_believes_no_truncated_entry_and_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path, warn=pytest.fail)
    fill(store)
    os.truncate(store._place("clip", FIRST), 1500)
    assert not store.has("clip", FIRST)
    assert store.has("clip", SECOND)
    assert store._place("clip", FIRST).exists()


def test_a_store_that_is_a_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "store").touch()
    store = Store(tmp_path / "store")
    assert store.get("clip", FIRST) is None
    with pytest.raises(StoreError):
        store.put("clip", FIRST, b"payload")


# The Nth call fails -------------------------------------------------------------------------

CALLS = ["open", "fsync", "replace", "rename", "mkdir", "unlink", "utime"]


class FailingCalls:
    """Lets the Nth of the watched calls fail, once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, code: int) -> None:
        self.left = number
        self.code = code
        self.failed = False
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrapped(getattr(os, name)))
        watched_open = self._wrapped(open, self._writing)
        monkeypatch.setattr("builtins.open", watched_open)
        monkeypatch.setattr("io.open", watched_open)

    def _strike(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.failed = True
            raise OSError(self.code, os.strerror(self.code))

    def _wrapped(
        self, call: Callable[..., Any], then: Callable[[Any], Any] = lambda value: value
    ) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._strike()
            return then(call(*args, **kwargs))

        return wrapper

    def _writing(self, handle: Any) -> Any:
        """Also counts each write to an opened file."""
        return handle if not handle.writable() else _Watched(handle, self._strike)


class _Watched:
    def __init__(self, handle: Any, strike: Callable[[], None]) -> None:
        self._handle, self._strike = handle, strike

    def write(self, content: Any) -> Any:
        self._strike()
        return self._handle.write(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    def __enter__(self) -> _Watched:
        self._handle.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._handle.__exit__(*error)


def scenario(store: Store) -> None:
    """What a render does to a store: looks, puts, streams, notes its lock, collects."""
    store.sweep()
    for key, payload in PAYLOADS.items():
        if store.get("clip", key) is None:
            store.put("clip", key, payload)
    if store.path("passage", FIRST) is None:
        with store.put_file("passage", FIRST) as temporary:
            temporary.write_bytes(b"sound" * 1000)
    store.notes.remember_lock(store.root.parent / "song.lock")
    store.gc({"clip": PAYLOADS, "passage": PAYLOADS})


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EXDEV])
@pytest.mark.parametrize("start", ["empty", "damaged"])
def test_the_nth_call_fails(tmp_path: Path, code: int, start: str) -> None:
    number = 0
    while True:
        number += 1
        root = tmp_path / str(number) / "store"
        store = Store(root, warn=lambda _: None)
        if start == "damaged":
            fill(store)
            flip(store._place("clip", FIRST))
            become_folder(store._place("clip", SECOND))
        with pytest.MonkeyPatch.context() as patch:
            calls = FailingCalls(patch, number, code)
            problem: StoreError | None = None
            try:
                scenario(store)
            except StoreError as error:
                problem = error
        if problem is not None:
            assert str(root) in str(problem)
            is_full = isinstance(problem, DiskFullError)
            assert is_full == (code == errno.ENOSPC and "cannot be" not in str(problem))
            assert "cannot be written" not in str(problem) or code != errno.ENOSPC
        if not calls.failed:
            break
        # Whatever failed: nothing partial is left, what is there is sound, and the next run completes.
        assert not list(root.rglob(".tmp-*"))
        again = Store(root, warn=lambda _: None)
        scenario(again)
        assert again.verify().bad == ()
        assert all(again.get("clip", key) == payload for key, payload in PAYLOADS.items())
    assert number > 20


def test_a_full_disk_names_the_path_and_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match="3,048 bytes needed") as caught:
        store.put("clip", FIRST, bytes(3000))
    assert caught.value.exit_code == 4
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# Several processes --------------------------------------------------------------------------


def _work(root: Path, seed: int, no_locks: bool, results: Any) -> None:
    """Puts, reads, damages and collects in a loop; reports anything that is not right."""
    import random

    if no_locks:
        fcntl.flock = fcntl.lockf = lambda *_: None
    draw = random.Random(seed)
    store = Store(root, warn=lambda _: None)
    try:
        for _ in range(120):
            key = draw.choice(list(PAYLOADS))
            action = draw.randrange(10)
            if action < 4:
                store.put("clip", key, PAYLOADS[key])
            elif action < 8:
                found = store.get("clip", key)
                assert found is None or found == PAYLOADS[key]
            elif action == 8:
                store.gc(cap_bytes=draw.choice([0, 5000]), trash_days=draw.choice([0, 7]))
            else:
                store.verify()
    except BaseException as error:
        results.put(repr(error))
        raise
    results.put("")


@pytest.mark.parametrize("no_locks", [False, True])
def test_four_processes_share_a_store(tmp_path: Path, no_locks: bool) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [
        context.Process(target=_work, args=(tmp_path / "store", seed, no_locks, results)) for seed in range(4)
    ]
    for worker in workers:
        worker.start()
    assert [results.get(timeout=60) for _ in workers] == [""] * 4
    for worker in workers:
        worker.join()
    store = Store(tmp_path / "store", warn=pytest.fail)
    fill(store)
    assert store.verify().bad == ()
    assert not list(store.root.rglob(".tmp-*"))


def _fill_until_full(root: Path, limit: int, results: Any) -> None:
    """Stores under a file size limit, as a quota would have it."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    store = Store(root, warn=lambda _: None)
    store.put("clip", FIRST, bytes(limit // 2))
    for way in ("put", "put_file"):
        try:
            if way == "put":
                store.put("clip", SECOND, bytes(2 * limit))
            else:
                with store.put_file("clip", SECOND) as temporary:
                    temporary.write_bytes(bytes(2 * limit))
        except DiskFullError as error:
            results.put(str(error))
        else:
            results.put("no error")


def test_a_real_limit_on_file_size_loses_no_finished_entry(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    worker = context.Process(target=_fill_until_full, args=(tmp_path, 10_000, results))
    worker.start()
    messages = [results.get(timeout=60) for _ in range(2)]
    worker.join()
    assert all("no space left" in message and str(tmp_path) in message for message in messages)
    assert "20,048 bytes needed" in messages[0]
    store = Store(tmp_path, warn=pytest.fail)
    assert store.get("clip", FIRST) == bytes(5000)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [store._place("clip", FIRST)]
