"""The first stage: every clip of a plan that the store lacks is rendered and stored.

A clip is stored as float16 levels `[channels, n_mels, width_frames]` in numpy's own format: a
step of 1/2048 near level 1, a sixteenth of what an 8-bit image keeps.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from riffcomposer.errors import Cancelled, RenderError
from riffcomposer.plan.types import ClipJob, Plan
from riffcomposer.render.clip_engine import ClipEngine
from riffcomposer.render.events import Observer, StageClock
from riffcomposer.render.stopping import StopFlag
from riffcomposer.store.store import Store

CLIP_KIND = "clip"
ATTEMPTS = 2
"""Number of times that a clip is tried before it is reported as failed."""


@dataclass(frozen=True)
class ClipStageResult:
    """Keys of the clips that the stage rendered, and of those that the store had."""

    rendered: tuple[str, ...]
    cached: tuple[str, ...]


def pack_level(level: np.ndarray) -> bytes:
    """Returns the stored form of a level image."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(level, dtype=np.float16), allow_pickle=False)
    return buffer.getvalue()


def unpack_level(payload: bytes) -> np.ndarray:
    """Returns the level image of a stored clip, float32."""
    return np.load(io.BytesIO(payload), allow_pickle=False).astype(np.float32)


def load_level(store: Store, key: str) -> np.ndarray:
    """Returns a clip's level image from the store.

    Raises:
        RenderError: It was damaged or removed since it was rendered; the same command renders it again.
    """
    payload = store.get(CLIP_KIND, key)
    if payload is None:
        raise RenderError(
            f"clip {key[:12]} vanished from the store at {store.root}; run the same command again"
        )
    return unpack_level(payload)


def missing_clips(plan: Plan, store: Store, force: bool = False) -> dict[str, ClipJob]:
    """Returns the jobs of a plan that the store does not have, in the order in which they are heard.

    Every stored payload is read and its hash compared: a damaged entry counts as missing.
    """
    order = dict.fromkeys(clip.key for clip in plan.clips)
    return {key: plan.jobs[key] for key in order if force or store.get(CLIP_KIND, key) is None}


def render_missing(
    plan: Plan,
    store: Store,
    missing: Mapping[str, ClipJob],
    engine: ClipEngine,
    observer: Observer,
    stop: StopFlag,
) -> ClipStageResult:
    """Renders the missing clips, stores each as it comes, and tries a failed one once more.

    Raises:
        Cancelled: The flag was raised; what was finished is stored.
        RenderError: Clips failed twice. All others are stored; the message names section and clip.
        StoreError: A clip could not be stored.
    """
    slot_seconds = plan.grid.clip_bars * float(plan.grid.samples_per_bar) / plan.grid.sample_rate
    clock = StageClock(observer, "clips", len(missing), "clips", slot_seconds)
    labels = _labels(plan)
    rendered: list[str] = []
    failures: dict[str, str] = {}
    waiting = dict(missing)
    started: dict[str, float] = {}

    def tell(key: str, problem: str = "") -> None:
        clock.tell(len(rendered) + sum(started.values()), labels[key] + problem, key)

    def on_event(event: Any) -> None:
        if event.kind == "step":
            # A clip counts as whole once it is stored.
            started[event.key] = 0.99 * event.step / event.of
            tell(event.key)

    for _ in range(ATTEMPTS):
        failures = {}
        try:
            for key, result in engine.render(waiting, on_event=on_event, cancelled=stop):
                started.pop(key, None)
                if not isinstance(result, np.ndarray):
                    failures[key] = result.message
                    tell(key, f" failed: {result.message}")
                    continue
                store.put(CLIP_KIND, key, pack_level(result))
                rendered.append(key)
                tell(key)
        except Cancelled:
            stop.check()
            raise
        stop.check()
        waiting = {key: missing[key] for key in failures}
        if not waiting:
            break
    if failures:
        lines = "; ".join(f"{labels[key]}: {why}" for key, why in failures.items())
        raise RenderError(
            f"{len(failures)} of {len(missing)} clips failed twice, the others are kept: {lines}"
        )
    lost = [key for key in missing if key not in set(rendered)]
    if lost:
        others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise RenderError(f"the engine returned nothing for {labels[lost[0]]}{others}")
    cached = tuple(key for key in plan.jobs if key not in missing)
    return ClipStageResult(tuple(rendered), cached)


def _labels(plan: Plan) -> dict[str, str]:
    labels: dict[str, str] = {}
    for clip in plan.clips:
        name = ", ".join(filter(None, [plan.sections[clip.section].name, clip.layer]))
        labels.setdefault(clip.key, f"{name} clip {clip.index + 1} ({clip.label})")
    return labels
