"""Audio that is read in blocks: arrays, `.npy` files and scratch files on disk.

A long track does not fit into memory (an hour of stereo is 1.3 GB in float32), so the mix reads and writes
blocks. Files are read by plain `read` calls and are not mapped into memory, because the pages of a map
count as memory of the process.

Conventions: audio is float32 `[channels, samples]`; positions are samples; a scratch file is raw
float32, interleaved (sample by sample), native byte order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from riffcomposer.errors import AudioError
from riffcomposer.files import disk_error

Audio = NDArray[np.float32]
BLOCK_SAMPLES = 1 << 17
"""Samples in a block: about three seconds, small enough for any number of channels."""


class AudioReader(Protocol):
    """A source of audio, read block by block in any order."""

    @property
    def channels(self) -> int: ...

    @property
    def samples(self) -> int: ...

    def read(self, start: int, stop: int) -> Audio:
        """Returns the samples `start <= i < stop`, within 0 and `samples`."""


class ArrayReader:
    """An array `[channels, samples]` in memory (or mapped), as a reader."""

    def __init__(self, audio: Audio) -> None:
        if audio.ndim != 2:
            raise AudioError(f"audio must be [channels, samples], got the shape {audio.shape}")
        self._audio = audio
        self.channels, self.samples = audio.shape

    def read(self, start: int, stop: int) -> Audio:
        return np.asarray(self._audio[:, start:stop], np.float32)


class PlanarReader:
    """Raw planar float32 `[channels, samples]` in a file from a byte offset on.

    This is the payload of an uncompressed `.npy` file in C order: see `npy_reader`.
    """

    def __init__(self, path: Path, channels: int, samples: int, offset_bytes: int) -> None:
        self._path, self._offset_bytes = path, offset_bytes
        self.channels, self.samples = channels, samples

    def read(self, start: int, stop: int) -> Audio:
        result = np.empty((self.channels, stop - start), np.float32)
        with open(self._path, "rb") as handle:
            for channel in range(self.channels):
                handle.seek(self._offset_bytes + 4 * (channel * self.samples + start))
                if handle.readinto(result[channel].data) != 4 * (stop - start):
                    raise AudioError(f"{self._path}: the file is shorter than its header says")
        return result


def npy_reader(path: Path, offset_bytes: int = 0) -> PlanarReader:
    """Opens a float32 `[channels, samples]` array saved by `numpy.save`, without loading it.

    Args:
        path: The file.
        offset_bytes: Position of the `.npy` magic string, for an array that follows another header.

    Raises:
        AudioError: The file is not such an array.
    """
    try:
        with open(path, "rb") as handle:
            handle.seek(offset_bytes)
            version = np.lib.format.read_magic(handle)
            read_header = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}[
                version[0]
            ]
            shape, fortran_order, dtype = read_header(handle)
            offset_bytes = handle.tell()
    except (OSError, ValueError, KeyError) as error:
        raise AudioError(f"{path}: not an array of audio ({error})") from error
    if dtype != np.dtype("<f4") or fortran_order or len(shape) != 2:
        raise AudioError(f"{path}: expected float32 [channels, samples], got {dtype} {list(shape)}")
    return PlanarReader(path, shape[0], shape[1], offset_bytes)


def as_reader(audio: Audio | AudioReader) -> AudioReader:
    """Returns a reader over an array; a reader is returned unchanged."""
    return ArrayReader(audio) if isinstance(audio, np.ndarray) else audio


def read_padded(reader: AudioReader, start: int, stop: int, *, wraps: bool = False) -> Audio:
    """Reads any range: outside the audio there is silence, or the repeated audio if it `wraps`."""
    if start >= 0 and stop <= reader.samples:
        return reader.read(start, stop)
    result = np.zeros((reader.channels, stop - start), np.float32)
    position = start
    while position < stop:
        if wraps:
            inside = position % reader.samples
            count = min(stop - position, reader.samples - inside)
        elif position < 0:
            position = min(0, stop)
            continue
        elif position >= reader.samples:
            break
        else:
            inside, count = position, min(stop, reader.samples) - position
        result[:, position - start : position - start + count] = reader.read(inside, inside + count)
        position += count
    return result


def iterate_blocks(reader: AudioReader, block_samples: int = BLOCK_SAMPLES) -> Iterator[Audio]:
    """Yields the whole audio in blocks, in order."""
    for start in range(0, reader.samples, block_samples):
        yield reader.read(start, min(start + block_samples, reader.samples))


class Part:
    """A part of another reader, for instance one section of the master."""

    def __init__(self, reader: AudioReader, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= reader.samples:
            raise AudioError(f"samples {start} to {stop} are not within 0 to {reader.samples}")
        self._reader, self._start = reader, start
        self.channels, self.samples = reader.channels, stop - start

    def read(self, start: int, stop: int) -> Audio:
        return self._reader.read(self._start + start, self._start + stop)


class Scaled:
    """Another reader, multiplied by one gain."""

    def __init__(self, reader: AudioReader, gain: float) -> None:
        self._reader, self._gain = reader, np.float32(gain)
        self.channels, self.samples = reader.channels, reader.samples

    def read(self, start: int, stop: int) -> Audio:
        return self._reader.read(start, stop) * self._gain


class Buffered:
    """Another reader, read in whole blocks, for many short reads of a file in which seeking is slow."""

    def __init__(self, reader: AudioReader, block_samples: int = BLOCK_SAMPLES) -> None:
        self._reader, self._block_samples = reader, block_samples
        self.channels, self.samples = reader.channels, reader.samples
        self._start, self._block = 0, np.zeros((reader.channels, 0), np.float32)

    def read(self, start: int, stop: int) -> Audio:
        if start < self._start or stop > self._start + self._block.shape[1]:
            self._start = start
            self._block = self._reader.read(start, min(self.samples, max(stop, start + self._block_samples)))
        return self._block[:, start - self._start : stop - self._start].copy()


class ScratchAudio:
    """Audio of known length in a file of the caller's scratch folder; it is silent until it is written.

    The file is sparse at first and stays when the object goes; the owner of the scratch folder
    removes it. It is open only while it is read or written: several threads may read at once, and
    the folder can be removed at any time, on Windows too.

    Raises:
        DiskFullError, StoreError: The file cannot be made or written.
    """

    def __init__(self, path: Path, channels: int, samples: int) -> None:
        self.path, self.channels, self.samples = path, channels, samples
        self._frame_bytes = 4 * channels
        with self._disk_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
            os.truncate(path, samples * self._frame_bytes)

    def _disk_errors(self) -> _DiskErrors:
        return _DiskErrors(self.path, self.samples * self._frame_bytes)

    def read(self, start: int, stop: int) -> Audio:
        with self._disk_errors(), open(self.path, "rb", buffering=0) as handle:
            handle.seek(start * self._frame_bytes)
            content = handle.read((stop - start) * self._frame_bytes)
        return np.ascontiguousarray(np.frombuffer(content, np.float32).reshape(-1, self.channels).T)

    def write(self, start: int, audio: Audio) -> None:
        """Replaces the samples from `start` on; `audio` must fit."""
        if start < 0 or start + audio.shape[1] > self.samples:
            raise AudioError(
                f"samples {start} to {start + audio.shape[1]} are not within 0 to {self.samples}"
            )
        content = memoryview(np.ascontiguousarray(audio.T, np.float32).tobytes())
        with self._disk_errors(), open(self.path, "r+b", buffering=0) as handle:
            handle.seek(start * self._frame_bytes)
            while content:
                content = content[handle.write(content) :]

    def add(self, start: int, audio: Audio) -> None:
        """Adds to the samples from `start` on; `audio` must fit."""
        self.write(start, self.read(start, start + audio.shape[1]) + audio)

    def remove(self) -> None:
        """Deletes the file."""
        self.path.unlink(missing_ok=True)


class _DiskErrors:
    """Raises the error that names the path and the bytes needed in place of an `OSError`."""

    def __init__(self, path: Path, needed_bytes: int) -> None:
        self._path, self._needed_bytes = path, needed_bytes

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise disk_error(error, self._path, self._needed_bytes) from error
