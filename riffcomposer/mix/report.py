"""Figures of the quality report: how well clips are joined, and how much a song repeats itself.

No figure depends on the time or the machine's speed, so two renders of one song have equal reports.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riffcomposer.mix.blocks import Audio, AudioReader, read_padded
from riffcomposer.mix.mel_timeline import MelTimeline

# Here, not where it is used: joins are measured in a thread, and two threads that import scipy.signal at
# once can end in a deadlock that Python breaks with an error.
from riffcomposer.scipy_signal import signal
from riffcomposer.spectrogram_parameters import SpectrogramParameters

CONTEXT_FRAMES = 12
NEIGHBOUR_FRAMES = 64
CLICK_MS = 5.0
CLICK_ABOVE_HZ = 12000
INAUDIBLE = 1e-4
THUMBNAIL = (64, 32)
"""Bands and frames to which a clip is pooled before it is compared."""


@dataclass(frozen=True)
class JoinFigures:
    """One join of two clips inside a passage.

    Attributes:
        start_sample: Absolute position of its start.
        length_samples: Length of the crossfade.
        level_step_db: Level of the sound against its mel inside the join, less the same around it: 0
            for a join that is neither louder nor softer than it should be.
        sc_db: Mel spectral convergence inside the join (relative error of the mel; lower is better).
        sc_around_db: The same in stretches of the same length before and after it.
        click: What is above 12 kHz within 5 ms of the join's start and end, against what is usual there
            around it (at least 80 dB below the peak): a click is far above 1.
    """

    start_sample: int
    length_samples: int
    level_step_db: float
    sc_db: float
    sc_around_db: float
    click: float

    def as_dict(self) -> dict[str, Any]:
        """Returns the figures for JSON, rounded."""
        return _rounded(asdict(self))


@dataclass(frozen=True)
class TransitionFigures:
    """One border between passages (a cut, a crossfade, the seam of a loop), in the mix.

    Attributes:
        start_sample: Absolute position of its start.
        level_step_db: Loudness of the half second after it, less that before it: large where two
            sections differ in level.
        click: As in `JoinFigures`.
    """

    start_sample: int
    level_step_db: float | None
    click: float

    def as_dict(self) -> dict[str, Any]:
        """Returns the figures for JSON, rounded."""
        return _rounded(asdict(self))


def measure_joins(
    audio: AudioReader,
    timeline: MelTimeline,
    params: SpectrogramParameters,
    *,
    start_sample: int = 0,
    wraps: bool = False,
    check: Callable[[], None] = lambda: None,
) -> list[JoinFigures]:
    """Measures every join of a passage.

    Args:
        audio: The passage as decoded, before the mix.
        timeline: The mel from which it was decoded.
        start_sample: Absolute start of the passage.
        wraps: Whether the passage is a loop.
        check: Called before each join; it may raise to stop.
    """
    import torch

    from riffcomposer.spectrogram.mel import mel_from_audio

    hop = params.hop_length
    figures = []
    for first, last in timeline.joins():
        check()
        inside = max(1, (last - first) // hop)
        begin = first // hop - NEIGHBOUR_FRAMES
        end = first // hop + inside + NEIGHBOUR_FRAMES
        if not wraps:
            begin, end = max(0, begin), min(end, audio.samples // hop)
        context = CONTEXT_FRAMES * hop
        sound = read_padded(audio, begin * hop - context, end * hop + context, wraps=wraps)
        mel = mel_from_audio(torch.from_numpy(sound), params, fast=True).numpy()
        mel = mel[:, :, CONTEXT_FRAMES : CONTEXT_FRAMES + end - begin].astype(np.float64)
        target = timeline.read(begin, end).astype(np.float64)
        join = np.zeros(end - begin, bool)
        join[first // hop - begin : first // hop - begin + inside] = True
        figures.append(
            JoinFigures(
                start_sample + first,
                last - first,
                _level_error(mel, target, join) - _level_error(mel, target, ~join),
                _convergence(mel, target, join),
                _convergence(mel, target, ~join),
                max(_click(audio, place, params.sample_rate, wraps) for place in (first, last)),
            )
        )
    return figures


def measure_transitions(
    audio: AudioReader, starts: Sequence[int], sample_rate: int, *, loop: bool
) -> list[TransitionFigures]:
    """Measures the borders of sections in a mix or a master; a border at sample 0 only in a loop."""
    half = sample_rate // 2
    figures = []
    for start in starts:
        if start == 0 and not loop:
            continue
        before = np.square(read_padded(audio, start - half, start, wraps=loop), dtype=np.float64).mean()
        behind = np.square(read_padded(audio, start, start + half, wraps=loop), dtype=np.float64).mean()
        step = 10 * float(np.log10(behind / before)) if before > 0 and behind > 0 else None
        figures.append(TransitionFigures(start, step, _click(audio, start, sample_rate, loop)))
    return figures


def summarise_joins(joins: Sequence[JoinFigures]) -> dict[str, Any]:
    """Returns the worst and the mean of a track's joins."""
    if not joins:
        return {"count": 0}
    steps = [join.level_step_db for join in joins]
    return _rounded(
        {
            "count": len(joins),
            "level_step_db_worst": max(steps, key=abs),
            "level_step_db_mean": float(np.abs(steps).mean()),
            "sc_db_mean": float(np.mean([join.sc_db for join in joins])),
            "sc_around_db_mean": float(np.mean([join.sc_around_db for join in joins])),
            "sc_loss_db_worst": max(join.sc_db - join.sc_around_db for join in joins),
            "click_worst": max(join.click for join in joins),
        }
    )


def measure_repetition(clips: Sequence[tuple[Hashable, Callable[[], NDArray[Any]]]]) -> dict[str, Any]:
    """Measures how similar the clips of a song are to each other.

    A clip is pooled to 64 bands by 32 frames, its mean taken away; similarity is the cosine of two
    such pictures: 1 for the same clip, about 0 for unrelated ones. Each clip is compared with its
    nearest neighbour among the *different* ones.

    Args:
        clips: Key and level `[channels, n_mels, width]` of every clip on the grid, in order.
    """
    pictures: dict[Hashable, NDArray[np.float64]] = {}
    for key, load in clips:
        if key not in pictures:
            pictures[key] = _thumbnail(np.asarray(load(), np.float32))
    result: dict[str, Any] = {"clips": len(clips), "distinct": len(pictures)}
    if len(pictures) > 1:
        matrix = np.stack(list(pictures.values()))
        alike = matrix @ matrix.T
        np.fill_diagonal(alike, -1)
        nearest = alike.max(axis=1)
        result |= {
            "nearest_similarity_mean": float(nearest.mean()),
            "nearest_similarity_max": float(nearest.max()),
            "nearly_equal": int((nearest > 0.99).sum()),
        }
    return _rounded(result)


def _thumbnail(level: NDArray[np.float32]) -> NDArray[np.float64]:
    bands, frames = THUMBNAIL
    picture = level.mean(axis=0, dtype=np.float64)
    rows = np.linspace(0, picture.shape[0], bands + 1).astype(int)
    columns = np.linspace(0, picture.shape[1], frames + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(picture, rows[:-1], axis=0), columns[:-1], axis=1)
    pooled = (sums / np.outer(np.diff(rows), np.diff(columns))).ravel()
    pooled -= pooled.mean()
    norm = np.linalg.norm(pooled)
    return pooled / norm if norm > 0 else pooled


def _level_error(mel: NDArray[np.float64], target: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    """Returns the level of the decoded mel relative to the wanted mel, in dB."""
    got, wanted = np.square(mel[:, :, where]).sum(), np.square(target[:, :, where]).sum()
    return 10 * float(np.log10(got / wanted)) if got > 0 and wanted > 0 else 0.0


def _convergence(mel: NDArray[np.float64], target: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    error = np.linalg.norm(mel[:, :, where] - target[:, :, where])
    norm = np.linalg.norm(target[:, :, where])
    return 20 * float(np.log10(max(float(error / norm), 1e-6))) if norm > 0 else 0.0


def _click(audio: AudioReader, place: int, sample_rate: int, wraps: bool) -> float:
    """Returns the peak above 12 kHz near a sample, divided by the usual one in the half second around it.

    A mel ends at 10 kHz, but a broken waveform reaches further. So drums on a beat do not raise this figure,
    and a step of a thousandth of the peak does.
    """
    around, near = sample_rate // 4, round(CLICK_MS * sample_rate / 1000)
    sound: Audio = read_padded(audio, place - around, place + around, wraps=wraps)
    sos = signal.butter(8, CLICK_ABOVE_HZ, "highpass", fs=sample_rate, output="sos")
    sharp = np.abs(signal.sosfiltfilt(sos, sound.astype(np.float64), axis=1)).max(axis=0)
    usual = float(np.percentile(np.delete(sharp, slice(around - near, around + near)), 99.9))
    usual = max(usual, INAUDIBLE * float(np.abs(sound).max()))
    return float(sharp[around - near : around + near].max()) / usual if usual > 0 else 0.0


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in figures.items()}
