"""Reads parts of long recordings, one after another, without decoding a file anew for each.

What libsndfile reads is sought at once. A compressed file that FFmpeg decodes is decoded from its beginning
for each part, so long pieces of it are kept, one at a time.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from riffcomposer.errors import AudioError
from riffcomposer.media.sound import can_seek
from riffcomposer.spectrogram.audio_files import read_audio
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.units import round_half_up

_PIECE_SECONDS = 240
_REACH_SECONDS = 40
"""Longest part that is taken from the piece that it begins in."""


def read_recording(
    path: Path, first: Fraction, length: Fraction, params: SpectrogramParameters
) -> np.ndarray:
    """Reads a part of a sound file at the model's rate and with its channels.

    Args:
        path: The file.
        first, length: The part, in seconds.
        params: The model's spectrogram format.

    Returns:
        float32 [channels, samples]; shorter than `length` where the file ends, empty after its end.

    Raises:
        AudioError: The file cannot be read.
    """
    if length > _REACH_SECONDS or first + length < _PIECE_SECONDS or can_seek(path):
        return _read(path, float(first), float(length), params)
    number = first // _PIECE_SECONDS
    status = path.stat()
    piece = _piece(path, (status.st_size, status.st_mtime_ns), number, params)
    start = round_half_up((first - number * _PIECE_SECONDS) * params.sample_rate)
    return piece[:, start : start + round_half_up(length * params.sample_rate)]


@lru_cache(maxsize=1)
def _piece(
    path: Path,
    _identity: tuple[int, int],  # a file that has changed is another one
    number: int,
    params: SpectrogramParameters,
) -> np.ndarray:
    return _read(path, float(number * _PIECE_SECONDS), float(_PIECE_SECONDS + _REACH_SECONDS), params)


def _read(path: Path, first: float, length: float, params: SpectrogramParameters) -> np.ndarray:
    try:
        return read_audio(
            path,
            start_seconds=first,
            duration_seconds=length,
            sample_rate=params.sample_rate,
            mono=not params.stereo,
        )
    except AudioError:
        if not first:
            raise
        read_audio(path, duration_seconds=0.1)  # raises where the file itself is at fault
        return np.zeros((2 if params.stereo else 1, 0), np.float32)
