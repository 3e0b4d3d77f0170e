"""Measures joins, loudness, and the time and memory of long tracks.

    python benchmarks/joins_and_loudness.py joins [--preset default]  level and convergence at joins and seams
    python benchmarks/joins_and_loudness.py loudness                  every format against another meter
    python benchmarks/joins_and_loudness.py long [--minutes 60]       clips to files: memory and time

`joins` and `loudness` use synthetic music, and the images and clips in `../shared/riffusion` if that folder
exists. The targets are: joins within 0.1 dB in level and 1.5 dB in convergence of the sound around them,
loudness within 0.1 LU of the target and true peak below the ceiling by an independent meter, and an hour of
music in less than 1.5 GB.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from riffcomposer.media.kinds import AUDIO_FORMATS
from riffcomposer.mix.blocks import ArrayReader, npy_reader
from riffcomposer.mix.encoding import SoundFileReader
from riffcomposer.mix.markers import Marker
from riffcomposer.mix.master import Mastering, MasterSettings
from riffcomposer.mix.mel_timeline import MelClip, MelTimeline
from riffcomposer.mix.mixdown import MixPassage, MixSection, mixdown
from riffcomposer.mix.output import write_track
from riffcomposer.mix.report import measure_joins, measure_repetition, measure_transitions, summarise_joins
from riffcomposer.mix.tags import Tags
from riffcomposer.mix.tempo import measure_tempo
from riffcomposer.mix.timeline_image import TimelineSection, write_timeline
from riffcomposer.spectrogram.decoder import Decoder
from riffcomposer.spectrogram.image import read_image
from riffcomposer.spectrogram.mel import levels_from_mel, mel_from_audio
from riffcomposer.spectrogram_parameters import SpectrogramParameters

RATE = 44100
PARAMS = SpectrogramParameters()
HOP = PARAMS.hop_length
TEMPO = 93.75
SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "riffusion"


@dataclass(frozen=True)
class Effect:
    """An effect as a song hands it over."""

    name: str
    parameters: dict[str, float] = field(default_factory=dict)


def music(seed: int, seconds: float, channels: int = 1) -> np.ndarray:
    """Chords, a bass and drums on a grid of quarter notes at 93.75 BPM."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    beat = 60 / TEMPO
    root = 55 * 2 ** (rng.integers(0, 12) / 12)
    audio = np.zeros(len(t))
    for step in (0, 3, 7, 10):
        hz = 2 * root * 2 ** (step / 12)
        for partial in range(1, 9):
            phase = rng.random() * 2 * np.pi
            audio += 0.05 / partial * np.sin(2 * np.pi * hz * partial * t + phase)
    audio += 0.15 * np.sin(2 * np.pi * root * t) * np.exp(-2 * (t % beat))
    kick = np.exp(-25 * (t % (2 * beat))) * np.sin(2 * np.pi * 55 * (t % (2 * beat)))
    hat = np.exp(-80 * (t % (beat / 2))) * rng.standard_normal(len(t))
    audio = 0.5 * (audio + 0.8 * kick + 0.15 * hat)
    return np.repeat(audio[None].astype(np.float32), channels, axis=0)


def level_of(audio: np.ndarray, width: int) -> np.ndarray:
    """A clip's level, `[1, 512, width]`."""
    mel = mel_from_audio(torch.from_numpy(audio[:1]), PARAMS)[:, :, :width]
    return levels_from_mel(mel, PARAMS).numpy().astype(np.float16)


def images() -> dict[str, np.ndarray]:
    """Levels of 512 frames: Riffusion's images and clips where they are, and music of our own."""
    import soundfile

    levels = {f"music {seed}": level_of(music(seed, 5.3), 512) for seed in (1, 2, 3)}
    for path in sorted(SHARED.glob("*.png")):
        if not path.name.startswith("mask"):
            levels[path.stem] = np.asarray(read_image(path)[0])[:1, :, :512]
    for path in sorted(SHARED.glob("*.wav")):
        audio = soundfile.read(path, dtype="float32", always_2d=True)[0].T
        levels[path.stem[:6]] = level_of(audio.mean(axis=0, keepdims=True), 512)
    return levels


def decode(timeline: MelTimeline, preset: str, path: Path, *, wraps: bool = False) -> None:
    """Decodes a timeline to the file `path` (`.npy`), without keeping it in memory."""
    with open(path, "wb") as handle:
        header = {"descr": "<f4", "fortran_order": False, "shape": (1, timeline.samples)}
        np.lib.format.write_array_header_1_0(handle, header)
        blocks = Decoder(PARAMS, preset, seed=1).decode_stream(
            lambda first, count: timeline.read(first, first + count),
            timeline.frames,
            timeline.samples,
            wraps=wraps,
        )
        for block in blocks:
            handle.write(block.astype("<f4").tobytes())


def laid_out(levels: Sequence[tuple[str, np.ndarray]], slot: int, *, wraps: bool = False) -> MelTimeline:
    """Clips one after the other, `slot` samples apart."""
    clips = [
        MelClip(n * slot, slot, lambda level=level: level, name)  # type: ignore[misc]
        for n, (name, level) in enumerate(levels)
    ]
    return MelTimeline(
        clips, start_sample=0, body_samples=len(clips) * slot, tail_samples=0, params=PARAMS, wraps=wraps
    )


def bench_joins(preset: str) -> None:
    """Different images one after the other, on and off the frame grid, as a track and as a loop."""
    levels = images()
    order = [(name, levels[name]) for name in levels]
    print(f"joins of {len(order)} different images, decoder preset {preset}: {', '.join(levels)}")
    for title, slot, wraps in (
        ("on the frame grid", 448 * HOP, False),
        ("between frames", 448 * HOP + 203, False),
        ("a loop", 448 * HOP + 203, True),
        ("short overlap", 496 * HOP + 97, True),
    ):
        timeline = laid_out(order, slot, wraps=wraps)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "passage.npy"
            decode(timeline, preset, path, wraps=wraps)
            audio = npy_reader(path)
            joins = measure_joins(audio, timeline, PARAMS, wraps=wraps)
            print(f"\n{title}: {summarise_joins(joins)}")
            for join in joins:
                seam = "  <- seam of the loop" if join.start_sample == 0 else ""
                print(
                    f"  at {join.start_sample / RATE:7.2f} s: level {join.level_step_db:+.3f} dB, "
                    f"SC {join.sc_db:6.2f} dB, around {join.sc_around_db:6.2f} dB, "
                    f"click {join.click:.2f}{seam}"
                )
            if wraps:
                seam = measure_transitions(audio, [0], RATE, loop=True)[0]
                print(f"  seam in the sound: {seam.as_dict()}")


def signals() -> Iterator[tuple[str, np.ndarray]]:
    """High crest, noise, music, real music where it is; two channels each."""
    import soundfile

    rng = np.random.default_rng(1)
    bed = 0.02 * rng.standard_normal((2, 10 * RATE))
    x = np.arange(9000)
    kick = 0.9 * np.exp(-x / 1500) * np.sin(2 * np.pi * (55 + 120 * np.exp(-x / 600)) * x / RATE)
    for start in range(0, bed.shape[1] - 9000, 22050):
        bed[:, start : start + 9000] += kick
    yield "high crest", bed.astype(np.float32)
    yield "noise", (0.1 * rng.standard_normal((2, 10 * RATE))).astype(np.float32)
    yield "synthetic music", music(1, 12, 2)
    for path in sorted(SHARED.glob("*.wav")):
        yield path.stem[:6], soundfile.read(path, dtype="float32", always_2d=True)[0].T


def bench_loudness() -> None:
    """Every signal in every format at two targets, read back and measured by pyloudnorm and scipy."""
    import pyloudnorm
    import soundfile
    from scipy.signal import resample_poly

    print("signal            format  target      LUFS     off   dBTP   limiter  encodes")
    worst = {"lufs": 0.0, "dbtp": -99.0}
    for name, audio in signals():
        for target, ceiling in ((-14.0, -1.0), (-23.0, -2.0)):
            with tempfile.TemporaryDirectory() as folder:
                stage = Mastering(
                    ArrayReader(audio),
                    MasterSettings((), target, ceiling),
                    sample_rate=RATE,
                    loop=False,
                    folder=Path(folder) / "scratch",
                )
                master = stage.render()
                for format in AUDIO_FORMATS:
                    result = write_track(Path(folder) / f"x.{format}", stage, master, Tags(name))
                    sound = soundfile.read(result.path, always_2d=True)[0]
                    lufs = float(pyloudnorm.Meter(RATE).integrated_loudness(sound))
                    peak = float(20 * np.log10(np.abs(resample_poly(sound, 4, 1, axis=0)).max()))
                    limiter = "-" if result.limiter_ceiling_db is None else f"{result.limiter_ceiling_db:.2f}"
                    print(
                        f"{name:16}  {format:6}  {target:6.1f}  {lufs:8.2f}  {lufs - target:+6.2f}  "
                        f"{peak:5.2f}  {limiter:>8}  {result.encodes:7}"
                    )
                    worst["lufs"] = max(worst["lufs"], abs(lufs - target))
                    worst["dbtp"] = max(worst["dbtp"], peak - ceiling)
    print(f"worst: {worst['lufs']:.3f} LU off, {worst['dbtp']:+.3f} dB against the ceiling")


class Stages:
    """Prints time and the highest memory of the process after each stage."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def run(self, name: str, work: Callable[[], object]) -> object:
        start, used = time.perf_counter(), time.process_time()
        result = work()
        elapsed, used = time.perf_counter() - start, time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"  {name:24} {elapsed:7.1f} s  processor {used:7.1f} s  "
            f"{self._seconds / elapsed:6.1f} times real time  memory at most {peak:6.0f} MiB",
            flush=True,
        )
        return result


def bench_long(minutes: float, preset: str, formats: Sequence[str]) -> None:
    """From levels to files: 24 different clips over and over, sections of two minutes, chains, a loop."""
    torch.set_num_threads(2)
    slot, width = 225792, 576
    count = max(2, round(minutes * 60 * RATE / slot))
    total = count * slot
    stages = Stages(total / RATE)
    print(f"{total / RATE / 60:.1f} minutes, {count} clips of {width} frames, decoder preset {preset}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in range(24):
            np.save(folder / f"clip-{seed}.npy", level_of(music(seed, 5.8), width))

        def loader(seed: int) -> Callable[[], np.ndarray]:
            return lambda: np.load(folder / f"clip-{seed}.npy")

        loaders = [loader(n % 24) for n in range(count)]
        clips = [MelClip(n * slot, slot, loaders[n], n % 24) for n in range(count)]
        timeline = MelTimeline(
            clips, start_sample=0, body_samples=total, tail_samples=0, params=PARAMS, wraps=True
        )
        stages.run("decode", lambda: decode(timeline, preset, folder / "passage.npy", wraps=True))
        # Sections of two minutes: every third through a reverb, every fourth softer.
        borders = [*range(0, count, 24), count]
        reverb = Effect("reverb", {"room_size": 0.3, "wet_level": 0.15, "dry_level": 0.4})
        sections = tuple(
            MixSection(
                f"section {n}",
                first * slot,
                last * slot,
                "bridge",
                slot,
                gain_db=-3.0 if n % 4 == 3 else 0.0,
                chain=(reverb,) if n % 3 == 2 else (),
            )
            for n, (first, last) in enumerate(itertools.pairwise(borders))
            if last > first
        )
        passage = MixPassage(npy_reader(folder / "passage.npy"), 0, total, sections, wraps=True)
        mix, _ = stages.run(  # type: ignore[misc]
            "mix",
            lambda: mixdown(
                [passage],
                total_samples=total,
                sample_rate=RATE,
                stereo_width=0.4,
                loop=True,
                path=folder / "mix.f32",
            ),
        )
        compressor = Effect("compressor", {"threshold_db": -18, "ratio": 2.0})
        chain = (Effect("highpass", {"cutoff_frequency_hz": 30}), compressor)
        stage: Mastering = stages.run(  # type: ignore[assignment]
            "master: chain, measure",
            lambda: Mastering(mix, MasterSettings(chain), sample_rate=RATE, loop=True, folder=folder),
        )
        master = stages.run("master: gain and limiter", stage.render)
        print(f"    {master.passes} passes, gain {master.gain_db:.2f} dB")  # type: ignore[attr-defined]
        markers = [Marker(section.name, section.start_sample) for section in sections]
        parts = [(section.start_sample, section.end_sample) for section in sections]
        for format in formats:
            result = stages.run(
                f"write {format}, measured",
                lambda format=format: write_track(  # type: ignore[misc]
                    folder / f"x.{format}",
                    stage,
                    master,  # type: ignore[arg-type]
                    Tags("long", recipe={"n": 1}),
                    markers,
                    parts=parts,
                ),
            )
            print(f"    {result.as_dict()}")  # type: ignore[attr-defined]
            with SoundFileReader(folder / f"x.{format}") as written:
                assert written.samples == total, f"{written.samples} samples, not {total}"
        audio = master.audio  # type: ignore[attr-defined]
        joins = stages.run(
            "report: joins",
            lambda: measure_joins(npy_reader(folder / "passage.npy"), timeline, PARAMS, wraps=True),
        )
        print(f"    {summarise_joins(joins)}")  # type: ignore[arg-type]
        stages.run(
            "report: repetition", lambda: measure_repetition([(clip.key, clip.load) for clip in clips])
        )
        tempo = stages.run("report: tempo", lambda: measure_tempo(audio, RATE, TEMPO))
        print(f"    {tempo}")
        bands = [TimelineSection(s.name, s.start_sample, s.end_sample) for s in sections]
        stages.run(
            "report: picture",
            lambda: write_timeline(
                folder / "x.png", audio, RATE, bands, [c.start_sample for c in clips], title="long"
            ),
        )
        print(f"  length exact: {total} samples in every file")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["joins", "loudness", "long"])
    parser.add_argument("--preset", default="", help="Decoder preset: `default` for joins, `fast` for long.")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--formats", default="flac,mp3")
    options = parser.parse_args()
    if options.what == "joins":
        bench_joins(options.preset or "default")
    elif options.what == "loudness":
        bench_loudness()
    else:
        bench_long(options.minutes, options.preset or "fast", options.formats.split(","))


if __name__ == "__main__":
    main()
