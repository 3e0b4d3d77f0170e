"""Fits loops (init images for img2img) and masks to a song's beat grid.

A loop's spectrogram is resized along time from its own tempo to the song's, which keeps its pitch, and it is
repeated. A mask is stretched over a clip's slot; over the surplus after the slot it starts again.

Conventions: a level is float32 `[channels, n_mels, frames]`, row 0 the lowest band; frame `j` is at
`j / frames_per_quarter` quarter notes.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from riffcomposer.diffusion.recordings import read_recording
from riffcomposer.errors import RenderError, SpectrogramError
from riffcomposer.files import file_sha256
from riffcomposer.media.kinds import IMAGE_FORMATS
from riffcomposer.media.picture import misfit
from riffcomposer.plan.types import InitClip, MaskImage
from riffcomposer.spectrogram.threads import one_thread
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.units import round_up


def resampling_matrix(positions: np.ndarray, length: int, stretch: float) -> np.ndarray:
    """Matrix that interpolates a signal at fractional positions (cubic, Keys 1981, a = -1/2).

    Args:
        positions: Positions to read, in samples of the signal.
        length: Number of samples of the signal; beyond its ends the first or last sample is repeated.
        stretch: Samples of the signal per sample of the result. Above 1 the kernel is widened by this
            factor, which avoids aliasing.

    Returns:
        float64 [len(positions), length]; rows sum to 1. At whole positions with `stretch` up to 1 a
        row picks one sample exactly.
    """
    width = max(1.0, stretch)
    reach = int(np.ceil(2 * width))
    taps = np.floor(positions)[:, None] + np.arange(-reach, reach + 1)[None]
    distance = np.abs(taps - positions[:, None]) / width
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((len(positions), length))
    rows = np.broadcast_to(np.arange(len(positions))[:, None], taps.shape)
    np.add.at(matrix, (rows, np.clip(taps, 0, length - 1).astype(int)), weights)
    return matrix


def _check_digest(path: Path, name: str, sha256: str) -> None:
    """Raises `RenderError` if a file has changed since the song was planned."""
    try:
        found = file_sha256(path)
    except OSError as error:
        raise RenderError(f"{name}: {path} cannot be read ({error.strerror or error})") from error
    if sha256 and found != sha256:
        raise RenderError(f"{name}: {path} has changed since the song was planned; plan and render again")


def _channels(level: np.ndarray, channels: int) -> np.ndarray:
    """The level with that many channels: mono is the mean of both, stereo is two copies of mono."""
    if len(level) == channels:
        return level
    return level.mean(axis=0, keepdims=True) if channels == 1 else np.repeat(level[:1], channels, axis=0)


def _read_audio_level(
    init: InitClip, params: SpectrogramParameters, part: tuple[Fraction, Fraction] | None = None
) -> tuple[np.ndarray, float]:
    """Level of the part of an audio file that is needed, and the frame at which that part starts.

    Args:
        part: Start and length of the part in quarter notes of the loop; the whole loop by default.
    """
    from riffcomposer.spectrogram.mel import levels_from_mel, mel_from_audio

    first, length = init.read_range(params, part)
    start = init.start_seconds + (part[0] if part else 0) * 60 / init.tempo
    audio = read_recording(init.path, first, length, params)
    before = (start - first) * params.sample_rate
    if audio.shape[1] <= before:
        if part is None:
            raise RenderError(f"{init.name}: the loop starts at {float(start):g} s, after the file's end")
        audio = np.zeros((len(audio), round_up(length * params.sample_rate)), np.float32)
    level = levels_from_mel(mel_from_audio(torch.from_numpy(audio), params), params)
    return level.numpy(), float(before) / params.hop_length


def _read_image_level(init: InitClip, params: SpectrogramParameters) -> tuple[np.ndarray, float]:
    """Level of a spectrogram image on the reference of `params`, and the frame its loop starts at."""
    from riffcomposer.spectrogram.image import read_image

    level, own, _ = read_image(init.path, params)
    problem = misfit(own, params)
    if problem is not None:
        raise SpectrogramError(f"{init.name} does not fit the model: {problem}")
    scale = (own.max_volume / params.max_volume) ** params.power_for_image
    return level.numpy() * np.float32(scale), float(init.start_seconds * params.frames_per_second)


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """`left @ right` by torch, because `one_thread` limits torch's threads and cannot limit numpy's."""
    return (
        torch.from_numpy(np.ascontiguousarray(left)) @ torch.from_numpy(np.ascontiguousarray(right))
    ).numpy()


@one_thread()
def fit_init(
    init: InitClip,
    *,
    width_frames: int,
    frames_per_quarter: Fraction,
    clip_quarters: Fraction,
    params: SpectrogramParameters,
) -> np.ndarray:
    """Fits a loop to the song's grid.

    The loop is read from `at_quarters` on and starts again after `loop_quarters` quarter notes. If its file
    is shorter than that, silence follows.

    Args:
        init: The loop: its file, tempo and length.
        width_frames: Width of the clip in frames: the slot and the surplus after it.
        frames_per_quarter: The model's frames per quarter note of the song.
        clip_quarters: Length of the slot in quarter notes; the loop continues over the surplus.
        params: The model's spectrogram format.

    Returns:
        Level float32 [1 or 2, n_mels, width_frames], 0..1.

    Raises:
        RenderError: The file is missing, has changed, or cannot be used.
    """
    del clip_quarters  # unused: the loop continues through the surplus and so matches the next clip's start
    _check_digest(init.path, init.name, init.sha256)
    if init.kind == "audio" and init.loop_quarters > width_frames / frames_per_quarter:
        return _fit_recording(init, width_frames, frames_per_quarter, params)
    own_frames_per_quarter = params.frames_per_second * 60 / init.tempo
    loop_frames = float(own_frames_per_quarter * init.loop_quarters)
    if init.kind == "audio":
        level, start = _read_audio_level(init, params)
    else:
        level, start = _read_image_level(init, params)
    channels = 2 if params.stereo else 1
    level = _channels(level, channels)
    needed = int(np.ceil(start + loop_frames))
    if level.shape[2] < needed:
        level = np.pad(level, ((0, 0), (0, 0), (0, needed - level.shape[2])))

    # Extend the loop by its own end and start, so that interpolation at its ends reads the music that is
    # heard there, and not what the file holds next to it.
    stretch = float(own_frames_per_quarter / frames_per_quarter)
    margin = int(np.ceil(2 * max(1.0, stretch))) + 1
    turn = (np.arange(-margin, int(np.ceil(loop_frames)) + margin)) % loop_frames
    wrapped = _product(level, resampling_matrix(start + turn, level.shape[2], 1.0).T.astype(np.float32))

    quarters = np.array(
        [
            float((init.at_quarters + Fraction(j) / frames_per_quarter) % init.loop_quarters)
            for j in range(width_frames)
        ]
    )
    positions = margin + quarters * float(own_frames_per_quarter)
    fitted = _product(wrapped, resampling_matrix(positions, wrapped.shape[2], stretch).T.astype(np.float32))
    return np.clip(fitted, 0.0, 1.0).astype(np.float32)


def _fit_recording(
    init: InitClip, width_frames: int, frames_per_quarter: Fraction, params: SpectrogramParameters
) -> np.ndarray:
    """Fits the part of a long recording that a clip needs; at its end the recording starts again."""
    own_frames_per_quarter = params.frames_per_second * 60 / init.tempo
    stretch = float(own_frames_per_quarter / frames_per_quarter)
    channels = 2 if params.stereo else 1
    pieces = []
    done = 0
    while done < width_frames:
        at = (init.at_quarters + done / frames_per_quarter) % init.loop_quarters
        frames = min(width_frames - done, round_up((init.loop_quarters - at) * frames_per_quarter))
        level, start = _read_audio_level(init, params, (at, frames / frames_per_quarter))
        positions = start + np.arange(frames) * stretch
        matrix = resampling_matrix(positions, level.shape[2], stretch).T.astype(np.float32)
        pieces.append(_product(_channels(level, channels), matrix))
        done += frames
    return np.clip(np.concatenate(pieces, axis=2), 0.0, 1.0).astype(np.float32)


@one_thread()
def fit_mask(
    mask: MaskImage, *, width_frames: int, frames_per_quarter: Fraction, clip_quarters: Fraction, n_mels: int
) -> np.ndarray:
    """Fits a mask to the song's grid: stretched over the slot, and starting again over the surplus.

    Args:
        mask: The image file.
        width_frames: Width of the clip in frames.
        frames_per_quarter: The model's frames per quarter note of the song.
        clip_quarters: Length of the slot in quarter notes.
        n_mels: Number of mel bands, the height of the result.

    Returns:
        float32 [n_mels, width_frames], row 0 the lowest band; 1 is repainted, 0 kept.

    Raises:
        RenderError: The file is missing, has changed, or is no image.
    """
    from PIL import Image

    _check_digest(mask.path, mask.name, mask.sha256)
    try:
        with Image.open(mask.path, formats=IMAGE_FORMATS) as image:
            if image.width * image.height > 100_000_000:
                raise SpectrogramError(f"{mask.name}: {mask.path} is too large to be a mask")
            grey = np.asarray(image.convert("L"), dtype=np.float32)[::-1] / 255.0
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SpectrogramError(
            f"{mask.name}: {mask.path} is not an image that can be read ({error})"
        ) from error
    slot = float(frames_per_quarter * clip_quarters)
    height, width = grey.shape
    # Pixel centres of the result, in pixels of the mask.
    columns = (np.arange(width_frames) + 0.5) % slot * width / slot - 0.5
    rows = (np.arange(n_mels) + 0.5) * height / n_mels - 0.5
    across = resampling_matrix(columns, width, width / slot).astype(np.float32)
    down = resampling_matrix(rows, height, height / n_mels).astype(np.float32)
    return np.clip(_product(_product(down, grey), across.T), 0.0, 1.0).astype(np.float32)
