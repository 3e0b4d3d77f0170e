"""What a render says while it works: events, and the clock that turns them into an ETA.

Nothing here prints. An observer is any callable that takes a `RenderEvent`. It is called on the thread
that called `render`, between pieces of work; what it raises ends the render.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["load", "clips", "decode", "mix", "master", "write"]
STAGES: tuple[Stage, ...] = ("load", "clips", "decode", "mix", "master", "write")


@dataclass(frozen=True)
class RenderEvent:
    """A step of progress.

    Attributes:
        stage: What is being done.
        done, total: How much of it, in `unit`; total 0 where it cannot be told.
        unit: `clips`, `seconds` of sound, or `files`.
        elapsed_s: Since the stage began.
        eta_s: Estimated rest of the stage, None before it can be told.
        realtime_factor: Seconds of sound made for each second of work so far, None if unknown.
        detail: The clip, passage or file at hand, in words.
    """

    stage: Stage
    done: float
    total: float
    unit: Literal["clips", "seconds", "files"]
    elapsed_s: float
    eta_s: float | None = None
    realtime_factor: float | None = None
    detail: str = ""


Observer = Callable[[RenderEvent], None]


def ignore(event: RenderEvent) -> None:
    """The observer for those who do not watch."""
    del event


class StageClock:
    """Times one stage and sends its events."""

    def __init__(
        self,
        observer: Observer,
        stage: Stage,
        total: float,
        unit: Literal["clips", "seconds", "files"],
        seconds_each: float = 0.0,
    ) -> None:
        """Starts the clock.

        Args:
            observer: Where the events go.
            stage: The stage.
            total: How much there is to do, in `unit`.
            unit: What is counted.
            seconds_each: Sound made by one unit, for the real-time factor; 0 for none.
        """
        self._observer = observer
        self._stage = stage
        self._total = total
        self._unit = unit
        self._seconds_each = seconds_each
        self._began = time.monotonic()
        self.tell(0.0)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the stage began."""
        return time.monotonic() - self._began

    def tell(self, done: float, detail: str = "") -> None:
        """Sends an event: `done` units are finished."""
        elapsed = self.elapsed_s
        moving = done > 0 and elapsed > 0
        self._observer(
            RenderEvent(
                stage=self._stage,
                done=done,
                total=self._total,
                unit=self._unit,
                elapsed_s=elapsed,
                eta_s=elapsed / done * (self._total - done) if moving and self._total else None,
                realtime_factor=done * self._seconds_each / elapsed
                if moving and self._seconds_each
                else None,
                detail=detail,
            )
        )
