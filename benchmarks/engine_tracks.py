"""Measures what engines do for whole tracks: an album with shared clips, and decoding by workers.

    python benchmarks/engine_tracks.py album [SONGS]       sleeping workers; an album against song by song
    python benchmarks/engine_tracks.py real [SONGS]        the same with the default model, as commands
    python benchmarks/engine_tracks.py decode [MINUTES]    the driver's memory while two workers decode
    python benchmarks/engine_tracks.py decode [MINUTES] HOST:PORT      the same on a Ray cluster
    python benchmarks/engine_tracks.py overlap             one process against two, with the default model

For `decode`, workers return noise in blocks of a decoder's size, as fast as the driver takes them.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from riffcomposer.api import plan_song
from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.render.engines.fake import FakeEngine, fake_level
from riffcomposer.render.engines.interface import EventObserver, ignore_events
from riffcomposer.render.engines.levels import pack_level
from riffcomposer.render.engines.pool import PoolEngine
from riffcomposer.render.engines.processes import ProcessEngines, ProcessFleet, Seat
from riffcomposer.render.events import ignore
from riffcomposer.render.passage_stage import decode_by_workers, missing_passages
from riffcomposer.render.session import Session
from riffcomposer.render.settings import RenderSettings
from riffcomposer.render.stopping import StopFlag
from riffcomposer.store.store import Store

SLEEP_S, LOAD_S = 0.4, 3.0
BLOCK_SAMPLES = 1 << 18

SONG = """\
title: Song {number}
tempo: 200
seed: 5
output: {{formats: [flac], decoder: fast}}
sections:
  - {{name: intro, prompt: lo-fi drums, seed: 1, clips: 2}}
  - {{name: own, prompt: "jazz piano, {number}", seed: 9, clips: 2}}
  - {{name: chorus, prompt: deep bass, seed: 2, clips: 2}}
"""


class Slow(FakeEngine):
    """Sleeps for each clip, and while it loads a checkpoint."""

    def load(self, model: LocatedModel, on_event: EventObserver = ignore_events) -> None:
        time.sleep(LOAD_S)
        super().load(model, on_event)


def sleeper(device: str) -> FakeEngine:
    """Makes an engine that sleeps."""
    del device
    return Slow(seconds_per_clip=SLEEP_S, steps=4)


def written_songs(folder: Path, count: int) -> list[Path]:
    """Writes songs that share four of their six clips."""
    paths = [folder / f"song-{number:02d}.yaml" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_text(SONG.format(number=number))
    return paths


def _album_session(songs: list[Path], store: Path, *, together: bool) -> int:
    """Renders an album with sleeping workers. Returns how many clips were rendered."""
    settings = RenderSettings(out=store.parent / f"out-{store.name}")
    rendered = 0
    for part in [songs] if together else [[song] for song in songs]:
        with Session(store=store, device="cpu", engines=ProcessEngines(2, sleeper)) as session:
            for entry in session.render_album(part, settings):
                assert entry.track is not None, entry.error
                rendered += len(entry.track.result.rendered)
    return rendered


def _album_commands(songs: list[Path], store: Path, *, together: bool) -> int:
    """Renders an album with the default model by the command line. Returns how many clips were rendered."""
    for part in [songs] if together else [[song] for song in songs]:
        command = [sys.executable, "-m", "riffcomposer", "render", *map(str, part), "--store", str(store)]
        command += ["--out", str(store.parent / f"out-{store.name}"), "--progress", "none", "--device", "cpu"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return sum(entry.kind == "clip" for entry in Store(store).entries())


def _processor_seconds() -> float:
    """Processor time of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def album(render: Callable[..., int], count: int = 12) -> None:
    """Prints clips and wall time of an album in one command, and of its songs one after the other."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        songs = written_songs(folder, count)
        plans = [plan_song(song, store=Store(folder / "none")).plan for song in songs]
        keys = [set(plan.jobs) for plan in plans]
        seconds = sum(plan.total_samples / plan.grid.sample_rate for plan in plans)
        union, total = len(set().union(*keys)), sum(map(len, keys))
        print(f"{count} songs, {seconds:.0f} s of music, {total} clips in all, {union} different ones")
        walls: dict[str, float] = {}
        for name, together in (("one command", True), ("one after the other", False)):
            began, worked = time.monotonic(), _processor_seconds()
            rendered = render(songs, folder / name.replace(" ", "-"), together=together)
            walls[name] = time.monotonic() - began
            worked = _processor_seconds() - worked
            print(
                f"  {name}: {walls[name]:.1f} s, {worked:.1f} s of processor, {rendered} clips rendered",
                flush=True,
            )
        folders = [folder / "out-one-command", folder / "out-one-after-the-other"]
        apart = [_difference(*(each / f"{song.stem}.flac" for each in folders)) for song in songs]
        gain = walls["one after the other"] / walls["one command"]
        print(
            f"  {gain:.2f} times as fast; {apart.count(0.0)} tracks alike to the sample, "
            f"the others differ by up to {max(apart):.1e} of full scale"
        )


def _difference(left: Path, right: Path) -> float:
    """The largest difference between the samples of two tracks of the same length."""
    import soundfile

    sounds = [soundfile.read(path, dtype="float64")[0] for path in (left, right)]
    return float(np.abs(sounds[0] - sounds[1]).max())


class NoiseDecoder:
    """Yields noise in blocks of a decoder's size, at once."""

    def decode_stream(
        self, read: Callable[[int, int], object], frames: int, samples: int, *, wraps: bool = False
    ) -> Iterator[np.ndarray]:
        del read, frames, wraps
        block = np.random.default_rng(0).normal(0, 0.1, (2, BLOCK_SAMPLES)).astype(np.float32)
        for first in range(0, samples, BLOCK_SAMPLES):
            yield block[:, : min(BLOCK_SAMPLES, samples - first)]


def noise_decoding(device: str) -> FakeEngine:
    """Makes an engine in whose process every decoder makes noise."""
    del device
    from riffcomposer.render.engines import worker

    vars(worker)["decoder_for"] = lambda parameters, settings, threads: NoiseDecoder()
    return FakeEngine()


def decode(minutes: int = 60, where: str = "processes") -> None:
    """Prints the driver's memory before and after passages of a long track are decoded by two workers."""
    sections = "".join(
        f"  - {{name: s{number}, prompt: drums, seed: 1, clips: 12}}\n" for number in range(minutes)
    )
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        store = Store(folder / "store")
        (folder / "song.yaml").write_text(f"title: Long\ntempo: 93.75\nsections:\n{sections}")
        with Session(store=store, device="cpu") as session:
            prepared = session.plan(folder / "song.yaml")
            settings, keys = session.decoding(prepared, RenderSettings())
        for key, job in prepared.plan.jobs.items():
            store.put("clip", key, pack_level(fake_level(key, job.width_frames)))
        work = missing_passages(prepared.plan, keys, store, prepared.model.profile.spectrogram)
        if where == "processes":
            engine = PoolEngine(ProcessFleet([Seat("cpu", "cpu 1"), Seat("cpu", "cpu 2")], noise_decoding))
        else:
            from riffcomposer.render.engines.ray_cluster import RayEngines
            from riffcomposer.render.engines.ray_connection import ClusterChoice

            engine = RayEngines(ClusterChoice(where, cpus_per_worker=1), noise_decoding).open("cpu")
        try:
            engine.start()
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            began = time.monotonic()
            decode_by_workers(work, settings, store, engine, ignore, StopFlag())
            wall = time.monotonic() - began
        finally:
            engine.close()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sound = 8 * sum(each.samples for each in work.values()) / 2**20
        lengths = [each.samples / each.parameters.sample_rate for each in work.values()]
    print(
        f"{sum(lengths) / 60:.0f} minutes in {len(lengths)} passages of {max(lengths):.0f} s or less, "
        f"{sound:.0f} MiB of sound, {wall:.1f} s: "
        f"driver's memory {before:.0f} MiB before, at most {after:.0f} MiB"
    )


def overlap(clips: int = 16) -> None:
    """Prints the wall time of one song with one process of two threads, and with two of one thread each."""
    text = SONG.format(number=0).replace("clips: 2", f"clips: {clips // 3}").replace("decoder: fast", "")
    for name, options in (
        ("in this process, 2 threads", ["--engine", "inproc"]),
        ("1 process, 2 threads", ["--engine", "processes", "--workers", "1"]),
        ("2 processes, 1 thread each", ["--engine", "processes", "--workers", "2"]),
    ):
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            (folder / "song.yaml").write_text(text)
            command = [sys.executable, "-m", "riffcomposer", "render", str(folder / "song.yaml"), *options]
            command += ["--store", str(folder / "store"), "--device", "cpu", "--progress", "none"]
            free = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
            began = time.monotonic()
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=free)
            wall = time.monotonic() - began
        stages = next((line for line in done.stdout.splitlines() if "clips rendered" in line), "")
        print(f"  {name}: {wall:.1f} s; {stages}", flush=True)


if __name__ == "__main__":
    command, *rest = sys.argv[1:] or ["album"]
    numbers = [int(each) for each in rest[:1]]
    run: dict[str, Callable[..., None]] = {
        "album": partial(album, _album_session),
        "real": partial(album, _album_commands),
        "decode": decode,
        "overlap": overlap,
    }
    run[command](*numbers, *rest[1:])
