"""Seed clips on the grid, mixes and masters are the same to the last bit however many threads there are.

Run as a program it prints the digests that the test compares.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from fingerprints import uniform
from golden_mix import mixed_track
from mix_signals import SAMPLE_RATE
from PIL import Image

from riffcomposer.diffusion.init_clips import fit_init, fit_mask
from riffcomposer.mix.master import Mastering, MasterSettings
from riffcomposer.plan.inits import InitClip
from riffcomposer.plan.types import MaskImage
from riffcomposer.spectrogram.image import write_image
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters()
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def fitted(folder: Path) -> dict[str, str]:
    """Digests of a whole-sized loop at another tempo and of a mask."""
    level = uniform(1, 1, PARAMS.num_frequencies, 512).astype(np.float32)
    write_image(folder / "loop.png", level, PARAMS)
    Image.fromarray((255 * uniform(2, 300, 700)).astype(np.uint8)).save(folder / "mask.png")
    width, quarter = 512, Fraction(187, 4)
    init = InitClip("image", "loop", folder / "loop.png", "", Fraction(375, 4), Fraction(8))
    mask = MaskImage("mask", folder / "mask.png", "")
    return {
        "init": _digest(fit_init(init, width_frames=width, frames_per_quarter=quarter, params=PARAMS)),
        "mask": _digest(
            fit_mask(
                mask,
                width_frames=width,
                frames_per_quarter=quarter,
                clip_quarters=Fraction(8),
                n_mels=PARAMS.num_frequencies,
            )
        ),
    }


def mastered(folder: Path) -> dict[str, str]:
    """Digests of four seconds of mix and of their master."""
    mix = mixed_track(folder)
    settings = MasterSettings(integrated_lufs=-9.0)
    master = Mastering(mix, settings, sample_rate=SAMPLE_RATE, loop=False, folder=folder).render()
    return {"mix": _digest(mix.read(0, mix.samples)), "master": _digest(master.audio.read(0, mix.samples))}


def test_threads_of_torch_decide_nothing_about_a_seed_clip(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            found.append(fitted(tmp_path))
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_threads_of_the_environment_decide_nothing(tmp_path: Path) -> None:
    here = fitted(tmp_path) | mastered(tmp_path)
    other = "4" if torch.get_num_threads() == 1 else "1"
    result = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, **dict.fromkeys(THREADS, other), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(result.stdout) == here


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(fitted(Path(name)) | mastered(Path(name))))
