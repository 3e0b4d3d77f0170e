"""The stages of the recipe: what each does, what it needs, and what it leaves in the folder of a run."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from riffcomposer import files
from riffcomposer.errors import ModelError
from riffcomposer_training.training_settings import Setting

if TYPE_CHECKING:
    from riffcomposer_training.latent_set import LatentFeed

log = logging.getLogger(__name__)
LARGEST_INPUTS = 60 << 20
SPARE_CORES = 3
"""Cores for the training and the encoding when clips are rendered beside them."""


@dataclass(frozen=True)
class Run:
    """One run of the recipe.

    Attributes:
        setting: Size of the run.
        out: Folder of the run.
        budget_seconds: Time for all stages together.
        clips: Folder of the rendered clips.
        inputs: Folder of fonts and text encoder.
        device: `cpu` or `cuda`.
        seed: Seed of clips, weights and noise.
        start_from: Exported folder whose networks the training starts from; None starts untrained.
        beside: Processes that render clips while later stages run.
    """

    setting: Setting
    out: Path
    budget_seconds: float
    clips: Path
    inputs: Path
    device: str
    seed: int = 1
    start_from: Path | None = None
    beside: list[BaseProcess] = field(default_factory=list)

    def budget(self, stage: str) -> float:
        """Seconds that a stage may take over all its runs."""
        return self.budget_seconds * self.setting.shares.get(stage, 0.0)

    @property
    def latents(self) -> Path:
        """Folder of the encoded clips."""
        return self.out / "latents"

    @property
    def model(self) -> Path:
        """The exported folder."""
        return self.out / "model"


def _gather(run: Run) -> None:
    """Collects everything that later stages need from outside."""
    from riffcomposer.checkpoints.locate import DEFAULT_FOLDER
    from riffcomposer_training import fonts
    from riffcomposer_training.text_states import pack_encoder, package_folder

    run.inputs.mkdir(parents=True, exist_ok=True)
    if not list(run.inputs.glob("*.sf3")):
        scratch = run.inputs / ".fonts"
        shutil.copyfile(fonts.gather(scratch)[0], run.inputs / fonts.FONT_FILES[0])
        shutil.rmtree(scratch, ignore_errors=True)
    if not (run.inputs / "text_encoder" / "weights.npz").is_file():
        shipped = DEFAULT_FOLDER / "text_encoder"
        source = shipped if (shipped / "model.safetensors").is_file() else package_folder()
        pack_encoder(source, run.inputs / "text_encoder")
    size = sum(path.stat().st_size for path in run.inputs.rglob("*") if path.is_file())
    log.info("%s: %.1f MiB", run.inputs, size / (1 << 20))
    if size > LARGEST_INPUTS:
        raise ModelError(f"{run.inputs}: {size / (1 << 20):.1f} MiB, more than the 60 MiB that travel")


def _data(run: Run) -> None:
    """Renders clips until there are enough or the time is up; rendering may continue beside later stages."""
    from riffcomposer.synth.soundfont_choice import SHIPPED
    from riffcomposer_training.rendering import start_lanes, wait_for, wait_for_shards

    # What renders are played with comes first; the larger fonts are for variety.
    fonts = [SHIPPED, *sorted(run.inputs.glob("*.sf3"), reverse=True)]
    setting = run.setting
    lanes = start_lanes(
        run.clips,
        fonts,
        run.seed,
        setting.clips,
        setting.clips_per_shard,
        run.budget("data"),
        spare_cores=SPARE_CORES if setting.first_shards else 0,
    )
    if setting.first_shards:
        wait_for_shards(run.clips, setting.first_shards, lanes)
        run.beside.extend(lanes)
    else:
        wait_for(lanes)


def _autoencoder(run: Run) -> None:
    """Trains the autoencoder, or takes over that of the folder to start from and trains its decoder."""
    from riffcomposer_training.autoencoder import take_autoencoder, train_autoencoder
    from riffcomposer_training.decoder_training import train_decoder

    if run.start_from is not None:
        take_autoencoder(run.setting, run.clips, run.out, run.start_from)
        if run.budget("autoencoder") > 0:
            train_decoder(
                run.setting,
                run.clips,
                run.out,
                run.budget("autoencoder"),
                seed=run.seed + 1,
                device=run.device,
            )
        return
    train_autoencoder(
        run.setting, run.clips, run.out, run.budget("autoencoder"), seed=run.seed + 1, device=run.device
    )


def _latents(run: Run) -> None:
    """Encodes the clips that are not encoded yet."""
    from riffcomposer_training.autoencoder import load_autoencoder
    from riffcomposer_training.latent_set import write_latents

    network = load_autoencoder(run.setting, run.out)
    made = write_latents(network, run.setting.patch, run.clips, run.latents, run.device)
    log.info("latents of %d shards", made)


def _text_encoder(run: Run) -> tuple[Any, Any]:
    """The gathered text encoder, or the shipped one."""
    from riffcomposer.checkpoints.locate import DEFAULT_FOLDER
    from riffcomposer_training.text_states import load_encoder

    gathered = run.inputs / "text_encoder"
    return load_encoder(gathered if gathered.is_dir() else DEFAULT_FOLDER / "text_encoder")


def _feed(run: Run) -> LatentFeed:
    from riffcomposer_training.latent_set import CaptionStates, LatentFeed

    encoder, tokenizer = _text_encoder(run)
    # On a GPU captions are encoded faster than they are read.
    kept = run.latents if run.device == "cpu" else None
    return LatentFeed(run.latents, CaptionStates(encoder.to(run.device), tokenizer, kept), run.device)


def _deviations(run: Run) -> Any:
    from riffcomposer_training.schedule import load_checkpoint

    state = load_checkpoint(run.out / "autoencoder.pt")
    if state is None:
        raise ModelError(f"{run.out}: no autoencoder; run the autoencoder stage first")
    return state["deviations"]


def _diffusion(run: Run) -> None:
    """Trains the UNet; shards that appear meanwhile are encoded and taken in."""
    from riffcomposer_training.encoding_beside import EncodingBeside
    from riffcomposer_training.start_from import start_unet
    from riffcomposer_training.train_unet import train_diffusion

    alone = run.setting.first_shards == 0
    beside = EncodingBeside(run.setting, run.out, run.clips, run.latents, run.device)
    with nullcontext() if alone else beside:
        train_diffusion(
            run.setting,
            _feed(run),
            _deviations(run),
            run.out,
            run.budget("diffusion"),
            seed=run.seed + 2,
            device=run.device,
            start=start_unet(run.setting, run.start_from) if run.start_from is not None else None,
            refresh=partial(_latents, run) if alone else None,
        )


def _distillation(run: Run) -> None:
    """Distils the guided model, if the setting gives it time."""
    from riffcomposer_training.distillation import train_student

    if run.budget("distillation") <= 0:
        log.info("no time is given to distillation; guidance stays a second pass")
        return
    train_student(
        run.setting,
        _feed(run),
        _deviations(run),
        run.out,
        run.budget("distillation"),
        seed=run.seed + 3,
        device=run.device,
    )


def _export(run: Run) -> None:
    """Writes the folder, and its weights in parts that travel."""
    from riffcomposer_training.export import export_model
    from riffcomposer_training.parts import split

    folder = run.model
    export_model(run.setting, run.out, folder, lambda: _text_encoder(run), run.clips)
    parts = run.out / "parts"
    parts.mkdir(exist_ok=True)
    for stage in ("autoencoder", "distillation", "diffusion"):
        if (run.out / f"{stage}.pt").is_file():
            curve = run.out / f"{stage}.json"
            files.write_text(curve, json.dumps(_curve(run.out / f"{stage}.pt"), indent=0) + "\n")
    for path in (folder / "unet", folder / "vae"):
        split(path / "diffusion_pytorch_model.safetensors", _emptied(parts / path.name))


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _curve(path: Path) -> dict[str, Any]:
    """What a finished stage recorded, without its weights."""
    from riffcomposer_training.schedule import load_checkpoint

    state = load_checkpoint(path) or {}
    return {name: value for name, value in state.items() if isinstance(value, (int, float, list))}


def _evaluate(run: Run) -> None:
    """Measures the exported folder."""
    from riffcomposer_training.evaluate import evaluate_model

    evaluate_model(
        run.model,
        run.clips,
        run.out / "evaluation",
        count=run.setting.evaluated_clips,
        scorer_seconds=run.setting.scorer_seconds,
    )


StageName = Literal[
    "gather", "data", "autoencoder", "latents", "diffusion", "distillation", "export", "evaluate"
]


@dataclass(frozen=True)
class Stage:
    """One stage of the recipe.

    Attributes:
        purpose: A few words on what it does.
        run: Runs the stage; a stage that was stopped continues where it was.
        needs: Stages whose results it needs.
        folder: Returns the folder of its result.
        leaves: Pattern of the result files that a later stage can start from.
        finished: File that exists when the stage is finished, so that it is skipped; empty for a stage
            that finds out by itself what is left to do.
    """

    purpose: str
    run: Callable[[Run], None]
    needs: tuple[StageName, ...]
    folder: Callable[[Run], Path]
    leaves: str
    finished: str = ""

    def has_left(self, run: Run) -> bool:
        """Whether there is anything that a later stage can start from."""
        return any(self.folder(run).glob(self.leaves))

    def is_finished(self, run: Run) -> bool:
        """Whether nothing is left to do."""
        return bool(self.finished) and (self.folder(run) / self.finished).is_file()


def _out(run: Run) -> Path:
    return run.out


STAGES: dict[StageName, Stage] = {
    "gather": Stage(
        "fonts and text encoder (the only stage with network)",
        _gather,
        needs=(),
        folder=lambda run: run.inputs,
        leaves="text_encoder/weights.npz",
    ),
    "data": Stage(
        "composes and renders clips",
        _data,
        needs=("gather",),
        folder=lambda run: run.clips,
        leaves="shard_*.json",
    ),
    "autoencoder": Stage(
        "components, then residual training",
        _autoencoder,
        needs=("data",),
        folder=_out,
        leaves="autoencoder.pt",
        finished="autoencoder.pt",
    ),
    "latents": Stage(
        "clips and captions through the encoders",
        _latents,
        needs=("autoencoder", "data"),
        folder=lambda run: run.latents,
        leaves="*",
    ),
    "diffusion": Stage(
        "flow matching",
        _diffusion,
        needs=("autoencoder", "latents"),
        folder=_out,
        leaves="diffusion*.pt",
        finished="diffusion.pt",
    ),
    "distillation": Stage(
        "guidance in one pass, fewer steps",
        _distillation,
        needs=("autoencoder", "latents", "diffusion"),
        folder=_out,
        leaves="distillation.pt",
        finished="distillation.pt",
    ),
    "export": Stage(
        "a diffusers folder with profile and hashes, and its weights in parts",
        _export,
        needs=("autoencoder", "diffusion"),
        folder=lambda run: run.model,
        leaves="riffcomposer.json",
        finished="riffcomposer.json",
    ),
    "evaluate": Stage(
        "figures, contact sheet and sounds",
        _evaluate,
        needs=("data", "export"),
        folder=lambda run: run.out / "evaluation",
        leaves="figures.json",
        finished="figures.json",
    ),
}
"""All stages, in the order in which they run."""
