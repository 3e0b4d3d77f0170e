"""The noise of a clip: drawn on the CPU from the clip's own generators and mixed spherically.

No generator is shared, so a clip's noise does not depend on the other clips of its batch or on the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


def slerp(a: torch.Tensor, b: torch.Tensor, alpha: float, *, parallel: float = 0.9995) -> torch.Tensor:
    """Spherical interpolation between two tensors, each taken as one vector (Shoemake 1985).

    It keeps the norm of Gaussian noise, which a linear mix shrinks. `slerp(a, b, x)` equals
    `slerp(b, a, 1 - x)`.

    Args:
        a, b: Tensors of one shape.
        alpha: 0..1; 0 gives `a` and 1 gives `b` exactly.
        parallel: Cosine above which the mix is linear, since the vectors are nearly parallel.
    """
    if alpha <= 0:
        return a
    if alpha >= 1:
        return b
    left, right = a.double(), b.double()
    cosine = float((left * right).sum() / (left.norm() * right.norm()).clamp_min(1e-30))
    if abs(cosine) > parallel:
        return (left + (right - left) * alpha).to(a.dtype)
    angle = torch.arccos(torch.tensor(cosine, dtype=torch.float64))
    mixed = torch.sin((1 - alpha) * angle) * left + torch.sin(alpha * angle) * right
    return (mixed / torch.sin(angle)).to(a.dtype)


class ClipNoise:
    """The noise of one clip, drawn in order.

    The first draw is the noise that the clip starts from; later draws are for schedulers that add fresh
    noise at each step.

    Args:
        seed_a, seed_b: Seeds of the points A and B, 0 to 2^63 - 1.
        alpha: Position of the clip between them, 0 (A) to 1 (B).
        shape: Shape of one latent, [channels, height, width].
    """

    def __init__(self, seed_a: int, seed_b: int, alpha: float, shape: Sequence[int]) -> None:
        self._shape = tuple(shape)
        self._alpha = alpha
        self._a = torch.Generator("cpu").manual_seed(seed_a)
        self._b = torch.Generator("cpu").manual_seed(seed_b)

    def draw(self) -> torch.Tensor:
        """The next noise, float32 [channels, height, width] on the CPU."""
        if self._alpha <= 0:
            return torch.randn(self._shape, generator=self._a)
        if self._alpha >= 1:
            return torch.randn(self._shape, generator=self._b)
        a = torch.randn(self._shape, generator=self._a)
        b = torch.randn(self._shape, generator=self._b)
        return slerp(a, b, self._alpha)
