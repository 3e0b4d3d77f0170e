"""Levels of composed music, which clips start from: composed, played by the synth, cut at the clip.

A stretch is composed and played once, whole, with a bar of lead-in and a tail in which the last notes die
away, so that phrases and reverberation run over the borders of clips. Its sound is kept while its clips are
rendered; a clip's level is measured from it at the clip's exact sample.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from fractions import Fraction

import numpy as np
import torch

from riffcomposer.composer.section import compose_section
from riffcomposer.plan.score_types import ComposedStretch, ScoreInit
from riffcomposer.spectrogram.audio_files import resampled
from riffcomposer.spectrogram.mel import levels_from_mel, mel_from_audio
from riffcomposer.spectrogram.threads import one_thread
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.synth.piece_audio import render_piece
from riffcomposer.synth.voices import SAMPLE_RATE
from riffcomposer.units import round_half_up

TAIL_SECONDS = 2.0
"""Sound that is kept after a stretch's end."""

_LEAD_IN_BARS = 1
_REMEMBERED = 2
"""Stretches whose sound is kept: one, and the one that follows it."""


def margin_frames(params: SpectrogramParameters) -> int:
    """Frames of sound that are read before and after a clip, so that its windows see the music around it."""
    return math.ceil(params.window_duration_ms / 1000 * params.frames_per_second)


class ScorePlayer:
    """Plays the scores of a model's clips.

    Args:
        params: The model's spectrogram format.
    """

    def __init__(self, params: SpectrogramParameters) -> None:
        self.params = params
        self._sounds: OrderedDict[tuple[str, tuple[str, ...]], np.ndarray] = OrderedDict()

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
        params = self.params
        samples_per_quarter = frames_per_quarter / params.frames_per_second * params.sample_rate
        start = round_half_up(init.at_quarters * samples_per_quarter)
        # A multiple of the hop before the clip, so that its first frame is one of those that are measured.
        margin = margin_frames(params) * params.hop_length
        length = width_frames * params.hop_length + 2 * margin
        audio = self._cut(init.stretch, init.heard, start - margin, length, samples_per_quarter)
        if init.following is not None:
            end = round_half_up(init.stretch.score.beats * samples_per_quarter)
            audio += self._cut(init.following, init.heard, start - margin - end, length, samples_per_quarter)
        level = levels_from_mel(mel_from_audio(torch.from_numpy(audio), params), params).numpy()
        level = level[:, :, margin_frames(params) : margin_frames(params) + width_frames]
        return np.clip(level, 0.0, 1.0).astype(np.float32)

    def _cut(
        self,
        stretch: ComposedStretch,
        heard: tuple[str, ...],
        start: int,
        length: int,
        samples_per_quarter: Fraction,
    ) -> np.ndarray:
        """A part of a stretch's sound, float32 [channels, length]; `start` counts from the first bar."""
        sound = self._sound(stretch, heard)
        start += round_half_up(_LEAD_IN_BARS * stretch.score.measure.beats * samples_per_quarter)
        part = np.zeros((len(sound), length), np.float32)
        first, past = max(0, start), min(sound.shape[1], start + length)
        if first < past:
            part[:, first - start : past - start] = sound[:, first:past]
        return part

    def _sound(self, stretch: ComposedStretch, heard: tuple[str, ...]) -> np.ndarray:
        """The sound of a stretch from its lead-in to its tail, float32 [channels, samples]."""
        key = (stretch.digest, heard)
        if key in self._sounds:
            self._sounds.move_to_end(key)
            return self._sounds[key]
        piece = compose_section(stretch.score).as_piece(_LEAD_IN_BARS)
        sound = render_piece(
            piece,
            duration_s=piece.layout.duration_s + TAIL_SECONDS,
            roles=heard,
            stereo=self.params.stereo,
        )
        if self.params.sample_rate != SAMPLE_RATE:
            sound = resampled(sound, SAMPLE_RATE, self.params.sample_rate)
        self._sounds[key] = sound
        while len(self._sounds) > _REMEMBERED:
            self._sounds.popitem(last=False)
        return sound
