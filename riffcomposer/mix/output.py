"""Finished files: encoded, tagged, read back, measured, and put in place in one step.

What counts is what a listener decodes. Each file is measured after encoding; where a lossy encoder
pushes peaks over the ceiling or takes loudness away (MP3 ends at 19 kHz), it gets a master of its own,
made with as much lower a ceiling and as much more loudness.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from riffcomposer.errors import AudioError
from riffcomposer.files import replacing
from riffcomposer.mix.blocks import AudioReader, Scaled, iterate_blocks
from riffcomposer.mix.files import LOSSY, Format, SoundFileReader, encode, format_of
from riffcomposer.mix.loudness import Loudness, measure_parts
from riffcomposer.mix.markers import Marker
from riffcomposer.mix.master import Master, Mastering
from riffcomposer.mix.mixdown import Progress
from riffcomposer.mix.tags import Tags, embed
from riffcomposer.mix.transitions import db_to_gain

MAX_ENCODES = 4
LOUDNESS_SLACK_LU = 0.03
"""A lossy file this far from its master in loudness is left as it is."""

PEAK_MARGIN_DB = 0.05


@dataclass(frozen=True)
class OutputFile:
    """One finished file.

    Attributes:
        loudness: Measured on the decoded file.
        parts: The same for each part asked for, in order.
        gain_db, limiter_ceiling_db: What its master took (lossy files may have one of their own).
        encodes: How many times it was encoded.
    """

    path: Path
    format: Format
    loudness: Loudness
    parts: tuple[Loudness, ...] = ()
    gain_db: float = 0.0
    limiter_ceiling_db: float | None = None
    encodes: int = 1

    def as_dict(self) -> dict[str, Any]:
        """For the report; the file by its name alone."""
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
    needed_bytes = master.audio.samples * master.audio.channels * 3
    current, ceiling, target = master, master.ceiling_dbtp, master.loudness.integrated_lufs
    with replacing(path, needed_bytes=needed_bytes) as temporary:
        for number in range(1, MAX_ENCODES + 1):
            encode(current.audio, mastering.sample_rate, temporary, format, progress=progress)
            with SoundFileReader(temporary) as decoded:
                if decoded.samples != master.audio.samples:
                    raise AudioError(
                        f"{path}: {decoded.samples} samples after encoding, not {master.audio.samples}"
                    )
                loudness, measured = measure_parts(decoded, mastering.sample_rate, parts)
            excess_db = loudness.true_peak_dbtp - master.ceiling_dbtp
            missing = master.loudness.integrated_lufs - loudness.integrated_lufs
            fits = excess_db <= 0 and not abs(missing) > LOUDNESS_SLACK_LU
            if fits or format not in LOSSY or number == MAX_ENCODES or math.isinf(missing):
                break
            if excess_db > 0:
                ceiling -= excess_db + PEAK_MARGIN_DB
            target += missing
            previous = current
            current = mastering.render(
                f"master-{format}-{number}", ceiling_dbtp=ceiling, integrated_lufs=target, near=previous
            )
            if previous is not master:
                previous.audio.remove()
        embed(
            temporary,
            format,
            tags,
            markers,
            sample_rate=mastering.sample_rate,
            total_samples=master.audio.samples,
            loop=mastering.loop,
        )
    if current is not master:
        current.audio.remove()
    return OutputFile(
        path, format, loudness, tuple(measured), current.gain_db, current.limiter_ceiling_db, number
    )


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
    """Writes the stems of a mix, all under one gain: they still add up to the mix, less that gain.

    The dry mix knows no ceiling, and files of integers clip at full scale: the gain is 0 dB where
    all stems fit and takes the highest peak to -1 dBFS else.

    Returns:
        The gain in dB.
    """
    peak = max((float(np.abs(block).max()) for stem in stems for block in iterate_blocks(stem)), default=0.0)
    gain = 1.0 if peak < 1 else db_to_gain(-1.0) / peak
    for path, stem, stem_tags in zip(paths, stems, tags, strict=True):
        write_part(path, Scaled(stem, gain), sample_rate, stem_tags, loop=loop)
    return 20 * math.log10(gain)
