"""Mastering: one chain, one gain, one ceiling, measured at the end.

The gain is searched on the *unlimited* mix: its loudness is measured once and the distance to the
target is the first guess. Where peaks pass the ceiling a true-peak limiter takes them off, which
costs loudness on material with high peaks; the gain then rises (a secant search over whole passes)
until the limited result is on target. Limiting what is limited already would not reach it.
If a peak still passes the ceiling, the limiter's own ceiling is lowered by as much.

A loop is mastered with its end played before its start, so that compressor, reverb and limiter are in the
same state at the first sample as after the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from riffcomposer.mix.blocks import BLOCK_SAMPLES, Audio, AudioReader, ScratchAudio, read_padded
from riffcomposer.mix.chain import Chain, EffectLike
from riffcomposer.mix.fades import db_to_gain
from riffcomposer.mix.limiter import Limiter
from riffcomposer.mix.loudness import Loudness, LoudnessMeter, measure, measured_beside
from riffcomposer.mix.mixdown import LOOP_WARM_UP_SECONDS, Progress

LOUDNESS_TOLERANCE_LU = 0.02
PEAK_MARGIN_DB = 0.05
"""Distance in dB that is kept below the ceiling, since meters differ in their filters and files round."""

MAX_PASSES = 10
MAX_DRIVE_DB = 12.0
"""Largest number of dB by which the gain may rise above the first guess to make up for the limiter.

Beyond that, it would raise the quiet parts between the peaks more than the loudness."""


@dataclass(frozen=True)
class MasterSettings:
    """The mastering stage of a song.

    Attributes:
        chain: Effects in order; anything with `name` and `parameters`.
        integrated_lufs: Target of the whole track.
        true_peak_dbtp: Ceiling.
    """

    chain: tuple[EffectLike, ...] = ()
    integrated_lufs: float = -14.0
    true_peak_dbtp: float = -1.0


@dataclass(frozen=True)
class Master:
    """A finished track before encoding.

    Attributes:
        audio: The samples, on disk, exactly as many as the mix has.
        loudness: Loudness measured on `audio`.
        gain_db: The gain of the whole track.
        limiter_ceiling_db: Ceiling of the limiter; None if it was not needed.
        passes: Number of times that the track went through gain and limiter.
        ceiling_dbtp: The true peak that was asked for.
    """

    audio: ScratchAudio
    loudness: Loudness
    gain_db: float
    limiter_ceiling_db: float | None
    passes: int
    ceiling_dbtp: float


class Mastering:
    """The mastering of one mix; its chain runs once, its gain stage as often as outputs need.

    A lossy encoder moves peaks, so its file may need a lower ceiling than the others: `render`
    again with that ceiling.

    Args:
        mix: The dry mix.
        folder: A scratch folder; the caller removes it.
        progress: See `riffcomposer.mix.mixdown.Progress`; counts the samples of each pass anew.
    """

    def __init__(
        self,
        mix: AudioReader,
        settings: MasterSettings,
        *,
        sample_rate: int,
        loop: bool,
        folder: Path,
        progress: Progress | None = None,
    ) -> None:
        self.settings, self.sample_rate, self.loop = settings, sample_rate, loop
        self.folder, self._progress = folder, progress
        self._source: AudioReader = mix
        if settings.chain:
            start = -round(LOOP_WARM_UP_SECONDS * sample_rate) if loop else 0
            chain = Chain(settings.chain, sample_rate, start=start, loop=(0, mix.samples) if loop else None)
            scratch = ScratchAudio(folder / "chained.f32", mix.channels, mix.samples)
            meter = LoudnessMeter(mix.channels, sample_rate)
            self._write(scratch, meter, self._stream(mix, chain.push))
            self._source = scratch
            self.unlimited = meter.result()
        else:
            self.unlimited = measure(mix, sample_rate)

    def render(
        self,
        name: str = "master",
        *,
        ceiling_dbtp: float | None = None,
        integrated_lufs: float | None = None,
        near: Master | None = None,
    ) -> Master:
        """Brings the track to its loudness under a ceiling.

        Args:
            name: Name of the scratch file, without its suffix `.f32`.
            ceiling_dbtp, integrated_lufs: Ceiling and loudness, if not those of the settings.
            near: An earlier master with similar targets; the search starts from its gain.

        Returns:
            The pass nearest to the target among those under the ceiling. Silence stays as it is.
            If the target is out of reach (a few clicks at -6 LUFS), the loudest pass.
        """
        target = self.settings.integrated_lufs if integrated_lufs is None else integrated_lufs
        ceiling = self.settings.true_peak_dbtp if ceiling_dbtp is None else ceiling_dbtp
        aim = ceiling - PEAK_MARGIN_DB
        audio = ScratchAudio(self.folder / f"{name}.f32", self._source.channels, self._source.samples)
        # 1. Silence has no loudness to change.
        if not math.isfinite(self.unlimited.integrated_lufs):
            gain_db = min(0.0, aim - self.unlimited.true_peak_dbtp)
            return Master(audio, self._pass(audio, gain_db, None), gain_db, None, 1, ceiling)
        # 2. One gain, and no limiter where the peaks stay below the ceiling.
        first_gain_db = gain_db = target - self.unlimited.integrated_lufs
        if self.unlimited.true_peak_dbtp + gain_db <= aim:
            return Master(audio, self._pass(audio, gain_db, None), gain_db, None, 1, ceiling)
        # 3. Gain into the limiter, until loudness and peak are right.
        limiter_db = aim
        if near is not None and near.limiter_ceiling_db is not None:
            gain_db = near.gain_db + target - near.loudness.integrated_lufs
            limiter_db += near.limiter_ceiling_db - (near.ceiling_dbtp - PEAK_MARGIN_DB)
        tried: list[tuple[float, float, float, Loudness]] = []
        for _ in range(MAX_PASSES):
            loudness = self._pass(audio, gain_db, limiter_db)
            excess_db = loudness.true_peak_dbtp - (ceiling - PEAK_MARGIN_DB / 2)
            tried.append((gain_db, loudness.integrated_lufs, limiter_db, loudness))
            missing = target - loudness.integrated_lufs
            if excess_db <= 0 and abs(missing) <= LOUDNESS_TOLERANCE_LU:
                break
            if excess_db > 0:
                limiter_db -= excess_db + PEAK_MARGIN_DB / 2
            gain_db = _next_gain(tried, target, first_gain_db)
        else:
            # Out of reach: the last pass may be over the ceiling, the best one is rendered again.
            under = [
                entry for entry in tried if entry[3].true_peak_dbtp <= ceiling - PEAK_MARGIN_DB / 2
            ] or tried[-1:]
            gain_db, _, limiter_db, _ = min(under, key=lambda entry: abs(target - entry[1]))
            loudness = self._pass(audio, gain_db, limiter_db)
        return Master(audio, loudness, gain_db, limiter_db, len(tried), ceiling)

    def _pass(self, audio: ScratchAudio, gain_db: float, limiter_db: float | None) -> Loudness:
        """Runs the track once through gain and limiter, if any, and measures it while it is written."""
        gain = np.float32(db_to_gain(gain_db))
        limiter = Limiter(limiter_db, audio.channels, self.sample_rate) if limiter_db is not None else None

        def push(block: Audio) -> Audio:
            return limiter.push(block * gain) if limiter is not None else block * gain

        meter = LoudnessMeter(audio.channels, self.sample_rate)
        self._write(audio, meter, self._stream(self._source, push))
        return meter.result()

    @staticmethod
    def _write(audio: ScratchAudio, meter: LoudnessMeter, blocks: Iterator[Audio]) -> None:
        """Writes blocks one after another from the start on, and measures them in a second thread."""
        position = 0
        for block in measured_beside(meter, blocks):
            audio.write(position, block)
            position += block.shape[1]

    def _stream(self, source: AudioReader, push: Callable[[Audio], Audio]) -> Iterator[Audio]:
        """Runs a source through a stage that may look ahead; a loop's end comes first, unheard.

        The limiter's output is in place, and the last of it comes when it has seen what follows:
        silence, or in a loop the start.
        """
        start = position = -round(LOOP_WARM_UP_SECONDS * self.sample_rate) if self.loop else 0
        while position < source.samples:
            result = push(read_padded(source, start, start + BLOCK_SAMPLES, wraps=self.loop))
            audible = result[:, max(0, -position) : source.samples - position]
            yield audible
            start, position = start + BLOCK_SAMPLES, position + result.shape[1]
            if self._progress is not None:
                self._progress(max(0, min(position, source.samples)), source.samples)


def _next_gain(
    tried: list[tuple[float, float, float, Loudness]], target: float, first_gain_db: float
) -> float:
    """Returns the gain to try next: the secant through the last two passes, or a first step."""
    gain_db, reached = tried[-1][:2]
    slope = 1.0
    if len(tried) > 1:
        rise = gain_db - tried[-2][0]
        # The limiter takes more the harder it is driven; a slope out of range is noise.
        if abs(rise) > 0.01:
            slope = min(1.0, max(0.15, (reached - tried[-2][1]) / rise))
    following = gain_db + (target - reached) / slope
    return min(max(following, first_gain_db - 1.0), first_gain_db + MAX_DRIVE_DB)
