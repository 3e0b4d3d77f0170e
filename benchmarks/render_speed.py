"""Measures a whole render: real-time factor, time per stage, and memory.

    python benchmarks/render_speed.py                     # a three-minute song of 36 clips, default model
    python benchmarks/render_speed.py --clips 120         # ten minutes
    python benchmarks/render_speed.py --song songs/night-bus-home.yaml

It prints figures and has no pass or fail. The song is rendered with an empty store in a temporary folder, and
then again unchanged. Memory is the peak of the rendering process. For comparison, a few of the same clips are
decoded by Riffusion's method, built from torchaudio's transforms.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SONG = """\
title: Benchmark
tempo: 93.75
sections:
  - name: first
    init: lofi-keys
    prompt: lo-fi hip hop with electric piano
    clips: {first}
  - name: second
    init: jazz-trio
    prompt: jazz trio with piano, bass and drums
    seed: 100
    clips: {second}
output: {{formats: [flac], decoder: {decoder}}}
"""


def render_once(song: Path, folder: Path) -> tuple[dict[str, object], float, float]:
    """Runs the command; gives its JSON, wall seconds and peak memory in MiB."""
    environment = {**os.environ, "RIFFCOMPOSER_STORE": str(folder / "store")}
    command = [sys.executable, "-m", "riffcomposer", "render", str(song), "--json"]
    command += ["--out", str(folder / "out"), "--progress", "none"]
    began = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    if status:
        sys.exit(f"the render failed with status {os.waitstatus_to_exitcode(status)}")
    return json.loads(output), wall, usage.ru_maxrss / 1024


def reference_decode_seconds(store: Path, count: int) -> float:
    """Seconds per clip to decode clips of the store by Riffusion's method."""
    import numpy as np
    import torch
    import torchaudio

    bank = torchaudio.transforms.InverseMelScale(
        n_stft=8821, n_mels=512, sample_rate=44100, f_min=0, f_max=10000, norm=None, mel_scale="htk"
    )
    griffin_lim = torchaudio.transforms.GriffinLim(
        n_fft=17640, n_iter=32, win_length=4410, hop_length=441, power=1.0, momentum=0.99
    )
    paths = sorted((store / "clip").rglob("*.npy"))[:count]
    began = time.monotonic()
    for path in paths:
        level = np.load(path)[:, :, :512].astype(np.float32)
        griffin_lim(bank(torch.from_numpy(level**4 * 30e6)))
    return (time.monotonic() - began) / max(1, len(paths))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=36)
    parser.add_argument("--song", type=Path)
    parser.add_argument("--decoder", default="default", choices=["fast", "default", "best"])
    parser.add_argument("--reference-clips", type=int, default=2, help="0 leaves the reference out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        song = options.song
        if song is None:
            first = options.clips // 2
            song = folder / "song.yaml"
            text = SONG.format(first=first, second=options.clips - first, decoder=options.decoder)
            song.write_text(text)
        result, wall, memory = render_once(song, folder)
        stages = result["stage_seconds"]
        assert isinstance(stages, dict)
        seconds = float(str(result["seconds"]))
        rendered = result["clips_rendered"]
        print(f"track {seconds:.1f} s, {rendered} clips rendered, {os.cpu_count()} cores")
        print(f"whole process {wall:.1f} s, {seconds / wall:.2f}x real time, peak {memory:.0f} MiB")
        working = stages["total"] - stages.get("load", 0.0)
        print(f"after loading {working:.1f} s, {seconds / working:.2f}x real time")
        for stage, value in stages.items():
            if stage != "total":
                print(f"  {stage:8} {value:7.2f} s   {value / max(1, int(str(rendered))):6.3f} s per clip")
        _, again, _ = render_once(song, folder)
        print(f"again, unchanged: {again:.2f} s")
        if options.reference_clips:
            each = reference_decode_seconds(folder / "store", options.reference_clips)
            ours = stages["decode"] / int(str(rendered))
            print(f"Riffusion's decode alone: {each:.2f} s per clip; riffcomposer's {ours:.2f} s")


if __name__ == "__main__":
    main()
