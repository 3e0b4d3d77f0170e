"""A render in a process of its own, which a test kills with SIGKILL and runs again.

    python killed_driver.py FOLDER HOST:PORT         on a Ray cluster

Drivers of the other engines are forked from the fixture `forkserver`, which spares them the imports.
Engines sleep for each clip, and note when they begin and end one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import worker_engines
from small_song import FakeEngines, Studio
from timeline_sketch import sketch_timelines

from riffcomposer.api import render_song
from riffcomposer.render.engines.interface import EngineSource
from riffcomposer.render.engines.processes import ProcessEngines
from riffcomposer.render.engines.ray_cluster import RayEngines
from riffcomposer.render.engines.ray_connection import ClusterChoice

STORED = 2
"""Clips that are stored before the driver is killed."""


def stored(studio: Studio) -> set[str]:
    return {entry.key for entry in studio.store.entries() if entry.kind == "clip"}


class ForkedDriver:
    """A child of the fork server, with what is used of `Popen`. What it says is on the tests' stderr."""

    def __init__(self, context: Any, studio: Studio, where: str) -> None:
        self._process = context.Process(
            target=main, args=(studio.folder, where, os.environ[worker_engines.LOG])
        )
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        code = self._process.exitcode
        return None if code is None else int(code)

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        self._process.join(timeout)
        return b"", b""


def driver(studio: Studio, where: str, context: Any = None) -> subprocess.Popen[bytes] | ForkedDriver:
    """Starts a render of a song, in a child of `context` if there is one."""
    if context is not None:
        return ForkedDriver(context, studio, where)
    command = [sys.executable, __file__, str(studio.folder), where]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def killed_in_mid_render(
    studio: Studio, where: str, context: Any = None
) -> tuple[Collection[str], Collection[str]]:
    """Renders, kills the driver after two clips, and renders again to the end.

    Returns:
        Keys that were stored when the driver died, and those of other clips that had been begun.
    """
    first = driver(studio, where, context)
    until = time.monotonic() + 120
    while len(stored(studio)) < STORED and first.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    _, said = first.communicate()
    assert first.returncode == -signal.SIGKILL, said.decode(errors="replace")
    kept = stored(studio)
    time.sleep(1.5)  # what workers still do after the driver's death counts too
    begun = set(worker_engines.noted("begin")) - kept
    again = driver(studio, where, context)
    _, said = again.communicate(timeout=240)
    assert again.returncode == 0, said.decode(errors="replace")
    return kept, begun


def main(folder: Path, where: str, log: str = "") -> None:
    if log:
        os.environ[worker_engines.LOG] = log
    sketch_timelines()
    studio = Studio(folder)
    engines: EngineSource
    if where == "inproc":
        engines = FakeEngines(worker_engines.Counted())
    elif where == "processes":
        engines = ProcessEngines(2, worker_engines.counted)
    else:
        engines = RayEngines(ClusterChoice(where, cpus_per_worker=1), worker_engines.counted)
    render_song(studio.song, store=studio.store, out=folder / "out", device="cpu", engines=engines)


if __name__ == "__main__":
    os.environ.setdefault("RAY_DISABLE_IMPORT_WARNING", "1")
    main(Path(sys.argv[1]), sys.argv[2])
