"""Sound files as the program uses them: at its rate, in its channels, with their faults put right."""

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
    """Reads audio, or a part of it, at a given rate.

    Args:
        start_seconds: Where to begin.
        duration_seconds: How much to read; to the end by default. The end of the file ends it early.
        sample_rate: What to resample to (band-limited, by polyphase filter).
        mono: Mix the channels down to one, by their mean.

    Returns:
        float32 `[channels, samples]`, at least one sample, without the faults that
        `riffcomposer.media.sound_faults` puts right.

    Raises:
        AudioError: As `riffcomposer.media.sound.read_part`; or the part holds NaN or infinity.
    """
    part = read_part(path, start_seconds=start_seconds, duration_seconds=duration_seconds)
    return usable_audio(path, part, sample_rate=sample_rate, mono=mono)


def usable_audio(path: Path, part: SoundPart, *, sample_rate: int, mono: bool) -> np.ndarray:
    """A part that has been read, put right and resampled: `read_audio` says how."""
    facts = measure(part.samples, part.sample_rate)
    if facts.unusable:
        raise AudioError(f"{path}: holds NaN or infinite samples; write it anew from its source")
    return _resampled(put_right(part.samples, facts, mono=mono), part.sample_rate, sample_rate)


def _resampled(audio: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    if rate != sample_rate:
        from scipy.signal import resample_poly

        common = math.gcd(rate, sample_rate)
        audio = resample_poly(audio, sample_rate // common, rate // common, axis=1)
    return np.ascontiguousarray(audio, dtype=np.float32)
