"""Temporaries: which ones are swept, and what is said of a folder that stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest

from riffcomposer import files
from riffcomposer.files import (
    STALE_AFTER_S,
    replacing,
    scratch_folder,
    sweep_stale,
    temporary_name,
)

DEAD = 999_999_999
ELSEWHERE = "0" * 12


def make_old(path: Path) -> None:
    past = time.time() - STALE_AFTER_S - 60
    os.utime(path, (past, past))


def test_a_temporary_of_a_process_that_died_here_is_swept(tmp_path: Path) -> None:
    mine = temporary_name(tmp_path / "song.flac")
    dead = tmp_path / mine.name.replace(f"-{os.getpid()}-", f"-{DEAD}-")
    for path in (mine, dead):
        path.touch()
    assert sweep_stale(tmp_path) == 1
    assert list(tmp_path.iterdir()) == [mine]


@pytest.mark.parametrize(
    "name",
    [f".tmp-{DEAD}-{ELSEWHERE}-0badcafe-song.flac", f".tmp-{DEAD}-0badcafe-song.flac"],
    ids=["another machine", "a name without a place"],
)
def test_a_process_id_of_another_place_says_nothing_and_age_decides(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    assert sweep_stale(tmp_path) == 0
    make_old(path)
    assert sweep_stale(tmp_path) == 1
    assert not path.exists()


def test_a_folder_is_as_old_as_what_was_last_written_in_it(tmp_path: Path) -> None:
    folder = tmp_path / f".tmp-{DEAD}-{ELSEWHERE}-0badcafe-song-mix"
    folder.mkdir()
    inner = folder / "mix.f32"
    inner.touch()
    make_old(folder)
    assert sweep_stale(tmp_path) == 0
    make_old(inner)
    make_old(folder)
    assert sweep_stale(tmp_path) == 1
    assert not folder.exists()


def test_on_windows_no_process_is_signalled(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(pid: int, number: int) -> NoReturn:
        raise AssertionError("os.kill(pid, 0) is CTRL_C_EVENT on Windows")

    with monkeypatch.context() as windows:
        windows.setattr(os, "kill", kill)
        windows.setattr(os, "name", "nt")
        lives = files._process_lives(DEAD)
    assert lives


def test_processes_of_one_machine_agree_on_their_place() -> None:
    code = "from riffcomposer.files import process_place; print(process_place())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == files.process_place()


def test_a_long_name_outside_ascii_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("夜" * 80 + ".flac")
    with replacing(path) as temporary:
        temporary.write_bytes(b"sound")
    assert path.read_bytes() == b"sound"


def test_a_scratch_folder_that_cannot_be_removed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise PermissionError(13, "in use", str(path))

    def work() -> None:
        with scratch_folder(tmp_path, "song-mix") as folder:
            (folder / "mix.f32").touch()

    with monkeypatch.context() as busy:
        busy.setattr(shutil, "rmtree", refuse)
        with pytest.warns(UserWarning, match="song-mix: cannot be removed"):
            work()
    assert len(list(tmp_path.iterdir())) == 1
