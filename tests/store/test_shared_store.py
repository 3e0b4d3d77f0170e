"""Several renders at once into one store, as on a network file system."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
import worker_engines
from killed_driver import driver, stored
from small_song import Studio, make_studio

from riffcomposer.store.store import Store


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Studio, Studio]:
    """The same song in two folders whose stores are one, by different paths."""
    monkeypatch.setenv(worker_engines.LOG, str(tmp_path / "log"))
    (tmp_path / "shared").mkdir()
    songs = make_studio(tmp_path / "one"), make_studio(tmp_path / "two")
    for song in songs:
        (song.folder / "store").symlink_to(tmp_path / "shared")
    return songs


def check(pair: tuple[Studio, Studio], tmp_path: Path) -> None:
    """Checks that both tracks are what one driver alone would have made, and the store is whole."""
    alone = make_studio(tmp_path / "alone")
    alone.render()
    for song in pair:
        assert song.outputs() == alone.outputs()
    assert Store(tmp_path / "shared").verify().bad == ()
    assert len(stored(pair[0])) == 8
    assert not list((tmp_path / "shared").rglob(".tmp-*"))


def test_drivers_at_once_make_the_same_tracks_though_one_is_killed(
    pair: tuple[Studio, Studio], tmp_path: Path, forkserver: Any
) -> None:
    """The other one goes on beside the killed one, and beside the one that takes its place."""
    doomed, other = driver(pair[0], "inproc", forkserver), driver(pair[1], "inproc", forkserver)
    until = time.monotonic() + 60
    while len(stored(pair[0])) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate()
    assert other.poll() is None, "they did not run at the same time"
    again = driver(pair[0], "inproc", forkserver)
    for each in (other, again):
        each.communicate(timeout=120)
        assert each.returncode == 0
    assert max(worker_engines.noted("end").values()) >= 2, "they did not run at the same time"
    check(pair, tmp_path)
