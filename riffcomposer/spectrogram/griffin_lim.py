"""Mel-consistent fast Griffin-Lim.

Each iteration pushes the wave on by momentum (Perraudin, Balazs and Sondergaard, *A fast Griffin-Lim
algorithm*, 2013), analyses it, keeps the phase of its spectra, moves their magnitude onto the mel (see
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
    frames = target.shape[1]
    envelope = transform.envelope(frames)
    original = last = wave
    for _ in range(iterations):
        # Spectra are linear in the wave, so the momentum that acts on them can act on it.
        padded = transform.padded(torch.lerp(last, wave, 1.0 + momentum))
        last, parts = wave, []
        for block in transform.blocks(frames):
            spectra = transform.analyse(padded, block)
            real, imaginary = spectra.real, spectra.imag
            size = real.square().addcmul_(imaginary, imaginary).sqrt_()
            ratio = constraint.project(size, target[:, block]).div_(size.add_(1e-9))
            real.mul_(ratio)
            imaginary.mul_(ratio)
            parts.append(transform.overlapped(spectra))
        wave = transform.wave_of(parts, frames, envelope)
        if held is not None:
            wave = torch.lerp(wave, original, held)
    return wave
