"""The decoder: turns mel spectrograms into audio, for clips and for songs of any length.

    1. mel -> linear magnitude       `mel_inversion`: clamped pseudo-inverse
    2. magnitude -> first phase      `phase_gradient`: peak-locked phase-gradient integration, from the best
                                     of several random starts
    3. phase -> better phase         `griffin_lim`: mel-consistent fast Griffin-Lim, band by band (`presets`)
    4. work rate -> sample rate      `resampling`: one exact FFT

A song is decoded in chunks of about ten seconds. Each chunk is decoded together with `CONTEXT_FRAMES` of
the chunk before it and `CONTEXT_FRAMES` of the chunk after it. It starts from the phases of the chunk
before. The wave of the chunk before is held fixed up to the border between the two, and is released
gradually over the next `RELEASE_FRAMES`. The last chunk of a loop holds the wave of the loop's start at its
end in the same way. So two waves of different phase are never mixed.

Conventions: see `riffcomposer.spectrogram.mel`. Sample 0 of the audio is the centre of frame 0. The *work
rate* is the lower sample rate at which phases are retrieved (see `riffcomposer.spectrogram.stft`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from riffcomposer.errors import SpectrogramError
from riffcomposer.spectrogram.extended_mel import ExtendedMel, MelReader
from riffcomposer.spectrogram.griffin_lim import refine
from riffcomposer.spectrogram.loop_phases import joined_phases
from riffcomposer.spectrogram.mel import PCM_SCALE, hann
from riffcomposer.spectrogram.mel_inversion import EDGE_HZ, FirstGuess, MelConstraint
from riffcomposer.spectrogram.phase_gradient import peak_locked_phase
from riffcomposer.spectrogram.presets import PRESETS, stages_of
from riffcomposer.spectrogram.resampling import delayed, resample
from riffcomposer.spectrogram.stft import ShortTimeTransform, StftGrid
from riffcomposer.spectrogram.threads import Spread, available_cores, one_thread, spread_over
from riffcomposer.spectrogram_parameters import SpectrogramParameters

__all__ = ["PRESETS", "Decoder", "MelReader"]

CHUNK_FRAMES = 1024
BLOCK_FRAMES = 256
CONTEXT_FRAMES = 40
RELEASE_FRAMES = 12
_SHORTEST_FRAMES = 12
START_FRAMES, START_DRAWS, START_ITERATIONS = 32, 8, 12
"""How the phases of a song's first frame are chosen: frames decoded per random start, number of random
starts, and Griffin-Lim iterations for each."""
_SETTLED_FRAMES = 16
"""Frames at the end of a decoded wave whose phases are not carried on, because what follows them was unknown
when they were decoded."""


@dataclass(frozen=True)
class _Band:
    """The transform and the mel constraint of one stage of a preset."""

    grid: StftGrid
    transform: ShortTimeTransform
    constraint: MelConstraint
    iterations: int
    rolloff: tuple[float, float]


class Decoder:
    """Turns mels into audio.

    Building one is slow and using it keeps no state from song to song, so build it once.

    Args:
        params: The mel's parameters.
        preset: `fast`, `default` or `best`.
        device: A torch device.
        seed: Seed of the random phases of the first frame.
        threads: CPU threads that share a chunk's blocks of frames; by default one per processor. The
            result does not depend on it: every operation runs in one thread, on the same blocks.

    Raises:
        UsageError: There is no preset of that name.
    """

    def __init__(
        self,
        params: SpectrogramParameters,
        preset: str = "default",
        *,
        device: str | torch.device = "cpu",
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.params, self.preset, self.seed, self.device = params, preset, seed, torch.device(device)
        self._threads = (threads or available_cores()) if self.device.type == "cpu" else 1
        # A GPU takes a chunk at once. On a CPU a clip is at least two blocks, so that two threads share it.
        block_frames = BLOCK_FRAMES if self.device.type == "cpu" else None
        self._bands: list[_Band] = []
        with one_thread():
            self._build(block_frames)

    def _build(self, block_frames: int | None) -> None:
        """Makes the matrices of every stage."""
        for stage in stages_of(self.preset):
            grid = StftGrid.below(self.params, stage.top_share * self.params.max_frequency)
            n_fft = stage.padding * grid.support
            top_hz = grid.top_hz(self.params)
            self._bands.append(
                _Band(
                    grid,
                    ShortTimeTransform(grid, n_fft, block_frames=block_frames, device=self.device),
                    MelConstraint(self.params, grid, n_fft, device=self.device),
                    stage.iterations,
                    (1 - 2 * EDGE_HZ / top_hz, 1 - EDGE_HZ / top_hz),
                )
            )
        self._whole = self._bands[0]
        self._guess = FirstGuess(
            self.params, self._whole.grid, self._whole.transform.n_fft, device=self.device
        )

    def decode(self, mel: torch.Tensor) -> torch.Tensor:
        """Decodes a mel.

        Args:
            mel: `[channels, n_mels, frames]`.

        Returns:
            Audio `[channels, frames * hop_length]` on the mel's device.

        Raises:
            SpectrogramError: The mel has another number of bands, no frames, or values that are NaN, negative
                or infinite.
        """
        if mel.ndim != 3:
            raise SpectrogramError(f"expected a mel [channels, bands, frames], got {list(mel.shape)}")
        frames = mel.shape[2]
        parts = self.decode_stream(
            lambda first, count: mel[:, :, first : first + count].detach().cpu().numpy(),
            frames,
            frames * self.params.hop_length,
        )
        return torch.from_numpy(np.concatenate(list(parts), axis=1)).to(mel.device)

    def decode_stream(
        self,
        read: MelReader,
        frames: int,
        samples: int,
        *,
        wraps: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[np.ndarray]:
        """Decodes a song of any length in bounded memory.

        Args:
            read: Returns the mel of a range of frames within 0 and `frames`; ranges may be asked for in
                any order and more than once.
            frames: Number of frames of the mel.
            samples: Number of samples to make. Beyond the last frame the song is silent.
            wraps: Whether the song is a loop of `samples` samples, whose end continues in its start.
            on_progress: Called with (frames done, frames) after each chunk.

        Yields:
            float32 `[channels, n]`, `samples` samples in all.

        Raises:
            SpectrogramError: `frames` or `samples` is below 1, or a mel has the wrong shape or holds NaN,
                negative or infinite values.
        """
        if frames < 1 or samples < 1:
            raise SpectrogramError(f"a song of {frames} frames and {samples} samples cannot be decoded")
        hop, work_hop = self.params.hop_length, self._whole.grid.hop
        song = ExtendedMel(read, frames, samples, wraps=wraps, params=self.params)
        chunks = max(2 if wraps else 1, round(song.frames / CHUNK_FRAMES))
        borders = [song.frames * number // chunks for number in range(chunks + 1)]
        neighbours = _Neighbours()
        emitted = 0
        for first, last in pairwise(borders):
            is_first, is_last = first == 0, last == song.frames
            start, stop = first - CONTEXT_FRAMES, last + CONTEXT_FRAMES
            if not wraps:
                start = max(start, 0)
                stop = max(min(stop, song.frames), start + _SHORTEST_FRAMES)
            if wraps and is_last:
                neighbours.seam = float(song.length - start)
            with spread_over(self._threads) as spread, torch.inference_mode():
                mel = torch.from_numpy(song.mel(start, stop)).to(self.device)
                wave = self._chunk(mel, neighbours, spread)
                audio = resample(wave, work_hop, hop)[:, (first - start) * hop :] / PCM_SCALE
                part = audio[:, : min((last - first) * hop, samples - emitted)].cpu().numpy()
            if is_first and wraps:
                neighbours.beginning = wave[:, : 3 * CONTEXT_FRAMES * work_hop]
            neighbours.past = wave[:, (last - start - CONTEXT_FRAMES) * work_hop :]
            emitted += part.shape[1]
            yield part
            if on_progress is not None:
                on_progress(last, song.frames)
        if emitted < samples:
            yield np.zeros((mel.shape[0], samples - emitted), dtype=np.float32)

    def _chunk(self, mel: torch.Tensor, neighbours: _Neighbours, spread: Spread) -> torch.Tensor:
        """Decodes one chunk with its context to a wave at the work rate.

        Args:
            mel: Mel of the chunk and its context, `[channels, n_mels, frames]`.
            neighbours: The waves already decoded before and after the chunk.
            spread: See `refine`.
        """
        # 1. Magnitudes from the mel.
        whole, frames = self._whole, mel.shape[2]
        target = whole.constraint.target(mel)
        magnitude = self._guess.magnitude(target)
        # 2. First phases: carried on from the chunk before, or found for the song's start.
        phase = self._first_phases(magnitude, target, neighbours)
        known, held = neighbours.laid_on(frames, whole.grid)
        if neighbours.seam is not None:
            phase = self._joined_to_beginning(phase, magnitude, known, math.ceil(neighbours.seam))
        wave = whole.transform.inverse(torch.polar(magnitude, phase))
        if held is not None:
            wave = torch.lerp(wave, known, held)
        # 3. Better phases, band by band.
        for band in self._bands:
            if band.grid == whole.grid:
                wave = refine(
                    wave, target, band.transform, band.constraint, band.iterations, held=held, spread=spread
                )
                continue
            low = resample(wave, whole.grid.hop, band.grid.hop)
            low_target = band.constraint.target(mel)
            low_held = None if held is None else _stretched(held, low.shape[1])
            refined = refine(
                low,
                low_target,
                band.transform,
                band.constraint,
                band.iterations,
                held=low_held,
                spread=spread,
            )
            wave = wave + resample(refined - low, band.grid.hop, whole.grid.hop, rolloff=band.rolloff)
        return wave if held is None else torch.where(held == 1.0, known, wave)

    def _first_phases(
        self, magnitude: torch.Tensor, target: torch.Tensor, neighbours: _Neighbours
    ) -> torch.Tensor:
        """Phases for a chunk's magnitudes, `[channels, frames, bins]`."""
        whole = self._whole
        n_fft = whole.transform.n_fft
        if neighbours.past is None:
            return self._best_start(magnitude, target)
        past = whole.transform.forward(neighbours.past)
        settled = min(past.shape[1], magnitude.shape[1]) - _SETTLED_FRAMES
        past = torch.angle(past[:, : settled + 1])
        onward = peak_locked_phase(magnitude[:, settled:], whole.grid, n_fft, past[:, settled])
        return torch.cat([past[:, :settled], onward], dim=1)

    def _best_start(self, magnitude: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Phases for the first chunk of a song, `[channels, frames, bins]`.

        A wave that is mirrored at its start has a real spectrum there: every phase is 0 or pi at the centre
        of frame 0. The choice for each bin decides how well the first frames can fit their mel, so several
        random choices are decoded and the one with the least misfit is kept.
        """
        whole, (channels, frames, bins) = self._whole, magnitude.shape
        n_fft, head = whole.transform.n_fft, min(frames, START_FRAMES)
        generator = torch.Generator().manual_seed(self.seed)
        signs = torch.randint(0, 2, (channels, START_DRAWS, bins), generator=generator)
        centre = torch.arange(bins) * (math.pi * whole.grid.support / n_fft)
        starts = (math.pi * signs - centre).to(self.device)
        if head >= _SHORTEST_FRAMES:
            tried, wanted = (
                part[:, :head].repeat_interleave(START_DRAWS, dim=0) for part in (magnitude, target)
            )
            phase = peak_locked_phase(tried, whole.grid, n_fft, starts.flatten(0, 1))
            wave = whole.transform.inverse(torch.polar(tried, phase))
            wave = refine(wave, wanted, whole.transform, whole.constraint, START_ITERATIONS)
            misfit = whole.constraint.misfit(whole.transform.forward(wave).abs(), wanted)
            misfit = misfit[:, : head // 2].square().sum((1, 2)).view(channels, START_DRAWS)
            starts = starts[torch.arange(channels, device=self.device), misfit.argmin(1)]
        else:
            starts = starts[:, 0]
        return peak_locked_phase(magnitude, whole.grid, n_fft, starts)

    def _joined_to_beginning(
        self, phase: torch.Tensor, magnitude: torch.Tensor, known: torch.Tensor, seam: int
    ) -> torch.Tensor:
        """Replaces the end of `phase`, so that it arrives at the phases of the loop's start.

        Args:
            phase, magnitude: Of this chunk, `[channels, frames, bins]`.
            known: The wave that holds the loop's start from frame `seam` on.
            seam: Frame of this chunk at which the loop starts again.
        """
        whole = self._whole
        settled = max(CONTEXT_FRAMES, seam - CONTEXT_FRAMES + _SETTLED_FRAMES)
        there = torch.angle(whole.transform.forward(known)[:, settled:])
        free = slice(CONTEXT_FRAMES, settled + 1)
        onward, wanted = phase[:, free], magnitude[:, free]
        backward = peak_locked_phase(wanted, whole.grid, whole.transform.n_fft, there[:, 0], backwards=True)
        return torch.cat(
            [phase[:, :CONTEXT_FRAMES], joined_phases(onward, backward, wanted), there[:, 1:]], dim=1
        )


def _stretched(held: torch.Tensor, samples: int) -> torch.Tensor:
    return torch.nn.functional.interpolate(held[None, None], samples, mode="linear")[0, 0]


@dataclass
class _Neighbours:
    """Waves that are already decoded around a chunk, at the work rate.

    Attributes:
        past: Wave of the chunk before, from this chunk's first context frame on. Its first
            `CONTEXT_FRAMES` are final, the rest is a first version of this chunk.
        beginning: Wave of the loop's start, from `CONTEXT_FRAMES` before the loop's first frame on.
        seam: Frame of this chunk at which the loop starts again; None for all but a loop's last chunk.
    """

    past: torch.Tensor | None = None
    beginning: torch.Tensor | None = None
    seam: float | None = None

    def laid_on(self, frames: int, grid: StftGrid) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The known wave on a chunk of `frames` frames, and the weight with which each sample is held.

        Returns:
            The wave `[channels, samples]` and the weights `[samples]`, from 0 (free) to 1 (fixed); an
            empty wave and None where nothing is known.
        """
        parts = [
            part
            for part in (self.past, self.beginning if self.seam is not None else None)
            if part is not None
        ]
        if not parts:
            return torch.empty(0), None
        samples = frames * grid.hop
        known = parts[0].new_zeros((parts[0].shape[0], samples))
        held = known.new_zeros(samples)
        release = RELEASE_FRAMES * grid.hop
        fade = hann(2 * release, 2 * release, device=known.device)
        if self.past is not None:
            border = CONTEXT_FRAMES * grid.hop
            length = min(self.past.shape[1], samples)
            known[:, :length] = self.past[:, :length]
            held[:border] = 1.0
            held[border : border + release] = fade[release:][: max(0, samples - border)]
        if self.seam is not None and self.beginning is not None:
            # The loop's start is rarely at a whole sample of the work rate, so the wave is delayed.
            at = (self.seam - CONTEXT_FRAMES) * grid.hop
            whole, after = math.floor(at), math.ceil(self.seam * grid.hop)
            shifted = delayed(self.beginning, at - whole)
            first, stop = max(whole, CONTEXT_FRAMES * grid.hop), min(whole + shifted.shape[1], samples)
            known[:, first:stop] = shifted[:, first - whole : stop - whole]
            held[after - release : after] = fade[:release]
            held[after:stop] = 1.0
        return known, held
