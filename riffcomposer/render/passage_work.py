"""Everything that decides a passage's sound, as values that can be sent to another machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from riffcomposer.plan.types import Passage, Plan
from riffcomposer.spectrogram_parameters import SpectrogramParameters

if TYPE_CHECKING:
    from riffcomposer.mix.mel_timeline import MelTimeline
    from riffcomposer.spectrogram.decoder import Decoder


@dataclass(frozen=True)
class DecodeSettings:
    """The settings that decide a passage's sound besides its clips.

    Attributes:
        preset: `fast`, `default` or `best`.
        version: Version of the decoding code.
        phase_seed: Seed of the phase.
        device: Device of the decoder; its class is in the key, since results differ between devices.
    """

    preset: str
    version: int
    phase_seed: int
    device: str = "cpu"


@dataclass(frozen=True)
class PassageWork:
    """A passage to decode.

    Attributes:
        name: Name of its first section, and of its layer if it has one; for messages.
        clips: Of each clip: absolute start in samples, length of its slot in samples, key.
        start_sample, body_samples, tail_samples, wraps: As in `riffcomposer.plan.types.Passage`.
        join_samples: Shortest crossfade with the next clip.
        parameters: The spectrogram's format.
    """

    name: str
    clips: tuple[tuple[int, int, str], ...]
    start_sample: int
    body_samples: int
    tail_samples: int
    wraps: bool
    join_samples: int
    parameters: SpectrogramParameters

    @property
    def samples(self) -> int:
        """Length of its sound in samples."""
        return self.body_samples + self.tail_samples

    @classmethod
    def of(cls, plan: Plan, passage: Passage, parameters: SpectrogramParameters) -> PassageWork:
        """Returns what is to be done for one passage of a plan."""
        return cls(
            name=", ".join(filter(None, [plan.sections[passage.sections[0]].name, passage.layer])),
            clips=tuple(
                (clip.start_sample, clip.slot_samples, clip.key) for clip in plan.clips[slice(*passage.clips)]
            ),
            start_sample=passage.start_sample,
            body_samples=passage.body_samples,
            tail_samples=passage.tail_samples,
            wraps=passage.wraps,
            join_samples=plan.grid.join_samples,
            parameters=parameters,
        )

    def timeline(self, level: Callable[[str], np.ndarray]) -> MelTimeline:
        """Returns its clips laid on the grid.

        Args:
            level: Returns a clip's level by its key; called when the level is needed.
        """
        from riffcomposer.mix.mel_timeline import MelClip, MelTimeline

        def loader(key: str) -> Callable[[], np.ndarray]:
            return lambda: level(key)

        loaders = {key: loader(key) for _, _, key in self.clips}
        return MelTimeline(
            [MelClip(start, slot, loaders[key], key) for start, slot, key in self.clips],
            start_sample=self.start_sample,
            body_samples=self.body_samples,
            tail_samples=self.tail_samples,
            params=self.parameters,
            join_samples=self.join_samples,
            wraps=self.wraps,
        )


@lru_cache(maxsize=2)
def decoder_for(parameters: SpectrogramParameters, settings: DecodeSettings, threads: int) -> Decoder:
    """Returns a decoder, built once for several songs: it holds matrices and no state."""
    from riffcomposer.spectrogram.decoder import Decoder

    return Decoder(
        parameters, settings.preset, device=settings.device, seed=settings.phase_seed, threads=threads
    )
