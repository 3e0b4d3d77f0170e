"""Noise that belongs to a clip: drawn on the CPU from the clip's own generators, mixed spherically.

A batch never shares a generator, so a clip's noise does not depend on its batch mates or device.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


def slerp(a: torch.Tensor, b: torch.Tensor, alpha: float, *, parallel: float = 0.9995) -> torch.Tensor:
    """Spherical interpolation between two tensors, taken as single vectors (Shoemake 1985).

    Gaussian noise keeps its norm on the way, which a linear mix would shrink. `slerp(a, b, x)` equals
    `slerp(b, a, 1 - x)`.

    Args:
        a, b: Tensors of one shape.
        alpha: 0..1; 0 gives `a` and 1 gives `b` exactly.
        parallel: Above this cosine the mix is linear, since the sphere is flat there.
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
    """All the noise of one clip, drawn in order: the first draw starts it, later ones are for
    schedulers that add fresh noise at each step.

    Args:
        seed_a, seed_b: Seeds of the two points, 0 to 2^63 - 1.
        alpha: Where the clip stands between them.
        shape: Of one latent, [channels, height, width].
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
