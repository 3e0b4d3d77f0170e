"""From mel back to linear magnitude: a first guess, and a projection onto the magnitudes that fit the mel.

The first guess is the minimum-norm solution of `bank @ magnitude = mel`, clamped at zero. It is one product
with the pseudo-inverse (`torchaudio.transforms.InverseMelScale` solves least squares for every clip).
The projection moves magnitudes by the least distance to magnitudes that fit the mel, and clamps at zero:

    A <- relu(|C| + pinv(M) (T - M |C|))

as in Masuyama, Ueno and Ono, *Signal reconstruction from mel-spectrogram based on bi-level consistency
of full-band magnitude and phase* (arXiv 2307.12232). Phase retrieval then finds, among all the
magnitudes with this mel, some that a signal can have.

A mel filter overlaps only its neighbours, so both matrices are zero away from a diagonal band, and only
blocks along the diagonal are multiplied.
"""

from __future__ import annotations

import torch

from riffcomposer.spectrogram.mel import mel_bank
from riffcomposer.spectrogram.stft import StftGrid
from riffcomposer.spectrogram_parameters import SpectrogramParameters

EDGE_HZ = 40.0
"""Distance in Hz from a low-rate grid's highest mel band to the grid's top: twice the window's main lobe."""


class BandedMatrix:
    """A matrix that is zero away from its diagonal band, kept as dense blocks of rows.

    Args:
        dense: `[rows, columns]`.
        negligible: Entries smaller than this share of the largest in their row are taken as zero.
        block_rows: Rows per block.
    """

    def __init__(self, dense: torch.Tensor, *, negligible: float = 0.0, block_rows: int = 64) -> None:
        self.rows, self.columns = dense.shape
        self._blocks: list[tuple[slice, slice, torch.Tensor]] = []
        magnitude = dense.abs()
        used = magnitude > negligible * magnitude.amax(1, keepdim=True)
        for first in range(0, self.rows, block_rows):
            rows = slice(first, min(first + block_rows, self.rows))
            columns = used[rows].any(0).nonzero().flatten()
            if len(columns):
                span = slice(int(columns[0]), int(columns[-1]) + 1)
                self._blocks.append((rows, span, dense[rows, span].T.contiguous()))

    def apply(self, vectors: torch.Tensor) -> torch.Tensor:
        """`dense @ vector` for every vector, `[..., columns]` to `[..., rows]`."""
        shape = (*vectors.shape[:-1], self.rows)
        return self.add_to(vectors.new_zeros(shape), vectors)

    def add_to(self, out: torch.Tensor, vectors: torch.Tensor, factor: float = 1.0) -> torch.Tensor:
        """Adds `factor * dense @ vector` for every vector to `out`, `[..., rows]`, and returns it."""
        wide, flat = out.view(-1, self.rows), vectors.reshape(-1, self.columns)
        for rows, columns, block in self._blocks:
            wide[:, rows].addmm_(flat[:, columns], block, alpha=factor)
        return out


def _pseudo_inverse(bank: torch.Tensor, ridge: float) -> torch.Tensor:
    """`bank.T (bank bank.T + ridge)^-1` in double precision, the ridge relative to the mean diagonal."""
    wide = bank.double()
    gram = wide @ wide.T
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(gram, wide).T.float()


def _lines_between(fine_bins: int, bins: int, ratio: float) -> torch.Tensor:
    """Matrix of linear interpolation from `bins` bins to `fine_bins` finer ones, `ratio` per coarse bin."""
    position = torch.arange(fine_bins, dtype=torch.float64) / ratio
    lower = position.floor().long().clamp(0, bins - 1)
    upper = (lower + 1).clamp(max=bins - 1)
    share = (position - lower).clamp(0.0, 1.0)
    weights = torch.zeros(fine_bins, bins, dtype=torch.float64)
    row = torch.arange(fine_bins)
    weights[row, lower] += 1.0 - share
    weights[row, upper] += share
    return weights


def bin_ratio(params: SpectrogramParameters, grid: StftGrid, n_fft: int) -> float:
    """Bins of the model's own transform per bin of a transform of length `n_fft` at the work rate."""
    return params.n_fft * grid.hop / (params.hop_length * n_fft)


def work_bank(params: SpectrogramParameters, grid: StftGrid, n_fft: int) -> torch.Tensor:
    """The mel filters for the bins of a shorter transform, `[bands, n_fft // 2 + 1]`.

    Magnitudes between two bins are interpolated linearly, so every filter keeps its weight, even one that
    is narrower than a bin. On a grid whose top is below the image's, the filters that reach its top are
    left out.
    """
    fine = mel_bank(params)
    top_hz = grid.top_hz(params)
    if top_hz < params.max_frequency:
        bin_hz = params.sample_rate / params.n_fft
        limit = int((top_hz - EDGE_HZ) / bin_hz)
        bands = int((fine[:, limit:].sum(1) == 0).sum())
        fine = fine[:bands, :limit]
    lines = _lines_between(fine.shape[1], n_fft // 2 + 1, bin_ratio(params, grid, n_fft))
    return (fine.double() @ lines).float()


class MelConstraint:
    """Magnitudes that fit a mel, on the bins of one transform.

    Args:
        params: The mel's parameters.
        grid: Hop and window of the transform.
        n_fft: Length of the transform.
        ridge: Regularisation of the pseudo-inverse, relative to its mean diagonal: a small misfit is
            allowed where filters overlap almost completely.
    """

    def __init__(
        self,
        params: SpectrogramParameters,
        grid: StftGrid,
        n_fft: int,
        *,
        ridge: float = 1e-3,
        device: torch.device | str = "cpu",
    ) -> None:
        bank = work_bank(params, grid, n_fft)
        self.bands = len(bank)
        self._scale = grid.scale
        self._bank = BandedMatrix(bank.to(device))
        self._inverse = BandedMatrix(_pseudo_inverse(bank, ridge).to(device), negligible=1e-3)

    def target(self, mel: torch.Tensor) -> torch.Tensor:
        """The bands of a mel [channels, n_mels, frames] that the grid holds, [channels, frames, bands]."""
        return (mel[:, : self.bands].transpose(1, 2) * self._scale).contiguous()

    def misfit(self, magnitude: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """`target - bank @ magnitude`, `[channels, frames, bands]`."""
        return self._bank.add_to(target.clone(), magnitude, -1.0)

    def project(self, magnitude: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The nearest magnitudes that fit `target`, clamped at zero."""
        return self._inverse.add_to(magnitude.clone(), self.misfit(magnitude, target)).clamp_min_(0.0)


class FirstGuess:
    """The minimum-norm magnitudes of a mel, computed on the model's own bins and read at the grid's."""

    def __init__(
        self, params: SpectrogramParameters, grid: StftGrid, n_fft: int, *, device: torch.device | str = "cpu"
    ) -> None:
        inverse = _pseudo_inverse(mel_bank(params), 1e-9)
        bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64)
        nearest = (bins * bin_ratio(params, grid, n_fft)).round().long()
        rows = inverse[nearest.clamp(max=len(inverse) - 1)]
        rows[nearest >= len(inverse)] = 0.0
        self._matrix = BandedMatrix(rows.to(device), negligible=1e-4)

    def magnitude(self, target: torch.Tensor) -> torch.Tensor:
        """Magnitudes [channels, frames, bins] for a target [channels, frames, n_mels], clamped at zero."""
        return self._matrix.apply(target).clamp_min_(0.0)
