"""Joining phases that come from the past to phases that come from the future.

A loop's last chunk carries phases on from its past, and must arrive at those of the loop's start. Phases
carried back from there meet them somewhere. As in image quilting (Efros and Freeman, *Image
quilting for texture synthesis and transfer*, 2001) the two are cut together along the path, one frame
for each bin, where they disagree least: in pauses, before onsets, where they agree by chance.
"""

from __future__ import annotations

import numpy as np
import torch

REACH_FRAMES_PER_BIN = 2
"""How many frames the path may move from one bin to the next."""


def quietest_path(cost: np.ndarray) -> np.ndarray:
    """The path of least summed cost, one frame for each bin (dynamic programming).

    Args:
        cost: `[frames, bins]`.

    Returns:
        Frame indices `[bins]`; neighbours differ by at most `REACH_FRAMES_PER_BIN`.
    """
    frames, bins = cost.shape
    reach = REACH_FRAMES_PER_BIN
    total = cost[:, 0].astype(np.float64)
    came_from = np.zeros((bins, frames), dtype=np.int64)
    for number in range(1, bins):
        padded = np.pad(total, reach, constant_values=np.inf)
        around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
        best = around.argmin(1)
        came_from[number] = np.arange(frames) + best - reach
        total = around[np.arange(frames), best] + cost[:, number]
    path = np.empty(bins, dtype=np.int64)
    path[-1] = total.argmin()
    for number in range(bins - 1, 0, -1):
        path[number - 1] = came_from[number, path[number]]
    return path


def joined_phases(onward: torch.Tensor, backward: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
    """One set of phases that starts as `onward` and ends as `backward`.

    Args:
        onward, backward: `[channels, frames, bins]`.
        magnitude: What the phases belong to, `[channels, frames, bins]`.

    Returns:
        Phases `[channels, frames, bins]`.
    """
    joined = torch.empty_like(onward)
    times = torch.arange(onward.shape[1], device=onward.device)[:, None]
    for channel in range(len(onward)):
        cost = magnitude[channel] * (1.0 - torch.cos(backward[channel] - onward[channel]))
        # A frame's window reaches over its neighbours: what disagrees there is heard here.
        cost = torch.nn.functional.avg_pool1d(cost.T, 11, 1, 5, count_include_pad=False).T
        path = torch.from_numpy(quietest_path(cost.cpu().numpy())).to(onward.device)
        joined[channel] = torch.where(times < path, onward[channel], backward[channel])
    return joined
