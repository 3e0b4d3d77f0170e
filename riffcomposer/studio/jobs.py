"""The queue of renders: one at a time, in order. A job goes on when the page that asked for it is closed.

A job's events are kept, numbered from 1, so that a page that comes back reads on from where it was.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from riffcomposer.diagnostics import to_json
from riffcomposer.errors import Cancelled, RiffcomposerError, SongError, UsageError
from riffcomposer.render.events import RenderEvent
from riffcomposer.render.stopping import StopFlag

_LOG = logging.getLogger(__name__)

State = Literal["queued", "running", "done", "failed", "cancelled"]
OVER = ("done", "failed", "cancelled")

KEPT_JOBS = 50
KEPT_EVENTS = 5000
MOST_WAITING = 20
QUIET_S = 0.1
"""Seconds between two events of progress about the same clip or stage."""


@dataclass(frozen=True)
class JobEvent:
    """One event of a job: `state`, `progress`, `clip`, `sound` or `take`."""

    number: int
    kind: str
    content: dict[str, Any]


@dataclass
class Job:
    """One piece of work.

    Attributes:
        id: Its number, as text.
        kind: `render` or `takes`.
        title: What it is about, for people.
        about: The same for programs: `song`, `draft`, `revision` of a render.
        result: What the work returned, once it is done.
        error: What went wrong, if it failed, and the diagnostics of the song if it is at fault.
        resources: What belongs to the job while it lives: the sound of a render, for instance.
    """

    id: str
    kind: str
    title: str
    work: Callable[[Job], dict[str, Any]] = field(repr=False)
    about: dict[str, Any] = field(default_factory=dict)
    state: State = "queued"
    stop: StopFlag = field(default_factory=StopFlag)
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    created: float = field(default_factory=time.time)
    resources: dict[str, Any] = field(default_factory=dict, repr=False)
    _events: deque[JobEvent] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS), repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1), repr=False)
    _last: dict[str, float] = field(default_factory=dict, repr=False)

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    def tell(self, kind: str, **content: Any) -> None:
        """Adds an event."""
        with self._lock:
            self._events.append(JobEvent(next(self._numbers), kind, content))

    def events_after(self, number: int) -> list[JobEvent]:
        """The events with a higher number, in order."""
        with self._lock:
            return [event for event in self._events if event.number > number]

    def observe(self, event: RenderEvent) -> None:
        """Tells of a render's progress, at most ten times per second for the same clip."""
        now = time.monotonic()
        whole = event.done >= event.total or event.done == int(event.done)
        about = event.clip or event.stage
        if not whole and now - self._last.get(about, 0.0) < QUIET_S:
            return
        self._last[about] = now
        self.tell(
            "progress",
            stage=event.stage,
            done=round(event.done, 2),
            total=event.total,
            unit=event.unit,
            eta_s=event.eta_s,
            realtime_factor=event.realtime_factor,
            detail=event.detail,
            clip=event.clip,
        )

    def as_dict(self) -> dict[str, Any]:
        """The job for JSON."""
        return {
            "id": self.id,
            "kind": self.kind,
            "title": self.title,
            **self.about,
            "state": self.state,
            "created": self.created,
            "result": self.result,
            "error": self.error,
        }


def error_of(error: RiffcomposerError) -> dict[str, Any]:
    """An error for JSON: its sentence, and the diagnostics of a song at fault."""
    found = [to_json(each) for each in error.diagnostics] if isinstance(error, SongError) else []
    return {"message": str(error), "exit_code": error.exit_code, "diagnostics": found}


class JobQueue:
    """Runs jobs one after another on a thread of its own."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="studio-jobs", daemon=True)
        self._thread.start()

    def submit(self, kind: str, title: str, work: Callable[[Job], dict[str, Any]], **about: Any) -> Job:
        """Adds a job at the end of the queue; `about` is a part of its answer.

        Raises:
            UsageError: Too many jobs wait.
        """
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                raise UsageError(f"{MOST_WAITING} jobs wait already; cancel some, or wait")
            job = Job(str(next(self._numbers)), kind, title, work, about)
            self._jobs[job.id] = job
            self._waiting.append(job)
            over = [each.id for each in self._jobs.values() if each.is_over]
            for old in over[: max(0, len(self._jobs) - KEPT_JOBS)]:
                del self._jobs[old]
            job.tell("state", state="queued")
            self._changed.notify_all()
        return job

    def all(self) -> list[Job]:
        """All jobs that are kept, the oldest first."""
        with self._changed:
            return list(self._jobs.values())

    def get(self, id: str) -> Job | None:
        """Returns a job, or None if there is none of that name."""
        with self._changed:
            return self._jobs.get(id)

    def cancel(self, job: Job) -> None:
        """Takes a waiting job out of the queue, or asks a running one to stop at its next step."""
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
                self._end(job, "cancelled")
        job.stop.raise_flag()

    def close(self) -> None:
        """Cancels all jobs and waits for the running one to stop."""
        for job in self.all():
            if not job.is_over:
                self.cancel(job)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                job = self._waiting.popleft()
                job.state = "running"
            job.tell("state", state="running")
            try:
                job.result = job.work(job)
            except Cancelled:
                self._end(job, "cancelled")
            except RiffcomposerError as error:
                job.error = error_of(error)
                self._end(job, "failed")
            except Exception as error:  # noqa: BLE001 - the queue outlives a fault of ours, and says so
                _LOG.exception("job %s failed", job.id)
                job.error = {
                    "message": f"a fault in riffcomposer: {error!r}",
                    "exit_code": 3,
                    "diagnostics": [],
                }
                self._end(job, "failed")
            else:
                self._end(job, "done")

    def _end(self, job: Job, state: State) -> None:
        job.state = state
        job.tell("state", state=state, result=job.result, error=job.error)
