"""Mel-consistent fast Griffin-Lim: improves a wave until its mel is the wanted one.

Each iteration extrapolates the wave by momentum (Perraudin, Balazs and Sondergaard, *A fast Griffin-Lim
algorithm*, 2013), takes its spectra, keeps their phase, projects their magnitude onto the mel (see
`riffcomposer.spectrogram.mel_inversion`) and takes the least-squares wave of the result (Griffin and
Lim 1984). The state between iterations is the wave itself, so transforms of different lengths can
follow one another, and parts of the wave that are final can be held.
"""

from __future__ import annotations

from functools import partial

import torch

from riffcomposer.spectrogram.mel_inversion import MelConstraint
from riffcomposer.spectrogram.stft import ShortTimeTransform
from riffcomposer.spectrogram.threads import Spread

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
    spread: Spread = map,
) -> torch.Tensor:
    """Moves a wave towards one whose mel is `target`.

    Args:
        wave: `[channels, frames * hop]`.
        target: From `MelConstraint.target`, `[channels, frames, bands]`.
        transform: STFT at the wave's rate.
        constraint: The mel filters on the transform's bins.
        iterations: Number of iterations.
        held: Weight with which each sample of `wave` is held, 0 (free) to 1 (fixed), `[frames * hop]`.
        momentum: Factor of the extrapolation, 0 for plain Griffin-Lim.
        spread: The built-in `map`, or one that processes several blocks at once; the result is the same.

    Returns:
        A wave of the same shape.
    """
    frames = target.shape[1]
    envelope = transform.envelope(frames)
    original = last = wave

    def moved(padded: torch.Tensor, block: slice) -> torch.Tensor:
        """Overlap-adds the frames of a block after projecting their magnitudes onto the mel."""
        spectra = transform.analyse(padded, block)
        real, imaginary = spectra.real, spectra.imag
        size = real.square().addcmul_(imaginary, imaginary).sqrt_()
        ratio = constraint.project(size, target[:, block]).div_(size.add_(1e-9))
        real.mul_(ratio)
        imaginary.mul_(ratio)
        return transform.overlapped(spectra)

    for _ in range(iterations):
        # Spectra are linear in the wave, so the momentum that acts on them can act on it.
        padded = transform.padded(torch.lerp(last, wave, 1.0 + momentum))
        last = wave
        parts = list(spread(partial(moved, padded), transform.blocks(frames)))
        wave = transform.wave_of(parts, frames, envelope)
        if held is not None:
            wave = torch.lerp(wave, original, held)
    return wave
