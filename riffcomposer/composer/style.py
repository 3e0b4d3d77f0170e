"""What a style of music is made of."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Choice:
    """One way to play a role: instruments that may, and patterns they may play."""

    instruments: tuple[str, ...]
    patterns: tuple[str, ...]
    chance: float = 1.0


@dataclass(frozen=True)
class Style:
    """A style of music.

    Attributes:
        name: Its plain name, first word in captions.
        words: Synonyms.
        moods: Adjectives that fit.
        tempo: Range in BPM.
        grid: Tempi whose bars fill 5.12 s a whole number of times.
        meters: Quarter notes in a bar.
        swing: Range of the delay of every second eighth (`swing_unit` 0.5) or sixteenth (0.25) as
            a share of that unit: 0 straight, 0.33 triplet.
        scales: Modes.
        progressions: Roman numerals by scale, one chord for `bars_per_chord` bars.
        drums: Families of grooves, with kits.
        mix: Name of the effect chain.
        loudness_db: Relative to the collection's level.
    """

    name: str
    words: tuple[str, ...]
    moods: tuple[str, ...]
    tempo: tuple[float, float]
    scales: tuple[str, ...]
    progressions: dict[str, tuple[str, ...]]
    bass: Choice
    comp: Choice
    lead: Choice
    pad: Choice = Choice((), (), 0.0)
    second: Choice = Choice((), (), 0.0)
    drums: tuple[str, ...] = ()
    kits: tuple[str, ...] = ("acoustic",)
    drum_chance: float = 0.92
    percussion: tuple[str, ...] = ()
    grid: tuple[float, ...] = (93.75,)
    meters: tuple[float, ...] = (4.0,)
    swing: tuple[float, float] = (0.0, 0.0)
    swing_unit: float = 0.5
    bars_per_chord: tuple[int, ...] = (1,)
    mix: str = "room"
    texture: tuple[str, ...] = ()
    melody: dict[str, float] = field(default_factory=dict)
    snare_late_ms: tuple[float, float] = (0.0, 0.0)
    voices: tuple[int, ...] = (3, 4)
    rootless: bool = False
    tags: tuple[str, ...] = ()
    loudness_db: float = 0.0
