"""Layers: several decoded sounds that make up one section of a mix.

The order in a layer is stereo width, window, chain, gain, pan, fades and gate. The sum of a section's layers
then passes through the section's own chain, gain and fades. A layer's reverb rings on after the section's
window, as a section's does.

**Pan** is a balance of the two channels with equal power (the -3 dB law): with `angle` from 0 (left) to 90
degrees (right),

    left = sqrt(2) * cos(angle)      right = sqrt(2) * sin(angle)

so that a layer in the middle is unchanged, and one at a side is 3 dB louder there and silent on the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from riffcomposer.curves import Curve
from riffcomposer.mix.automation import gains, over
from riffcomposer.mix.blocks import BLOCK_SAMPLES, Audio, AudioReader, read_padded
from riffcomposer.mix.chain import Chain, EffectLike
from riffcomposer.mix.fades import Fade, section_fades, under
from riffcomposer.mix.loudness import LoudnessMeter


@dataclass(frozen=True)
class MixLayer:
    """One layer of a section as the mix sees it; positions are absolute samples.

    Attributes:
        audio: As that of a passage.
        gain_db: A number, or a curve over absolute samples.
        pan: From -1 (left) to 1 (right); a number, or a curve over absolute samples.
        fade_in_samples, fade_out_samples: Lengths of its fades at the section's ends.
        gate: Points of sample and gain, in order, with smooth fades between; without any it is always heard.
        chain: Effects in order.
        meter: Measures what the layer adds to its section; None for nothing.
    """

    name: str
    audio: Audio | AudioReader
    gain_db: float | Curve = 0.0
    pan: float | Curve = 0.0
    fade_in_samples: int = 0
    fade_out_samples: int = 0
    gate: tuple[tuple[int, float], ...] = ()
    chain: tuple[EffectLike, ...] = ()
    meter: LoudnessMeter | None = None


def pan_gains(pan: NDArray[np.float64] | float) -> NDArray[np.float32]:
    """The gains of the left and the right channel, `[2, samples]`; their squares add up to 2.

    Args:
        pan: From -1 (left) to 1 (right); one, or one for each sample.
    """
    angle = (np.atleast_1d(pan) + 1) * np.pi / 4
    both = np.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)])
    return np.maximum(both, 0).round(7).astype(np.float32)


def gate_gain(gate: Sequence[tuple[int, float]], positions: NDArray[np.int64]) -> NDArray[np.float32]:
    """The gain of a gate at some positions: sine squared between its points, held before and after them."""
    samples, gains = zip(*gate, strict=True)
    return (np.sin(0.5 * np.pi * np.interp(positions, samples, gains)) ** 2).astype(np.float32)


@dataclass(frozen=True)
class LayerSource:
    """A layer with what its section decides about it.

    Attributes:
        reader: Its audio, of two channels.
        passage_start: Absolute sample of the audio's start.
        start, end: Absolute samples of the section's ends.
        windows: How the section comes in and goes out.
    """

    layer: MixLayer
    reader: AudioReader
    passage_start: int
    start: int
    end: int
    windows: tuple[Fade, ...]

    def play(self, stop: int, sample_rate: int) -> Iterator[Audio]:
        """The layer's share of its section in blocks: from the start to `stop`, then what rings on."""
        layer, position = self.layer, self.start
        fades = section_fades(self.start, self.end, layer.fade_in_samples, layer.fade_out_samples)
        for block in self._through_chain(stop, sample_rate):
            samples = block.shape[1]
            audio = under(block, fades, position) * pan_gains(over(layer.pan, position, samples, sample_rate))
            audio *= gains(layer.gain_db, position, samples, sample_rate)
            if layer.gate:
                audio *= gate_gain(layer.gate, np.arange(position, position + samples))
            if layer.meter is not None:
                layer.meter.push(audio)
            position += samples
            yield audio

    def _through_chain(self, stop: int, sample_rate: int) -> Iterator[Audio]:
        chain = Chain(self.layer.chain, sample_rate, start=self.start)
        for first in range(self.start, stop, BLOCK_SAMPLES):
            last = min(first + BLOCK_SAMPLES, stop)
            audio = read_padded(self.reader, first - self.passage_start, last - self.passage_start)
            yield chain.push(under(audio, self.windows, first))
        yield from chain.tail()


def sum_of_layers(sources: Sequence[LayerSource], stop: int, sample_rate: int) -> Iterator[Audio]:
    """The layers of a section added up, in blocks; one block of each is in memory at a time."""
    # Blocks of all layers have the same lengths; some layers ring on for longer.
    for blocks in zip_longest(*(source.play(stop, sample_rate) for source in sources)):
        heard = [block for block in blocks if block is not None]
        yield np.sum(heard, axis=0, dtype=np.float32)
