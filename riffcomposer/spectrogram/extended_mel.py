"""A song's mel that can be read before its start and after its end, with its shape and values checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from riffcomposer.errors import SpectrogramError
from riffcomposer.spectrogram_parameters import SpectrogramParameters

MelReader = Callable[[int, int], np.ndarray]
"""`read(first, count)` gives the mel of frames `first` to `first + count`, `[channels, n_mels, count]`."""


class ExtendedMel:
    """Reads ranges of frames, also before the start and after the end of a song.

    Past the end of a song that is no loop, its last frame is repeated. Past the end of a loop comes its
    start. A loop is `samples` samples long, which is rarely a whole number of frames, so frames past its
    ends are interpolated between two frames.

    Args:
        read: See `MelReader`.
        frames: Number of frames that `read` can return.
        samples: Length of the song in samples.
        wraps: Whether the song is a loop.
        params: The mel's parameters.

    Raises:
        SpectrogramError: A loop has fewer frames than its samples need.
    """

    def __init__(
        self, read: MelReader, frames: int, samples: int, *, wraps: bool, params: SpectrogramParameters
    ) -> None:
        self._read, self._wraps, self._params = read, wraps, params
        self.length = Fraction(samples, params.hop_length)
        self.frames = min(frames, math.ceil(self.length))
        if wraps and self.frames < self.length - 1:
            raise SpectrogramError(
                f"a loop of {samples} samples needs {math.ceil(self.length)} frames, and there are {frames}"
            )
        self._channels: int | None = None

    def mel(self, start: int, stop: int) -> np.ndarray:
        """The mel of frames `start` to `stop`, float32 `[channels, n_mels, stop - start]`.

        Raises:
            SpectrogramError: `read` gave another shape, or NaN, infinite or negative values.
        """
        first, last = max(start, 0), min(stop, self.frames)
        parts = [self._checked(first, last - first)]
        if start < 0:
            parts.insert(0, self._beyond(range(start, 0)))
        if stop > self.frames:
            parts.append(self._beyond(range(self.frames, stop)))
        return np.concatenate(parts, axis=2)

    def _beyond(self, wanted: range) -> np.ndarray:
        if not self._wraps:
            return np.repeat(self._checked(self.frames - 1, 1), len(wanted), axis=2)
        columns = []
        for frame in wanted:
            position = frame % self.length
            lower = min(math.floor(position), self.frames - 1)
            upper = lower + 1 if lower + 1 < self.frames else 0
            share = np.float32(position - lower)
            columns.append((1 - share) * self._checked(lower, 1) + share * self._checked(upper, 1))
        return np.concatenate(columns, axis=2)

    def _checked(self, first: int, count: int) -> np.ndarray:
        mel = np.asarray(self._read(first, count), dtype=np.float32)
        bands = self._params.num_frequencies
        if mel.ndim != 3 or mel.shape[1:] != (bands, count) or (self._channels or len(mel)) != len(mel):
            raise SpectrogramError(
                f"frames {first} to {first + count} of the mel have shape {list(mel.shape)}; "
                f"expected [{self._channels or 'channels'}, {bands}, {count}]"
            )
        self._channels = len(mel)
        if not (np.isfinite(mel).all() and (mel >= 0.0).all()):
            raise SpectrogramError(
                f"frames {first} to {first + count} of the mel hold NaN, infinite or negative values"
            )
        return mel
