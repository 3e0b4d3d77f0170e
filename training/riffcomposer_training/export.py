"""Stage *export*: writes the trained networks as a diffusers folder with a profile, in half precision.

`riffcomposer.diffusion.loading` reads the folder, and diffusers' own classes load its parts.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from riffcomposer import files
from riffcomposer.checkpoints.locate import DEFAULT_FOLDER
from riffcomposer.checkpoints.profile import SPECTRUM_FILE, ModelProfile, write_profile
from riffcomposer.errors import ModelError
from riffcomposer_training.caption_spectra import caption_spectrum, write_caption_spectrum
from riffcomposer_training.distillation import DISTILLED_STEPS
from riffcomposer_training.networks import TEXT_LENGTH, build_unet
from riffcomposer_training.schedule import load_checkpoint
from riffcomposer_training.text_states import load_encoder, save_encoder
from riffcomposer_training.training_settings import Setting

log = logging.getLogger(__name__)
LARGEST_FOLDER = 100_000_000
"""Bytes that the shipped folder may take."""

STRENGTH_MAP = (
    (0.0, 0.0),
    (0.3, 0.454),
    (0.4, 0.537),
    (0.5, 0.617),
    (0.6, 0.695),
    (0.7, 0.769),
    (0.75, 0.803),
    (1.0, 1.0),
)
"""Pairs of a song's strength and the model time with the noise that Stable Diffusion has at that strength."""

TRAINING_DATA = "music composed and synthesised by riffcomposer from MIT-licensed SoundFonts; no recordings"
DETAIL_GUIDANCE = 0.25
"""Keeps the notes of what a clip starts from; with more, prompts are followed further at their cost."""

SECONDS_PER_EVALUATION = 0.09
"""Seconds per evaluation of the cpu setting's UNet on two cores, without guidance."""

_WEIGHTS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}


def default_profile(setting: Setting, *, distilled: bool, figures: dict[str, float]) -> ModelProfile:
    """The profile of a model trained by this recipe."""
    return ModelProfile(
        name="riffcomposer default",
        image_width=512,
        width_step=64,
        max_width=1024,
        image_channels=1,
        network_input="image",
        pixel_unshuffle=setting.patch,
        latent_scale=setting.patch,
        prediction="flow",
        guidance_embedding=distilled,
        init_conditioning=True,
        caption_spectrum=True,
        detail_guidance=1.0 if distilled else DETAIL_GUIDANCE,
        text_length=TEXT_LENGTH,
        schedulers=("euler", "dpmpp_2m", "lcm"),
        scheduler="euler",
        num_inference_steps=DISTILLED_STEPS if distilled else 8,
        guidance_scale=3.0,
        strength=0.55,
        strength_map=STRENGTH_MAP,
        beat_keeping_strength=0.75,
        default_init="score",
        supports_negative_prompt=not distilled,
        seconds_per_evaluation=SECONDS_PER_EVALUATION,
        memory_bytes=1 << 30,
        licence="GPL-3.0-or-later (weights: trained from scratch); text encoder Apache-2.0",
        training_data=TRAINING_DATA,
        evaluation=figures,
    )


def _save_half(network: Any, folder: Path) -> None:
    network.half().save_pretrained(str(folder), safe_serialization=True)
    (folder / _WEIGHTS["unet"]).chmod(0o644)


def folder_hashes(folder: Path) -> dict[str, str]:
    """sha256 of every file that decides what the model does."""
    found = {}
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        for path in sorted((folder / part).iterdir()):
            with open(path, "rb") as handle:
                found[f"{part}/{path.name}"] = hashlib.file_digest(handle, "sha256").hexdigest()
    for name in ("model_index.json", SPECTRUM_FILE):
        found[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return found


def export_model(
    setting: Setting,
    out: Path,
    folder: Path,
    text_encoder: Callable[[], tuple[Any, Any]],
    clips: Path,
    *,
    figures: dict[str, float] | None = None,
) -> ModelProfile:
    """Writes the folder with the run's best networks: the distilled student if there is one.

    A text encoder that is in the folder already is kept; otherwise the shipped one is copied. While the
    diffusion stage is still training, its current averaged weights are used.

    Args:
        setting: Size of the run.
        out: Folder of the run.
        folder: Where to write.
        text_encoder: Returns encoder and tokenizer; called if neither folder has them.
        clips: The rendered clips, from which the spectra of captions are learnt.
        figures: Figures to store in the profile, beside those of the training.

    Raises:
        ModelError: A stage is missing, or the folder would be larger than 100 MB.
    """
    from riffcomposer_training.autoencoder import load_autoencoder

    distilled, state = _best_state(out)
    unet = build_unet(setting, guidance_embedding=distilled)
    unet.load_state_dict(state["network"])
    autoencoder = load_autoencoder(setting, out)
    figures = {**(figures or {}), **_training_figures(out, state)}

    folder.mkdir(parents=True, exist_ok=True)
    for part in ("unet", "vae", "scheduler"):
        shutil.rmtree(folder / part, ignore_errors=True)
    _save_half(unet, folder / "unet")
    _save_half(autoencoder, folder / "vae")
    if not (folder / "text_encoder" / _WEIGHTS["text_encoder"]).is_file():
        if (DEFAULT_FOLDER / "text_encoder" / _WEIGHTS["text_encoder"]).is_file():
            for part in ("text_encoder", "tokenizer"):
                shutil.copytree(DEFAULT_FOLDER / part, folder / part, dirs_exist_ok=True)
        else:
            save_encoder(*text_encoder(), folder)
    write_caption_spectrum(caption_spectrum(clips, *load_encoder(folder / "text_encoder")), folder)
    (folder / "scheduler").mkdir()
    scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 1.0}
    files.write_text(folder / "scheduler" / "scheduler_config.json", json.dumps(scheduler, indent=2) + "\n")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderTiny"],
        "text_encoder": ["transformers", "BertModel"],
        "tokenizer": ["transformers", "BertTokenizer"],
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
    }
    files.write_text(folder / "model_index.json", json.dumps(index, indent=2) + "\n")
    profile = replace(
        default_profile(setting, distilled=distilled, figures=figures), files=folder_hashes(folder)
    )
    write_profile(folder, profile)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > LARGEST_FOLDER:
        raise ModelError(f"{folder}: {size:,} bytes, more than the {LARGEST_FOLDER:,} that may ship")
    log.info("%s: %.1f MB", folder, size / 1e6)
    return profile


def _best_state(out: Path) -> tuple[bool, dict[str, Any]]:
    """Whether the run's best UNet is a distilled one, and its weights with the record of its training."""
    for name in ("distillation.pt", "diffusion.pt"):
        if (state := load_checkpoint(out / name)) is not None:
            return name == "distillation.pt", state
    if (state := load_checkpoint(out / "diffusion_state.pt")) is not None:
        return False, {**state, "network": state["average"]}
    raise ModelError(f"{out}: no trained UNet; run the diffusion stage first")


def _training_figures(out: Path, state: dict[str, Any]) -> dict[str, float]:
    autoencoder = load_checkpoint(out / "autoencoder.pt")
    figures: dict[str, float] = {"training_samples": float(state.get("samples", 0))}
    if autoencoder is not None:
        figures["autoencoder_image_error"] = round(autoencoder["figures"][0], 3)
        figures["autoencoder_convergence_db"] = round(autoencoder["figures"][1], 2)
    if rows := state.get("series"):
        for figure, logged in (("held_out_loss", "held_out"), ("wrong_minus_right", "wrong_minus_right")):
            if logged in rows[-1]:
                figures[figure] = round(rows[-1][logged], 4)
    return figures
