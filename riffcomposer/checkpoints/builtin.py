"""Profiles for checkpoints without one: Riffusion's own, and a guess for related checkpoints."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from riffcomposer.checkpoints.profile import ModelProfile, profile_faults
from riffcomposer.errors import ModelError
from riffcomposer.spectrogram_parameters import SpectrogramParameters

RIFFUSION_V1 = ModelProfile(
    name="Riffusion v1",
    spectrogram=SpectrogramParameters(),
    image_width=512,
    width_step=64,
    max_width=1024,
    image_channels=3,
    latent_scale=8,
    prediction="epsilon",
    schedulers=("ddim", "dpmpp_2m", "euler", "euler_a", "pndm", "lms", "unipc"),
    scheduler="ddim",
    num_inference_steps=50,
    guidance_scale=7.0,
    strength=0.55,
    beat_keeping_strength=0.75,
    text_length=77,
    seconds_per_evaluation=14.0,
    memory_bytes=7 << 30,
    licence="CreativeML Open RAIL-M",
    training_data="Stable Diffusion 1.5, fine-tuned on spectrogram images by its authors",
)
"""Riffusion's checkpoint: Stable Diffusion 1.5 fine-tuned on 512 x 512 images of 5.12 s."""

BUILT_IN = {"riffusion/riffusion-model-v1": RIFFUSION_V1}
"""Profiles by hub repository, for those that have no `riffcomposer.json`."""

_PREDICTION: dict[str, Literal["epsilon", "v_prediction", "flow"]] = {
    "epsilon": "epsilon",
    "v_prediction": "v_prediction",
    "flow_prediction": "flow",
}
_CONFIG_BYTES = 4 << 20


def read_config(path: Path) -> dict[str, Any]:
    """Reads one of a diffusers folder's JSON files.

    Raises:
        ModelError: The file is missing, too large, or not a JSON object.
    """
    try:
        if path.stat().st_size > _CONFIG_BYTES:
            raise ModelError(f"{path}: larger than {_CONFIG_BYTES >> 20} MiB, so not a configuration")
        content = path.read_bytes()
        if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
            raise ModelError(f"{path}: cannot be read; save it as UTF-8 without a byte order mark")
        text = content.decode("utf-8")
        if text.startswith("version https://git-lfs.github.com/"):
            raise ModelError(f"{path}: a git-lfs pointer; run `git lfs pull`")
        config = json.loads(text)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: missing; the folder is not a complete diffusers checkpoint") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({error})") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path}: not a JSON object")
    return config


def derive_profile(folder: Path, name: str | None = None) -> ModelProfile:
    """Guesses a profile from a diffusers folder's own configuration.

    Values that the configuration does not have (the spectrogram format, the strength guide) are
    Riffusion's, since nearly every spectrogram checkpoint descends from it; the caller should warn.

    Raises:
        ModelError: A configuration is missing or damaged, or does not have Stable Diffusion's shape.
    """
    vae = read_config(folder / "vae" / "config.json")
    unet = read_config(folder / "unet" / "config.json")
    scheduler = read_config(folder / "scheduler" / "scheduler_config.json")
    text = read_config(folder / "text_encoder" / "config.json")
    predicts = str(scheduler.get("prediction_type", "epsilon"))
    if predicts not in _PREDICTION:
        raise ModelError(
            f"{folder}: the scheduler's prediction_type is {predicts[:60]!r}; "
            f"one of {', '.join(_PREDICTION)} is rendered"
        )
    try:
        blocks = len(vae.get("block_out_channels", (64,)))
        latent_scale = 2 ** (blocks - 1)
        unet_scale = 2 ** (len(unet.get("block_out_channels", (1, 1, 1, 1))) - 1)
        size = unet.get("sample_size") or RIFFUSION_V1.image_width // latent_scale
        if isinstance(size, list | tuple):
            size = size[-1]
        step = latent_scale * unet_scale
        width = max(step, int(size) * latent_scale // step * step)
        channels = int(vae.get("in_channels", 3))
        text_length = int(text.get("max_position_embeddings", 77))
        prediction = _PREDICTION[predicts]
    except (TypeError, ValueError, KeyError) as error:
        raise ModelError(
            f"{folder}: its configuration is not of Stable Diffusion's shape ({error!r})"
        ) from error
    if channels not in (1, 3):
        raise ModelError(
            f"{folder}: the autoencoder takes {channels} channels; "
            "write a riffcomposer.json that says how image channels map to them"
        )
    flow = prediction == "flow"
    profile = replace(
        RIFFUSION_V1,
        name=name or folder.name,
        spectrogram=replace(RIFFUSION_V1.spectrogram, num_frequencies=_height(unet, width, latent_scale)),
        image_width=width,
        width_step=step,
        max_width=2 * width,
        image_channels=channels,
        latent_scale=latent_scale,
        prediction=prediction,
        guidance_embedding=unet.get("time_cond_proj_dim") is not None,
        schedulers=("euler", "dpmpp_2m", "lcm") if flow else RIFFUSION_V1.schedulers,
        scheduler="euler" if flow else RIFFUSION_V1.scheduler,
        text_length=min(text_length, 77),
        licence="",
        training_data="",
    )
    if faults := profile_faults(profile):
        raise ModelError(f"{folder}: its configuration does not make a usable profile: {faults[0]}")
    return profile


def _height(unet: dict[str, Any], width: int, latent_scale: int) -> int:
    """Returns the number of mel bands, which is the height of the UNet's sample size."""
    size = unet.get("sample_size")
    if isinstance(size, list | tuple):
        return int(size[0]) * latent_scale
    return width
