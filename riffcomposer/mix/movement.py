"""Measures how much music moves: how often its harmony is new, how it repeats, how its texture changes.

Harmony is chroma (Fujishima 1999): magnitudes from 80 to 2,000 Hz summed by pitch class over a step, less
their mean. Two steps are alike where the cosine of their chroma is above 0.85; a step is new where it is like
none of the new ones before it. Texture is the log magnitude in 24 bands from 60 to 9,000 Hz; its spread is
the mean distance of a step from the mean of all steps, in dB per band.

A step is 2.56 s, and a window 61.44 s, for the figures that are compared with human music. In a song whose
grid is known a step is also one bar, and each bar is compared with the bar one clip earlier, which is where a
loop returns. Minutes are compared as sequences of steps, at every pair of starts, so that a repeat is found
wherever it begins.

Conventions: frames of 16,384 samples, 4,096 apart; a frame belongs to the step that holds its centre;
positions are samples. Audio is read in blocks: per hour 6 MB of figures are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from riffcomposer.mix.blocks import AudioReader, Part, read_padded

FRAME, HOP = 16384, 4096
FRAMES_PER_BLOCK = 32
STEP_SECONDS, WINDOW_SECONDS = 2.56, 61.44
LAG_STEPS = 2
MIN_STEPS = 12
ALIKE = 0.85
PITCH_CLASSES, BANDS = 12, 24
MINUTE_SECONDS = 60

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class WindowFigures:
    """How much the music in one window moves.

    Attributes:
        start_s: Start of the window in seconds.
        new_harmony: Share of steps whose harmony was not heard before in the window, 0..1.
        two_steps_earlier: Mean similarity of a step's harmony to that two steps earlier, -1..1.
        all_pairs: Mean similarity of all pairs of steps, -1..1.
        texture_db: Spread of the texture.
    """

    start_s: float
    new_harmony: float
    two_steps_earlier: float
    all_pairs: float
    texture_db: float


@dataclass(frozen=True)
class BarFigures:
    """How much the bars of a whole track differ.

    Attributes:
        bars: Number of whole bars.
        lag_bars: Bars of a clip.
        new_harmony: Share of bars whose harmony was not heard before in the track, 0..1.
        loop_earlier: Mean similarity of a bar's harmony to that `lag_bars` earlier, -1..1.
    """

    bars: int
    lag_bars: int
    new_harmony: float
    loop_earlier: float


@dataclass(frozen=True)
class StepFigures:
    """How much a stretch of any length moves from step to step.

    Attributes:
        steps: Number of whole steps, at least 2.
        new_harmony: Share of steps whose harmony was not heard before in the stretch, above 0 to 1.
        texture_db: Spread of the texture.
    """

    steps: int
    new_harmony: float
    texture_db: float


@dataclass(frozen=True)
class MinuteFigures:
    """How alike the minutes of a track are: the mean similarity of their harmony, step by step.

    Attributes:
        mean: Of all pairs of minutes that do not overlap, at all starts.
        greatest: Of the two minutes that are most alike.
        first_s, second_s: Where these two start, in seconds.
    """

    mean: float
    greatest: float
    first_s: float
    second_s: float


@dataclass(frozen=True)
class Movement:
    """How much a track moves.

    Attributes:
        excerpt: The window from 10 s on (in a short track, from a tenth of it on); None where it has
            fewer than 12 steps.
        windows: Windows that cover the track from there on evenly; of a short track, the excerpt.
        bars: None without a grid, and where the track has no two clips.
        minutes: None below two minutes.
    """

    excerpt: WindowFigures | None
    windows: tuple[WindowFigures, ...]
    bars: BarFigures | None
    minutes: MinuteFigures | None

    @property
    def median(self) -> WindowFigures | None:
        """The median of each figure over the windows; its start is the first window's."""
        if not self.windows:
            return None
        rows = np.array([list(asdict(window).values()) for window in self.windows])
        return WindowFigures(self.windows[0].start_s, *np.median(rows[:, 1:], axis=0).tolist())

    @property
    def worst(self) -> WindowFigures | None:
        """The window with the least new harmony; of several, the one most like itself two steps earlier."""
        return min(
            self.windows, key=lambda window: (window.new_harmony, -window.two_steps_earlier), default=None
        )


@dataclass(frozen=True)
class _Features:
    """Figures of frames at 0, `HOP`, ...: `chroma` `[frames, 12]`, `bands` `[frames, 24]`."""

    chroma: NDArray[np.float32]
    bands: NDArray[np.float32]

    def steps(self, borders: NDArray[np.int64]) -> tuple[Rows, Rows]:
        """Harmony (unit length, mean removed) and texture of the steps between borders.

        Args:
            borders: `[steps + 1]` samples, each step long enough to hold a frame.
        """
        places = -(-borders // HOP)
        counts = np.diff(places)[:, None]
        harmony = np.add.reduceat(self.chroma[: places[-1]], places[:-1], axis=0, dtype=np.float64) / counts
        texture = np.add.reduceat(self.bands[: places[-1]], places[:-1], axis=0, dtype=np.float64) / counts
        harmony -= harmony.mean(axis=1, keepdims=True)
        harmony /= np.linalg.norm(harmony, axis=1, keepdims=True) + 1e-9
        return harmony, texture


def measure_movement(
    audio: AudioReader,
    sample_rate: int,
    *,
    samples_per_bar: Fraction | None = None,
    clip_bars: int = 1,
    check: Callable[[], None] = lambda: None,
) -> Movement:
    """Measures a track.

    Args:
        audio: Any channels; they are averaged.
        samples_per_bar: The grid; None where it is not known.
        clip_bars: Bars of a clip.
        check: Called per block; it may raise to stop.
    """
    step, window = int(STEP_SECONDS * sample_rate), int(WINDOW_SECONDS * sample_rate)
    offset = min(10 * sample_rate, int(audio.samples * 0.1))
    # 1. The excerpt by itself, silence around it, as the figures of human music were measured.
    excerpt = Part(audio, offset, min(audio.samples, offset + window))
    if excerpt.samples // step < MIN_STEPS:
        return Movement(None, (), None, None)
    first = _window(_features(excerpt, sample_rate, check), 0, excerpt.samples, step, sample_rate, offset)
    # 2. The whole track.
    features = _features(audio, sample_rate, check)
    rest = audio.samples - offset
    windows = [first]
    if rest > window:
        count = -(-rest // window)
        starts = np.linspace(offset, audio.samples - window, count).astype(int)
        windows = [_window(features, start, window, step, sample_rate, 0) for start in starts.tolist()]
    bars = None
    borders = np.arange(audio.samples // step + 1) * step
    if samples_per_bar is not None and samples_per_bar >= 2 * HOP:
        count = int(audio.samples / samples_per_bar)
        borders = np.array([round(bar * samples_per_bar) for bar in range(count + 1)])
        if count > clip_bars:
            harmony, _ = features.steps(borders)
            bars = BarFigures(count, clip_bars, _new(harmony) / count, _lagged(harmony, clip_bars))
    return Movement(first, tuple(windows), bars, _minutes(features, borders, sample_rate))


def measure_steps(audio: AudioReader, sample_rate: int, step_samples: Fraction) -> StepFigures | None:
    """Measures a stretch of music by steps of a length that is chosen, a bar for instance.

    Args:
        step_samples: Length of a step, at least `2 * HOP`.

    Returns:
        None where there are fewer than two steps.
    """
    count = int(audio.samples / step_samples)
    if count < 2 or step_samples < 2 * HOP:
        return None
    borders = np.array([round(step * step_samples) for step in range(count + 1)])
    harmony, texture = _features(audio, sample_rate, lambda: None).steps(borders)
    return StepFigures(count, _new(harmony) / count, _spread(texture))


def _features(audio: AudioReader, sample_rate: int, check: Callable[[], None]) -> _Features:
    """Chroma and bands of all frames whose centre is within the audio; around it is silence."""
    import scipy.fft

    window = np.hanning(FRAME + 1)[:-1].astype(np.float32)
    # The bins above the highest band are of no use.
    hertz = np.fft.rfftfreq(FRAME, 1 / sample_rate)
    hertz = hertz[: int(np.searchsorted(hertz, 9000)) + 1]
    weights = _weights(hertz)
    count = -(-audio.samples // HOP)
    result = np.empty((count, PITCH_CLASSES + BANDS), np.float32)
    for start in range(0, count, FRAMES_PER_BLOCK):
        check()
        stop = min(count, start + FRAMES_PER_BLOCK)
        sound = read_padded(audio, start * HOP - FRAME // 2, (stop - 1) * HOP + FRAME // 2).mean(axis=0)
        frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP] * window
        spectrum = scipy.fft.rfft(frames, axis=1)[:, : len(hertz)]
        result[start:stop] = np.abs(spectrum) @ weights
    scale = np.float32(1 / window.sum())
    result *= scale
    bands = np.log(result[:, PITCH_CLASSES:] + np.float32(1e-6))
    return _Features(result[:, :PITCH_CLASSES], bands)


def _weights(hertz: NDArray[np.floating]) -> NDArray[np.float32]:
    """What turns magnitudes into sums by pitch class and means by band, `[bins, 36]`."""
    weights = np.zeros((len(hertz), PITCH_CLASSES + BANDS), np.float32)
    tonal = np.flatnonzero((hertz > 80) & (hertz < 2000))
    weights[tonal, np.round(12 * np.log2(hertz[tonal] / 440)).astype(int) % PITCH_CLASSES] = 1
    edges = np.geomspace(60, 9000, BANDS + 1)
    for band in range(BANDS):
        inside = (hertz >= edges[band]) & (hertz < edges[band + 1])
        weights[inside, PITCH_CLASSES + band] = 1 / max(1, inside.sum())
    return weights


def _window(
    features: _Features, start: int, length: int, step: int, sample_rate: int, origin: int
) -> WindowFigures:
    """Figures of the steps from `start` on; `origin` is where the features' audio begins in the track."""
    steps = length // step
    harmony, texture = features.steps(start + np.arange(steps + 1) * step)
    alike = harmony @ harmony.T
    return WindowFigures(
        start_s=(origin + start) / sample_rate,
        new_harmony=_new(harmony) / steps,
        two_steps_earlier=_lagged(harmony, LAG_STEPS),
        all_pairs=float(alike[np.triu_indices(steps, 1)].mean()),
        texture_db=_spread(texture),
    )


def _spread(texture: Rows) -> float:
    """Mean distance of a step from the mean of all steps, in dB per band."""
    distance = np.linalg.norm(texture - texture.mean(axis=0), axis=1).mean()
    return float(distance / np.sqrt(BANDS) * 20 / np.log(10))


def _new(harmony: Rows) -> int:
    """Number of steps that are like no new step before them."""
    new = harmony[:1]
    for row in harmony[1:]:
        if (new @ row).max() < ALIKE:
            new = np.concatenate([new, row[None]])
    return len(new)


def _lagged(harmony: Rows, lag: int) -> float:
    return float((harmony[lag:] * harmony[:-lag]).sum(axis=1).mean())


def _minutes(features: _Features, borders: NDArray[np.int64], sample_rate: int) -> MinuteFigures | None:
    """Compares the minutes that start at each step with all that start a minute or more later."""
    steps = len(borders) - 1
    minute = int(np.ceil(MINUTE_SECONDS * sample_rate * steps / borders[-1])) if steps else 0
    if steps < 2 * minute or not steps:
        return None
    harmony, _ = features.steps(borders)
    greatest, place, total, pairs = -2.0, (0, 0), 0.0, 0
    for lag in range(minute, steps - minute + 1):
        sums = np.concatenate([[0.0], np.cumsum((harmony[lag:] * harmony[:-lag]).sum(axis=1))])
        alike = (sums[minute:] - sums[:-minute]) / minute
        total, pairs = total + float(alike.sum()), pairs + len(alike)
        best = int(alike.argmax())
        if alike[best] > greatest:
            greatest, place = float(alike[best]), (best, best + lag)
    starts = borders[list(place)] / sample_rate
    return MinuteFigures(total / pairs, greatest, float(starts[0]), float(starts[1]))
