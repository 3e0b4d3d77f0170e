"""Reads a part of any sound file without trusting its header.

Two libraries read files. libsndfile reads formats that it knows sample by sample (WAV, FLAC, Ogg,
AIFF, CAF, AU, Wave64). FFmpeg, through PyAV, reads the others (MP3, AAC, MP4, WMA, WavPack, Matroska)
and files that libsndfile cannot: with unwritten lengths, truncated streams, several streams in a row,
other codecs, or a FLAC with more samples than its header states. libsndfile does not read MP3 here: without
a Xing header it guesses the length from the first frame, and at a variable bit rate each block begins with
wrong samples.

The length of a file is the number of samples read up to its end. FFmpeg may open only the formats and
codecs listed here, so that a file can reach no other file, no address and no obscure decoder.

Conventions: samples are float32 `[channels, samples]`, full scale 1, at the file's own rate.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from riffcomposer.errors import AudioError
from riffcomposer.media.flac_frames import goes_on_after_its_header
from riffcomposer.media.joined_streams import has_several_streams
from riffcomposer.media.kinds import AIFF, AU, CAF, FLAC, OGG, W64, WAV, FileKind, kind_of

MAX_FILE_BYTES = 4 << 30
MAX_CHANNELS = 32
SAMPLE_RATES_HZ = (1000, 768_000)
MAX_SECONDS = 4 * 3600
MOST_COMPRESSED_FRAMES_PER_BYTE = 4096
"""Most frames per byte of a file: silence in FLAC or Ogg has about 1000, a forged header more."""

MAX_VALUES = 2 * MAX_SECONDS * 48_000
"""Most samples of a part, of all channels together: four hours of stereo, 5 GB."""

BLOCK_FRAMES = 1 << 16
_DAMAGED_PACKETS = 200
"""A file is refused if this many packets cannot be decoded and they outnumber the others."""

_SNDFILE_KINDS = frozenset({WAV, FLAC, OGG, AIFF, CAF, AU, W64})
_CONTAINERS = "mp3,aac,mov,ogg,wav,w64,flac,aiff,caf,au,asf,wv,matroska,webm"
_CODECS = (
    *("mp3", "mp3float", "mp2", "mp2float", "aac", "alac", "flac", "vorbis", "opus", "libopus", "libspeex"),
    *("speex", "wmav1", "wmav2", "wmapro", "wmalossless", "wavpack", "ac3", "eac3", "gsm", "gsm_ms"),
    *("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_u8", "pcm_s8"),
    *("pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_alaw", "pcm_mulaw"),
    *("adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt"),
)
_OPTIONS = {
    "format_whitelist": _CONTAINERS,
    "codec_whitelist": ",".join(_CODECS),
    "protocol_whitelist": "none",
}


@dataclass(frozen=True)
class SoundPart:
    """A part of a sound file.

    Attributes:
        samples: float32 `[channels, samples]`, as the file has them: NaN, offsets and all.
        sample_rate: The file's own, in Hz.
        coding: Container and codec, for people: `WAV, PCM_16` or `mp3, mp3float`.
        is_to_end: Whether the file ends within the requested part.
    """

    samples: np.ndarray
    sample_rate: int
    coding: str
    is_to_end: bool


class _GivenUp(Exception):
    """libsndfile cannot read a file, or not to its end, but FFmpeg may."""


def read_part(
    path: Path,
    *,
    start_seconds: float = 0.0,
    duration_seconds: float | None = None,
    max_values: int = MAX_VALUES,
) -> SoundPart:
    """Reads a part of a sound file, at its own rate and with its own channels.

    Args:
        path: The file; its bytes decide its kind, not its name.
        start_seconds: Where the part begins.
        duration_seconds: Length of the part; up to the end by default. It may extend past the file's end.
        max_values: Most samples, of all channels together, that the part may have.

    Raises:
        AudioError: The file is missing, empty, damaged, not a sound, has impossible parameters, is longer
            than four hours, ends before `start_seconds`, or has more than `max_values` samples.
    """
    if not (math.isfinite(start_seconds) and start_seconds >= 0):
        raise AudioError(f"{path}: cannot start at {start_seconds} seconds")
    if duration_seconds is not None and not (math.isfinite(duration_seconds) and duration_seconds > 0):
        raise AudioError(f"{path}: cannot read {duration_seconds} seconds")
    if _suits_libsndfile(path, _checked_kind(path)):
        try:
            return _read_with_libsndfile(path, start_seconds, duration_seconds, max_values)
        except _GivenUp:
            pass
    return _read_with_ffmpeg(path, start_seconds, duration_seconds, max_values)


def seekable_seconds(path: Path) -> Fraction | None:
    """Returns the exact length of a sound of which any part can be read at once; None for others.

    The header's length counts only if the last sample that it promises can be read.

    Raises:
        AudioError: As `read_part`.
    """
    if not _suits_libsndfile(path, _checked_kind(path)):
        return None
    try:
        return _header_seconds(path)
    except _GivenUp:
        return None


def _suits_libsndfile(path: Path, kind: FileKind | None) -> bool:
    """Whether libsndfile should try first: it knows the kind, and the header states all of the sound."""
    try:
        if kind is None or kind not in _SNDFILE_KINDS or has_several_streams(path, kind):
            return False
        return kind is not FLAC or not goes_on_after_its_header(path)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or error})") from error


def _header_seconds(path: Path) -> Fraction:
    """The length that libsndfile finds; raises `_GivenUp` if it is not true."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as source:
            frames, rate = source.frames, source.samplerate
            _check_form(path, rate, source.channels)
            believable = 0 < frames <= path.stat().st_size * MOST_COMPRESSED_FRAMES_PER_BYTE
            if not believable or "MPEG" in source.subtype or source.seek(frames - 1) != frames - 1:
                raise _GivenUp
            if len(source.read(2, dtype="float32", always_2d=True)) != 1:
                raise _GivenUp
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        raise _GivenUp from error
    return Fraction(frames, rate)


def counted_seconds(path: Path) -> Fraction:
    """Decodes a whole sound and returns its exact length in seconds.

    Raises:
        AudioError: As `read_part`.
    """
    samples, rate = 0, 1
    for block, block_rate in _decoded_blocks(path):
        samples, rate = samples + len(block), block_rate
        if samples > MAX_SECONDS * rate:
            raise AudioError(f"{path}: is longer than {MAX_SECONDS // 3600} hours; ask for a part of it")
    if not samples:
        raise AudioError(f"{path}: holds no samples; it may be truncated")
    return Fraction(samples, rate)


def _checked_kind(path: Path) -> FileKind | None:
    """Returns the file's kind by its bytes, or None if they do not tell.

    Raises:
        AudioError: It is not a regular file, empty, too large, or not a sound.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(f"{path}: is not a regular file")
        if status.st_size == 0:
            raise AudioError(f"{path}: is empty")
        if status.st_size > MAX_FILE_BYTES:
            raise AudioError(
                f"{path}: has {status.st_size:,} bytes; sounds of up to {MAX_FILE_BYTES:,} are read"
            )
        kind = kind_of(path)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or error})") from error
    if kind is not None and kind.medium != "audio":
        reason = kind.refusal if kind.advice else f"is {kind.name}, not a sound"
        raise AudioError(f"{path}: {reason}")
    return kind


def _check_form(path: Path, rate: int, channels: int) -> None:
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{path}: has {channels} channels; 1 to {MAX_CHANNELS} are read")
    if not SAMPLE_RATES_HZ[0] <= rate <= SAMPLE_RATES_HZ[1]:
        raise AudioError(
            f"{path}: has a sample rate of {rate} Hz; {SAMPLE_RATES_HZ[0]} to {SAMPLE_RATES_HZ[1]} are read"
        )


def _check_values(path: Path, values: int, most: int) -> None:
    if values > most:
        raise AudioError(
            f"{path}: has more than {most:,} samples in the part that is used; save it again with two "
            "channels at 44,100 Hz"
        )


def _range(path: Path, rate: int, start: float, duration: float | None) -> tuple[int, int]:
    """Returns the first sample of a part and how many to read: one more than allowed, to notice excess.

    Raises:
        AudioError: The part begins, or extends, beyond four hours.
    """
    most = MAX_SECONDS * rate
    if start > MAX_SECONDS or (duration is not None and duration > MAX_SECONDS):
        raise AudioError(f"{path}: is read in its first {MAX_SECONDS // 3600} hours only")
    wanted = most + 1 if duration is None else max(1, round(duration * rate))
    return round(start * rate), wanted


def _part(
    path: Path, blocks: list[np.ndarray], rate: int, coding: str, wanted: int, first: int, length: int
) -> SoundPart:
    """Makes the part from blocks `[samples, channels]`.

    Args:
        length: Samples per channel of the file, as far as it was read.
    """
    samples = np.concatenate(blocks).T if blocks else np.zeros((1, 0), np.float32)
    if samples.shape[1] == 0:
        if first and length:
            raise AudioError(
                f"{path}: is {length / rate:.2f} s long and cannot be read from {first / rate:g} s on"
            )
        raise AudioError(f"{path}: holds no samples; it may be truncated")
    if samples.shape[1] > MAX_SECONDS * rate:
        raise AudioError(f"{path}: is longer than {MAX_SECONDS // 3600} hours; ask for a part of it")
    return SoundPart(samples, rate, coding, samples.shape[1] < wanted)


def _read_with_libsndfile(path: Path, start: float, duration: float | None, max_values: int) -> SoundPart:
    """Reads with libsndfile; raises `_GivenUp` if FFmpeg may succeed."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as source:
            rate, frames = source.samplerate, source.frames
            _check_form(path, rate, source.channels)
            believable = 0 < frames <= path.stat().st_size * MOST_COMPRESSED_FRAMES_PER_BYTE
            if not believable or "MPEG" in source.subtype:
                raise _GivenUp
            first, wanted = _range(path, rate, start, duration)
            blocks: list[np.ndarray] = []
            done = 0
            if first < frames:
                source.seek(first)
                while done < wanted:
                    # Memory grows with the samples that exist, not with the header's claim.
                    count = min(BLOCK_FRAMES, wanted - done)
                    block = source.read(count, dtype="float32", always_2d=True)
                    if len(block) == 0:
                        break
                    done += len(block)
                    blocks.append(block)
                    _check_values(path, done * source.channels, max_values)
            return _part(path, blocks, rate, f"{source.format}, {source.subtype}", wanted, first, frames)
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        raise _GivenUp from error


def _read_with_ffmpeg(path: Path, start: float, duration: float | None, max_values: int) -> SoundPart:
    """Reads with FFmpeg from the beginning, so that positions are counted, never guessed from a bit rate."""
    rate, blocks, wanted, first, position = 0, list[np.ndarray](), 1, 0, 0
    coding: list[str] = []
    for block, block_rate in _decoded_blocks(path, coding):
        if not rate:
            rate = block_rate
            first, wanted = _range(path, rate, start, duration)
        kept = block[max(0, first - position) : max(0, first + wanted - position)]
        if len(kept):
            blocks.append(kept)
        position += len(block)
        _check_values(path, min(position - first, wanted) * block.shape[1], max_values)
        if position >= first + wanted:
            break
    return _part(path, blocks, rate or 1, "".join(coding), wanted, first, position)


def _decoded_blocks(path: Path, coding: list[str] | None = None) -> Iterator[tuple[np.ndarray, int]]:
    """Decodes with FFmpeg: blocks float32 `[samples, channels]` and their rate, which stays the same.

    Args:
        coding: Container and codec are added to it.

    Raises:
        AudioError: The file holds no sound, or not one that can be decoded.
    """
    import av

    try:
        # A file object, not a path: FFmpeg sees these bytes and no other file.
        with (
            open(path, "rb") as handle,
            av.open(handle, mode="r", options=_OPTIONS, **_lenient()) as container,
        ):
            stream = next(iter(container.streams.audio), None)
            if stream is None:
                raise AudioError(f"{path}: is {container.format.long_name} and holds no sound")
            codec = stream.codec_context.name if stream.codec_context is not None else "an unknown codec"
            if codec not in _CODECS:
                raise AudioError(
                    f"{path}: its sound is coded as {codec}, which is not read; convert it to FLAC"
                )
            if coding is not None:
                coding.append(f"{container.format.name}, {codec}")
            rate, channels, position = 0, 0, 0
            for frame in _frames(path, container, stream):
                block = _samples(frame)
                if not rate:
                    rate, channels = frame.sample_rate, block.shape[1]
                    _check_form(path, rate, channels)
                elif (frame.sample_rate, block.shape[1]) != (rate, channels):
                    raise AudioError(
                        f"{path}: changes from {rate} Hz and {channels} channels to {frame.sample_rate} Hz "
                        f"and {block.shape[1]} at {position / rate:.2f} s; save it again at one rate"
                    )
                position += len(block)
                yield block, rate
    except av.PatchWelcomeError as error:
        raise AudioError(
            f"{path}: holds streams in a row that differ in rate or channels, or is coded in a rare way; "
            "save it again as FLAC"
        ) from error
    except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
        raise AudioError(
            f"{path}: is not a sound that can be read; it may be damaged, or of an unknown kind"
        ) from error


def _lenient() -> dict[str, str]:
    """Returns the option by which PyAV before 19 accepts tags that are not UTF-8; PyAV 19 has none."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


def _frames(path: Path, container: Any, stream: Any) -> Any:
    """Yields decoded frames in order; damaged packets are skipped, as players do.

    Raises:
        AudioError: Most of the packets are damaged.
    """
    import av

    good = damaged = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode()
        except (av.InvalidDataError, av.EOFError):
            damaged += 1
            if damaged > max(good, _DAMAGED_PACKETS):
                raise AudioError(f"{path}: is damaged: {damaged} of its packets cannot be decoded") from None
            continue
        good += 1
        yield from frames


def _samples(frame: Any) -> np.ndarray:
    """Returns a frame of any sample format as float32 `[samples, channels]`."""
    values = frame.to_ndarray()
    if frame.format.is_planar:
        values = values.T
    else:
        values = values.reshape(frame.samples, -1)
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128.0) / np.float32(128.0)
    if values.dtype.kind == "i":
        return (values / float(1 << (8 * values.dtype.itemsize - 1))).astype(np.float32)
    return values.astype(np.float32)
