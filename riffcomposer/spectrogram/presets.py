"""How much work each decoder preset does, as a list of stages.

Nine tenths of music's energy and a third of the image's rows lie below 1250 Hz, where a wave at 2500 Hz
holds everything and an iteration costs a tenth. So after a few iterations on the whole band, lower and
lower bands are refined alone, ever more often and on ever finer bins, and put back. `best` fits the whole
band once more at the end, on Riffusion's own bins of 2.5 Hz, which is worth 0.5 dB.
"""

from __future__ import annotations

from dataclasses import dataclass

from riffcomposer.errors import UsageError


@dataclass(frozen=True)
class Stage:
    """Some iterations on the band below one frequency.

    Attributes:
        top_share: The band's top as a share of the image's `max_frequency`: 1, or a power of a half.
        padding: Length of the transform over the window's: 1 (10 Hz bins) to 4 (Riffusion's 2.5 Hz).
        iterations: Griffin-Lim iterations.
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
    """The stages of a preset by name.

    Raises:
        UsageError: There is no such preset.
    """
    if preset not in PRESETS:
        raise UsageError(f"there is no decoder preset {preset!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[preset]
