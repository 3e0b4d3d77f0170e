"""Reads sound files at the sample rate and channel count that the caller needs, with faults repaired."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from riffcomposer.errors import AudioError
from riffcomposer.media.sound import SoundPart, read_part
from riffcomposer.media.sound_faults import measure, put_right


def read_audio(
    path: Path,
    *,
    start_seconds: float = 0.0,
    duration_seconds: float | None = None,
    sample_rate: int = 44100,
    mono: bool = False,
) -> np.ndarray:
    """Reads a sound file, or a part of it, at a given sample rate.

    Args:
        path: The file.
        start_seconds: Where reading begins, in seconds from the file's start.
        duration_seconds: How many seconds to read; by default everything up to the file's end. Where the
            file ends sooner, the result is shorter.
        sample_rate: Rate of the result in Hz; the resampling is band-limited (polyphase filter).
        mono: Whether to mix the channels down to one, by their mean.

    Returns:
        float32 `[channels, samples]`, at least one sample, without the faults that
        `riffcomposer.media.sound_faults` repairs.

    Raises:
        AudioError: The file cannot be read (see `riffcomposer.media.sound.read_part`), or the part
            holds NaN or infinity.
    """
    part = read_part(path, start_seconds=start_seconds, duration_seconds=duration_seconds)
    return usable_audio(path, part, sample_rate=sample_rate, mono=mono)


def usable_audio(path: Path, part: SoundPart, *, sample_rate: int, mono: bool) -> np.ndarray:
    """Repairs and resamples a part that has been read; arguments and result as in `read_audio`."""
    facts = measure(part.samples, part.sample_rate)
    if facts.unusable:
        raise AudioError(f"{path}: holds NaN or infinite samples; export it again from its source")
    return resampled(put_right(part.samples, facts, mono=mono), part.sample_rate, sample_rate)


def resampled(audio: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """Audio float32 [channels, samples] at another rate, by a polyphase filter."""
    if rate != sample_rate:
        from riffcomposer.scipy_signal import signal

        common = math.gcd(rate, sample_rate)
        audio = signal.resample_poly(audio, sample_rate // common, rate // common, axis=1)
    return np.ascontiguousarray(audio, dtype=np.float32)
