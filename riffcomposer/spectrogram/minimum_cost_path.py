"""The path of least cost through a picture: where two sounds are best cut together.

As in image quilting (Efros and Freeman, *Image quilting for texture synthesis and transfer*, 2001), one
frame is chosen for each band, neighbours close to each other, so that what lies on the path sums to
the least.
"""

from __future__ import annotations

import numpy as np

REACH_FRAMES_PER_BIN = 2
"""How many frames the path may move from one band to the next."""


def minimum_cost_path(cost: np.ndarray, reach: int = REACH_FRAMES_PER_BIN) -> np.ndarray:
    """The path of least summed cost, one frame for each band (dynamic programming).

    Args:
        cost: `[frames, bands]`.
        reach: Neighbouring bands differ by at most so many frames.

    Returns:
        Frame indices `[bands]`.
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
