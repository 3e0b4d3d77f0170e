"""Progress events of a render, and the clock that estimates the time left.

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
        stage: The stage at work.
        done, total: Amounts in `unit`, shares of the clips at work among what is done; total is 0 if it is
            unknown.
        finished: Whole units that are done, and kept if the render stops.
        unit: `clips`, `seconds` of sound, or `files`.
        elapsed_s: Seconds since the stage began.
        eta_s: Estimated seconds to the end of the stage, None before there is an estimate.
        realtime_factor: Seconds of sound made per second of work so far, None if unknown.
        detail: The clip, passage or file at hand, in words.
        clip: Key of the clip at hand; empty in other stages.
        notice: A sentence that a person should see at once: a worker was lost, for instance.
        song: Title of the song that is finished beside others; empty for the work at hand.
    """

    stage: Stage
    done: float
    total: float
    unit: Literal["clips", "seconds", "files"]
    elapsed_s: float
    eta_s: float | None = None
    realtime_factor: float | None = None
    detail: str = ""
    notice: str = ""
    song: str = ""
    clip: str = ""
    finished: int = 0


Observer = Callable[[RenderEvent], None]


def ignore(event: RenderEvent) -> None:
    """Does nothing: the observer that is used if none is given."""
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
            observer: Called with each event.
            stage: The stage to time.
            total: The amount of work, in `unit`.
            unit: What is counted: `clips`, `seconds` or `files`.
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

    def tell(
        self, done: float, detail: str = "", notice: str = "", clip: str = "", finished: int | None = None
    ) -> None:
        """Sends an event: `done` units are done, `finished` of them whole (None: all that are in `done`)."""
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
                notice=notice,
                clip=clip,
                finished=int(done) if finished is None else finished,
            )
        )
