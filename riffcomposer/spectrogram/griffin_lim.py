"""Mel-consistent fast Griffin-Lim.

Each iteration analyses the wave, pushes the spectra on by momentum (Perraudin, Balazs and Sondergaard,
*A fast Griffin-Lim algorithm*, 2013), keeps their phase, moves their magnitude onto the mel (see
`riffcomposer.spectrogram.mel_inversion`) and takes the least-squares wave of the result (Griffin and
Lim 1984). The state between iterations is the wave itself, so transforms of different lengths can
follow one another, and stretches of the wave that are already decided can be held.
"""

from __future__ import annotations

import torch

from riffcomposer.spectrogram.mel_inversion import MelConstraint
from riffcomposer.spectrogram.work_grid import ShortTimeTransform

MOMENTUM = 0.99


def refine(
    wave: torch.Tensor,
    target: torch.Tensor,
    transform: ShortTimeTransform,
    constraint: MelConstraint,
    iterations: int,
    *,
    held: torch.Tensor | None = None,
    momentum: float = MOMENTUM,
) -> torch.Tensor:
    """Moves a wave towards one whose mel is `target`.

    Args:
        wave: `[channels, frames * hop]`.
        target: From `MelConstraint.target`, `[channels, frames, bands]`.
        iterations: How many.
        held: How firmly each sample of `wave` is held, 0 (free) to 1 (stays), `[frames * hop]`.

    Returns:
        A wave of the same shape.
    """
    channels, frames, _ = target.shape
    envelope = transform.envelope(frames)
    original = wave
    last: list[torch.Tensor] = []
    for iteration in range(iterations):
        padded = transform.padded(wave)
        total = transform.accumulator(channels, frames)
        for number, block in enumerate(transform.blocks(frames)):
            spectra = transform.analyse(padded, block)
            if iteration == 0:
                pushed = spectra
                last.append(spectra)
            else:
                pushed = last[number].mul_(-momentum).add_(spectra, alpha=1.0 + momentum)
                last[number] = spectra
            parts = torch.view_as_real(pushed)
            size = parts[..., 0].square().addcmul_(parts[..., 1], parts[..., 1]).sqrt_()
            wanted = constraint.project(size, target[:, block])
            transform.overlap_add(total, pushed * wanted.div_(size.add_(1e-9)), block)
        wave = transform.wave_of(total, envelope)
        if held is not None:
            wave = torch.lerp(wave, original, held)
    return wave
