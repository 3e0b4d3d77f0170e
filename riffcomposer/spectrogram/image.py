"""Riffusion's spectrogram images: pixels, parameters in EXIF, and what others make of them.

Conventions: a *level* is float32 `[channels, n_mels, frames]`, 0..1, row 0 the lowest band, 1 the
loudest. A pixel is `255 - 255 * level`, rounded (Riffusion truncates, which costs 6 dB), top row the
highest band. A mono image is written as RGB with three equal channels, a stereo one with red 0, left
in green and right in blue. The parameters stand in EXIF tags 11000 to 11080:

    11000 sample_rate          11010 step_size_ms         11040 num_frequencies   11070 power_for_image
    11005 stereo               11020 window_duration_ms   11050 min_frequency     11080 max volume
                               11030 padded_duration_ms   11060 max_frequency

The format is that of `riffusion/util/image_util.py` and `riffusion/spectrogram_params.py` in
riffusion-hobby. Riffusion writes each clip's own maximum into tag 11080 and levels relative to it;
we write the song's one reference. Read back, both give the absolute mel.
"""

from __future__ import annotations

import io
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from riffcomposer import files
from riffcomposer.errors import SpectrogramError
from riffcomposer.models.spectrogram_parameters import SpectrogramParameters

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
MAX_FILE_BYTES = 256 << 20
MAX_PIXELS = 100_000_000
MAX_HEIGHT = 8192

_SAMPLE_RATE, _STEREO, _TRIPLE_RESOLUTION, _MAX_VOLUME = 11000, 11005, 11007, 11080

_INTEGER_TAGS: dict[int, tuple[str, int, int]] = {
    _SAMPLE_RATE: ("sample_rate", 4000, 192_000),
    11010: ("step_size_ms", 1, 1000),
    11020: ("window_duration_ms", 1, 2000),
    11030: ("padded_duration_ms", 1, 4000),
    11040: ("num_frequencies", 1, 4096),
    11050: ("min_frequency", 0, 96_000),
    11060: ("max_frequency", 1, 96_000),
}
_FLOAT_TAGS: dict[int, tuple[str, float, float]] = {
    11070: ("power_for_image", 0.01, 4.0),
    _MAX_VOLUME: ("max_volume", 1e-9, 1e15),
}


def exif_tags(params: SpectrogramParameters) -> dict[int, int | float]:
    """The EXIF tags that carry `params`, as Riffusion names and types them."""
    tags: dict[int, int | float] = {tag: getattr(params, name) for tag, (name, _, _) in _INTEGER_TAGS.items()}
    tags[_STEREO] = int(params.stereo)
    tags |= {tag: float(getattr(params, name)) for tag, (name, _, _) in _FLOAT_TAGS.items()}
    return dict(sorted(tags.items()))


def parameters_from_exif(
    exif: Mapping[int, Any], base: SpectrogramParameters | None = None
) -> tuple[SpectrogramParameters, bool]:
    """Reads parameters from EXIF tags; those that are missing are taken from `base`.

    Returns:
        The parameters, and whether any of the tags was there.

    Raises:
        SpectrogramError: A value that is no number, out of bounds, or that does not fit another.
    """
    found: dict[str, Any] = {}
    for tag, (name, low, high) in (_INTEGER_TAGS | _FLOAT_TAGS).items():
        if exif.get(tag) is None:
            continue
        try:
            value = float(exif[tag])
        except (TypeError, ValueError, ZeroDivisionError):
            raise SpectrogramError(
                f"EXIF tag {tag} ({name}) is not a number: {str(exif[tag])[:40]!r}"
            ) from None
        if not low <= value <= high:
            raise SpectrogramError(f"EXIF tag {tag} ({name}) is {value:g}; it must be {low:g} to {high:g}")
        found[name] = int(value) if tag in _INTEGER_TAGS else value
    if exif.get(_STEREO) is not None:
        found["stereo"] = bool(exif[_STEREO])
    if exif.get(_TRIPLE_RESOLUTION):
        raise SpectrogramError("triple-resolution mono images (EXIF tag 11007) are not supported")
    params = replace(base or SpectrogramParameters(), **found)
    check_parameters(params)
    return params, bool(found)


def check_parameters(params: SpectrogramParameters) -> None:
    """Refuses parameters that contradict each other.

    Raises:
        SpectrogramError: With the two values that do not fit.
    """
    if not params.min_frequency < params.max_frequency <= params.sample_rate / 2:
        raise SpectrogramError(
            f"frequencies {params.min_frequency} to {params.max_frequency} Hz do not fit a sample rate of "
            f"{params.sample_rate} Hz"
        )
    if not params.step_size_ms * 2 <= params.window_duration_ms <= params.padded_duration_ms:
        raise SpectrogramError(
            f"a step of {params.step_size_ms} ms, a window of {params.window_duration_ms} ms and a "
            f"transform of {params.padded_duration_ms} ms do not fit: the window must be at least two steps "
            "and at most the transform"
        )


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


def _brightness(image: Image.Image, *, stereo: bool, tagged: bool) -> np.ndarray:
    """Brightness 0..1 of an image in any mode, `[channels, height, width]`, top row first."""
    if image.mode.startswith("I"):  # 16-bit grey
        return np.asarray(image, dtype=np.float32)[None].clip(0, 65535) / 65535.0
    if "A" in image.getbands() or "transparency" in image.info:
        # What is see-through is silent, and silence is white.
        sheer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", sheer.size, "white"), sheer)
    rgb = image.convert("RGB")
    if stereo:
        pixels = np.asarray(rgb)[:, :, 1:3]
    elif tagged:
        pixels = np.asarray(rgb)[:, :, :1]  # as Riffusion reads mono
    else:
        pixels = np.asarray(rgb.convert("L"))[:, :, None]  # a picture from elsewhere: what the eye sees
    return np.moveaxis(pixels, 2, 0).astype(np.float32) / 255.0


def level_from_image(
    image: Image.Image, base: SpectrogramParameters | None = None
) -> tuple[torch.Tensor, SpectrogramParameters, bool]:
    """Reads levels from a Pillow image of any mode and size.

    An image whose height is not its number of mel bands (a hand-drawn picture, a scaled one) is
    resized to it along frequency; its width is its length in frames and stays. Alpha is laid on
    white, which is silence. Without EXIF a coloured picture counts by its luminance.

    Args:
        base: Parameters for what the image's EXIF does not say.

    Returns:
        Level `[channels, n_mels, frames]`, its parameters, and whether EXIF held any of them.

    Raises:
        SpectrogramError: Its EXIF tags cannot be used.
    """
    params, tagged = parameters_from_exif(image.getexif(), base)
    bright = _brightness(image, stereo=params.stereo, tagged=tagged)
    level = torch.from_numpy(1.0 - bright[:, ::-1])
    if len(level) == 1 and params.stereo:
        level = level.repeat(2, 1, 1)
    if level.shape[1] != params.num_frequencies:
        level = torch.nn.functional.interpolate(
            level[None], (params.num_frequencies, level.shape[2]), mode="bilinear", antialias=True
        )[0].clamp(0.0, 1.0)
    return level.contiguous(), params, tagged


def read_image(
    path: Path, base: SpectrogramParameters | None = None
) -> tuple[torch.Tensor, SpectrogramParameters, bool]:
    """Reads a spectrogram image: PNG with or without EXIF, JPEG, palette, grey, hand-drawn.

    Args:
        base: Parameters for what the image's EXIF does not say; Riffusion's by default.

    Returns:
        Level float32 `[channels, n_mels, frames]`, its parameters, and whether EXIF held any.

    Raises:
        SpectrogramError: The file is missing, no image, damaged, or too large to be a spectrogram.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SpectrogramError(f"{path}: not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise SpectrogramError(
                f"{path}: {status.st_size:,} bytes; images have at most {MAX_FILE_BYTES:,}"
            )
        content = path.read_bytes()
    except OSError as error:
        raise SpectrogramError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS or height > MAX_HEIGHT:
                raise SpectrogramError(
                    f"{path}: {width} x {height} pixels; a spectrogram has at most {MAX_HEIGHT} rows and "
                    f"{MAX_PIXELS // 1_000_000} million pixels"
                )
            image.load()
            return level_from_image(image, base)
    except SpectrogramError as error:
        message = str(error)
        raise SpectrogramError(message if message.startswith(str(path)) else f"{path}: {message}") from error
    except Exception as error:
        # Pillow raises a dozen kinds of exception on damaged files; all mean the same here.
        raise SpectrogramError(
            f"{path}: not an image that can be read ({type(error).__name__}); PNG or JPEG is expected"
        ) from error


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
