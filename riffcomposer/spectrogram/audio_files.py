"""Reading other people's audio files without believing them.

libsndfile reads (WAV, FLAC, OGG, MP3, AIFF). A header's claims are checked against the bytes on disk
before anything is allocated, samples come in blocks, NaN and infinity are refused, and whatever
goes wrong ends in one `AudioError` that names the file.
"""

from __future__ import annotations

import math
import stat
from pathlib import Path

import numpy as np

from riffcomposer.errors import AudioError

MAX_FILE_BYTES = 4 << 30
MAX_CHANNELS = 32
SAMPLE_RATES_HZ = (1000, 768_000)
MAX_SECONDS = 4 * 3600
MOST_COMPRESSED_FRAMES_PER_BYTE = 2000
"""Silence in FLAC or OGG takes about a byte for a thousand frames; a forged header claims more."""

BLOCK_FRAMES = 1 << 16


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
        float32 `[channels, samples]`, at least one sample.

    Raises:
        AudioError: The file is missing, empty, damaged, no audio, absurd, longer than four hours,
            holds NaN or infinity, or ends before `start_seconds`.
    """
    import soundfile

    if not (math.isfinite(start_seconds) and start_seconds >= 0):
        raise AudioError(f"{path}: cannot start at {start_seconds} seconds")
    if duration_seconds is not None and not (math.isfinite(duration_seconds) and duration_seconds > 0):
        raise AudioError(f"{path}: cannot read {duration_seconds} seconds")
    size = _checked_size(path)
    try:
        with soundfile.SoundFile(path) as source:
            _check_header(path, source.samplerate, source.channels, source.frames, size)
            first = round(start_seconds * source.samplerate)
            wanted = source.frames - first
            if duration_seconds is not None:
                wanted = min(wanted, max(1, round(duration_seconds * source.samplerate)))
            if wanted <= 0:
                length = source.frames / source.samplerate
                raise AudioError(
                    f"{path}: is {length:.2f} s long and cannot be read from {start_seconds:g} s on"
                )
            if wanted > MAX_SECONDS * source.samplerate:
                raise AudioError(f"{path}: longer than {MAX_SECONDS // 3600} hours; ask for a part of it")
            source.seek(first)
            audio = _blocks(path, source, wanted, mono)
            rate = source.samplerate
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        raise AudioError(f"{path}: not audio that can be read ({error})") from error
    return _resampled(audio, rate, sample_rate)


def _checked_size(path: Path) -> int:
    try:
        status = path.stat()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(f"{path}: not a regular file")
    if status.st_size == 0:
        raise AudioError(f"{path}: the file is empty")
    if status.st_size > MAX_FILE_BYTES:
        raise AudioError(f"{path}: {status.st_size:,} bytes; audio files up to {MAX_FILE_BYTES:,} are read")
    return status.st_size


def _check_header(path: Path, rate: int, channels: int, frames: int, size: int) -> None:
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{path}: {channels} channels; 1 to {MAX_CHANNELS} are read")
    if not SAMPLE_RATES_HZ[0] <= rate <= SAMPLE_RATES_HZ[1]:
        raise AudioError(
            f"{path}: a sample rate of {rate} Hz; {SAMPLE_RATES_HZ[0]} to {SAMPLE_RATES_HZ[1]} are read"
        )
    if frames <= 0:
        raise AudioError(f"{path}: holds no samples")
    if frames > size * MOST_COMPRESSED_FRAMES_PER_BYTE:
        raise AudioError(f"{path}: its header claims {frames:,} frames, which {size:,} bytes cannot hold")


def _blocks(path: Path, source, wanted: int, mono: bool) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Reads up to `wanted` frames; memory grows with what is there, not with what was claimed."""
    parts, done = [], 0
    while done < wanted:
        block = source.read(min(BLOCK_FRAMES, wanted - done), dtype="float32", always_2d=True)
        if len(block) == 0:
            break
        if not np.isfinite(block).all():
            raise AudioError(f"{path}: holds NaN or infinite samples")
        done += len(block)
        parts.append(block.mean(axis=1, keepdims=True) if mono else block)
    if not parts:
        raise AudioError(f"{path}: holds no samples where they were asked for; the file may be cut short")
    return np.concatenate(parts).T


def _resampled(audio: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    if rate != sample_rate:
        from scipy.signal import resample_poly

        common = math.gcd(rate, sample_rate)
        audio = resample_poly(audio, sample_rate // common, rate // common, axis=1)
    return np.ascontiguousarray(audio, dtype=np.float32)
