"""The first stage: every clip of a plan that the store lacks is rendered and stored.

A clip is stored as float16 levels `[channels, n_mels, width_frames]` in numpy's own format: a
step of 1/2048 near level 1, a sixteenth of what an 8-bit image keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from riffcomposer.errors import Cancelled, RenderError
from riffcomposer.plan.types import ClipJob, Plan
from riffcomposer.render.engines.checked import level_fault
from riffcomposer.render.engines.interface import ClipEngine, Done, Failed, Notice, Step
from riffcomposer.render.engines.levels import pack_level, unpack_level, vanished
from riffcomposer.render.events import Observer, StageClock
from riffcomposer.render.stopping import StopFlag
from riffcomposer.store.store import Store

Result = TypeVar("Result")

ATTEMPTS = 2
"""Number of times that a clip is tried before it is reported as failed."""


@dataclass(frozen=True)
class ClipStageResult:
    """Keys of the clips that the stage rendered, and of those that the store had."""

    rendered: tuple[str, ...]
    cached: tuple[str, ...]


def load_level(store: Store, key: str) -> np.ndarray:
    """Returns a clip's level image from the store.

    Raises:
        RenderError: It was damaged or removed since it was rendered; the same command renders it again.
    """
    payload = store.get("clip", key)
    if payload is None:
        raise vanished(store, key)
    return unpack_level(payload)


def missing_clips(plan: Plan, store: Store, force: bool = False) -> dict[str, ClipJob]:
    """Returns the jobs of a plan that the store does not have, in the order in which they are heard.

    Every stored payload is read and its hash compared: a damaged entry counts as missing.
    """
    order = dict.fromkeys(clip.key for clip in plan.clips)
    return {key: plan.jobs[key] for key in order if force or store.get("clip", key) is None}


@dataclass(frozen=True)
class ClipWork:
    """Clips to render with one checkpoint, of one song or of several.

    Attributes:
        jobs: Jobs by key, in the order in which they are wanted.
        labels: What each clip is called in messages.
        seconds_each: Length of a clip's slot in seconds, for the real-time factor.
    """

    jobs: Mapping[str, ClipJob]
    labels: Mapping[str, str]
    seconds_each: float


@dataclass(frozen=True)
class ClipOutcome:
    """What became of the clips.

    Attributes:
        rendered: Keys of the clips that are stored now, in the order in which they came.
        failures: How the others failed, by key.
        lost: Keys of clips for which the engine returned nothing.
    """

    rendered: tuple[str, ...]
    failures: Mapping[str, Failed]
    lost: tuple[str, ...]

    def check(self, keys: Collection[str], labels: Mapping[str, str]) -> None:
        """Raises `RenderError` if one of `keys` was not rendered."""
        failed = [failure for key, failure in self.failures.items() if key in keys]
        if failed:
            lines = "; ".join(f"{labels[each.key]}: {each.message}" for each in failed)
            how = "failed" if any(each.final for each in failed) else "failed twice"
            raise RenderError(f"{len(failed)} of {len(keys)} clips {how}, the others are kept: {lines}")
        lost = [key for key in self.lost if key in keys]
        if lost:
            others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise RenderError(f"the engine returned nothing for {labels[lost[0]]}{others}")


def render_clips(
    work: ClipWork,
    store: Store,
    engine: ClipEngine,
    observer: Observer,
    stop: StopFlag,
    on_stored: Callable[[str], None] = lambda key: None,
) -> ClipOutcome:
    """Renders clips with an engine whose checkpoint is loaded, and stores each as it comes.

    What comes back is checked first. A clip that failed is tried once more, unless its failure is final.

    Args:
        work: The clips.
        store: Where they go.
        engine: Renders them, wherever that is.
        observer: Called with each event of progress.
        stop: Cancels the engine.
        on_stored: Called with the key of each clip once it is stored.

    Raises:
        Cancelled: The flag was raised; what was finished is stored.
        RenderError: Nobody is left to render; what was finished is stored.
        StoreError: A clip could not be stored.
    """
    clock = StageClock(observer, "clips", len(work.jobs), "clips", work.seconds_each)
    rendered: dict[str, None] = {}
    failures: dict[str, Failed] = {}
    waiting = dict(work.jobs)
    started: dict[str, float] = {}

    def tell(key: str = "", problem: str = "", notice: str = "") -> None:
        detail = work.labels[key] + problem if key else ""
        clock.tell(len(rendered) + sum(started.values()), detail, notice, key, finished=len(rendered))

    def on_event(event: Step | Notice) -> None:
        stop.check()
        if isinstance(event, Notice):
            tell(notice=event.message)
        elif event.key in waiting and event.key not in rendered:
            # A clip counts as whole once it is stored.
            started[event.key] = 0.99 * event.step / max(1, event.of)
            tell(event.key)

    for _ in range(ATTEMPTS):
        again: list[str] = []
        with _closing(engine.render(waiting, on_event), stop) as results:
            for returned in results:
                key, result = returned.key, returned
                started.pop(key, None)
                if isinstance(result, Done) and (fault := level_fault(result.level, work.jobs[key])):
                    result = Failed(key, f"the engine returned no clip: {fault}")
                if isinstance(result, Failed):
                    failures[key] = result
                    if not result.final:
                        again.append(key)
                    tell(key, f" failed: {result.message}")
                else:
                    store.put("clip", key, pack_level(result.level))
                    failures.pop(key, None)
                    rendered[key] = None
                    on_stored(key)
                    tell(key)
                stop.check()
        stop.check()
        waiting = {key: work.jobs[key] for key in again}
        if not waiting:
            break
    lost = tuple(key for key in work.jobs if key not in rendered and key not in failures)
    return ClipOutcome(tuple(rendered), failures, lost)


def render_missing(
    plan: Plan,
    store: Store,
    missing: Mapping[str, ClipJob],
    engine: ClipEngine,
    observer: Observer,
    stop: StopFlag,
) -> ClipStageResult:
    """Renders the missing clips of one plan with an engine whose checkpoint is loaded.

    Raises:
        Cancelled: The flag was raised; what was finished is stored.
        RenderError: Clips failed twice. All others are stored; the message names section and clip.
        StoreError: A clip could not be stored.
    """
    labels = clip_labels(plan)
    outcome = render_clips(ClipWork(missing, labels, slot_seconds(plan)), store, engine, observer, stop)
    outcome.check(missing.keys(), labels)
    cached = tuple(key for key in plan.jobs if key not in missing)
    return ClipStageResult(outcome.rendered, cached)


def slot_seconds(plan: Plan) -> float:
    """Returns the length of a clip's slot in seconds."""
    return plan.grid.clip_bars * float(plan.grid.samples_per_bar) / plan.grid.sample_rate


@contextmanager
def _closing(results: Iterator[Result], stop: StopFlag) -> Iterator[Iterator[Result]]:
    """Closes an engine's iterator at the end, so that it learns at once when a render ends early.

    An engine that was cancelled does not know by which signal; the flag does.
    """
    try:
        yield results
    except Cancelled:
        stop.check()
        raise
    finally:
        close = getattr(results, "close", None)
        if close is not None:
            close()


def clip_labels(plan: Plan) -> dict[str, str]:
    """Returns what each clip is called in messages: `verse clip 2 (seed 7)`."""
    labels: dict[str, str] = {}
    for clip in plan.clips:
        name = ", ".join(filter(None, [plan.sections[clip.section].name, clip.layer]))
        labels.setdefault(clip.key, f"{name} clip {clip.index + 1} ({clip.label})")
    return labels
