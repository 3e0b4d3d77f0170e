"""Short-time Fourier transform (STFT) at the decoder's work rate, a lower sample rate with the same frames.

Riffusion's image ends at 10 kHz, so a signal at 20 kHz holds all of it. There, hop 441 becomes 200 and
window 4410 becomes 2000, both exactly, and the frames are at the same times. Riffusion's transform pads
each frame fourfold, to 17640 samples; shorter transforms hold the same information in fewer numbers.

Conventions: `wave` is float32 `[channels, frames * hop]` at the work rate, on the 16-bit scale, its
sample 0 the centre of frame 0; spectra are complex64 `[channels, frames, bins]`, frame-major, with
the phase measured at the start of the frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from riffcomposer.spectrogram.mel import hann
from riffcomposer.spectrogram_parameters import SpectrogramParameters

_SMOOTH = (2, 3, 5, 7)


def _is_smooth(number: int) -> bool:
    for prime in _SMOOTH:
        while number % prime == 0:
            number //= prime
    return number == 1


@dataclass(frozen=True)
class StftGrid:
    """Hop and window of an STFT at the work rate.

    Attributes:
        hop: Samples from one frame to the next.
        window: Length of the Hann window in samples, any real number.
        support: Samples per frame: the window's length rounded up to a multiple of `2 * hop`.
        scale: Factor from magnitudes of the model's own transform to magnitudes at the work rate.
    """

    hop: int
    window: float
    support: int
    scale: float

    @classmethod
    def below(cls, params: SpectrogramParameters, top_hz: float | None = None) -> StftGrid:
        """The grid at the lowest convenient rate that holds `top_hz` (by default the whole image).

        The hop is rounded up to a number with the prime factors 2, 3, 5 and 7, which keeps FFTs fast.
        """
        top_hz = params.max_frequency if top_hz is None else min(top_hz, params.max_frequency)
        hop = math.ceil(2 * top_hz * params.hop_length / params.sample_rate - 1e-9)
        while not _is_smooth(hop):
            hop += 1
        hop = min(hop, params.hop_length)
        window = params.win_length * hop / params.hop_length
        return cls(hop, window, 2 * hop * math.ceil(window / (2 * hop)), window / params.win_length)

    def top_hz(self, params: SpectrogramParameters) -> float:
        """The highest frequency that the grid holds, in Hz: half its sample rate."""
        return params.sample_rate * self.hop / params.hop_length / 2


class ShortTimeTransform:
    """STFT and its inverse, computed in blocks of frames that fit a processor's cache.

    Args:
        grid: Hop and window.
        n_fft: Length of the transform, at least `grid.support`.
        block_frames: Approximate number of frames per block; by default all frames are one block.
        device: A torch device.
    """

    def __init__(
        self,
        grid: StftGrid,
        n_fft: int,
        *,
        block_frames: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.grid, self.n_fft, self.bins = grid, n_fft, n_fft // 2 + 1
        self._block_frames = block_frames
        self.device = torch.device(device)
        self.window = hann(grid.window, grid.support, device=device)

    def blocks(self, frames: int) -> list[slice]:
        """Slices of about equal length that cover `frames` frames."""
        count = max(1, round(frames / self._block_frames)) if self._block_frames else 1
        return [slice(frames * part // count, frames * (part + 1) // count) for part in range(count)]

    def padded(self, wave: torch.Tensor) -> torch.Tensor:
        """The wave extended by half a frame of mirrored samples at each end."""
        half = self.grid.support // 2
        return torch.nn.functional.pad(wave[None], (half, half), mode="reflect")[0]

    def analyse(self, padded: torch.Tensor, block: slice) -> torch.Tensor:
        """Spectra of the frames in `block`, from the padded wave."""
        hop, support = self.grid.hop, self.grid.support
        samples = padded[:, block.start * hop : (block.stop - 1) * hop + support]
        return torch.fft.rfft(samples.unfold(1, support, hop) * self.window, n=self.n_fft)

    def envelope(self, frames: int) -> torch.Tensor:
        """Sum of the overlapping squared windows of `frames` frames, `[frames * hop]`."""
        hop, support = self.grid.hop, self.grid.support
        total = torch.zeros(frames * hop + support, device=self.device)
        squared = self.window.square().view(-1, hop)
        for part, row in enumerate(squared):
            total[part * hop : (part + frames) * hop].view(frames, hop).add_(row)
        return self._folded(total[None])[0].clamp_min(1e-3)

    def overlapped(self, spectra: torch.Tensor) -> torch.Tensor:
        """The inverse transforms of successive frames, windowed and overlapped.

        Args:
            spectra: `[channels, frames, bins]`.

        Returns:
            `[channels, frames * hop + support - hop]`, from the first frame's first sample on.
        """
        hop, support = self.grid.hop, self.grid.support
        channels, count, _ = spectra.shape
        frames = torch.fft.irfft(spectra, n=self.n_fft)
        total = torch.zeros(channels, count * hop + support - hop, device=self.device)
        rows = total.view(channels, -1, hop)
        for part, window in enumerate(self.window.view(-1, hop)):
            rows[:, part : part + count].addcmul_(frames[..., part * hop : (part + 1) * hop], window)
        return total

    def wave_of(
        self, parts: list[torch.Tensor], frames: int, envelope: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The least-squares wave of all blocks' `overlapped` frames (Griffin and Lim 1984).

        It is the least-squares solution among waves that are mirrored at their ends, as by `padded`.

        Args:
            parts: Results of `overlapped`, in the order of `blocks(frames)`.
            frames: Number of frames of all blocks together.
            envelope: The result of `envelope(frames)`; computed where it is None.

        Returns:
            `[channels, frames * hop]`.
        """
        hop, support = self.grid.hop, self.grid.support
        total = torch.zeros(len(parts[0]), frames * hop + support, device=self.device)
        for block, part in zip(self.blocks(frames), parts, strict=True):
            total[:, block.start * hop : block.start * hop + part.shape[1]] += part
        return self._folded(total).div_(self.envelope(frames) if envelope is None else envelope)

    def _folded(self, total: torch.Tensor) -> torch.Tensor:
        """Folds the half frame beyond each end of the wave back onto its mirror image inside."""
        half = self.grid.support // 2
        inside = total[:, half : total.shape[1] - half].clone()
        inside[:, 1 : half + 1] += total[:, :half].flip(1)
        inside[:, -half - 1 : -1] += total[:, -half:].flip(1)
        return inside

    def inverse(self, spectra: torch.Tensor) -> torch.Tensor:
        """The least-squares wave of spectra, `[channels, frames * hop]`."""
        frames = spectra.shape[1]
        return self.wave_of([self.overlapped(spectra[:, block]) for block in self.blocks(frames)], frames)

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        """All spectra of a wave, `[channels, frames, bins]`."""
        padded = self.padded(wave)
        frames = wave.shape[1] // self.grid.hop
        return torch.cat([self.analyse(padded, block) for block in self.blocks(frames)], dim=1)
