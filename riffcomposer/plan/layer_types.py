"""The value object of a layer on the track."""

from __future__ import annotations

from dataclasses import dataclass

from riffcomposer.curves import ZERO, Curve


@dataclass(frozen=True)
class PlannedLayer:
    """One of several renders of a section that sound together, as they are mixed.

    Attributes:
        name: Its name, unique in the section.
        gain_db: By absolute sample.
        pan: From -1 (left) to 1 (right), by absolute sample.
        fade_in_samples, fade_out_samples: Lengths of its fades at the section's ends; 0 for none.
        gate: Where it is heard, as points of absolute sample and gain (0 or 1) with smooth fades between;
            empty if it always is.
    """

    name: str
    gain_db: Curve = ZERO
    pan: Curve = ZERO
    fade_in_samples: int = 0
    fade_out_samples: int = 0
    gate: tuple[tuple[int, float], ...] = ()

    @property
    def is_silent(self) -> bool:
        """Whether it is never heard."""
        return bool(self.gate) and not any(gain for _, gain in self.gate)
