"""What clips start from, as levels: loops and recordings, MIDI files, scores."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riffcomposer.diffusion.init_clips import fit_init
from riffcomposer.errors import RenderError
from riffcomposer.plan.inits import MidiInit
from riffcomposer.plan.score_types import ScoreInit
from riffcomposer.plan.types import ClipJob
from riffcomposer.spectrogram_parameters import SpectrogramParameters

if TYPE_CHECKING:
    from riffcomposer.diffusion.midi_clips import MidiPlayer
    from riffcomposer.diffusion.score_clips import ScorePlayer


class InitLevels:
    """Makes the levels that a model's clips start from, and keeps the music that they are cut from.

    The synth, and scipy with it, is imported for the first clip that starts from played music.

    Args:
        params: The model's spectrogram format.
    """

    def __init__(self, params: SpectrogramParameters) -> None:
        self.params = params

    @cached_property
    def _scores(self) -> ScorePlayer:
        from riffcomposer.diffusion.score_clips import ScorePlayer

        return ScorePlayer(self.params)

    @cached_property
    def _midi(self) -> MidiPlayer:
        from riffcomposer.diffusion.midi_clips import MidiPlayer

        return MidiPlayer(self.params)

    def level(self, job: ClipJob) -> np.ndarray:
        """The level that a clip starts from, float32 [1 or 2, n_mels, width_frames], 0..1.

        Raises:
            RenderError: The clip starts from nothing, or its file is missing, has changed or cannot be used.
        """
        init, width, quarter = job.init, job.width_frames, job.frames_per_quarter
        if init is None:
            raise RenderError("a clip without a loop cannot have strength 0")
        if isinstance(init, ScoreInit):
            return self._scores.level(init, width_frames=width, frames_per_quarter=quarter)
        if isinstance(init, MidiInit):
            return self._midi.level(init, width_frames=width, frames_per_quarter=quarter)
        return fit_init(init, width_frames=width, frames_per_quarter=quarter, params=self.params)
