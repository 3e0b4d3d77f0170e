"""The decoder's presets: how many Griffin-Lim iterations run on which frequency band.

Most of music's energy is at low frequencies, where a wave at a low sample rate holds everything and an
iteration is cheap. So after some iterations on the whole band, lower bands are refined alone, with more
iterations and finer bins. `best` refines the whole band once more at the end, on Riffusion's own bins.
`docs/explanation/decoder.md` has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass

from riffcomposer.errors import UsageError


@dataclass(frozen=True)
class Stage:
    """Griffin-Lim iterations on the band from 0 Hz to one frequency.

    Attributes:
        top_share: Top of the band as a share of the image's `max_frequency`: 1, 1/2, 1/4 or 1/8.
        padding: Transform length divided by window length: 1 (bins of 10 Hz) to 4 (2.5 Hz, Riffusion's).
        iterations: Number of iterations.
    """

    top_share: float
    padding: int
    iterations: int


PRESETS: dict[str, tuple[Stage, ...]] = {
    "fast": (Stage(1.0, 1, 8), Stage(1 / 8, 2, 12)),
    "default": (Stage(1.0, 1, 16), Stage(1 / 2, 2, 12), Stage(1 / 4, 2, 20), Stage(1 / 8, 4, 40)),
    "best": (
        Stage(1.0, 1, 12),
        Stage(1.0, 2, 60),
        Stage(1 / 4, 4, 50),
        Stage(1 / 8, 4, 150),
        Stage(1.0, 4, 20),
    ),
}


def stages_of(preset: str) -> tuple[Stage, ...]:
    """The stages of the preset of that name.

    Raises:
        UsageError: There is no preset of that name.
    """
    if preset not in PRESETS:
        raise UsageError(f"there is no decoder preset {preset!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[preset]
