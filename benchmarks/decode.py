"""Compares the decoder with Riffusion's method, in quality and speed, on the same images.

Riffusion's method is built from torchaudio's transforms: `InverseMelScale` (least squares), then `GriffinLim`
with 32 iterations at n_fft 17640, momentum 0.99 and random phase; its figures are the mean over several
seeds. The two run in turn on each image. SC is the spectral convergence in dB of the mel of the decoded
sound, computed with Riffusion's exact forward transform; image error is the mean difference in grey levels
(of 255).

    python benchmarks/decode.py [--folder ../shared/riffusion] [--seeds 3] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from riffcomposer.spectrogram.audio_files import read_audio
from riffcomposer.spectrogram.decoder import PRESETS, Decoder
from riffcomposer.spectrogram.image import read_image
from riffcomposer.spectrogram.mel import PCM_SCALE, levels_from_mel, mel_from_audio, mel_from_levels
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters()
SEED_IMAGES = ("agile", "motorway", "og_beat")
RIFFUSION = "riffusion"


def items(folder: Path) -> dict[str, torch.Tensor]:
    """Levels by name: the seed images, and 8-bit images made from the clips."""
    levels = {name: read_image(folder / f"{name}.png")[0] for name in SEED_IMAGES}
    for path in sorted(folder.glob("*.wav")):
        audio = torch.from_numpy(read_audio(path, mono=True))
        level = levels_from_mel(mel_from_audio(audio, PARAMS), PARAMS)[:, :, :512]
        levels[path.stem[:6]] = torch.round(level * 255) / 255
    return levels


def riffusion_decoder() -> Callable[[torch.Tensor, int], torch.Tensor]:
    """Riffusion's method, mel and seed to audio."""
    import torchaudio

    inverse_mel = torchaudio.transforms.InverseMelScale(
        n_stft=PARAMS.n_fft // 2 + 1,
        n_mels=PARAMS.num_frequencies,
        sample_rate=PARAMS.sample_rate,
        f_min=float(PARAMS.min_frequency),
        f_max=float(PARAMS.max_frequency),
    )
    griffin_lim = torchaudio.transforms.GriffinLim(
        n_fft=PARAMS.n_fft,
        n_iter=32,
        win_length=PARAMS.win_length,
        hop_length=PARAMS.hop_length,
        power=1.0,
        momentum=0.99,
    )

    def decode(mel: torch.Tensor, seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return griffin_lim(inverse_mel(mel)) / PCM_SCALE

    return decode


def quality(audio: torch.Tensor, level: torch.Tensor) -> tuple[float, float]:
    """SC in dB, and image error in grey levels, of audio relative to the level it was decoded from."""
    wanted = mel_from_levels(level, PARAMS)
    got = mel_from_audio(audio, PARAMS)[:, :, : level.shape[2]]
    sc = 20 * math.log10(float((got - wanted).norm() / wanted.norm()))
    error = torch.round(levels_from_mel(got, PARAMS) * 255) - torch.round(level * 255)
    return sc, float(error.abs().mean())


def main() -> None:
    """Runs the comparison and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("../shared/riffusion"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    levels = items(options.folder)
    theirs = riffusion_decoder()
    ours = {preset: Decoder(PARAMS, preset) for preset in PRESETS}
    for decoder in ours.values():
        decoder.decode(mel_from_levels(levels["agile"][:, :, :64], PARAMS))  # warm caches and FFT plans
    results: dict[str, dict[str, list[tuple[float, ...]]]] = defaultdict(lambda: defaultdict(list))
    for seed in range(options.seeds):
        for name, level in levels.items():
            mel = mel_from_levels(level, PARAMS)
            methods: dict[str, Callable[[], torch.Tensor]] = {RIFFUSION: lambda m=mel, s=seed: theirs(m, s)}
            methods |= {preset: lambda d=decoder, m=mel: d.decode(m) for preset, decoder in ours.items()}
            for method, decode in methods.items():
                wall, cpu = time.perf_counter(), time.process_time()
                audio = decode()
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                results[method][name].append((wall, cpu, *quality(audio, level)))

    columns = ("time s", "CPU s", "SC dB", "image", "x time", "x CPU", "dB")
    print(f"{'':10s}{'item':10s}" + "".join(f"{column:>8s}" for column in columns))
    summary: dict[str, dict[str, list[float]]] = {}
    for method, by_item in results.items():
        mean = {name: np.mean(runs, axis=0) for name, runs in by_item.items()}
        mean["mean"] = np.mean(list(mean.values()), axis=0)
        summary[method] = {name: row.tolist() for name, row in mean.items()}
        for name, row in mean.items():
            base = np.array(summary[RIFFUSION][name])
            print(
                f"{method:10s}{name:10s}{row[0]:8.2f}{row[1]:8.2f}{row[2]:8.2f}{row[3]:8.2f}"
                f"{base[0] / row[0]:8.1f}{base[1] / row[1]:8.1f}{row[2] - base[2]:8.2f}"
            )
    if options.json:
        options.json.write_text(json.dumps(summary, indent=2) + "\n")


if __name__ == "__main__":
    main()
