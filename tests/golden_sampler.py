"""Golden outputs of the sampler: clips of two tiny checkpoints, and seed clips and masks on the grid."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from clip_jobs import clip_job
from fingerprints import Fingerprint, fingerprint, uniform
from tiny_checkpoint import TINY_FLOW_PROFILE, TINY_PROFILE, build_tiny_checkpoint

from riffcomposer.checkpoints.profile import SPECTRUM_BANDS, SPECTRUM_FILE, ModelProfile
from riffcomposer.plan.inits import InitClip
from riffcomposer.plan.types import ClipJob, MaskImage
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters(num_frequencies=64)
LOOP_TEMPO = Fraction(375, 2)
"""At which two beats are 64 frames."""


def _weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Weights that depend on the parameter's name alone, so that no library's initialisation decides them."""
    values = 2 * uniform(zlib.crc32(name.encode()), *shape) - 1
    if len(shape) == 1:
        values = 0.1 * values + (1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0)
    elif "embedding" not in name:
        values *= np.sqrt(3 / np.prod(shape[1:]))
    return values.astype(np.float32)


def _checkpoint(folder: Path, profile: ModelProfile) -> Path:
    import torch
    from safetensors.torch import load_file, save_file

    build_tiny_checkpoint(folder, profile)
    if profile.caption_spectrum:
        weight, bias = (uniform(seed, *shape) for seed, shape in ((4, (SPECTRUM_BANDS, 32)), (5, (22,))))
        write_spectrum(folder, 20 * weight.astype(np.float32), -30 * bias.astype(np.float32), 2.0)
    for path in sorted(folder.glob("*/*.safetensors")):
        found = load_file(path)
        made = {
            name: torch.from_numpy(_weights(name, tuple(tensor.shape)))
            if tensor.is_floating_point() and tensor.ndim
            else tensor
            for name, tensor in found.items()
        }
        save_file(made, path, metadata={"format": "pt"})
    return folder


def write_spectrum(folder: Path, weight: np.ndarray, bias: np.ndarray, tolerance_db: float = 0.0) -> None:
    """Writes a checkpoint's map from prompts to spectra."""
    from safetensors.numpy import save_file

    tolerance = np.full(SPECTRUM_BANDS, tolerance_db, np.float32)
    save_file({"weight": weight, "bias": bias, "tolerance": tolerance}, folder / SPECTRUM_FILE)


def inputs(folder: Path) -> tuple[InitClip, InitClip, MaskImage]:
    """A loop as an image, a loop as a sound, and a mask of soft blocks."""
    import soundfile
    from PIL import Image

    from riffcomposer.spectrogram.image import write_image

    level = np.kron(uniform(1, 1, 16, 16), np.ones((1, 4, 4))).astype(np.float32)
    write_image(folder / "loop.png", level, PARAMS)
    image = InitClip("image", "loop", folder / "loop.png", "", LOOP_TEMPO, Fraction(2))
    seconds = np.arange(44100) / 44100
    tones = sum(np.sin(2 * np.pi * hertz * seconds) for hertz in (110.0, 523.25, 3000.0))
    audio = 0.2 * tones * np.exp(-6 * (seconds % 0.25)) + 0.05 * (uniform(2, 44100) - 0.5)
    soundfile.write(folder / "loop.wav", audio, 44100, subtype="PCM_24")
    sound = InitClip(
        "audio", "sound", folder / "loop.wav", "", Fraction(150), Fraction(2), start_seconds=Fraction(1, 10)
    )
    grey = (255 * np.kron(uniform(3, 4, 4), np.ones((8, 12)))).astype(np.uint8)
    Image.fromarray(grey).save(folder / "mask.png")
    return image, sound, MaskImage("mask", folder / "mask.png", "")


def jobs_from(image: InitClip, sound: InitClip, mask: MaskImage) -> dict[str, ClipJob]:
    """Case to job for the checkpoint that predicts noise."""
    plain: dict[str, Any] = {"frames_per_quarter": Fraction(30), "num_inference_steps": 6, "init": image}
    jobs = {
        "img2img": clip_job(**plain),
        "walk with mask": clip_job(**{**plain, "alpha": 0.4, "mask": mask, "scheduler": "euler"}),
        "img2img with mask": clip_job(**{**plain, "mask": mask}),
        "from a sound": clip_job(**{**plain, "init": sound, "guidance_scale": 1.0}),
        "emphasis": clip_job(**{**plain, "prompt_a": "(church:1.4) bells", "negative_prompt": ""}),
    }
    for scheduler in TINY_PROFILE.schedulers:
        jobs[f"{scheduler} from noise"] = clip_job(
            **{**plain, "init": None, "alpha": 0.3, "scheduler": scheduler}
        )
    return jobs


def _flow_jobs(jobs: dict[str, ClipJob]) -> dict[str, ClipJob]:
    made = {f"flow {name}": replace(jobs[name], scheduler="euler") for name in ("img2img", "walk with mask")}
    for scheduler in TINY_FLOW_PROFILE.schedulers:
        made[f"flow {scheduler} from noise"] = jobs[f"{scheduler} from noise"]
    return made


def clips(folder: Path, profile: ModelProfile, jobs: Mapping[str, ClipJob]) -> dict[str, np.ndarray]:
    """The levels of jobs, rendered with a checkpoint of `profile` that is made in `folder`."""
    from riffcomposer.checkpoints.locate import locate_model
    from riffcomposer.diffusion.engine import Engine
    from riffcomposer.spectrogram.threads import one_thread

    engine = Engine(locate_model(str(_checkpoint(folder / profile.name, profile))), device="cpu")
    with one_thread():  # networks so small are slower on several
        results = dict(engine.render(jobs))
    engine.close()
    found = {}
    for name, level in results.items():
        assert isinstance(level, np.ndarray), f"{name}: {level}"
        found[name] = level
    return found


def compute(folder: Path) -> dict[str, Fingerprint]:
    """Case to fingerprint; works in an empty folder."""
    from riffcomposer.diffusion.init_clips import fit_init, fit_mask

    image, sound, mask = inputs(folder)
    jobs = jobs_from(image, sound, mask)
    found = clips(folder, TINY_PROFILE, jobs) | clips(folder, TINY_FLOW_PROFILE, _flow_jobs(jobs))
    gentle = replace(TINY_FLOW_PROFILE, name="tiny flow gentle", detail_guidance=0.25)
    found |= clips(folder, gentle, {"flow with gentle guidance": _flow_jobs(jobs)["flow img2img"]})
    shown = replace(TINY_FLOW_PROFILE, name="tiny flow conditioned", init_conditioning=True)
    found |= clips(folder, shown, {"flow that is shown the loop": _flow_jobs(jobs)["flow img2img"]})
    knowing = replace(TINY_FLOW_PROFILE, name="tiny flow knowing", caption_spectrum=True)
    held = {
        name: each
        for name, each in _flow_jobs(jobs).items()
        if name in ("flow img2img", "flow euler from noise")
    }
    found |= {f"{name}, held with a tolerance": level for name, level in clips(folder, knowing, held).items()}
    for per_quarter in (Fraction(97, 3), Fraction(20), Fraction(50)):
        for init in (image, sound):
            found[f"{init.name} at {per_quarter} frames per quarter"] = fit_init(
                init,
                width_frames=96,
                frames_per_quarter=per_quarter,
                params=PARAMS,
            )
    found["mask"] = fit_mask(
        mask, width_frames=96, frames_per_quarter=Fraction(40), clip_quarters=Fraction(2), n_mels=64
    )
    return {name: fingerprint(level) for name, level in found.items()}
