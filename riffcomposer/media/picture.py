"""Reads spectrogram images, pixels and EXIF parameters, with Pillow and numpy alone.

Conventions: a *level* is float32 `[channels, rows, columns]`, 0..1, row 0 the lowest band, 1 the
loudest. A pixel is `255 - 255 * level`, top row the highest band. The parameters are in EXIF tags
11000 to 11080:

    11000 sample_rate          11010 step_size_ms         11040 num_frequencies   11070 power_for_image
    11005 stereo               11020 window_duration_ms   11050 min_frequency     11080 max volume
                               11030 padded_duration_ms   11060 max_frequency

The format is that of `riffusion/util/image_util.py` and `riffusion/spectrogram_params.py` in
riffusion-hobby. Riffusion writes each clip's own maximum into tag 11080 and levels relative to it;
riffcomposer writes one reference for the whole song. Both yield the absolute mel when read.
"""

from __future__ import annotations

import io
import stat
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from riffcomposer.errors import SpectrogramError
from riffcomposer.media.kinds import IMAGE_FORMATS, kind_of_bytes
from riffcomposer.spectrogram_parameters import SpectrogramParameters

if TYPE_CHECKING:
    from PIL import Image

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
    """Returns the EXIF tags for `params`, with Riffusion's names and types."""
    tags: dict[int, int | float] = {tag: getattr(params, name) for tag, (name, _, _) in _INTEGER_TAGS.items()}
    tags[_STEREO] = int(params.stereo)
    tags |= {tag: float(getattr(params, name)) for tag, (name, _, _) in _FLOAT_TAGS.items()}
    return dict(sorted(tags.items()))


def parameters_from_exif(
    exif: Mapping[int, Any], base: SpectrogramParameters | None = None
) -> tuple[SpectrogramParameters, bool]:
    """Reads parameters from EXIF tags; those that are missing are taken from `base`.

    Returns:
        The parameters, and whether any of the tags was present.

    Raises:
        SpectrogramError: A value is not a number, out of bounds, or contradicts another.
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
    _check_parameters(params)
    return params, bool(found)


def _check_parameters(params: SpectrogramParameters) -> None:
    """Refuses parameters that contradict each other.

    Raises:
        SpectrogramError: Two values contradict each other; the message names them.
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


def misfit(own: SpectrogramParameters, wanted: SpectrogramParameters) -> str | None:
    """Returns why an image of one format cannot start a clip of another, or None if it can."""
    for field in ("num_frequencies", "min_frequency", "max_frequency", "mel_scale_type", "power_for_image"):
        found, needed = getattr(own, field), getattr(wanted, field)
        if found != needed:
            return f"its {field} is {found}, the model's is {needed}"
    if own.frames_per_second != wanted.frames_per_second:
        return (
            f"it has {float(own.frames_per_second):g} frames per second, the model has "
            f"{float(wanted.frames_per_second):g}"
        )
    return None


@dataclass(frozen=True)
class Picture:
    """An image as it was read.

    Attributes:
        level: float32 `[channels, rows, columns]`, row 0 the lowest band, of the image's own height.
        params: The parameters of its EXIF; missing ones are those given to the reader.
        is_tagged: Whether EXIF held any of them.
        format: Pillow's name of the format: `PNG`, `JPEG`, ...
    """

    level: np.ndarray
    params: SpectrogramParameters
    is_tagged: bool
    format: str


def read_picture(
    path: Path, base: SpectrogramParameters | None = None, *, max_height: int = MAX_HEIGHT
) -> Picture:
    """Reads an image to its last pixel: PNG, JPEG, BMP, GIF or WebP, of any mode.

    Transparent pixels are blended with white, which is silence. An image without EXIF whose red is 0
    throughout is read as stereo that has lost its EXIF; any other picture is read by its luminance. A
    photograph's orientation is respected. Of an animation, the first picture is read.

    Args:
        base: Parameters to use where the image's EXIF has none; Riffusion's by default.

    Raises:
        SpectrogramError: The file is missing, not an image, damaged, truncated, or too large for a
            spectrogram, or its EXIF tags cannot be used.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SpectrogramError(f"{path}: is not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise SpectrogramError(
                f"{path}: has {status.st_size:,} bytes; images have at most {MAX_FILE_BYTES:,}"
            )
        content = path.read_bytes()
    except OSError as error:
        raise SpectrogramError(f"{path}: cannot be read ({error.strerror or error})") from error
    kind = kind_of_bytes(content[:4096])
    if kind is not None and kind.medium != "image":
        reason = kind.refusal if kind.advice else f"is {kind.name}, not an image"
        raise SpectrogramError(f"{path}: {reason}")
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is checked below
            opened = Image.open(io.BytesIO(content), formats=IMAGE_FORMATS)
        with opened as image:
            width, height = image.size
            if width * height > MAX_PIXELS or height > max_height:
                raise SpectrogramError(
                    f"{path}: has {width} x {height} pixels; a spectrogram has at most {max_height} rows and "
                    f"{MAX_PIXELS // 1_000_000} million pixels"
                )
            image.load()
            name = str(image.format)
            params, is_tagged = parameters_from_exif(image.getexif(), base)
            level, is_stereo = _level(ImageOps.exif_transpose(image), params.stereo, is_tagged)
            return Picture(level, replace(params, stereo=is_stereo), is_tagged, name)
    except SpectrogramError as error:
        message = str(error)
        raise SpectrogramError(message if message.startswith(str(path)) else f"{path}: {message}") from error
    except Image.DecompressionBombError:
        raise SpectrogramError(
            f"{path}: has more than {MAX_PIXELS // 1_000_000} million pixels; a spectrogram has at most that"
        ) from None
    except UnidentifiedImageError:
        known = ", ".join(IMAGE_FORMATS)
        raise SpectrogramError(f"{path}: is not an image that is read ({known}); save it as PNG") from None
    except Exception as error:
        # Pillow raises many kinds of exception for damaged files; all mean the same here.
        raise SpectrogramError(
            f"{path}: is not an image that can be read to its end ({type(error).__name__}); it is damaged, "
            "or its download is incomplete"
        ) from error


def _level(image: Image.Image, is_stereo: bool, is_tagged: bool) -> tuple[np.ndarray, bool]:
    """Returns the level of an image of any mode, and whether it is stereo."""
    from PIL import Image

    bright: np.ndarray
    if image.mode.startswith(("I", "F")):  # 16-bit grey
        bright = np.asarray(image, dtype=np.float32)[None].clip(0, 65535) / np.float32(65535.0)
        sheer_grey = image.info.get("transparency")
        if isinstance(sheer_grey, int):  # PNG (ISO 15948), 11.3.2.1: the one grey that is see-through
            bright[np.asarray(image)[None] == sheer_grey] = 1.0
    else:
        if "A" in image.getbands() or "transparency" in image.info:
            sheer = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", sheer.size, "white"), sheer)
        pixels = np.asarray(image.convert("RGB"))
        if not is_tagged and not pixels[:, :, 0].any() and pixels.any():
            is_stereo = True
        if is_stereo:
            pixels = pixels[:, :, 1:3]
        elif is_tagged:
            pixels = pixels[:, :, :1]  # as Riffusion reads mono
        else:
            pixels = np.asarray(image.convert("L"))[:, :, None]  # what the eye sees
        bright = np.moveaxis(pixels, 2, 0).astype(np.float32) / np.float32(255.0)
    level = np.float32(1.0) - bright[:, ::-1]
    return (np.repeat(level, 2, axis=0) if is_stereo and len(level) == 1 else level), is_stereo
