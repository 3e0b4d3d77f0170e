"""Spectrogram images as tensors: read at the height of the mel, and written with parameters in EXIF.

Conventions: a *level* is float32 `[channels, n_mels, frames]`, 0..1, row 0 the lowest band, 1 the
loudest. A pixel is `255 - 255 * level`, rounded (Riffusion truncates, which doubles the largest error), top
row the highest band. A mono image is written as RGB with three equal channels, a stereo one with red 0,
left in green and right in blue. `riffcomposer.media.picture` has the EXIF tags.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from riffcomposer import files
from riffcomposer.errors import SpectrogramError
from riffcomposer.media.picture import exif_tags, read_picture
from riffcomposer.spectrogram_parameters import SpectrogramParameters


def pixels_from_level(level: torch.Tensor | np.ndarray) -> np.ndarray:
    """Levels as Riffusion's RGB pixels, rounded.

    Args:
        level: `[channels, n_mels, frames]` with one or two channels; clipped to 0..1.

    Returns:
        uint8 `[n_mels, frames, 3]`, top row the highest band.

    Raises:
        SpectrogramError: Another shape, or NaN.
    """
    values = level.detach().cpu().numpy() if isinstance(level, torch.Tensor) else np.asarray(level)
    if values.ndim != 3 or values.shape[0] not in (1, 2) or 0 in values.shape:
        raise SpectrogramError(f"expected a level [1 or 2 channels, bands, frames], got {list(values.shape)}")
    if np.isnan(values).any():
        raise SpectrogramError("the level holds NaN values; it cannot be written as an image")
    grey = np.rint(255.0 - 255.0 * np.clip(values.astype(np.float64), 0.0, 1.0)).astype(np.uint8)[:, ::-1]
    if len(grey) == 1:
        return np.repeat(grey[0][:, :, None], 3, axis=2)
    return np.stack([np.zeros_like(grey[0]), grey[0], grey[1]], axis=2)


def image_from_level(level: torch.Tensor | np.ndarray, params: SpectrogramParameters) -> Image.Image:
    """Levels as a Pillow image with `params` in its EXIF. Raises as `pixels_from_level` does."""
    image = Image.fromarray(pixels_from_level(level))
    image.getexif().update(exif_tags(replace(params, stereo=len(level) == 2, num_frequencies=level.shape[1])))
    return image


def read_image(
    path: Path, base: SpectrogramParameters | None = None
) -> tuple[torch.Tensor, SpectrogramParameters, bool]:
    """Reads a spectrogram image: PNG with or without EXIF, JPEG, palette, grey, hand-drawn.

    An image whose height is not its number of mel bands (a hand-drawn picture, a scaled one) is
    resized to it along frequency; its width is its length in frames and stays.

    Args:
        base: Parameters for what the image's EXIF does not say; Riffusion's by default.

    Returns:
        Level float32 `[channels, n_mels, frames]`, its parameters, and whether EXIF held any.

    Raises:
        SpectrogramError: As `riffcomposer.media.picture.read_picture`.
    """
    picture = read_picture(path, base)
    level, bands = torch.from_numpy(picture.level), picture.params.num_frequencies
    if level.shape[1] != bands:
        level = torch.nn.functional.interpolate(
            level[None], (bands, level.shape[2]), mode="bilinear", antialias=True
        )[0].clamp(0.0, 1.0)
    return level.contiguous(), picture.params, picture.is_tagged


def write_image(path: Path, level: torch.Tensor | np.ndarray, params: SpectrogramParameters) -> None:
    """Writes a level as a PNG with its parameters in EXIF, in one step.

    Args:
        path: Ends in `.png`: JPEG would blur the spectrogram.
        level: `[channels, n_mels, frames]`, one or two channels, clipped to 0..1.

    Raises:
        SpectrogramError: Another suffix, shape, or NaN.
        StoreError: The file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise SpectrogramError(f"{path}: spectrogram images are written as .png, which loses nothing")
    image = image_from_level(level, params)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", exif=image.getexif())
    files.write_bytes(path, buffer.getvalue())
