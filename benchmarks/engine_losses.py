"""What becomes of clips when workers, nodes and drivers of real engines are lost: one table.

    python benchmarks/engine_losses.py processes       three processes of this machine
    python benchmarks/engine_losses.py ray             three nodes of a Ray cluster with a token, all here

Engines sleep instead of rendering; planning, queue, transport and store are those of a render. Each worker
notes when it begins and ends a clip, so that what is made twice is counted where it is made.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from riffcomposer.api import plan_song
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.clip_stage import missing_clips, render_missing
from riffcomposer.render.engines.fake import FakeEngine
from riffcomposer.render.engines.interface import (
    Done,
    EventObserver,
    Failed,
    Notice,
    Step,
    Versions,
    ignore_events,
)
from riffcomposer.render.engines.pool import PoolEngine
from riffcomposer.render.engines.processes import ProcessFleet, Seat
from riffcomposer.render.engines.ray_cluster import RayEngines
from riffcomposer.render.engines.ray_connection import ClusterChoice
from riffcomposer.render.events import RenderEvent
from riffcomposer.render.stopping import StopFlag
from riffcomposer.store.store import Store

CLIPS, SLEEP_S, WORKERS = 60, 0.5, 3
LOG, ODD = "ENGINE_LOSSES_LOG", "ENGINE_LOSSES_ODD"
"""Environment variables: the log of all workers, and the file that names the worker of another version."""


class Noting(FakeEngine):
    """Sleeps for each clip, and notes when it begins and ends one, and in which process."""

    def render(
        self, jobs: Mapping[str, ClipJob], on_event: EventObserver = ignore_events
    ) -> Iterator[Done | Failed]:
        for key, job in jobs.items():
            _note("begin", key)
            for result in super().render({key: job}, on_event):
                _note("end", key)
                yield result


def _note(what: str, key: str) -> None:
    with open(os.environ[LOG], "ab", buffering=0) as file:
        file.write(f"{what} {key} {os.getpid()}\n".encode())


def noting(device: str) -> FakeEngine:
    """Makes an engine; one of another version on the seat or node that the file names."""
    odd = Path(os.environ[ODD])
    here = device
    if odd.exists() and "ray" in sys.modules:
        import ray

        here = ray.get_runtime_context().get_node_id()
    versions = Versions()
    if odd.exists() and odd.read_text() == here:
        versions = replace(versions, sampler=versions.sampler + 1)
    return Noting(seconds_per_clip=SLEEP_S, steps=10, versions=versions)


def drive(folder: Path, where: str) -> None:
    """Renders the clips that the store lacks: the driver's process."""
    store = Store(folder / "store")
    prepared = plan_song(folder / "song.yaml", store=store)
    if where == "processes":
        seats = [Seat(f"cpu{number}", f"cpu {number}") for number in range(WORKERS)]
        engine = PoolEngine(ProcessFleet(seats, noting))
    else:
        engine = RayEngines(ClusterChoice(where, cpus_per_worker=1), noting).open("cpu")

    def on_event(event: Step | Notice) -> None:
        if isinstance(event, Notice):
            print(event.message, flush=True)

    def observe(event: RenderEvent) -> None:
        if event.notice:
            print(event.notice, flush=True)

    try:
        engine.start()
        engine.load(prepared.model, on_event)
        missing = missing_clips(prepared.plan, store)
        render_missing(prepared.plan, store, missing, engine, observe, StopFlag())
    finally:
        engine.close()


@dataclass
class Trial:
    """One render in a folder of its own, and what is done to it.

    Attributes:
        name: What is lost.
        where: `processes`, or the address of a Ray cluster.
        strike: Called once clips are being rendered, with the trial.
        again: Whether the driver is run a second time.
    """

    name: str
    where: str
    strike: Callable[[Trial], None] = lambda trial: None
    again: bool = False
    driver: subprocess.Popen[str] | None = None
    environment: Mapping[str, str] | None = None

    def lines(self) -> list[list[str]]:
        """What workers have noted: begin or end, key, process."""
        path = Path(os.environ[LOG])
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def at_work(self) -> dict[str, int]:
        """The process of each clip that is begun and not ended."""
        open_: dict[str, int] = {}
        for what, key, process in self.lines():
            open_.pop(key, None)
            if what == "begin":
                open_[key] = int(process)
        return open_

    def run(self) -> None:
        """Renders, strikes in mid-clip, and prints a line of the table."""
        Path(os.environ[LOG]).unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            text = f"title: Losses\nsections: [{{name: a, prompt: drums, clips: {CLIPS}}}]\n"
            (folder / "song.yaml").write_text(text)
            began = time.monotonic()
            said = self._drive(folder)
            kept = sum(1 for _ in Store(folder / "store").entries())
            if self.again:
                said += self._drive(folder, strike=False)
            wall = time.monotonic() - began
            store = Store(folder / "store")
            prepared = plan_song(folder / "song.yaml", store=store)
            lost = len(missing_clips(prepared.plan, store))
        counts = {
            what: Counter(key for each, key, _ in self.lines() if each == what) for what in ("begin", "end")
        }
        twice = {what: sum(times > 1 for times in found.values()) for what, found in counts.items()}
        after = f", {kept} kept by the first run" if self.again else ""
        print(
            f"| {self.name} | {len(prepared.plan.jobs) - lost} of {len(prepared.plan.jobs)}{after} "
            f"| {twice['begin']} | {twice['end']} | {lost} | {wall:.1f} s | {said} |",
            flush=True,
        )

    def _drive(self, folder: Path, *, strike: bool = True) -> str:
        command = [sys.executable, __file__, "drive", str(folder), self.where]
        self.driver = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(self.environment or {})},
        )
        if strike:
            while self.driver.poll() is None and len(self.lines()) < 8 * WORKERS:
                time.sleep(0.05)
            time.sleep(SLEEP_S / 3)
            self.strike(self)
        output, _ = self.driver.communicate()
        own = [line for line in output.splitlines() if line.startswith(("the worker", "riffcomposer.errors"))]
        return " ".join(line[:300] for line in own)


def kill_worker(trial: Trial) -> None:
    """Kills a process that is at a clip."""
    os.kill(next(iter(trial.at_work().values())), signal.SIGKILL)


def kill_driver(trial: Trial) -> None:
    """Kills the driver."""
    assert trial.driver is not None
    trial.driver.kill()


HEAD = """\
| what is lost | rendered | begun twice | ended twice | lost | wall | said |
|---|---|---|---|---|---|---|"""


def processes() -> None:
    """Prints the table of processes."""
    print(
        f"{CLIPS} clips that sleep {SLEEP_S} s, {WORKERS} processes; ideal {CLIPS * SLEEP_S / WORKERS:.1f} s"
    )
    print(HEAD)
    Trial("nothing", "processes").run()
    Trial("a worker, in mid-clip", "processes", kill_worker).run()
    Trial("the driver, run again", "processes", kill_driver, again=True).run()
    Path(os.environ[ODD]).write_text("cpu1")
    Trial("a worker of another version", "processes").run()
    Path(os.environ[ODD]).unlink()


def on_ray() -> None:
    """Prints the table of a Ray cluster."""
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    os.environ["RAY_DISABLE_IMPORT_WARNING"] = "1"
    import ray
    from ray.cluster_utils import Cluster

    memory = 80_000_000
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": memory},
    )
    nodes: list[Any] = []

    def add() -> None:
        nodes.append(cluster.add_node(num_cpus=1, object_store_memory=memory))

    def kill_raylet(trial: Trial) -> None:
        del trial
        node = nodes.pop()
        os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)

    for _ in range(WORKERS):
        add()
    print(f"{CLIPS} clips that sleep {SLEEP_S} s, {WORKERS} nodes; ideal {CLIPS * SLEEP_S / WORKERS:.1f} s")
    print(HEAD)
    address = cluster.address
    try:
        Trial("nothing", address).run()
        Trial("a worker, in mid-clip", address, kill_worker).run()
        Trial("a node's raylet, in mid-clip", address, kill_raylet).run()
        Trial("nothing, and a node joins late", address, lambda trial: add()).run()
        Trial("the driver, run again", address, kill_driver, again=True).run()
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        Path(os.environ[ODD]).write_text(nodes[0].node_id)
        ray.shutdown()
        Trial("a worker of another version", address).run()
        Path(os.environ[ODD]).unlink()
        Trial("a driver with a wrong token", address, environment={"RAY_AUTH_TOKEN": "0" * 64}).run()
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    if sys.argv[1:2] == ["drive"]:
        drive(Path(sys.argv[2]), sys.argv[3])
    else:
        with tempfile.TemporaryDirectory() as scratch:
            os.environ[LOG] = str(Path(scratch) / "log")
            os.environ[ODD] = str(Path(scratch) / "odd")
            {"processes": processes, "ray": on_ray}[sys.argv[1]]()
