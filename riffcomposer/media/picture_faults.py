"""Finds probable faults of a spectrogram image: scaled, light on dark, rotated, blank, blurred.

Nothing is corrected, since a picture may be drawn by hand; the user is told what it will sound like.

Conventions: a level is float32 `[channels, rows, columns]`, 0..1, row 0 the lowest band, 1 the loudest.
"""

from __future__ import annotations

import numpy as np

from riffcomposer.diagnostics import Diagnostic
from riffcomposer.media.picture import Picture

MOSTLY_LOUD = 0.6
"""Mean level from which an image is probably light on dark; loops are well below it."""

TURNED_SLOPE = 0.06
"""Difference in mean level between the first and last quarters of the columns; loops are well below it."""

_BLANK = 0.02


def faults_of(picture: Picture, *, n_mels: int) -> list[Diagnostic]:
    """Finds the faults of an image, the worst first.

    Args:
        n_mels: Rows of the model's images.
    """
    level = picture.level.mean(axis=0)
    rows, columns = level.shape
    if float(level.max()) < _BLANK:
        return [
            Diagnostic(
                "warning",
                "image-silent",
                "is white, which is silence",
                hint="draw sound in black; white is silence",
            )
        ]
    if float(level.max() - level.min()) < _BLANK:
        message = "is the same grey throughout, which sounds as noise"
        return [Diagnostic("warning", "image-flat", message, hint="check that the right image was saved")]
    found = []
    if float(level.mean()) > MOSTLY_LOUD:
        message = "is mostly dark, which is loud: it looks like a spectrogram drawn light on dark"
        found.append(
            Diagnostic("warning", "image-inverted", message, hint="invert its colours; silence is white")
        )
    if rows != n_mels:
        found.append(_scaled(rows, columns, n_mels))
    elif _looks_turned(level):
        message = "seems to be rotated by 90 degrees: it changes along its width as pitch does"
        found.append(
            Diagnostic(
                "warning",
                "image-turned",
                message,
                hint="rotate it so that time runs to the right and pitch rises",
            )
        )
    if picture.format == "JPEG":
        message = "is a JPEG image, whose blurs and blocks are heard"
        found.append(Diagnostic("warning", "image-lossy", message, hint="use the PNG that it was made from"))
    return found


def _scaled(rows: int, columns: int, n_mels: int) -> Diagnostic:
    if columns == n_mels:
        message = f"is {columns} wide and {rows} high, and the model's images are {n_mels} high"
        return Diagnostic(
            "warning",
            "image-turned",
            message,
            hint="rotate it if it is on its side: time runs to the right, pitch rises",
        )
    message = (
        f"has {rows} rows, the model's images have {n_mels}: if it was scaled, it plays at "
        f"{n_mels / rows:.3g} times its speed"
    )
    return Diagnostic(
        "warning", "image-scaled", message, hint=f"scale it back to {n_mels} rows, or draw it at that height"
    )


def _looks_turned(level: np.ndarray) -> bool:
    """Whether columns, not rows, have the slope and smoothness of frequency bands."""
    if min(level.shape) < 8:
        return False
    slope = _slope(level.mean(axis=0))
    across, along = (float(np.abs(np.diff(level, axis=axis)).mean()) for axis in (0, 1))
    return slope > TURNED_SLOPE and slope > _slope(level.mean(axis=1)) and across < along


def _slope(means: np.ndarray) -> float:
    quarter = max(1, len(means) // 4)
    return abs(float(means[-quarter:].mean() - means[:quarter].mean()))
