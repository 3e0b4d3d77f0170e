"""What a render starts from: a loop or a recording, a MIDI file, or a score (see `score_types`).

Each is a timeline that a section reads on along its bars, and that turns round at its end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from riffcomposer.plan.score_types import ScoreInit
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.units import round_up


@dataclass(frozen=True)
class InitClip:
    """The loop a render starts from, and how it is fitted to the song's grid.

    The renderer makes the loop's level image, reads it cyclically from `start_seconds` over
    `loop_quarters` quarter notes, and resizes it along time from `tempo` to the song's tempo.

    Attributes:
        kind: `catalogue` (a shipped mel image), `audio` or `image` (a user's file).
        name: The song's name for it; for messages, not in the key.
        path: The file; for reading, not in the key.
        sha256: Digest of the file's bytes.
        tempo: The loop's own tempo in BPM.
        loop_quarters: Length of the loop in quarter notes.
        start_seconds: Where in the file the loop starts.
        at_quarters: Where in the loop the clip starts, from 0 to below `loop_quarters`.
        is_to_end: Whether the file ends within the loop's last bar; not in the key.
        certainty: How sure a measured tempo is, 0 to 1; None for one that is stated; not in the key.
    """

    kind: Literal["catalogue", "audio", "image"]
    name: str
    path: Path
    sha256: str
    tempo: Fraction
    loop_quarters: Fraction
    start_seconds: Fraction = Fraction(0)
    at_quarters: Fraction = Fraction(0)
    is_to_end: bool = False
    certainty: float | None = None

    def at(self, quarters: Fraction) -> InitClip:
        """The loop for a clip that starts so many quarter notes after the section; the loop turns round."""
        return replace(self, at_quarters=quarters % self.loop_quarters)

    @property
    def loop_seconds(self) -> Fraction:
        """Length of the loop in seconds at its own tempo."""
        return self.loop_quarters * 60 / self.tempo

    def read_range(
        self, params: SpectrogramParameters, part: tuple[Fraction, Fraction] | None = None
    ) -> tuple[Fraction, Fraction]:
        """Returns which part of a sound is read: start and length in seconds.

        A little of the music before and after it is read too, so that the first and last frames'
        windows see it.

        Args:
            params: The model's spectrogram format.
            part: Where in the loop the part starts, and its length, in quarter notes; the whole loop by
                default.
        """
        margin = Fraction(params.window_duration_ms, 1000)
        at, length = part or (Fraction(0), self.loop_quarters)
        start = self.start_seconds + at * 60 / self.tempo
        first = max(Fraction(0), start - margin)
        frames = round_up(length * 60 / self.tempo * params.frames_per_second) + 1
        hop_seconds = Fraction(params.hop_length, params.sample_rate)
        return first, start - first + frames * hop_seconds + margin


@dataclass(frozen=True)
class MidiInit:
    """The notes of a user's MIDI file, played by the synth at the song's tempo.

    Attributes:
        name: The song's name for the file; for messages, not in the key.
        path: The file; for reading, not in the key.
        sha256: Digest of the file's bytes.
        tracks: The tracks that are heard; all if empty.
        start_quarters: Where in the file the music starts.
        loop_quarters: Length of the music, after which it starts again.
        sound: Version of the synth and digest of its sound font.
        at_quarters: Where in the music the clip starts, from 0 to below `loop_quarters`.
    """

    name: str
    path: Path
    sha256: str
    tracks: tuple[str | int, ...]
    start_quarters: Fraction
    loop_quarters: Fraction
    sound: str
    at_quarters: Fraction = Fraction(0)

    def at(self, quarters: Fraction) -> MidiInit:
        """The music for a clip that starts so many quarter notes after the section; it turns round."""
        return replace(self, at_quarters=quarters % self.loop_quarters)


Init = InitClip | MidiInit | ScoreInit
"""What a render starts from."""
