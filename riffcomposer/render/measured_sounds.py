"""What a plan needs to know of users' recordings: their length and tempo, found out once.

Facts are noted in the store by the digest of the file, so that a long recording is not decoded again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from riffcomposer.errors import StoreError
from riffcomposer.plan.section_settings import MeasuredTempo
from riffcomposer.store.store import Store
from riffcomposer.versions import AUDIO_READER_VERSION

TEMPO_VERSION = 1
"""Version of the measuring of tempi; raising it measures every recording again."""

_MEASURED_SECONDS = 300.0


@dataclass(frozen=True)
class MeasuredSound:
    """Length and tempo of one recording.

    Attributes:
        path: The file.
        sha256: Digest of its bytes.
        store: Where facts are noted.
    """

    path: Path
    sha256: str
    store: Store

    def seconds(self) -> Fraction:
        """Its exact length in seconds.

        Raises:
            AudioError: It cannot be decoded.
        """

        from riffcomposer.media.sound import can_seek, sound_seconds

        if can_seek(self.path):  # found out at once
            return sound_seconds(self.path)

        def measured() -> str:
            return str(sound_seconds(self.path))

        return Fraction(self._fact(f"length {AUDIO_READER_VERSION}", measured))

    def tempo(self, beats_per_bar: int) -> MeasuredTempo:
        """Its tempo in the first five minutes.

        Raises:
            AudioError: It cannot be decoded.
        """

        def measured() -> str:
            from riffcomposer.media.sound import read_part
            from riffcomposer.spectrogram.beat import CERTAIN, measure_tempo

            part = read_part(self.path, duration_seconds=_MEASURED_SECONDS)
            found = measure_tempo(part.samples, part.sample_rate, meter_beats=beats_per_bar)
            is_certain = int(found.certainty >= CERTAIN)
            return f"{found.bpm:.4f} {found.certainty:.4f} {is_certain} {found.first_beat_s:.5f}"

        basis = f"tempo {AUDIO_READER_VERSION} {TEMPO_VERSION} {beats_per_bar}"
        bpm, certainty, is_certain, first_beat = self._fact(basis, measured).split()
        return MeasuredTempo(Fraction(bpm), float(certainty), is_certain == "1", Fraction(first_beat))

    def _fact(self, name: str, measure: Callable[[], str]) -> str:
        basis = f"{name} {self.sha256}"
        known = self.store.notes.known("sounds", basis)
        if known is None:
            known = measure()
            with suppress(StoreError):  # a read-only store goes without
                self.store.notes.remember("sounds", basis, known)
        return known
