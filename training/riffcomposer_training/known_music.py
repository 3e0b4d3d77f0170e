"""What a clip of a composed piece holds by construction: its notes, onsets and chords, in frames.

Conventions: a frame is 10 ms; frame 0 is the clip's first. Measures compare sounds with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riffcomposer_training.collection import CollectionPiece

FRAMES_PER_SECOND = 100.0


@dataclass(frozen=True)
class KnownChord:
    """A chord, or the part of it that is in one bar.

    Attributes:
        start, end: Frames.
        pitch_classes: Its tones, 0 is C.
    """

    start: int
    end: int
    pitch_classes: tuple[int, ...]


@dataclass(frozen=True)
class KnownMusic:
    """What sounds in a clip.

    Attributes:
        notes: First frame, last frame and MIDI pitch of each pitched note, float [notes, 3].
        onsets: Frames at which notes or drums begin, rising, int [onsets].
        chords: The chords, bar by bar.
    """

    notes: npt.NDArray[np.float64]
    onsets: npt.NDArray[np.int64]
    chords: tuple[KnownChord, ...]


def known_music(collected: CollectionPiece, window: int, frames: int) -> KnownMusic:
    """The music in the first `frames` frames of a window; only what is heard counts."""
    layout, begin = collected.piece.layout, collected.starts[window]
    per_beat = FRAMES_PER_SECOND * layout.seconds_per_beat
    notes: list[tuple[float, float, float]] = []
    onsets: set[int] = set()
    for part in collected.piece.parts:
        if collected.heard and part.role not in collected.heard:
            continue
        for note in part.notes:
            start, end = ((at - begin) * per_beat for at in (note.start, note.start + note.length))
            if 0 <= start < frames:
                onsets.add(round(start))
            if part.instrument is not None and start < frames and end > 0:
                notes.append((max(0.0, start), min(float(frames), end), float(note.pitch)))
    pitched = np.array(notes, np.float64).reshape(-1, 3)
    rising = np.array(sorted(onset for onset in onsets if onset < frames), np.int64)
    return KnownMusic(pitched, rising, _chords(collected, begin, per_beat, frames))


def _chords(collected: CollectionPiece, begin: float, per_beat: float, frames: int) -> tuple[KnownChord, ...]:
    """The chords of a composed section; those that reach over a bar line are cut there."""
    if collected.composition is None:
        return ()
    bar_beats = collected.piece.layout.bar_beats
    lead_in = collected.piece.layout.lead_in_bars * bar_beats
    found = []
    for chord in collected.composition.chords:
        if not chord.pitch_classes:
            continue
        at = chord.start
        while at < chord.end - 1e-6:
            bar_end = (at // bar_beats + 1) * bar_beats
            if bar_end - at < 1e-6:
                bar_end += bar_beats
            until = min(chord.end, bar_end)
            start, end = (round((place + lead_in - begin) * per_beat) for place in (at, until))
            if start >= 0 and end <= frames:
                found.append(KnownChord(start, end, chord.pitch_classes))
            at = until
    return tuple(found)
