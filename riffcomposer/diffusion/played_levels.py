"""Levels of music that the synth plays, measured at a clip's exact sample.

Scores and MIDI files differ in what is played; how it is kept, and how a clip is cut from it, is here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np
import torch

from riffcomposer.composer.piece import Piece
from riffcomposer.spectrogram.audio_files import resampled
from riffcomposer.spectrogram.mel import levels_from_mel, mel_from_audio
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.synth.piece_audio import render_piece
from riffcomposer.synth.voices import SAMPLE_RATE
from riffcomposer.units import round_up

TAIL_SECONDS = 2.0
"""Sound that is kept after a stretch's end, in which its last notes die away."""

REMEMBERED = 2
"""Stretches whose sound is kept: one, and the one that follows it."""

Audio = np.ndarray
"""float32 [channels, samples]."""

_Value = TypeVar("_Value")


class Recent(Generic[_Value]):
    """The values that were asked for last, at most `REMEMBERED`."""

    def __init__(self) -> None:
        self._values: OrderedDict[Hashable, _Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """Returns the value of a key; `make` makes it if it is not kept."""
        if key not in self._values:
            self._values[key] = make()
        self._values.move_to_end(key)
        while len(self._values) > REMEMBERED:
            self._values.popitem(last=False)
        return self._values[key]


def played(piece: Piece, params: SpectrogramParameters, roles: tuple[str, ...] = ()) -> Audio:
    """Plays a piece with its lead-in and a tail, at the model's rate and with its channels.

    Args:
        piece: The notes.
        params: The model's spectrogram format.
        roles: The roles that are heard; all of them if empty.
    """
    sound = render_piece(
        piece, duration_s=piece.layout.duration_s + TAIL_SECONDS, roles=roles, stereo=params.stereo
    )
    return sound if params.sample_rate == SAMPLE_RATE else resampled(sound, SAMPLE_RATE, params.sample_rate)


def level_at(
    cut: Callable[[int, int], Audio], start: int, width_frames: int, params: SpectrogramParameters
) -> np.ndarray:
    """The level of a clip.

    Args:
        cut: Returns the music from a sample on, of a given length; it may be asked for samples before 0.
        start: The clip's first sample.
        width_frames: Width of the clip in frames.
        params: The model's spectrogram format.

    Returns:
        Level float32 [1 or 2, n_mels, width_frames], 0..1; frame 0 is centred on `start`.
    """
    # A multiple of the hop before the clip, so that its first frame is one of those that are measured.
    margin = round_up(params.frames_per_second * params.window_duration_ms / 1000)
    audio = cut(start - margin * params.hop_length, (width_frames + 2 * margin) * params.hop_length)
    level = levels_from_mel(mel_from_audio(torch.from_numpy(audio), params), params).numpy()
    return np.clip(level[:, :, margin : margin + width_frames], 0.0, 1.0).astype(np.float32)
