"""Options that choose the engine of a render."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from riffcomposer.errors import UsageError

if TYPE_CHECKING:
    from riffcomposer.render.engines.interface import EngineSource

ENGINES = ("inproc", "processes")

Engine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="inproc renders in this process; processes in one for each GPU or share of cores.",
    ),
]
Workers = Annotated[
    str,
    typer.Option(metavar="N", help="How many workers an engine has; auto is one for each GPU."),
]


def engine_source(engine: str, workers: str) -> EngineSource:
    """Returns what opens the engines of a render.

    Raises:
        UsageError: Not an engine, or options that do not go together.
    """
    if engine not in ENGINES:
        raise UsageError(f"--engine {engine}: give one of {', '.join(ENGINES)}")
    if engine == "inproc":
        from riffcomposer.render.engines import in_process

        if workers != "auto":
            raise UsageError(f"--workers {workers}: needs an engine with workers; add --engine processes")
        return in_process.InProcessEngines()
    from riffcomposer.render.engines.processes import ProcessEngines

    return ProcessEngines(_count(workers))


def _count(workers: str) -> int | None:
    if workers == "auto":
        return None
    if not (workers.isascii() and workers.isdigit()):
        raise UsageError(f"--workers {workers}: give a number, or auto")
    return int(workers)
