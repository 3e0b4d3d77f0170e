"""A true-peak limiter with look-ahead and a release at a constant rate.

In decibels of gain reduction, sample by sample:

    need     what the peak on or just behind a sample (4 times oversampled) has over the ceiling
    hold     maximum of need over +-LOOKAHEAD: the reduction is complete before a peak arrives
    release  max(hold, previous - RELEASE_DB_PER_SECOND / sample_rate)
    smooth   release through two boxes of LOOKAHEAD each: no corners, and still never below need

The release is a running maximum of a tilted line, so that all of it is array arithmetic.

`pedalboard.BrickwallLimiter` (0.9.26) is not used, because it does not release while the signal is above the
ceiling anywhere within its hold. The reduction of one loud beat then stays, and more gain makes the result
*quieter*; the search for a loudness needs one that rises with the gain. `pedalboard.Limiter` has no fixed
ceiling.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from riffcomposer.mix.blocks import Audio
from riffcomposer.mix.loudness import interpolated, interpolation_filters

LOOKAHEAD_MS = 5.0
RELEASE_DB_PER_SECOND = 100.0

Curve = NDArray[np.float64]


class Limiter:
    """A limiter over one stream of audio.

    Args:
        ceiling_db: Ceiling of the true peak in dBTP. Gain that moves between samples can lift the peaks of
            the result by a few hundredths above it.
        channels: Number of channels; all get the same gain, so that the stereo picture stays.
        sample_rate: Sample rate in Hz.
    """

    def __init__(self, ceiling_db: float, channels: int, sample_rate: int) -> None:
        self._ceiling = 10 ** (ceiling_db / 20)
        self._fall_db = RELEASE_DB_PER_SECOND / sample_rate
        look = max(2, round(LOOKAHEAD_MS * sample_rate / 1000))
        taps = interpolation_filters().shape[1]
        self._around = np.zeros((channels, taps - 1), np.float32)
        self._hold = _Sliding(2 * look + 1, _maximum)
        self._boxes = (_Sliding(look, _mean), _Sliding(look, _mean))
        self._released = 0.0
        # Between samples, half the hold and half of both boxes.
        delay = taps // 2 + look + look - 1
        self._late = np.zeros((channels, delay), np.float32)
        self._to_drop = delay

    def push(self, block: Audio) -> Audio:
        """Limits the next samples.

        The limiter looks ahead, so a call returns fewer samples than it was given until it has seen enough.
        The delay is removed from the output: its sample i is the input's sample i.
        """
        curve = self._need(block)
        curve = self._release(self._hold.push(curve))
        for box in self._boxes:
            curve = box.push(curve)
        audio = np.concatenate([self._late, block], axis=1)
        self._late = audio[:, block.shape[1] :]
        result = (audio[:, : block.shape[1]] * 10 ** (-curve / 20)).astype(np.float32)
        dropped = min(self._to_drop, result.shape[1])
        self._to_drop -= dropped
        return result[:, dropped:]

    def _need(self, block: Audio) -> Curve:
        around = np.concatenate([self._around, block], axis=1)
        self._around = around[:, block.shape[1] :]
        before = around.shape[1] - block.shape[1] - interpolation_filters().shape[1] // 2 + 1
        peak = np.abs(around[:, before - 1 : before - 1 + block.shape[1]]).max(axis=0)
        if np.abs(around).max(initial=0) * 3 > self._ceiling:
            for between in interpolated(around):
                np.maximum(peak, np.abs(between).max(axis=0), out=peak)
        return 20 * np.log10(np.maximum(peak / self._ceiling, 1.0).astype(np.float64))

    def _release(self, hold: Curve) -> Curve:
        if not len(hold):
            return hold
        slope = self._fall_db * np.arange(1, len(hold) + 1)
        curve = np.maximum(np.maximum.accumulate(hold + slope), self._released) - slope
        self._released = float(curve[-1])
        return curve


class _Sliding:
    """Applies a function to the last `length` values of a stream, for each value; zeros come first."""

    def __init__(self, length: int, function: Callable[[Curve, int], Curve]) -> None:
        self._length, self._function = length, function
        self._before = np.zeros(length - 1)

    def push(self, values: Curve) -> Curve:
        joined = np.concatenate([self._before, values])
        self._before = joined[len(values) :]
        return self._function(joined, self._length) if len(values) else values


def _maximum(values: Curve, length: int) -> Curve:
    from scipy.ndimage import maximum_filter1d

    half = length // 2
    return np.asarray(maximum_filter1d(values, length)[half : len(values) - half])


def _mean(values: Curve, length: int) -> Curve:
    sums = np.cumsum(np.concatenate([[0.0], values]))
    return np.maximum(sums[length:] - sums[:-length], 0) / length
