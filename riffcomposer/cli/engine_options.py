"""Options that choose the engine of a render."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from riffcomposer.errors import UsageError

if TYPE_CHECKING:
    from riffcomposer.render.engines.interface import EngineSource

ENGINES = ("inproc", "processes", "ray")

Engine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="inproc: in this process; processes: one for each GPU or share of cores; ray: on a cluster.",
    ),
]
Workers = Annotated[
    str,
    typer.Option(metavar="N", help="How many workers an engine has; auto is one for each GPU."),
]


Address = Annotated[
    str | None,
    typer.Option(
        metavar="WHERE",
        help="Ray: auto (this machine's cluster, or RAY_ADDRESS), HOST:PORT, or local (its own).",
    ),
]
Backend = Annotated[
    str | None,
    typer.Option(
        metavar="CLASS",
        help="Ray: use only cuda-float16 or only cpu-float32 workers; else GPUs if there are any.",
    ),
]
CpusPerWorker = Annotated[
    int | None,
    typer.Option("--cpus-per-worker", min=1, metavar="N", help="Ray: cores of a worker. Default: 2."),
]


@dataclass(frozen=True)
class EngineOptions:
    """The options as they were given; None for those that were not."""

    engine: str = "inproc"
    workers: str = "auto"
    address: str | None = None
    backend: str | None = None
    cpus_per_worker: int | None = None


def rendering_device(device: str, backend: str | None) -> str:
    """Returns the device that keys are made for: the one that `--backend` implies, if that is given."""
    from riffcomposer.device import BACKENDS

    return next((name for name, each in BACKENDS.items() if each == backend), device)


def engine_source(options: EngineOptions) -> EngineSource:
    """Returns what opens the engines of a render.

    Raises:
        UsageError: Not an engine, or options that do not go together.
    """
    engine = options.engine
    if engine not in ENGINES:
        raise UsageError(f"--engine {engine}: give one of {', '.join(ENGINES)}")
    if engine != "processes" and options.workers != "auto":
        hint = "--cpus-per-worker decides how many there are" if engine == "ray" else "add --engine processes"
        raise UsageError(f"--workers {options.workers}: is for --engine processes; {hint}")
    if engine != "ray":
        for name in ("address", "backend", "cpus_per_worker"):
            if getattr(options, name) is not None:
                hint = "; --device says it otherwise" if name == "backend" else ""
                raise UsageError(f"--{name.replace('_', '-')}: is for --engine ray; add it{hint}")
    if engine == "ray":
        from riffcomposer.render.engines.ray_cluster import RayEngines
        from riffcomposer.render.engines.ray_connection import ClusterChoice

        return RayEngines(
            ClusterChoice(options.address or "auto", options.backend or "", options.cpus_per_worker or 2)
        )
    if engine == "processes":
        from riffcomposer.render.engines.processes import ProcessEngines

        return ProcessEngines(_count(options.workers))
    from riffcomposer.render.engines import in_process

    return in_process.InProcessEngines()


def _count(workers: str) -> int | None:
    if workers == "auto":
        return None
    if not (workers.isascii() and workers.isdigit()):
        raise UsageError(f"--workers {workers}: give a number, or auto")
    return int(workers)
