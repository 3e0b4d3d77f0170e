"""Levels of composed music, which clips start from: composed, played by the synth, cut at the clip.

A stretch is composed and played once, whole, with a bar of lead-in and a tail in which the last notes die
away, so that phrases and reverberation run over the borders of clips.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from riffcomposer.composer.section import compose_section
from riffcomposer.diffusion.played_levels import Audio, Recent, level_at, played
from riffcomposer.plan.score_types import ComposedStretch, ScoreInit
from riffcomposer.spectrogram.threads import one_thread
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.units import round_half_up

_LEAD_IN_BARS = 1


class ScorePlayer:
    """Plays the scores of a model's clips.

    Args:
        params: The model's spectrogram format.
    """

    def __init__(self, params: SpectrogramParameters) -> None:
        self.params = params
        self._sounds: Recent[Audio] = Recent()

    @one_thread()
    def level(self, init: ScoreInit, *, width_frames: int, frames_per_quarter: Fraction) -> np.ndarray:
        """The level that a clip starts from.

        Args:
            init: The music, and where in it the clip starts.
            width_frames: Width of the clip in frames.
            frames_per_quarter: The model's frames per quarter note of the song.

        Returns:
            Level float32 [1 or 2, n_mels, width_frames], 0..1; frame 0 is centred on the clip's first sample.
        """
        quarter = frames_per_quarter / self.params.frames_per_second * self.params.sample_rate
        end = round_half_up(init.stretch.score.beats * quarter)

        def cut(start: int, length: int) -> Audio:
            audio = self._cut(init.stretch, init.heard, start, length, quarter)
            if init.following is not None:
                audio += self._cut(init.following, init.heard, start - end, length, quarter)
            return audio

        return level_at(cut, round_half_up(init.at_quarters * quarter), width_frames, self.params)

    def _cut(
        self, stretch: ComposedStretch, heard: tuple[str, ...], start: int, length: int, quarter: Fraction
    ) -> Audio:
        """A part of a stretch's sound, `length` samples long; `start` counts from the first bar."""
        sound = self._sounds.get(
            (stretch.digest, heard),
            lambda: played(compose_section(stretch.score).as_piece(_LEAD_IN_BARS), self.params, heard),
        )
        start += round_half_up(_LEAD_IN_BARS * stretch.score.measure.beats * quarter)
        part = np.zeros((len(sound), length), np.float32)
        first, past = max(0, start), min(sound.shape[1], start + length)
        if first < past:
            part[:, first - start : past - start] = sound[:, first:past]
        return part
