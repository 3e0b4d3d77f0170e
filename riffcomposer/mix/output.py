"""Finished files: encoded, tagged, read back, measured, and put in place in one step.

Each file is measured after encoding, because a listener hears the decoded file. A lossy encoder can raise
peaks above the ceiling or reduce loudness (MP3 ends at 19 kHz). Then the file gets a master of its own, with
a lower ceiling and more loudness to make up for it. Where both cannot be reached, as with short loud bursts,
the ceiling is kept and the loudness is lower; the figures of `OutputFile` say so.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from riffcomposer.errors import AudioError
from riffcomposer.files import replacing
from riffcomposer.media.kinds import AudioFormat
from riffcomposer.mix.blocks import AudioReader, Scaled, iterate_blocks
from riffcomposer.mix.encoding import LOSSY, SoundFileReader, encode, format_of
from riffcomposer.mix.fades import db_to_gain
from riffcomposer.mix.loudness import Loudness, measure_parts
from riffcomposer.mix.markers import Marker
from riffcomposer.mix.master import Master, Mastering
from riffcomposer.mix.mixdown import Progress
from riffcomposer.mix.tags import Tags, embed

MAX_ENCODES = 4
LOUDNESS_SLACK_LU = 0.03
"""Largest difference in loudness between a lossy file and its master that is accepted."""

PEAK_MARGIN_DB = 0.05


@dataclass(frozen=True)
class OutputFile:
    """One finished file.

    Attributes:
        loudness: Loudness of the decoded file.
        parts: Loudness of each requested part of it, in order.
        gain_db, limiter_ceiling_db: Settings of its master (lossy files may have one of their own).
        encodes: Number of times that it was encoded.
    """

    path: Path
    format: AudioFormat
    loudness: Loudness
    parts: tuple[Loudness, ...] = ()
    gain_db: float = 0.0
    limiter_ceiling_db: float | None = None
    encodes: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Returns the figures for the report; the file is named without its folder."""
        return {
            "file": self.path.name,
            "format": self.format,
            **self.loudness.as_dict(),
            "gain_db": round(self.gain_db, 2),
            "limiter_ceiling_db": None
            if self.limiter_ceiling_db is None
            else round(self.limiter_ceiling_db, 2),
            "encodes": self.encodes,
        }


def write_track(
    path: Path,
    mastering: Mastering,
    master: Master,
    tags: Tags,
    markers: Sequence[Marker] = (),
    *,
    parts: Sequence[tuple[int, int]] = (),
    progress: Progress | None = None,
) -> OutputFile:
    """Writes one finished file of a mastered track.

    Args:
        path: The destination; its suffix names the format.
        mastering, master: `master` is `mastering.render()`; a lossy file over the ceiling is
            rendered anew under a lower one.
        markers: Where sections start.
        parts: Sections to measure on their own: (first, one past the last) sample.
        progress: Counts encoded samples.

    Raises:
        AudioError: The encoder or tagger refuses, or the decoded length is not the track's.
        DiskFullError, StoreError: The file cannot be written.
    """
    format = format_of(path)
    rate, total = mastering.sample_rate, master.audio.samples
    with replacing(path, needed_bytes=total * master.audio.channels * 3) as temporary:
        kept = mastering.folder / f"kept-{path.name}"
        tried: list[_Attempt] = []
        for current in _masters(mastering, master, format, tried):
            encode(current.audio, rate, temporary, format, progress=progress)
            loudness, measured = _measure(path, temporary, total, rate, parts)
            tried.append(_Attempt(current, loudness, tuple(measured)))
            if min(tried, key=_badness(master)) is tried[-1]:
                os.replace(temporary, kept)
        os.replace(kept, temporary)
        best = min(tried, key=_badness(master))
        embed(temporary, format, tags, markers, sample_rate=rate, total_samples=total, loop=mastering.loop)
    return OutputFile(
        path,
        format,
        best.loudness,
        best.parts,
        best.master.gain_db,
        best.master.limiter_ceiling_db,
        len(tried),
    )


@dataclass(frozen=True)
class _Source:
    """What is encoded: a master, or one with less gain.

    Attributes:
        ceiling_dbtp, target_lufs: The ceiling and the loudness that it was made for.
    """

    audio: AudioReader
    gain_db: float
    limiter_ceiling_db: float | None
    ceiling_dbtp: float
    target_lufs: float


@dataclass(frozen=True)
class _Attempt:
    """One encoding and what was measured on it."""

    master: _Source
    loudness: Loudness
    parts: tuple[Loudness, ...]


def _badness(master: Master) -> Callable[[_Attempt], tuple[float, float]]:
    """Orders attempts: what is over the ceiling first, then what is away from the master's loudness."""

    def order(attempt: _Attempt) -> tuple[float, float]:
        excess_db = attempt.loudness.true_peak_dbtp - master.ceiling_dbtp
        missing = master.loudness.integrated_lufs - attempt.loudness.integrated_lufs
        return max(0.0, excess_db), 0.0 if math.isnan(missing) else abs(missing)

    return order


def _masters(
    mastering: Mastering, master: Master, format: AudioFormat, tried: Sequence[_Attempt]
) -> Iterator[_Source]:
    """Yields what to encode next, until the last attempt in `tried` fits or nothing more helps.

    Args:
        tried: The attempts so far; the caller appends one between two steps.
    """
    target = master.loudness.integrated_lufs
    yield _Source(master.audio, master.gain_db, master.limiter_ceiling_db, master.ceiling_dbtp, target)
    previous = master
    while format in LOSSY and len(tried) < MAX_ENCODES:
        last = tried[-1]
        excess_db, away = _badness(master)(last)
        if (excess_db == 0 and away <= LOUDNESS_SLACK_LU) or math.isinf(away):
            break
        # 1. Nothing stayed under the ceiling: the last attempt is a plain gain, which lowers all peaks alike.
        if len(tried) == MAX_ENCODES - 1 and all(_badness(master)(attempt)[0] > 0 for attempt in tried):
            drop_db = excess_db + PEAK_MARGIN_DB
            yield replace(
                last.master,
                audio=Scaled(last.master.audio, db_to_gain(-drop_db)),
                gain_db=last.master.gain_db - drop_db,
                limiter_ceiling_db=_lowered(last.master.limiter_ceiling_db, drop_db),
            )
            break
        # 2. Lower the ceiling by the peak's excess, and add the loudness that is missing.
        ceiling = last.master.ceiling_dbtp
        if excess_db > 0:
            ceiling -= excess_db + PEAK_MARGIN_DB
        target = last.master.target_lufs + master.loudness.integrated_lufs - last.loudness.integrated_lufs
        name = f"master-{format}-{len(tried)}"
        current = mastering.render(name, ceiling_dbtp=ceiling, integrated_lufs=target, near=previous)
        if previous is not master:
            previous.audio.remove()
        previous = current
        yield _Source(current.audio, current.gain_db, current.limiter_ceiling_db, ceiling, target)
    if previous is not master:
        previous.audio.remove()


def _lowered(level_db: float | None, drop_db: float) -> float | None:
    return None if level_db is None else level_db - drop_db


def _measure(
    path: Path, encoded: Path, total_samples: int, sample_rate: int, parts: Sequence[tuple[int, int]]
) -> tuple[Loudness, list[Loudness]]:
    """Measures what a listener decodes.

    Raises:
        AudioError: It is not as long as the track.
    """
    with SoundFileReader(encoded) as decoded:
        if decoded.samples != total_samples:
            raise AudioError(f"{path}: {decoded.samples} samples after encoding, not {total_samples}")
        return measure_parts(decoded, sample_rate, parts)


def write_part(path: Path, audio: AudioReader, sample_rate: int, tags: Tags, *, loop: bool = False) -> None:
    """Writes one section of a master (`riffcomposer.mix.blocks.Part`) or a stem, with its tags.

    Raises:
        AudioError, DiskFullError, StoreError: As `write_track`.
    """
    format = format_of(path)
    with replacing(path, needed_bytes=audio.samples * audio.channels * 3) as temporary:
        encode(audio, sample_rate, temporary, format)
        embed(temporary, format, tags, [], sample_rate=sample_rate, total_samples=audio.samples, loop=loop)


def write_stems(
    paths: Sequence[Path],
    stems: Sequence[AudioReader],
    sample_rate: int,
    tags: Sequence[Tags],
    *,
    loop: bool = False,
) -> float:
    """Writes the stems of a mix, all with one gain, so that they add up to the mix with that gain.

    The mix before mastering may pass full scale, where integer files clip. The gain is 0 dB if all stems
    are below full scale; otherwise it brings the highest peak to -1 dBFS.

    Returns:
        The gain in dB.
    """
    peak = max((float(np.abs(block).max()) for stem in stems for block in iterate_blocks(stem)), default=0.0)
    gain = 1.0 if peak < 1 else db_to_gain(-1.0) / peak
    for path, stem, stem_tags in zip(paths, stems, tags, strict=True):
        write_part(path, Scaled(stem, gain), sample_rate, stem_tags, loop=loop)
    return 20 * math.log10(gain)
