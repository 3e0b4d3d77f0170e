"""Loudness, loudness range and true peak, measured block by block.

Integrated loudness after ITU-R BS.1770-4 (K weighting, 400 ms blocks with 75 % overlap, gates at
-70 LUFS and 10 LU below the gated mean), short-term loudness over 3 s after EBU Tech 3341, loudness
range after EBU Tech 3342, true peak from a 4 times oversampled signal (BS.1770-4, annex 2, with a
longer interpolation filter than the one printed there).

The loudness figures follow from the mean power of steps of 100 ms. A meter keeps those powers and the peaks,
but no audio.

Conventions: levels of silence are minus infinity. Material shorter than a block of 400 ms is
measured as one block over what there is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riffcomposer.mix.blocks import Audio, AudioReader, iterate_blocks

STEPS_PER_SECOND = 10
BLOCK_STEPS = 4
SHORT_TERM_STEPS = 30
OVERSAMPLING = 4
FULL_SCALE = 1.0 - 2**-15
"""A sample at or above this counts as clipped: the largest value of 16 bits."""


@dataclass(frozen=True)
class Loudness:
    """What a meter has found.

    Attributes:
        integrated_lufs: Gated loudness; minus infinity for silence.
        short_term_max_lufs: Loudness of the loudest 3 s, or of all of it if it is shorter.
        loudness_range_lu: Loudness range; 0 for material that is too short or too quiet to have one.
        true_peak_dbtp: Peak of the 4 times oversampled signal.
        sample_peak_dbfs: Largest magnitude of the samples.
        clipped_samples: Samples at full scale or beyond, over all channels.
        samples: Number of samples measured per channel.
    """

    integrated_lufs: float
    short_term_max_lufs: float
    loudness_range_lu: float
    true_peak_dbtp: float
    sample_peak_dbfs: float
    clipped_samples: int
    samples: int

    def as_dict(self) -> dict[str, Any]:
        """Returns the figures for JSON, rounded to a hundredth; minus infinity is None."""
        return {
            key: (round(value, 2) if math.isfinite(value) else None) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


@lru_cache(maxsize=8)
def k_weighting(sample_rate: int) -> NDArray[np.float64]:
    """Returns the two filters of BS.1770-4 as second-order sections, for any sample rate.

    The standard prints coefficients for 48 kHz only; these are the bilinear transforms of the
    analogue filters behind them (a shelf of 4 dB at 1682 Hz, a high-pass at 38 Hz). At 48 kHz
    they agree with the printed ones to 1e-6.
    """
    shelf_hz, shelf_q, shelf_db = 1681.974450955533, 0.7071752369554196, 3.999843853973347
    tangent = math.tan(math.pi * shelf_hz / sample_rate)
    high = 10 ** (shelf_db / 20)
    middle = high**0.4996667741545416
    norm = 1 + tangent / shelf_q + tangent**2
    shelf = [
        (high + middle * tangent / shelf_q + tangent**2) / norm,
        2 * (tangent**2 - high) / norm,
        (high - middle * tangent / shelf_q + tangent**2) / norm,
        1.0,
        2 * (tangent**2 - 1) / norm,
        (1 - tangent / shelf_q + tangent**2) / norm,
    ]
    pass_hz, pass_q = 38.13547087602444, 0.5003270373238773
    tangent = math.tan(math.pi * pass_hz / sample_rate)
    norm = 1 + tangent / pass_q + tangent**2
    highpass = [
        1.0,
        -2.0,
        1.0,
        1.0,
        2 * (tangent**2 - 1) / norm,
        (1 - tangent / pass_q + tangent**2) / norm,
    ]
    return np.array([shelf, highpass])


@lru_cache(maxsize=1)
def interpolation_filters() -> NDArray[np.float64]:
    """Returns three filters of 48 taps, which read a signal a quarter, a half and three quarters later."""
    taps = np.arange(-24, 24) + 1.0
    filters = []
    for phase in range(1, OVERSAMPLING):
        offset = taps - phase / OVERSAMPLING
        window = np.i0(9 * np.sqrt(np.clip(1 - (offset / 24.5) ** 2, 0, None))) / np.i0(9)
        kernel = np.sinc(offset) * window
        filters.append((kernel / kernel.sum())[::-1])
    return np.array(filters)


def interpolated(around: Audio) -> Iterator[Audio]:
    """Yields the signal between samples, at a quarter, a half and three quarters of the way.

    Args:
        around: `[channels, samples + 47]`.

    Yields:
        Three times `[channels, samples]`; column i is between columns i + 23 and i + 24 of `around`.
    """
    import scipy.fft

    filters = interpolation_filters()
    valid = around.shape[1] - filters.shape[1] + 1
    size = scipy.fft.next_fast_len(around.shape[1], real=True)
    # The channels are transformed side by side.
    spectrum = scipy.fft.rfft(around, size, workers=around.shape[0])
    first = filters.shape[1] - 1
    for response in _responses(size):
        yield scipy.fft.irfft(spectrum * response, size, workers=around.shape[0])[:, first : first + valid]


@lru_cache(maxsize=4)
def _responses(size: int) -> NDArray[np.complex64]:
    """Returns the spectra of the interpolation filters, kept because blocks have few sizes."""
    import scipy.fft

    return np.asarray(scipy.fft.rfft(interpolation_filters().astype(np.float32), size))


class TruePeakMeter:
    """The largest magnitude between and on the samples of a stream."""

    def __init__(self, channels: int) -> None:
        self._before = np.zeros((channels, interpolation_filters().shape[1] - 1), np.float32)
        self.peak = 0.0
        self.sample_peak = 0.0

    def push(self, block: Audio) -> None:
        """Measures the next samples."""
        self.sample_peak = max(self.sample_peak, float(np.abs(block).max(initial=0)))
        self._interpolate(block)

    def finish(self) -> None:
        """Measures between the last samples and the silence behind them."""
        self._interpolate(np.zeros_like(self._before))
        self.peak = max(self.peak, self.sample_peak)

    def _interpolate(self, block: Audio) -> None:
        around = np.concatenate([self._before, block], axis=1)
        self._before = around[:, -self._before.shape[1] :]
        # |interpolated| <= peak of the samples * sum of |taps|: most quiet blocks need no filtering.
        bound = np.abs(interpolation_filters()).sum(axis=1).max()
        if np.abs(around).max() * bound <= self.peak:
            return
        for between in interpolated(around):
            self.peak = max(self.peak, float(np.abs(between).max(initial=0)))


class LoudnessMeter:
    """Measures one stream of audio, pushed block by block.

    Args:
        channels: Number of channels; all have the same weight (left and right, or mono).
        sample_rate: Sample rate in Hz, a multiple of 10.
        true_peak: Also measure the true peak, the slowest part; else it is the sample peak.
    """

    def __init__(self, channels: int, sample_rate: int, *, true_peak: bool = True) -> None:
        self._sos = k_weighting(sample_rate)
        self._state = np.zeros((len(self._sos), channels, 2))
        self._step = sample_rate // STEPS_PER_SECOND
        self._powers: list[NDArray[np.float64]] = []
        self._rest = np.zeros(0)
        self._peak = TruePeakMeter(channels)
        self._true_peak = true_peak
        self._clipped = self._samples = 0

    def push(self, block: Audio) -> None:
        """Measures the next samples, `[channels, samples]`."""
        from riffcomposer.scipy_signal import signal

        if not block.shape[1]:
            return
        self._samples += block.shape[1]
        self._clipped += int(np.count_nonzero(np.abs(block) >= FULL_SCALE))
        if self._true_peak:
            self._peak.push(block)
        else:
            self._peak.sample_peak = max(self._peak.sample_peak, float(np.abs(block).max()))
        weighted, self._state = signal.sosfilt(self._sos, block, axis=1, zi=self._state)
        power = np.concatenate([self._rest, np.square(weighted).sum(axis=0)])
        whole = len(power) // self._step * self._step
        self._powers.append(power[:whole].reshape(-1, self._step).mean(axis=1))
        self._rest = power[whole:]

    def result(self) -> Loudness:
        """Returns the figures for everything pushed; call it once, at the end."""
        if self._true_peak:
            self._peak.finish()
        steps = np.concatenate([*self._powers, np.zeros(0)])
        if len(steps) < BLOCK_STEPS:
            # Shorter than one block: one block over what there is.
            total = steps.sum() * self._step + self._rest.sum()
            blocks = short_term = np.array([total / self._samples]) if self._samples else np.zeros(0)
        else:
            blocks = _moving_mean(steps, BLOCK_STEPS)
            short_term = _moving_mean(steps, min(SHORT_TERM_STEPS, len(steps)))
        peak = self._peak.peak if self._true_peak else self._peak.sample_peak
        return Loudness(
            integrated_lufs=_gated(blocks),
            short_term_max_lufs=_lufs(float(short_term.max(initial=0))),
            loudness_range_lu=_range(short_term) if len(steps) >= SHORT_TERM_STEPS else 0.0,
            true_peak_dbtp=_db(peak),
            sample_peak_dbfs=_db(self._peak.sample_peak),
            clipped_samples=self._clipped,
            samples=self._samples,
        )


def measured_beside(meter: LoudnessMeter, blocks: Iterable[Audio]) -> Iterator[Audio]:
    """Passes blocks on while a second thread measures them, at most one block later.

    The blocks must not be changed afterwards. The meter has seen all of them when this ends.
    """
    pending: Future[None] | None = None
    with ThreadPoolExecutor(1, "meter") as beside:
        for block in blocks:
            if pending is not None:
                pending.result()
            pending = beside.submit(meter.push, block)
            yield block
        if pending is not None:
            pending.result()


def measure(audio: AudioReader, sample_rate: int, *, true_peak: bool = True) -> Loudness:
    """Measures a whole reader."""
    meter = LoudnessMeter(audio.channels, sample_rate, true_peak=true_peak)
    for _ in measured_beside(meter, iterate_blocks(audio)):
        pass
    return meter.result()


def measure_parts(
    audio: AudioReader, sample_rate: int, parts: Sequence[tuple[int, int]]
) -> tuple[Loudness, list[Loudness]]:
    """Measures the whole and each of some parts (start, stop) in one pass over the audio.

    A part is measured as if it were a file of its own.
    """
    whole = LoudnessMeter(audio.channels, sample_rate)
    meters = [LoudnessMeter(audio.channels, sample_rate) for _ in parts]
    position = 0
    for block in measured_beside(whole, iterate_blocks(audio)):
        for meter, (start, stop) in zip(meters, parts, strict=True):
            meter.push(block[:, max(0, start - position) : max(0, stop - position)])
        position += block.shape[1]
    return whole.result(), [meter.result() for meter in meters]


def _moving_mean(steps: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    return np.lib.stride_tricks.sliding_window_view(steps, length).mean(axis=1)


def _lufs(power: float) -> float:
    return -0.691 + 10 * math.log10(power) if power > 0 else -math.inf


def _db(peak: float) -> float:
    return 20 * math.log10(peak) if peak > 0 else -math.inf


def _gate(powers: NDArray[np.float64], relative_lu: float) -> NDArray[np.float64]:
    """Returns the powers that pass both gates: -70 LUFS, and `relative_lu` below the mean of those."""
    powers = powers[powers > 10 ** ((-70 + 0.691) / 10)]
    return powers[powers > powers.mean() * 10 ** (-relative_lu / 10)] if len(powers) else powers


def _gated(blocks: NDArray[np.float64]) -> float:
    passed = _gate(blocks, 10)
    return _lufs(float(passed.mean())) if len(passed) else -math.inf


def _range(short_term: NDArray[np.float64]) -> float:
    passed = _gate(short_term, 20)
    if not len(passed):
        return 0.0
    low, high = np.percentile(10 * np.log10(passed), [10, 95])
    return float(high - low)
