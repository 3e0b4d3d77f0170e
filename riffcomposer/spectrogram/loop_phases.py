"""Joining phases that come from the past to phases that come from the future.

A loop's last chunk carries phases on from its past, and must arrive at those of the loop's start. Phases
carried back from there meet them somewhere. The two are cut together along the path, one frame for
each bin, where they disagree least: in pauses, before onsets, where they agree by chance.
"""

from __future__ import annotations

import torch

from riffcomposer.spectrogram.minimum_cost_path import minimum_cost_path


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
        path = torch.from_numpy(minimum_cost_path(cost.cpu().numpy())).to(onward.device)
        joined[channel] = torch.where(times < path, onward[channel], backward[channel])
    return joined
