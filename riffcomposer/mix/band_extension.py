"""Fills the band above a spectrogram image's highest frequency from the band below it.

An image ends at a frequency, 10 kHz in Riffusion's format, and what is decoded from it has nothing above.
Here the top 30 % of what there is, 7 to 10 kHz, is heard again at 10 to 13 and at 13 to 16 kHz, softer:
spectral band replication (Dietz, Liljeryd, Kjörling and Kunz: Spectral band replication, a novel approach in
audio coding, AES convention 112, 2002) with constant levels in place of a transmitted envelope.

Each copy is x * h, shifted in frequency: 2 Re((x * h)(t) exp(2 pi i s t)), where h passes the source band of
positive frequencies. So the result depends only on the samples around it, and any range can be read.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from riffcomposer.mix.blocks import Audio, AudioReader, read_padded

SOURCE = 0.7
"""Where the band that is copied starts, as a share of the image's highest frequency."""

LEVELS_DB = (-7.2, -11.1)
"""Levels of the two copies against their source.

The mean over two composed pieces of each of 24 styles, played with their full band and decoded without, less
3 dB, which suits tonal music better and costs noisy music nothing.
"""

TAPS = 511
_EDGE_HZ = 250.0
"""Half the width of the band's edges."""


def can_extend(top_hz: float, sample_rate: int) -> bool:
    """Whether there is room for a copy between the image's highest frequency and half the sample rate."""
    return top_hz * (2 - SOURCE) + _EDGE_HZ < sample_rate / 2


class ExtendedReader:
    """A decoded sound with its band extended upward.

    Args:
        reader: The sound.
        top_hz: The image's highest frequency.
        sample_rate: Sample rate in Hz.
        wraps: Whether the sound is a loop, whose end is heard before its start.
    """

    def __init__(self, reader: AudioReader, top_hz: float, sample_rate: int, *, wraps: bool = False) -> None:
        self._reader, self._wraps = reader, wraps
        self._kernel = source_kernel(top_hz, sample_rate)
        step = (1 - SOURCE) * top_hz / sample_rate
        self._copies = [
            (self._cycles(number * step), 10 ** (level / 20))
            for number, level in enumerate(LEVELS_DB, 1)
            if top_hz + number * step * sample_rate + _EDGE_HZ < sample_rate / 2
        ]

    @property
    def channels(self) -> int:
        return self._reader.channels

    @property
    def samples(self) -> int:
        return self._reader.samples

    def read(self, start: int, stop: int) -> Audio:
        """Returns float32 `[channels, stop - start]`."""
        from riffcomposer.scipy_signal import signal

        margin = TAPS // 2
        around = read_padded(self._reader, start - margin, stop + margin, wraps=self._wraps)
        source = signal.oaconvolve(around, self._kernel[None], mode="valid", axes=1)
        result = around[:, margin : margin + stop - start].copy()
        positions = np.arange(start, stop)
        for cycles, gain in self._copies:
            turn = np.exp(2j * np.pi * (positions * cycles % 1.0))
            result += (2 * gain * np.real(source * turn)).astype(np.float32)
        return result

    def _cycles(self, cycles: float) -> float:
        """Cycles per sample of a shift; in a loop a whole number of them fits, so that it has no seam."""
        samples = self._reader.samples
        return round(cycles * samples) / samples if self._wraps and samples else cycles


@lru_cache(maxsize=4)
def source_kernel(top_hz: float, sample_rate: int) -> NDArray[np.complex128]:
    """A linear-phase filter that passes the positive frequencies of the band that is copied, `[TAPS]`."""
    size = 4096
    hertz = np.fft.fftfreq(size, 1 / sample_rate)
    low = (hertz - (SOURCE * top_hz - _EDGE_HZ)) / (2 * _EDGE_HZ)
    high = ((top_hz + _EDGE_HZ) - hertz) / (2 * _EDGE_HZ)
    passed = np.sin(0.5 * np.pi * np.clip(np.minimum(low, high), 0, 1)) ** 2
    response = np.fft.fftshift(np.fft.ifft(passed))
    middle = size // 2
    kernel = response[middle - TAPS // 2 : middle + TAPS // 2 + 1] * np.hanning(TAPS + 2)[1:-1]
    return np.asarray(kernel)
