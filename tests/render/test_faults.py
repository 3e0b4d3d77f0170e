"""The contract of docs/reliability.md under kills, failing calls, a full disk, and company.

Children are forked from a server process that has imported everything and computed nothing, so
that a kill costs a second and not the time of an import.
"""

from __future__ import annotations

import builtins
import errno
import multiprocessing
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_song import FakeEngine, Studio, make_studio

from riffcomposer.errors import RiffcomposerError
from riffcomposer.files import process_place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")

KILLS_AT_CALLS = int(
    os.environ.get("RIFFCOMPOSER_TEST_KILLS", "12")
)  # at most the number of calls, about 130
KILLS_AT_TIMES = 6


@pytest.fixture(scope="module")
def forkserver() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "riffcomposer.api",
            "riffcomposer.spectrogram.decoder",
            "riffcomposer.render.quality",
            "matplotlib.figure",  # lists the fonts once, and not again for each child's empty store
            "small_song",
        ]
    )
    return context


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    studio = make_studio(tmp_path_factory.mktemp("undisturbed"))
    studio.render()
    return studio.outputs()


def watch_calls(before: Callable[[str, int], None]) -> None:
    """Calls `before(name, number)` in front of every call that changes the disk."""
    count = 0

    def wrap(owner: Any, name: str, wanted: Callable[..., bool] = lambda *a, **k: True) -> None:
        original = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            if wanted(*arguments, **options):
                count += 1
                before(name, count)
            return original(*arguments, **options)

        setattr(owner, name, watched)

    def writes(file: Any, mode: str = "r", *rest: Any, **options: Any) -> bool:
        return any(letter in mode for letter in "wax+")

    wrap(builtins, "open", writes)
    for name in ("fsync", "replace", "mkdir", "unlink", "truncate"):
        wrap(os, name)


def child_render(folder: Path, number: int | None, fault: int | None, report: Path | None) -> None:
    """Renders in a child. At call `number` it is killed, or the call fails with `fault`."""
    last = 0

    def before(name: str, count: int) -> None:
        nonlocal last
        last = count
        if count == number:
            if fault is None:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(fault, os.strerror(fault), name)

    watch_calls(before)
    try:
        make_studio_at(folder).render()
    except RiffcomposerError as error:
        os._exit(error.exit_code)
    if report is not None:
        calls = last  # opening the report is a call of its own
        with open(report, "w") as handle:
            handle.write(str(calls))
    os._exit(0)


def make_studio_at(folder: Path) -> Studio:
    return Studio(folder)


def run_child(context: Any, *arguments: Any) -> int:
    process = context.Process(target=child_render, args=arguments)
    process.start()
    process.join(120)
    assert process.exitcode is not None, "the child hangs"
    return int(process.exitcode)


def no_temporaries(folder: Path) -> list[Path]:
    return list(folder.rglob(".tmp-*"))


@pytest.fixture(scope="module")
def calls(forkserver: Any, tmp_path_factory: pytest.TempPathFactory, undisturbed: dict[str, bytes]) -> int:
    """How many calls an undisturbed render makes that change the disk."""
    folder = tmp_path_factory.mktemp("count")
    make_studio(folder)
    assert run_child(forkserver, folder, None, None, folder / "calls.txt") == 0
    return int((folder / "calls.txt").read_text())


def spread(calls: int, count: int, seed: int) -> list[int]:
    """Call numbers to disturb: spread over the run, other ones each time the code changes."""
    return sorted(random.Random(seed + calls).sample(range(1, calls + 1), min(count, calls)))


@pytest.mark.parametrize("part", range(KILLS_AT_CALLS))
def test_after_a_kill_at_any_call_the_same_command_ends_in_the_same_files(
    forkserver: Any, calls: int, tmp_path: Path, undisturbed: dict[str, bytes], part: int
) -> None:
    assert calls > 50
    studio = make_studio(tmp_path)
    number = spread(calls, KILLS_AT_CALLS, 1)[part]
    assert run_child(forkserver, tmp_path, number, None, None) == -signal.SIGKILL
    for name, content in studio.outputs().items():
        assert content == undisturbed[name], f"{name} is neither absent nor whole after call {number}"
    clips_before = sum(entry.kind == "clip" for entry in studio.store.entries())
    engine = FakeEngine()
    studio.render(engine)
    assert studio.outputs() == undisturbed
    assert not studio.store.verify().bad
    assert not no_temporaries(tmp_path)
    assert len(engine.rendered) == 8 - clips_before, "a finished clip was rendered again"


def test_after_a_kill_at_any_time_the_same_command_ends_in_the_same_files(
    forkserver: Any, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    studio = make_studio(tmp_path)
    draw = random.Random(4)
    for _ in range(KILLS_AT_TIMES):
        process = forkserver.Process(target=child_render, args=(tmp_path, None, None, None))
        process.start()
        time.sleep(draw.uniform(0.05, 1.5))
        os.kill(process.pid, signal.SIGKILL)
        process.join(30)
    studio.render()
    assert studio.outputs() == undisturbed
    assert not no_temporaries(tmp_path)


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_a_failing_call_gives_a_plain_error_and_the_next_run_completes(
    forkserver: Any, calls: int, tmp_path: Path, undisturbed: dict[str, bytes], fault: int
) -> None:
    studio = make_studio(tmp_path)
    for number in spread(calls, 4, fault):
        assert run_child(forkserver, tmp_path, number, fault, None) in (0, 3, 4)
        assert not studio.store.verify().bad
    studio.render()
    assert studio.outputs() == undisturbed


def test_a_full_disk_ends_with_4_and_keeps_finished_clips(studio: Studio) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    engine = FakeEngine()
    try:
        # A clip of this song takes 84 kB, a passage 500 kB and more.
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        with pytest.raises(RiffcomposerError) as full:
            studio.render(engine)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    assert full.value.exit_code == 4
    assert "no space left" in str(full.value)
    assert "bytes needed" in str(full.value)
    assert len(engine.rendered) == 8
    assert not no_temporaries(studio.folder)
    again = FakeEngine()
    studio.render(again)
    assert again.rendered == []


def test_a_read_only_store_serves_a_finished_song_and_refuses_new_work(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.render()
    store = str(studio.folder / "store")

    def refusing(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def refuse(path: Any, *arguments: Any, **options: Any) -> Any:
            mode = str(arguments[0]) if arguments else str(options.get("mode", "r"))
            if str(path).startswith(store) and (name != "open" or any(c in mode for c in "wax+")):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return original(path, *arguments, **options)

        monkeypatch.setattr(owner, name, refuse)

    # As root, permissions stop nobody, so the file system's refusal is played.
    refusing(builtins, "open")
    for name in ("mkdir", "replace", "unlink", "utime"):
        refusing(os, name)
    assert not studio.render().result.mastered
    studio.edit("seed: 9", "seed: 10")
    with pytest.raises(RiffcomposerError) as refused:
        studio.render()
    assert refused.value.exit_code == 4
    assert "read-only" in str(refused.value).lower()


def test_four_processes_on_one_store_end_in_the_same_files(
    forkserver: Any, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    studio = make_studio(tmp_path)
    processes = [forkserver.Process(target=child_render, args=(tmp_path, None, None, None)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert studio.outputs() == undisturbed
    assert not studio.store.verify().bad


def test_stale_temporaries_of_dead_processes_are_swept(studio: Studio) -> None:
    studio.render()
    stale = studio.folder / "out" / f".tmp-999999999-{process_place()}-0badcafe-song.flac"
    stale.write_bytes(b"half a file")
    folder = studio.folder / "store" / "clip" / f".tmp-999999999-{process_place()}-0badcafe-x.npy"
    folder.write_bytes(b"half a clip")
    studio.edit("gain_db: -3", "gain_db: -5")
    studio.render()
    assert not no_temporaries(studio.folder)


def test_nothing_is_written_elsewhere(studio: Studio, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    studio.render()
    new = set(tmp_path.rglob("*")) - before
    allowed = (tmp_path / "out", tmp_path / "store", tmp_path / "song.lock")
    assert all(any(path == root or root in path.parents for root in allowed) for path in new)
