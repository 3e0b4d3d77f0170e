"""Compares the speed of this working tree with that of another commit.

    python benchmarks/compare.py REV [--runs 7] [--only check,plan]
    python benchmarks/compare.py REV -- COMMAND ARGUMENT...

The files of the other commit are written into a temporary folder. Each command runs in both trees in turn,
so that other work on the machine slows both alike. COMMAND runs in the root of each tree, with that tree
first on PYTHONPATH; `python` is this interpreter. Without COMMAND, these are timed:

    check, plan   whole processes on a song of 40 sections
    help          `riffcompose --help`
    load          importing and loading the default model
    master        mix, master, FLAC and MP3 of three minutes of mono sound in four sections

It prints medians of wall time and of processor time (user and system), and the ratios new / old. A ratio
below 1 means that this tree is faster. On a busy machine, processor time is the better measure.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from plan_speed import write_song

ROOT = Path(__file__).resolve().parent.parent
MASTER_SONG = """\
title: Benchmark
tempo: 97.3
defaults: {init: lofi-keys}
sections:
  - {name: one, clips: 9, prompt: lo-fi hip hop, seed: 1}
  - {name: two, clips: 9, prompt: lo-fi hip hop, seed: 100}
  - {name: three, clips: 9, prompt: lo-fi hip hop, seed: 200}
  - {name: four, clips: 9, prompt: lo-fi hip hop, seed: 300}
"""
START = "from riffcomposer.cli.main import main; main()"
LOAD = """
from pathlib import Path
from riffcomposer.diffusion.engine import Engine
try:
    from riffcomposer.checkpoints.locate import locate_model
except ModuleNotFoundError:  # the package's earlier name
    from riffcomposer.models.locate import locate_model
Engine(locate_model("default", Path(".")), device="cpu")
"""
MASTER = """
import io, sys
from pathlib import Path
import numpy as np
from riffcomposer.mix.tags import Tags
from riffcomposer.render.events import ignore
from riffcomposer.render.settings import RenderSettings
from riffcomposer.render.stopping import StopFlag
from riffcomposer.render import track_stage
from riffcomposer.store.store import Store
song, folder = Path(sys.argv[1]), Path(sys.argv[2])
store = Store(folder / "store")
try:
    from riffcomposer.render.output_names import TrackFiles
    from riffcomposer.render.session import Session
    prepared = Session(store=store).plan(song)
except ModuleNotFoundError:  # commits before there were sessions
    from riffcomposer.api import prepare
    from riffcomposer.render.track_stage import TrackFiles
    prepared = prepare(song, RenderSettings(), store)
keys, rng = [], np.random.default_rng(1)
for number, passage in enumerate(prepared.plan.passages):
    time_s = np.arange(passage.body_samples + passage.tail_samples) / prepared.plan.grid.sample_rate
    sound = sum(0.1 * np.sin(2 * np.pi * hz * time_s) for hz in (110, 165, 220, 331, 1500, 4100))
    sound = sound * (0.3 + np.exp(-6 * (time_s % 0.5))) + 0.003 * rng.standard_normal(len(time_s))
    content = io.BytesIO()
    np.save(content, sound[None].astype(np.float32))
    keys.append(f"{number:064x}")
    store.put("passage", keys[-1], content.getvalue())
owner = [song] if "song_path" in TrackFiles.__dataclass_fields__ else []  # earlier commits have no such field
files = TrackFiles(folder / "out", "song", ("flac", "mp3"), False, *owner)
made_from = prepared.plan, prepared.song.resolved, keys, store, files, Tags("song")
if hasattr(track_stage, "TrackWork"):  # earlier commits take its attributes one by one
    made_from = [track_stage.TrackWork(*made_from)]
track_stage.finish_track(*made_from, ignore, StopFlag())
"""


def usage() -> float:
    """Processor seconds of all children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def unpack(rev: str, folder: Path) -> None:
    """Writes the files of a commit into a new folder; the repository itself is left as it is."""
    folder.mkdir()
    archive = folder.with_suffix(".tar")
    subprocess.run(["git", "archive", "--output", archive, rev], check=True, cwd=ROOT)
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    archive.unlink()


def stopped(*_: object) -> None:
    """Ends the program as an error does, so that the temporary folder goes."""
    raise SystemExit(143)


def run(tree: Path, command: list[str], folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of one run in a tree, with a bytecode cache of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "PYTHONPYCACHEPREFIX": str(folder / f"bytecode-{tree.name}"),
        "RIFFCOMPOSER_STORE": str(folder / "store"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before, start = usage(), time.perf_counter()
    subprocess.run(command, check=True, cwd=tree, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, usage() - before


def commands(folder: Path) -> dict[str, list[str]]:
    """The commands that are timed by default, by name."""
    python = sys.executable
    song, track = write_song(folder, 40, 8), folder / "track.yaml"
    track.write_text(MASTER_SONG)
    return {
        "check": [python, "-c", START, "check", str(song)],
        "plan": [python, "-c", START, "plan", str(song)],
        "help": [python, "-c", START, "--help"],
        "load": [python, "-c", LOAD],
        "master": [python, "-c", MASTER, str(track), str(folder)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rev", help="The commit to compare with.")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", default="", help="Names of figures, separated by commas.")
    own = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    options = parser.parse_args(sys.argv[1 : -len(own) - 1] if own else None)
    signal.signal(signal.SIGTERM, stopped)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old = folder / "old"
        unpack(options.rev, old)
        own = [sys.executable, *own[1:]] if own[:1] == ["python"] else own
        figures = {"command": own} if own else commands(folder)
        for figure in options.only.split(",") if options.only else figures:
            times: dict[Path, list[tuple[float, float]]] = {old: [], ROOT: []}
            for number in range(options.runs + 1):
                for tree in (old, ROOT) if number % 2 else (ROOT, old):
                    times[tree].append(run(tree, figures[figure], folder))
            # The first run of each compiles and warms the disk.
            before, after = (
                [statistics.median(column) for column in zip(*times[tree][1:], strict=True)] for tree in times
            )
            print(
                f"{figure:8} wall {before[0]:6.3f} -> {after[0]:6.3f} s ({after[0] / before[0]:.2f})   "
                f"processor {before[1]:6.3f} -> {after[1]:6.3f} s ({after[1] / before[1]:.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
