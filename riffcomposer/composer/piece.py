"""A composed piece: its parts, its layout in time, and what is known of it.

A piece is one bar or more of lead-in (so that tails and drones already sound when the first clip
begins) and then several *windows* of 5.12 s, each starting on a bar line: those become clips.
"""

from __future__ import annotations

from dataclasses import dataclass

from riffcomposer.composer.instruments import Instrument
from riffcomposer.composer.theory import PITCH_NAMES, Note

WINDOW_S = 5.12
"""Length of a training clip."""


@dataclass(frozen=True)
class Layout:
    """How a piece lies in time.

    Attributes:
        tempo: BPM in quarter notes.
        bar_beats: Quarter notes in a bar.
        lead_in_bars: Bars before the first window.
        bars_per_window: Bars in a window (a whole number; off the grid a window ends inside a bar).
        windows: How many windows.
    """

    tempo: float
    bar_beats: float
    lead_in_bars: int
    bars_per_window: int
    windows: int

    @property
    def bars(self) -> int:
        """All bars of the piece."""
        return self.lead_in_bars + self.bars_per_window * self.windows

    @property
    def seconds_per_beat(self) -> float:
        return 60 / self.tempo

    @property
    def seconds_per_bar(self) -> float:
        return self.bar_beats * self.seconds_per_beat

    @property
    def on_grid(self) -> bool:
        """Whether a window holds a whole number of bars exactly."""
        return abs(self.bars_per_window * self.seconds_per_bar - WINDOW_S) < 1e-9

    def window_start_s(self, window: int) -> float:
        """When a window begins, in seconds from the piece's start."""
        return (self.lead_in_bars + window * self.bars_per_window) * self.seconds_per_bar

    def window_beats(self, window: int) -> tuple[float, float]:
        """First and last beat of a window, in quarter notes from the piece's start."""
        start = (self.lead_in_bars + window * self.bars_per_window) * self.bar_beats
        return start, start + WINDOW_S / self.seconds_per_beat

    @property
    def duration_s(self) -> float:
        """Seconds of audio to render: up to the end of the last window and a little more."""
        return self.window_start_s(self.windows - 1) + WINDOW_S + 0.1


@dataclass(frozen=True)
class Part:
    """What one player does in a piece.

    Attributes:
        role: drums, bass, comp, lead, pad, second, texture or foley.
        instrument: Its instrument; None for drums, textures and foley.
        kit: The drum kit, or the texture's or foley sound's name.
        notes: Rising by start.
        gain_db: Its place in the mix.
        active: For each window, whether it plays there.
        pattern: What it plays: a groove, a bass style, a rhythm, a kind of melody.
    """

    role: str
    instrument: Instrument | None
    kit: str
    notes: tuple[Note, ...]
    gain_db: float
    active: tuple[bool, ...]
    pattern: str = ""


@dataclass(frozen=True)
class Piece:
    """A composed piece with everything that captions and evaluation want to know.

    Attributes:
        seed: What it was drawn from, `collection-index`; its noise follows from it too.
        index: Its number in the collection.
        kind: band, solo, drums or foley.
        style: A key of `STYLES`, or empty.
        layout: Tempo, meter, windows.
        tonic, scale: The key; scale is empty where there is none.
        parts: All parts.
        mix: Name of the effect chain.
        loudness_db: Relative to the collection's level.
        font: Which sound font plays.
        wetness: More or less of the room.
    """

    seed: str
    index: int
    kind: str
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
