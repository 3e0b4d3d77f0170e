"""Times `check` and `plan` on a song of 40 sections, as whole processes, and the planning of 2000 jobs.

    python benchmarks/plan_speed.py [--repeats 7]

The targets are less than 0.5 s each for `check` and `plan`, and less than 1 s for 2000 jobs.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.lock.lock_file import lock_path, read_lock, write_lock
from riffcomposer.loops.catalogue import Catalogue, catalogue
from riffcomposer.plan.inputs import SongFiles
from riffcomposer.plan.planner import plan_song
from riffcomposer.plan.statuses import job_states
from riffcomposer.song.reader import load_song
from riffcomposer.store.store import Store

SECTIONS = 40
JOBS = 2000
START = "from riffcomposer.cli.main import main; main()"
"""What the installed `riffcompose` script does."""


def write_song(folder: Path, sections: int, clips: int) -> Path:
    """A song of `sections` sections with `clips` clips each, and a loop of its own beside it."""
    shutil.copy(catalogue().clips["lofi-keys"].path, folder / "loop.png")
    lines = [
        "title: Benchmark",
        "tempo: 97.3",
        "seed: 1",
        "defaults:",
        "  init: loop.png",
        "  strength: 0.55",
        "sections:",
    ]
    for index in range(sections):
        lines += [f"  - name: part {index}", f"    clips: {clips}"]
        if index % 4 == 3:
            lines += ["    walk:"]
            lines += [f"      - {{prompt: station {k} of part {index}, seed: 3}}" for k in range(4)]
        else:
            lines += [
                f"    prompt: lo-fi hip hop beat with rhodes, take {index}",
                f"    seed: {index * 1000}",
            ]
        if index % 3 == 2:
            lines += ["    transition: {type: bridge, clips: 2}"]
    path = folder / f"song-{sections}-{clips}.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def time_process(command: list[str], environment: dict[str, str], repeats: int) -> tuple[list[float], float]:
    """Wall times, sorted, and the processor time of one run."""
    times = []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return sorted(times), used / repeats


def time_planning(path: Path, store: Store) -> dict[str, float]:
    """Processor seconds of each stage of planning in this process."""
    stages: dict[str, float] = {}

    def stage(name: str, start: float) -> float:
        now = time.process_time()
        stages[name] = now - start
        return now

    now = time.process_time()
    song = load_song(path)
    now = stage("read", now)
    model = locate_model(song.resolved.model, song.folder)
    now = time.process_time()
    plan = plan_song(
        song.resolved,
        song_path=path,
        model=model,
        catalogue=Catalogue({}, {}),
        backend="cpu-float32",
        files=SongFiles(path.parent),
    )
    now = stage(f"plan ({len(plan.jobs)} jobs)", now)
    write_lock(lock_path(path), plan)
    now = stage("write the lock", now)
    for key in plan.jobs:
        store.put("clip", key, b"level")
    now = stage("fill the store", now)
    lock = read_lock(lock_path(path))
    now = stage("read the lock", now)
    states = job_states(plan, lambda key: store.has("clip", key), lock.clips, lock.names)
    stage("compare with store and lock", now)
    assert all(state.status == "cached" for state in states.values())
    exact = (len(plan.clips) - 1) * plan.grid.clip_bars * plan.grid.samples_per_bar
    assert abs(plan.clips[-1].start_sample - exact) <= Fraction(1, 2)
    return stages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "RIFFCOMPOSER_STORE": str(folder / "store")}
        # As installed: modules are compiled once, and not beside the sources of this checkout.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
        song = write_song(folder, SECTIONS, 8)
        print(f"whole processes on a song of {SECTIONS} sections, {repeats} runs each:")
        for command in ("check", "plan"):
            arguments = [sys.executable, "-c", START, command, str(song)]
            time_process(arguments, environment, 1)
            times, used = time_process(arguments, environment, repeats)
            print(
                f"  {command:6} median {statistics.median(times):.3f} s, fastest {times[0]:.3f} s, "
                f"processor {used:.3f} s (to reach: 0.5 s)"
            )
        large = write_song(folder, SECTIONS, JOBS // SECTIONS)
        print("a large plan in one process, processor time:")
        for stage, seconds in time_planning(large, Store(folder / "large")).items():
            print(f"  {stage:30} {seconds:.3f} s")


if __name__ == "__main__":
    main()
