"""Closes a loop: joins phases estimated forwards from its end to phases estimated backwards from its start.

The last chunk of a loop has to end in the phases of the loop's start. Its phases are estimated twice:
forwards from the chunk before, and backwards from the loop's start. In each bin there is one frame at which
the result changes from the first to the second. These frames are a path over the bins along which the two
disagree least, for example in a pause or before an onset.
"""

from __future__ import annotations

import torch

from riffcomposer.spectrogram.minimum_cost_path import minimum_cost_path


def joined_phases(onward: torch.Tensor, backward: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
    """Phases that start as `onward` and end as `backward`.

    Args:
        onward, backward: `[channels, frames, bins]`.
        magnitude: The magnitudes to which the phases belong, `[channels, frames, bins]`.

    Returns:
        Phases `[channels, frames, bins]`.
    """
    joined = torch.empty_like(onward)
    times = torch.arange(onward.shape[1], device=onward.device)[:, None]
    for channel in range(len(onward)):
        cost = magnitude[channel] * (1.0 - torch.cos(backward[channel] - onward[channel]))
        # A frame's window overlaps its neighbours, so their disagreement counts for this frame too.
        cost = torch.nn.functional.avg_pool1d(cost.T, 11, 1, 5, count_include_pad=False).T
        path = torch.from_numpy(minimum_cost_path(cost.cpu().numpy())).to(onward.device)
        joined[channel] = torch.where(times < path, onward[channel], backward[channel])
    return joined
