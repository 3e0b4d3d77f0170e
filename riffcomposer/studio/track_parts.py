"""Parts of a rendered file, so that a page can play an hour of sound and holds a minute of it.

Conventions: positions are samples of the file; audio is float32 `[channels, samples]`.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from riffcomposer.errors import UsageError
from riffcomposer.mix.blocks import read_padded
from riffcomposer.mix.encoding import SoundFileReader
from riffcomposer.studio.workspace import NotFound

MOST_SECONDS = 30
MOST_COLUMNS = 4096

WINDOW = 2048
BANDS = 96
LOWEST_HZ, HIGHEST_HZ = 40.0, 10000.0
FLOOR_DB = -78.0


def part_wav(file: Path, start: int, stop: int) -> bytes:
    """Returns a part of a sound file as a WAV file of 24 bits; it ends where the file ends.

    Raises:
        NotFound: The part begins beyond the end, or is empty.
        UsageError: It is longer than 30 s.
        AudioError: The file cannot be read.
    """
    import soundfile

    with SoundFileReader(file) as audio:
        stop = min(stop, audio.samples)
        if not 0 <= start < stop:
            raise NotFound(f"samples 0 to {audio.samples} are there")
        if stop - start > MOST_SECONDS * audio.sample_rate:
            raise UsageError(f"at most {MOST_SECONDS} s per request")
        part = audio.read(start, stop)
        buffer = io.BytesIO()
        soundfile.write(buffer, part.T, audio.sample_rate, format="WAV", subtype="PCM_24")
    return buffer.getvalue()


def mel_overview(file: Path, columns: int) -> bytes:
    """A picture of a whole file: the level in mel bands at times that are evenly apart.

    Args:
        columns: 1 to 4096.

    Returns:
        A byte per band and column, column by column, the lowest band first: 0 is -78 dB, 255 full scale.

    Raises:
        UsageError: Too many columns.
        AudioError: The file cannot be read.
    """
    if not 1 <= columns <= MOST_COLUMNS:
        raise UsageError(f"{columns} columns: give 1 to {MOST_COLUMNS}")
    hann = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    with SoundFileReader(file) as audio:
        frames = np.empty((columns, WINDOW), np.float32)
        for column in range(columns):
            middle = round((column + 0.5) * audio.samples / columns)
            frames[column] = read_padded(audio, middle - WINDOW // 2, middle + WINDOW // 2).mean(axis=0)
        power = np.abs(np.fft.rfft(frames * hann, axis=1)) ** 2
        edges = _band_edges(audio.sample_rate)
    sums = np.add.reduceat(power, edges[:-1], axis=1)[:, :BANDS]
    # A sine at full scale has a quarter of the window's length as its magnitude.
    level = 10 * np.log10(sums / np.diff(edges) / (WINDOW / 4) ** 2 + 1e-12)
    return np.clip(255 * (level - FLOOR_DB) / -FLOOR_DB, 0, 255).astype(np.uint8).tobytes()


@cache
def _band_edges(sample_rate: int) -> NDArray[np.intp]:
    """The first bin of each band, and the one after the last; every band has a bin of its own."""
    low, high = (1127 * np.log1p(hertz / 700) for hertz in (LOWEST_HZ, HIGHEST_HZ))
    hertz = 700 * np.expm1(np.linspace(low, high, BANDS + 1) / 1127)
    edges = np.round(hertz * WINDOW / sample_rate).astype(np.intp)
    for band in range(BANDS):
        edges[band + 1] = max(edges[band + 1], edges[band] + 1)
    return edges
