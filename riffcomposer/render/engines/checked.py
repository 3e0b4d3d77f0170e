"""Checks what an engine returns before it is stored: shape, type and range."""

from __future__ import annotations

import numpy as np

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.engines.interface import Level

CHANNELS = (1, 2)
DTYPES = (np.dtype(np.float16), np.dtype(np.float32))


def level_fault(level: Level, job: ClipJob, profile: ModelProfile | None = None) -> str:
    """Returns why a level cannot be a clip's; empty if it can.

    Args:
        level: What came back.
        job: What was asked for.
        profile: The checkpoint's profile; without it the number of mel bands is not checked.
    """
    if level.dtype not in DTYPES:
        return f"its numbers are {level.dtype}, not float16 or float32"
    n_mels = profile.spectrogram.num_frequencies if profile else level.shape[1] if level.ndim == 3 else 0
    wanted = ("1 or 2", n_mels, job.width_frames)
    if level.ndim != 3 or level.shape[0] not in CHANNELS or level.shape[1:] != wanted[1:]:
        return f"its shape is {list(level.shape)}, not [{', '.join(map(str, wanted))}]"
    if not np.isfinite(level).all():
        return "it has values that are not finite"
    low, high = float(level.min()), float(level.max())
    if low < 0 or high > 1:
        return f"its values are {low:g} to {high:g}, not within 0 to 1"
    return ""
