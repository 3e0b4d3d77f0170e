"""What clips start from, encoded: each loop, recording or score fitted to the grid is encoded once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from riffcomposer.diffusion.caption_spectrum import average_spectrum
from riffcomposer.diffusion.init_levels import InitLevels
from riffcomposer.plan.score_types import ScoreInit
from riffcomposer.plan.types import ClipJob

if TYPE_CHECKING:
    import torch

_REMEMBERED = 64


@dataclass(frozen=True)
class EncodedInit:
    """What a clip starts from.

    Attributes:
        latents: [channels, height, width], on the engine's device.
        spectrum: Its average spectrum in dB (`riffcomposer.diffusion.caption_spectrum`).
    """

    latents: torch.Tensor
    spectrum: np.ndarray


class EncodedInits:
    """A cache of encoded starts.

    Args:
        levels: Makes the level that a clip starts from.
        encode: Turns levels of equal shape into latents.
    """

    def __init__(
        self, levels: InitLevels, encode: Callable[[Sequence[np.ndarray]], Sequence[torch.Tensor]]
    ) -> None:
        self._levels, self._encode = levels, encode
        self._known: OrderedDict[Any, EncodedInit] = OrderedDict()

    def __getitem__(self, job: ClipJob) -> EncodedInit:
        """What a job starts from; `encode` has been called with it."""
        return self._known[_key(job)]

    def encode(self, jobs: Sequence[ClipJob]) -> None:
        """Encodes what the jobs of a batch start from, unless it is known; forgets what was used long ago."""
        wanted = {_key(job): job for job in jobs if job.init is not None}
        for key in wanted.keys() & self._known.keys():
            self._known.move_to_end(key)
        missing = {key: job for key, job in wanted.items() if key not in self._known}
        if missing:
            levels = [self._levels.level(job) for job in missing.values()]
            latents = self._encode(levels)
            spectra = [average_spectrum(level, self._levels.params) for level in levels]
            self._known.update(zip(missing, map(EncodedInit, latents, spectra), strict=True))
        while len(self._known) > max(_REMEMBERED, len(wanted)):
            self._known.popitem(last=False)


def _key(job: ClipJob) -> tuple[Any, ...]:
    """Everything on which a start fitted to the grid depends."""
    init = job.init if isinstance(job.init, ScoreInit | None) else replace(job.init, name="")
    return init, job.width_frames, job.frames_per_quarter, job.clip_quarters
