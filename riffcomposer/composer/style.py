"""What a style of music is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """One way to play a role.

    Attributes:
        instruments: Who may play it.
        patterns: What they may play.
        chance: How often somebody plays it at all, 0 to 1.
    """

    instruments: tuple[str, ...]
    patterns: tuple[str, ...]
    chance: float = 1.0


@dataclass(frozen=True)
class Taste:
    """How a style's melodies are played.

    Attributes:
        pentatonic: How often they keep to a five-note scale, 0 to 1.
        blues: Whether they use the blues scale, whatever the mode.
        ornaments, bends, chromatic, leaps: Chances, see `melody.Manner`.
    """

    pentatonic: float = 0.0
    blues: bool = False
    ornaments: float = 0.0
    bends: float = 0.0
    chromatic: float = 0.0
    leaps: float = 0.2


@dataclass(frozen=True)
class Style:
    """A style of music.

    Attributes:
        name: Its plain name.
        words: Synonyms.
        moods: Adjectives that fit.
        tempo: Range in BPM.
        scales: Modes.
        progressions: Roman numerals by scale, one chord for `bars_per_chord` bars.
        bass, comp, lead, pad, second: Who plays each role, and what.
        drums: Families of grooves.
        kits: Drum kits.
        drum_chance: How often there are drums, 0 to 1.
        meters: Quarter notes in a bar.
        swing: Range of the delay of every second eighth (`swing_unit` 0.5) or sixteenth (0.25) as
            a share of that unit: 0 straight, 0.33 triplet.
        mix: Name of the effect chain.
        texture: Background sounds that the music may have.
        melody: How leads are played.
        snare_late_ms: Range of how late the backbeat comes.
        voices: How many notes a chord may have.
        rootless: Whether chords leave their root to the bass.
        tags: Words that the style shares with others.
        loudness_db: Relative to the usual level.
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
    meters: tuple[float, ...] = (4.0,)
    swing: tuple[float, float] = (0.0, 0.0)
    swing_unit: float = 0.5
    bars_per_chord: tuple[int, ...] = (1,)
    mix: str = "room"
    texture: tuple[str, ...] = ()
    melody: Taste = Taste()
    snare_late_ms: tuple[float, float] = (0.0, 0.0)
    voices: tuple[int, ...] = (3, 4)
    rootless: bool = False
    tags: tuple[str, ...] = ()
    loudness_db: float = 0.0
