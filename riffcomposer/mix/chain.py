"""Effect chains: maps the effect names of a song to pedalboard's effects and runs them in blocks.

Only the names in `EFFECTS` are possible; a song cannot name a class, an attribute or a plugin's path. An
effect keeps its state from block to block (`reset=False`), so blocks give the same result as one pass over
the whole. `tail` returns what rings on after the input has ended. None of these effects looks ahead: output
sample i belongs to input sample i.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pedalboard

from riffcomposer.errors import AudioError
from riffcomposer.mix.blocks import Audio

TAIL_FLOOR = 10 ** (-100 / 20)
"""A tail has ended when it stays below this (-100 dBFS) for half a second and the longest echo."""

BUFFER_SAMPLES = 8192

MAX_TAIL_SECONDS = 30.0
"""Length at which a tail that never ends (a frozen reverb) is faded out."""


class EffectLike(Protocol):
    """An effect of a song (`riffcomposer.song.effects.Effect`)."""

    @property
    def name(self) -> str: ...

    @property
    def parameters(self) -> Any:
        """The parameters, as pairs of name and value or as a mapping."""


def _ladder_filter(*, mode: str = "LPF12", **parameters: float) -> pedalboard.Plugin:
    modes = {
        "LPF12": pedalboard.LadderFilter.LPF12,
        "HPF12": pedalboard.LadderFilter.HPF12,
        "BPF12": pedalboard.LadderFilter.BPF12,
        "LPF24": pedalboard.LadderFilter.LPF24,
        "HPF24": pedalboard.LadderFilter.HPF24,
        "BPF24": pedalboard.LadderFilter.BPF24,
    }
    if mode not in modes:
        raise ValueError(f"mode must be one of {', '.join(modes)}")
    return pedalboard.LadderFilter(mode=modes[mode], **parameters)


EFFECTS: Mapping[str, Callable[..., pedalboard.Plugin]] = {
    "highpass": pedalboard.HighpassFilter,
    "lowpass": pedalboard.LowpassFilter,
    "peak": pedalboard.PeakFilter,
    "low_shelf": pedalboard.LowShelfFilter,
    "high_shelf": pedalboard.HighShelfFilter,
    "compressor": pedalboard.Compressor,
    "noise_gate": pedalboard.NoiseGate,
    "gain": pedalboard.Gain,
    "reverb": pedalboard.Reverb,
    "chorus": pedalboard.Chorus,
    "phaser": pedalboard.Phaser,
    "delay": pedalboard.Delay,
    "distortion": pedalboard.Distortion,
    "clipping": pedalboard.Clipping,
    "bitcrush": pedalboard.Bitcrush,
    "ladder_filter": _ladder_filter,
}


def build_effect(effect: EffectLike) -> pedalboard.Plugin:
    """Makes the effect with its parameters.

    Raises:
        AudioError: The name is not in `EFFECTS`, or the effect refuses its parameters.
    """
    if effect.name not in EFFECTS:
        raise AudioError(f"there is no effect {effect.name!r}; there are {', '.join(EFFECTS)}")
    try:
        return EFFECTS[effect.name](**dict(effect.parameters))
    except (TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise AudioError(f"the effect {effect.name!r} refuses its parameters: {reason}") from error


class Chain:
    """A chain over one stream of audio, pushed block by block.

    Args:
        effects: Effects in the order in which the sound passes them; without any, the sound is unchanged.
        sample_rate: Sample rate in Hz.

    Raises:
        AudioError: See `build_effect`.
    """

    def __init__(self, effects: Sequence[EffectLike], sample_rate: int) -> None:
        self._board = pedalboard.Pedalboard([build_effect(effect) for effect in effects])
        self._sample_rate = sample_rate
        self._channels = 0
        self._quiet_seconds = 0.5 + sum(
            float(dict(effect.parameters).get("delay_seconds", 0.5))
            for effect in effects
            if effect.name == "delay"
        )

    def push(self, block: Audio) -> Audio:
        """Processes the next samples; the result has as many samples as `block`."""
        if not len(self._board) or not block.shape[1]:
            return block
        if not self._channels:
            # pedalboard forgets its state when a block is longer than any before: show it the longest.
            self._channels = block.shape[0]
            self._board.process(np.zeros((self._channels, BUFFER_SAMPLES), np.float32), self._sample_rate)
            self._board.reset()
        return np.asarray(
            self._board.process(block, self._sample_rate, buffer_size=BUFFER_SAMPLES, reset=False),
            np.float32,
        )

    def tail(self) -> Iterator[Audio]:
        """Yields what rings on after the input, until it is below -100 dBFS, for at most 30 seconds."""
        if not len(self._board) or not self._channels:
            return
        step = self._sample_rate // 4
        steps = math.ceil(MAX_TAIL_SECONDS * self._sample_rate / step)
        quiet_steps, needed = 0, math.ceil(self._quiet_seconds * self._sample_rate / step)
        for index in range(steps):
            block = self.push(np.zeros((self._channels, step), np.float32))
            quiet_steps = quiet_steps + 1 if np.abs(block).max(initial=0) < TAIL_FLOOR else 0
            if index == steps - 1:
                block = block * np.linspace(1, 0, block.shape[1], dtype=np.float32)
            yield block
            if quiet_steps >= needed:
                return
