"""The grid on which sound is retrieved: a lower sample rate, the same frames, a short transform.

Riffusion's image ends at 10 kHz, so all it can say fits into a signal at 20 kHz: hop 441 becomes 200
and window 4410 becomes 2000, both exactly, and the frames stand at the same times. Riffusion's
transform pads each frame fourfold to 17640 samples; a pad of one (2000) or two (4000) holds the
same information with an eighth or a quarter of the numbers.

Conventions: `wave` is float32 `[channels, frames * hop]` at the work rate, on the 16-bit scale, its
sample 0 the centre of frame 0; spectra are complex64 `[channels, frames, bins]`, frame-major, with
the phase measured at the start of the frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from riffcomposer.models.spectrogram_parameters import SpectrogramParameters
from riffcomposer.spectrogram.mel import hann

_SMOOTH = (2, 3, 5, 7)


def _is_smooth(number: int) -> bool:
    for prime in _SMOOTH:
        while number % prime == 0:
            number //= prime
    return number == 1


@dataclass(frozen=True)
class WorkGrid:
    """Hop and window at the work rate.

    Attributes:
        hop: Samples between frames, whole.
        window: Length of the Hann window in samples, any real number.
        support: Samples of a frame: the window rounded up to a multiple of `2 * hop`.
        scale: Magnitudes at the work rate are those of the exact transform times this.
    """

    hop: int
    window: float
    support: int
    scale: float

    @classmethod
    def below(cls, params: SpectrogramParameters, top_hz: float | None = None) -> WorkGrid:
        """The grid at about the lowest rate that holds `top_hz` (by default all of the image)."""
        top_hz = params.max_frequency if top_hz is None else min(top_hz, params.max_frequency)
        hop = math.ceil(2 * top_hz * params.hop_length / params.sample_rate - 1e-9)
        while not _is_smooth(hop):
            hop += 1
        hop = min(hop, params.hop_length)
        window = params.win_length * hop / params.hop_length
        return cls(hop, window, 2 * hop * math.ceil(window / (2 * hop)), window / params.win_length)

    def top_hz(self, params: SpectrogramParameters) -> float:
        """Half the work rate."""
        return params.sample_rate * self.hop / params.hop_length / 2


class ShortTimeTransform:
    """STFT and inverse on a work grid, in blocks of frames that stay in the processor's cache.

    On a CPU the blocks are what makes it fast: whole-clip tensors of some 8 MB go through memory at
    every elementwise step and cost four times as much.

    Args:
        grid: Hop and window.
        n_fft: Length of the transform, at least `grid.support`.
        block_frames: Frames handled at once.
    """

    def __init__(
        self, grid: WorkGrid, n_fft: int, *, block_frames: int = 64, device: torch.device | str = "cpu"
    ) -> None:
        self.grid, self.n_fft, self.bins, self.block_frames = grid, n_fft, n_fft // 2 + 1, block_frames
        self.device = torch.device(device)
        self.window = hann(grid.window, grid.support, device=device)

    def blocks(self, frames: int) -> Iterator[slice]:
        """Slices that cover `frames` frames."""
        for first in range(0, frames, self.block_frames):
            yield slice(first, min(first + self.block_frames, frames))

    def padded(self, wave: torch.Tensor) -> torch.Tensor:
        """The wave mirrored at both ends by half a frame, as every frame's samples need it."""
        half = self.grid.support // 2
        return torch.nn.functional.pad(wave[None], (half, half), mode="reflect")[0]

    def analyse(self, padded: torch.Tensor, block: slice) -> torch.Tensor:
        """Spectra of the frames in `block`, from the padded wave."""
        hop, support = self.grid.hop, self.grid.support
        samples = padded[:, block.start * hop : (block.stop - 1) * hop + support]
        return torch.fft.rfft(samples.unfold(1, support, hop) * self.window, n=self.n_fft)

    def envelope(self, frames: int) -> torch.Tensor:
        """What overlapping the squared windows of `frames` frames sums up to, `[frames * hop]`."""
        hop, support = self.grid.hop, self.grid.support
        total = torch.zeros(frames * hop + support, device=self.device)
        squared = self.window.square().view(-1, hop)
        for part, row in enumerate(squared):
            total[part * hop : (part + frames) * hop].view(frames, hop).add_(row)
        return self._folded(total[None])[0].clamp_min(1e-3)

    def overlap_add(self, total: torch.Tensor, spectra: torch.Tensor, block: slice) -> None:
        """Adds the inverse transforms of a block's spectra into `total`, an `accumulator`."""
        hop, support = self.grid.hop, self.grid.support
        count = block.stop - block.start
        frames = torch.fft.irfft(spectra, n=self.n_fft)[..., :support] * self.window
        parts = frames.view(len(spectra), count, support // hop, hop)
        rows = total.view(len(total), -1, hop)
        for part in range(support // hop):
            rows[:, block.start + part : block.stop + part].add_(parts[:, :, part])

    def accumulator(self, channels: int, frames: int) -> torch.Tensor:
        """Zeros for `overlap_add`."""
        return torch.zeros(channels, frames * self.grid.hop + self.grid.support, device=self.device)

    def _folded(self, total: torch.Tensor) -> torch.Tensor:
        """Sums over the wave's own samples, what lies beyond its ends added at its mirror image."""
        half = self.grid.support // 2
        inside = total[:, half : total.shape[1] - half].clone()
        inside[:, 1 : half + 1] += total[:, :half].flip(1)
        inside[:, -half - 1 : -1] += total[:, -half:].flip(1)
        return inside

    def wave_of(self, total: torch.Tensor, envelope: torch.Tensor) -> torch.Tensor:
        """The least-squares wave of what `overlap_add` has summed (Griffin and Lim 1984).

        Least squares among waves that are mirrored at their ends, as `padded` takes them to be.
        """
        return self._folded(total) / envelope

    def inverse(self, spectra: torch.Tensor) -> torch.Tensor:
        """The least-squares wave of spectra, `[channels, frames * hop]`."""
        channels, frames, _ = spectra.shape
        total = self.accumulator(channels, frames)
        for block in self.blocks(frames):
            self.overlap_add(total, spectra[:, block], block)
        return self.wave_of(total, self.envelope(frames))

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        """All spectra of a wave, `[channels, frames, bins]`."""
        padded = self.padded(wave)
        frames = wave.shape[1] // self.grid.hop
        return torch.cat([self.analyse(padded, block) for block in self.blocks(frames)], dim=1)
