"""What a plan needs to know of users' recordings: their length and tempo, found out once.

Facts are noted in the store by the digest of the file, so that a long recording is not decoded again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from riffcomposer.errors import StoreError
from riffcomposer.plan.section_settings import MeasuredTempo
from riffcomposer.store.store import Store
from riffcomposer.units import Meter
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

        from riffcomposer.media.sound import counted_seconds, seekable_seconds

        at_once = seekable_seconds(self.path)
        if at_once is not None:
            return at_once
        counted = self._fact(f"length {AUDIO_READER_VERSION}", lambda: str(counted_seconds(self.path)))
        return Fraction(counted)

    def tempo(self, meter: Meter, near: Fraction) -> MeasuredTempo:
        """Its tempo in the first five minutes, in quarter notes per minute.

        What is measured are pulses. In 6/8 they are dotted quarters or eighths, in 7/8 eighths or quarters,
        in 2/2 halves or quarters: whichever comes nearer to a tempo.

        Args:
            meter: Its time signature.
            near: The tempo to be near to.

        Raises:
            AudioError: It cannot be decoded.
        """
        found, quarters = None, Fraction(1)
        for each in pulses(meter):
            candidate = self._pulse(max(1, round(meter.quarters_per_bar / each)))
            if found is None or _distance(candidate.bpm * each, near) < _distance(found.bpm * quarters, near):
                found, quarters = candidate, each
        assert found is not None
        return replace(found, bpm=found.bpm * quarters)

    def _pulse(self, beats_per_bar: int) -> MeasuredTempo:
        """Its pulses per minute, and the first pulse that opens a bar of so many."""

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


def pulses(meter: Meter) -> list[Fraction]:
    """The note values that may be felt as a meter's pulse, in quarter notes, the usual one first."""
    if meter.is_compound:
        return [3 * meter.quarters_per_beat, meter.quarters_per_beat]
    return list(dict.fromkeys([meter.quarters_per_beat, Fraction(1)]))


def _distance(tempo: Fraction, near: Fraction) -> Fraction:
    return max(tempo / near, near / tempo)
