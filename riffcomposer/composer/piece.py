"""A composed piece: its parts, its layout in time, and what is known of it.

A piece is a lead-in of some bars (so that tails and drones already sound when the music proper begins) and
then *phrases* of equal length. Who plays changes from phrase to phrase.
"""

from __future__ import annotations

from dataclasses import dataclass

from riffcomposer.composer.instruments import Instrument
from riffcomposer.composer.theory import PITCH_NAMES, Note


@dataclass(frozen=True)
class Layout:
    """How a piece is divided in time.

    Attributes:
        tempo: BPM in quarter notes.
        bar_beats: Quarter notes in a bar.
        lead_in_bars: Bars before the first phrase.
        phrase_bars: Bars in a phrase.
        phrases: How many phrases.
    """

    tempo: float
    bar_beats: float
    lead_in_bars: int
    phrase_bars: int
    phrases: int

    @property
    def bars(self) -> int:
        """All bars of the piece, the lead-in's included."""
        return self.lead_in_bars + self.phrase_bars * self.phrases

    @property
    def beats(self) -> float:
        """All quarter notes of the piece."""
        return self.bars * self.bar_beats

    @property
    def seconds_per_beat(self) -> float:
        return 60 / self.tempo

    @property
    def seconds_per_bar(self) -> float:
        return self.bar_beats * self.seconds_per_beat

    @property
    def duration_s(self) -> float:
        """Seconds from the start of the lead-in to the end of the last phrase."""
        return self.bars * self.seconds_per_bar

    def phrase_start_beats(self, phrase: int) -> float:
        """When a phrase begins, in quarter notes from the piece's start."""
        return (self.lead_in_bars + phrase * self.phrase_bars) * self.bar_beats

    def phrase_start_s(self, phrase: int) -> float:
        """When a phrase begins, in seconds from the piece's start."""
        return (self.lead_in_bars + phrase * self.phrase_bars) * self.seconds_per_bar


@dataclass(frozen=True)
class Part:
    """What one player does in a piece.

    Attributes:
        role: drums, bass, comp, lead, pad, second, texture or foley.
        instrument: Its instrument; None for drums, textures and foley.
        kit: The drum kit, or the texture's or foley sound's name.
        notes: Rising by start.
        gain_db: Its level in the mix, relative to the usual level of its role.
        active: For each phrase, whether it plays there.
        pattern: What it plays: a groove, a bass style, a rhythm, a kind of melody; empty for parts that were
            not composed.
        pan: -1 left to 1 right; 0 is the usual place of its role.
        bends: A pitch wheel as quarter notes from the piece's start and semitones, rising; each holds until
            the next. Where there is one, it decides the pitch of sampled notes, and their `bend` does not.
    """

    role: str
    instrument: Instrument | None
    kit: str
    notes: tuple[Note, ...]
    gain_db: float
    active: tuple[bool, ...]
    pattern: str = ""
    pan: float = 0.0
    bends: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Piece:
    """A composed piece and how it is to sound.

    Attributes:
        seed: What it was drawn from; the synth's noise follows from it too.
        style: A key of `STYLES`, or empty.
        layout: Tempo, meter, phrases.
        tonic, scale: The key; scale is empty where there is none.
        parts: All parts.
        mix: Name of the effect chain.
        loudness_db: Relative to the usual level.
        font: Which sound font plays, counted from 0.
        wetness: Factor on the level of the reverberation.
    """

    seed: str
    style: str
    layout: Layout
    tonic: int
    scale: str
    parts: tuple[Part, ...]
    mix: str
    loudness_db: float = 0.0
    font: int = 0
    wetness: float = 1.0

    @property
    def key(self) -> str:
        """`A minor`, or empty."""
        if not self.scale:
            return ""
        minor = self.scale in ("minor", "dorian", "phrygian", "harmonic minor", "minor pentatonic")
        return f"{PITCH_NAMES[self.tonic]} {'minor' if minor else 'major'}"
