"""Sound files: writing and reading WAV, FLAC, MP3 and OGG, block by block, the same bytes each time.

WAV and FLAC have 24 bits, rounded without dither: the error is 20 dB below the noise of any converter, and
digital silence stays silent. MP3 is LAME's variable rate V1, OGG is Vorbis quality 8; both keep the exact
length (LAME's header, OGG's granule position).

LAME is the build in pedalboard, which is faster than the one in libsndfile. It takes 16 bits, so an MP3 has
noise at -96 dBFS, far below what LAME adds to any music.

libsndfile draws a random serial number for every OGG stream; it is replaced by a fixed one, with the
pages' checksums made anew (RFC 3533), so that the same audio gives the same file.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from riffcomposer.errors import AudioError, DiskFullError, UsageError
from riffcomposer.files import disk_error
from riffcomposer.media.kinds import AUDIO_FORMATS, AudioFormat
from riffcomposer.mix.blocks import Audio, AudioReader

Progress = Callable[[int, int], None]
LOSSY: frozenset[AudioFormat] = frozenset({"mp3", "ogg"})

WRITE_SAMPLES = 1 << 14
"""Samples handed to an encoder at once; libsndfile's Vorbis overflows its stack on very long writes."""

WAV_LIMIT_BYTES = (1 << 32) - (1 << 24)
"""A WAV has 32 bits for its length; larger ones are written as RF64 (EBU Tech 3306)."""

MP3_QUALITY = "V1"

_ENCODINGS: dict[AudioFormat, dict[str, object]] = {
    "wav": {"subtype": "PCM_24"},
    "flac": {"format": "FLAC", "subtype": "PCM_24", "compression_level": 0.625},
    "ogg": {"format": "OGG", "subtype": "VORBIS", "compression_level": 0.2},
}


def format_of(path: Path) -> AudioFormat:
    """Returns the format that a file's suffix names.

    Raises:
        UsageError: The suffix is not one of `AUDIO_FORMATS`.
    """
    suffix = path.suffix.lower().lstrip(".")
    for name in AUDIO_FORMATS:
        if suffix == name:
            return name
    raise UsageError(f"{path}: unknown audio format {path.suffix!r}; use one of {', '.join(AUDIO_FORMATS)}")


def encode(
    audio: AudioReader,
    sample_rate: int,
    path: Path,
    format: AudioFormat,
    *,
    progress: Progress | None = None,
) -> None:
    """Encodes audio into `path`; the caller passes a temporary path and adds tags.

    Samples beyond full scale are clipped by WAV and FLAC, so the master must be below it.

    Raises:
        DiskFullError: The disk is full.
        AudioError: The encoder refuses.
    """
    if format == "mp3":
        _encode_mp3(audio, sample_rate, path, progress)
    else:
        _encode_with_libsndfile(audio, sample_rate, path, format, progress)


def _encode_mp3(audio: AudioReader, sample_rate: int, path: Path, progress: Progress | None) -> None:
    from pedalboard.io import AudioFile

    try:
        with (
            open(path, "w+b") as handle,
            AudioFile(handle, "w", sample_rate, audio.channels, format="mp3", quality=MP3_QUALITY) as file,
        ):
            for start, stop, block in _pieces(audio):
                file.write(dithered(block, start))
                if progress is not None:
                    progress(stop, audio.samples)
    except OSError as error:
        raise disk_error(error, path, audio.samples * audio.channels * 3) from error
    except (RuntimeError, ValueError) as error:
        raise AudioError(f"{path.name}: cannot be encoded ({error})") from error


def _encode_with_libsndfile(
    audio: AudioReader, sample_rate: int, path: Path, format: AudioFormat, progress: Progress | None
) -> None:
    import soundfile

    needed_bytes = audio.samples * audio.channels * 3
    encoding = dict(_ENCODINGS[format])
    if format == "wav":
        encoding["format"] = "WAV" if needed_bytes < WAV_LIMIT_BYTES else "RF64"
    try:
        with soundfile.SoundFile(
            path, "w", samplerate=sample_rate, channels=audio.channels, **encoding
        ) as file:
            for _, stop, block in _pieces(audio):
                file.write(_quantised(block.T) if format in ("wav", "flac") else block.T)
                if progress is not None:
                    progress(stop, audio.samples)
        if format == "ogg":
            fix_ogg_serial(path)
    except soundfile.LibsndfileError as error:
        raise_if_full(path, needed_bytes)
        raise AudioError(f"{path.name}: cannot be encoded ({error})") from error
    except OSError as error:
        raise disk_error(error, path, needed_bytes) from error


def _pieces(audio: AudioReader) -> Iterator[tuple[int, int, Audio]]:
    """The whole audio as an encoder takes it: first sample, one past the last, samples."""
    for start in range(0, audio.samples, WRITE_SAMPLES):
        stop = min(start + WRITE_SAMPLES, audio.samples)
        yield start, stop, audio.read(start, stop)


def dithered(block: Audio, seed: int) -> NDArray[np.int16]:
    """Rounds to 16 bits under triangular dither of two steps' width; digital silence stays silent.

    The error is noise that does not follow the signal (Lipshitz, Wannamaker and Vanderkooy: Quantization and
    dither, J. Audio Eng. Soc. 40, 1992), so that a fade out ends without distortion.

    Args:
        block: `[channels, samples]`.
        seed: Of the noise: another one for each block.
    """
    rng = np.random.default_rng(seed)
    noise = rng.random(block.shape, np.float32) - rng.random(block.shape, np.float32)
    scaled = np.where(block == 0, 0, block * np.float32(2**15) + noise)
    return np.clip(np.rint(scaled), -(2**15), 2**15 - 1).astype(np.int16)


def _quantised(block: Audio) -> NDArray[np.int32]:
    """Rounds to 24 bits, in the upper bits of an int32, as soundfile takes it."""
    scaled = np.clip(np.rint(block.astype(np.float64) * 2**23), -(2**23), 2**23 - 1)
    return np.ascontiguousarray(scaled.astype(np.int32) << 8)


def raise_if_full(path: Path, needed_bytes: int, *, shown: Path | None = None) -> None:
    """Raises `DiskFullError` if the disk is full, which libsndfile reports as an unspecified system error.

    libsndfile writes a block in one call, which may fail with room to spare: what is free and what is
    written already are compared with the whole file.

    Args:
        path: The file that is being written.
        needed_bytes: Its whole size.
        shown: The file that the message names; `path` by default.
    """
    with suppress(OSError):
        usage = os.statvfs(path.parent) if hasattr(os, "statvfs") else None
        written = path.stat().st_size if path.exists() else 0
        if usage is not None and usage.f_bavail * usage.f_frsize + written < needed_bytes + (1 << 16):
            raise DiskFullError(shown or path, needed_bytes)


class SoundFileReader:
    """A sound file as a reader, decoded block by block.

    Raises:
        AudioError: The file cannot be read as audio.
    """

    def __init__(self, path: Path) -> None:
        import soundfile

        try:
            self._file = soundfile.SoundFile(path)
        except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
            raise AudioError(f"{path}: cannot be read as audio ({error})") from error
        self.path = path
        self.channels: int = self._file.channels
        self.samples: int = self._file.frames
        self.sample_rate: int = self._file.samplerate

    def read(self, start: int, stop: int) -> Audio:
        import soundfile

        try:
            if self._file.tell() != start:
                self._file.seek(start)
            audio = self._file.read(stop - start, dtype="float32", always_2d=True).T
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise AudioError(f"{self.path}: cannot be read at sample {start} ({error})") from error
        if audio.shape[1] != stop - start:
            raise AudioError(f"{self.path}: ends at sample {start + audio.shape[1]}, before its header says")
        return np.ascontiguousarray(audio)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> SoundFileReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg_checksum(page: bytes) -> int:
    """Returns the CRC of an OGG page (RFC 3533: polynomial 0x04c11db7, not reflected, initial value 0).

    zlib's CRC is the same polynomial with all bits mirrored and both ends inverted.
    """
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def fix_ogg_serial(path: Path, serial: int = 1) -> None:
    """Replaces the serial number of the one stream in an OGG file by a fixed one, in place."""
    with open(path, "r+b") as handle:
        while header := handle.read(27):
            if len(header) != 27 or header[:4] != b"OggS":
                raise AudioError(f"{path.name}: the OGG encoder left a broken page")
            start = handle.tell() - 27
            segments = handle.read(header[26])
            body = handle.read(sum(segments))
            page = header[:14] + serial.to_bytes(4, "little") + header[18:22] + bytes(4) + header[26:]
            checksum = ogg_checksum(page + segments + body).to_bytes(4, "little")
            handle.seek(start)
            handle.write(page[:22] + checksum + page[26:])
            handle.seek(start + len(page) + len(segments) + len(body))
