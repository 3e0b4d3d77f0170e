"""The contract of docs/explanation/reliability.md under kills, failing calls, a full disk, and company.

Children are forked from a server process that has imported everything and computed nothing, so
that a kill costs a second and not the time of an import.

The sweeps disturb one song's render at every *site*: the publishing of each kind of file, such as
"replace out .flac", and each other step of writing one, such as "fsync a temporary file"; those steps
are one function for all files. Each run goes on from what the disturbed one before it left, and is
disturbed at its first site that has not had its turn, until one runs through. So every site is struck,
those of cleaning up too, and the whole costs a few renders.
"""

from __future__ import annotations

import builtins
import errno
import itertools
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_song import FakeEngine, Studio, make_studio
from timeline_sketch import sketch_timelines

from riffcomposer.errors import RiffcomposerError
from riffcomposer.files import process_place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")

SONG = """\
title: Disturbed
tempo: 400
model: ./model
sections:
  - {name: first, prompt: steady drums, clips: 2}
  - {name: second, prompt: low hum, clips: 1}
output: {formats: [flac], decoder: fast}
"""


PUBLISHED = {
    *(f"replace store {kind} .npy" for kind in ("clip", "passage", "track")),
    *(f"replace out {suffix}" for suffix in (".flac", ".txt", ".json", ".png")),
    "replace .lock",
}
"""The sites that every sweep must have met."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    studio = make_studio(tmp_path_factory.mktemp("undisturbed"), SONG)
    studio.render()
    return studio.outputs()


def watch_calls(folder: Path, before: Callable[[str], None]) -> None:
    """Calls `before(site)` in front of every call that changes something under `folder`."""
    last = ""

    def site(name: str, target: Any) -> str | None:
        nonlocal last
        if not isinstance(target, int):  # a descriptor belongs to the file before it
            path = Path(os.fsdecode(target))
            if not path.is_relative_to(folder):
                return None
            last = "a temporary file" if path.name.startswith(".tmp-") else "a file"
            if name in ("replace", "rename"):
                folders = path.relative_to(folder).parts[:-1][:2]
                named = ["scratch" if part.startswith(".tmp-") else part for part in folders]
                return " ".join([name, *named, path.suffix])
        return f"{name} {last}"

    def wrap(owner: Any, name: str, which: int = 0, mode: int | None = None) -> None:
        original = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            letters = "w" if mode is None else str([*arguments, "r"][mode] if len(arguments) > mode else "r")
            where = site(name, arguments[which]) if set(letters) & set("wax+") else None
            if where is not None:
                before(where)
            return original(*arguments, **options)

        setattr(owner, name, watched)

    wrap(builtins, "open", mode=1)
    for name in ("fsync", "mkdir", "unlink", "truncate"):
        wrap(os, name)
    for name in ("replace", "rename"):
        wrap(os, name, which=1)


def child_render(folder: Path, spared: frozenset[str] | None, fault: int | None, note: Path) -> None:
    """Renders in a child that is disturbed at its first site that is not `spared`, if any.

    It notes the site in `note`, then kills itself, or lets the call fail with `fault`.
    """
    sketch_timelines()
    write_note = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    struck = spared is None

    def before(site: str) -> None:
        nonlocal struck
        if struck or (spared is not None and site in spared):
            return
        struck = True
        os.write(write_note, site.encode())
        if fault is None:
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            raise OSError(fault, os.strerror(fault), site)

    watch_calls(folder, before)
    try:
        Studio(folder).render()
    except RiffcomposerError as error:
        os._exit(error.exit_code)
    os._exit(0)


def run_child(context: Any, *arguments: Any) -> int:
    process = context.Process(target=child_render, args=arguments)
    process.start()
    process.join(120)
    assert process.exitcode is not None, "the child hangs"
    return int(process.exitcode)


def no_temporaries(folder: Path) -> list[Path]:
    return list(folder.rglob(".tmp-*"))


def clip_files(studio: Studio) -> set[tuple[str, int]]:
    """Name and inode of each stored clip: a clip that is made again is another file."""
    return {(path.name, path.stat().st_ino) for path in (studio.folder / "store" / "clip").rglob("[!.]*.npy")}


def test_after_a_kill_at_any_call_the_same_command_ends_in_the_same_files(
    forkserver: Any, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    studio = make_studio(tmp_path / "song", SONG)
    sites: set[str] = set()
    note = tmp_path / "site.txt"
    while True:
        clips = clip_files(studio)
        code = run_child(forkserver, studio.folder, frozenset(sites), None, note)
        assert clips <= clip_files(studio), "a finished clip was rendered again"
        for name, content in studio.outputs().items():
            assert content == undisturbed[name], f"{name} is neither absent nor whole"
        if code == 0:
            break
        assert code == -signal.SIGKILL
        assert note.read_text() not in sites
        sites.add(note.read_text())
    assert sites >= PUBLISHED
    assert studio.outputs() == undisturbed
    assert not studio.store.verify().bad
    assert not no_temporaries(tmp_path)


def test_after_a_kill_at_any_time_the_same_command_ends_in_the_same_files(
    forkserver: Any, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    # Between the calls that Python sees: in the encoder's own writes, in a decode, in a mix.
    studio = make_studio(tmp_path / "song", SONG)
    draw = random.Random(4)
    for _ in range(3):
        process = forkserver.Process(
            target=child_render, args=(studio.folder, None, None, tmp_path / "site.txt")
        )
        process.start()
        time.sleep(draw.uniform(0.05, 1.0))
        os.kill(process.pid, signal.SIGKILL)
        process.join(30)
    studio.render()
    assert studio.outputs() == undisturbed
    assert not no_temporaries(tmp_path)


def test_a_failing_call_gives_a_plain_error_and_the_next_run_completes(
    forkserver: Any, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    studio = make_studio(tmp_path / "song", SONG)
    sites: set[str] = set()
    note = tmp_path / "site.txt"
    for fault in itertools.cycle([errno.ENOSPC, errno.EIO, errno.EACCES]):
        code = run_child(forkserver, studio.folder, frozenset(sites), fault, note)
        assert code in (0, 3, 4), note.read_text()
        assert not studio.store.verify().bad
        if not note.read_text():
            break
        assert note.read_text() not in sites
        sites.add(note.read_text())
        if code == 0:  # the render can do without that call, and is done: begin anew for the next
            shutil.rmtree(studio.folder)
            studio = make_studio(tmp_path / "song", SONG)
    assert sites >= PUBLISHED
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
    rendered: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = str(rendered.folder / "store")

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
    assert not rendered.render().result.mastered
    rendered.edit("seed: 9", "seed: 10")
    with pytest.raises(RiffcomposerError) as refused:
        rendered.render()
    assert refused.value.exit_code == 4
    assert "read-only" in str(refused.value).lower()


def test_two_processes_on_one_store_end_in_the_same_files(
    forkserver: Any, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    studio = make_studio(tmp_path / "song", SONG)
    processes = [
        forkserver.Process(
            target=child_render, args=(studio.folder, None, None, tmp_path / f"site-{number}.txt")
        )
        for number in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0, 0]
    assert studio.outputs() == undisturbed
    assert not studio.store.verify().bad


def test_stale_temporaries_of_dead_processes_are_swept(rendered: Studio) -> None:
    stale = rendered.folder / "out" / f".tmp-999999999-{process_place()}-0badcafe-song.flac"
    stale.write_bytes(b"half a file")
    folder = rendered.folder / "store" / "clip" / f".tmp-999999999-{process_place()}-0badcafe-x.npy"
    folder.write_bytes(b"half a clip")
    rendered.edit("gain_db: -3", "gain_db: -5")
    rendered.render()
    assert not no_temporaries(rendered.folder)


def test_nothing_is_written_elsewhere(studio: Studio, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    studio.render()
    new = set(tmp_path.rglob("*")) - before
    allowed = (tmp_path / "out", tmp_path / "store", tmp_path / "song.lock")
    assert all(any(path == root or root in path.parents for root in allowed) for path in new)
