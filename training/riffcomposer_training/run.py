"""Runs the whole training recipe: `python -m riffcomposer_training.run --out DIR --setting cpu`.

A stage that was stopped continues where it was, and ends within its share of the budget. Stages that are
finished are skipped, unless --stage names them.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from riffcomposer import files
from riffcomposer.errors import ModelError, UsageError
from riffcomposer_training.command_line import exit_code, log_with_times
from riffcomposer_training.stages import STAGES, Run, StageName
from riffcomposer_training.training_settings import SETTINGS, Setting

log = logging.getLogger("riffcomposer_training.run")


def run_stages(run: Run, names: Sequence[StageName], *, again: bool = False) -> dict[str, float]:
    """Runs stages in order and records the seconds of each in `DIR/times.json`.

    Args:
        run: The run.
        names: Stages, in the order in which they run.
        again: Whether to run finished stages again.

    Returns:
        Seconds per stage, over all runs.

    Raises:
        ModelError: A stage has nothing to start from; the message says which stage to run first.
    """
    run.out.mkdir(parents=True, exist_ok=True)
    record = run.out / "times.json"
    times: dict[str, float] = json.loads(record.read_text()) if record.is_file() else {}
    for name in names:
        stage = STAGES[name]
        if stage.is_finished(run) and not again:
            log.info("%s: done before", name)
            continue
        _check_needs(run, name)
        log.info("%s ...", name)
        begun = time.monotonic()
        try:
            stage.run(run)
        finally:
            times[name] = round(times.get(name, 0.0) + time.monotonic() - begun, 1)
            files.write_text(record, json.dumps(times, indent=2) + "\n")
        log.info("%s: %.0f s", name, times[name])
    for lane in run.beside:
        lane.join()
    return times


def _check_needs(run: Run, name: StageName) -> None:
    for need in STAGES[name].needs:
        before = STAGES[need]
        if not before.has_left(run):
            raise ModelError(
                f"{before.folder(run) / before.leaves}: not found, and the {name} stage needs it; "
                f"run the {need} stage first"
            )


def with_shares(setting: Setting, stated: list[str]) -> Setting:
    """A setting with other shares of the time, each stated as `STAGE=0..1`.

    Raises:
        UsageError: A text is not of this form or names a stage without a share, or the sum is above 1.
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
    # Clips that are rendered beside later stages take no time from them.
    beside = shares["data"] if setting.first_shards else 0.0
    if sum(shares.values()) - beside > 1 + 1e-6:
        listed = ", ".join(f"{stage} {share:g}" for stage, share in shares.items())
        raise UsageError(f"--share: the shares come to more than 1 ({listed}); lower one of them")
    return replace(setting, shares=shares)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    listed = "\n".join(f"  {name:13} {stage.purpose}" for name, stage in STAGES.items())
    parser = argparse.ArgumentParser(
        prog="python -m riffcomposer_training.run", description=__doc__, epilog=f"stages:\n{listed}"
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--setting", choices=sorted(SETTINGS), default="cpu", help="size of the run")
    parser.add_argument("--budget-minutes", type=float, default=60.0, help="minutes for all stages together")
    parser.add_argument("--share", action="append", help="STAGE=0..1: its share of the time (repeatable)")
    parser.add_argument(
        "--stage", choices=list(STAGES), action="append", help="run this stage only (repeatable)"
    )
    parser.add_argument("--clips", type=Path, help="folder of rendered clips (default: OUT/clips)")
    parser.add_argument("--inputs", type=Path, help="folder of gathered inputs (default: OUT/inputs)")
    parser.add_argument("--start-from", type=Path, help="exported folder to train on from")
    parser.add_argument("--seed", type=int, default=1, help="seed of clips, weights and noise")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    chosen = parser.parse_args(arguments)
    log_with_times()

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

    def work() -> None:
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

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
