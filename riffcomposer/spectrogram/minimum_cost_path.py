"""Finds the path of least summed cost over the bands of a spectrogram, where one sound gives way to another.

A path has one frame per band, and frames of neighbouring bands are close to each other. It is the minimum
error boundary cut of image quilting (Efros and Freeman, *Image quilting for texture synthesis and
transfer*, 2001), found by dynamic programming.
"""

from __future__ import annotations

import numpy as np

REACH_FRAMES_PER_BIN = 2
"""Most frames by which the path moves from one band to the next."""


def minimum_cost_path(cost: np.ndarray, reach: int = REACH_FRAMES_PER_BIN) -> np.ndarray:
    """The path of least summed cost with one frame per band.

    Args:
        cost: Cost of each frame in each band, `[frames, bands]`.
        reach: Most frames by which neighbouring bands differ.

    Returns:
        The frame of each band, `[bands]`.
    """
    frames, bands = cost.shape
    total = cost[:, 0].astype(np.float64)
    came_from = np.zeros((bands, frames), dtype=np.int64)
    for number in range(1, bands):
        padded = np.pad(total, reach, constant_values=np.inf)
        around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
        best = around.argmin(1)
        came_from[number] = np.arange(frames) + best - reach
        total = around[np.arange(frames), best] + cost[:, number]
    path = np.empty(bands, dtype=np.int64)
    path[-1] = total.argmin()
    for number in range(bands - 1, 0, -1):
        path[number - 1] = came_from[number, path[number]]
    return path
