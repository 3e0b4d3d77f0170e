"""Effect chains: maps the effect names of a song to pedalboard's effects and runs them in blocks.

Only the names in `EFFECTS` are possible; a song cannot name a class, an attribute or a plugin's path. An
effect keeps its state from block to block (`reset=False`), so blocks give the same result as one pass over
the whole. A parameter that moves is set anew every `STEP_SAMPLES`. `tail` returns what rings on after the
input has ended. None of these effects looks ahead: output sample i belongs to input sample i.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pedalboard

from riffcomposer.curves import Curve
from riffcomposer.errors import AudioError
from riffcomposer.mix.automation import moves, values, wrapped
from riffcomposer.mix.blocks import Audio

TAIL_FLOOR = 10 ** (-100 / 20)
"""A tail has ended when it stays below this (-100 dBFS) for half a second and the longest echo."""

BUFFER_SAMPLES = 8192

STEP_SAMPLES = 128
"""Samples for which a moving parameter keeps one value."""

JUMP_STEP_SAMPLES = 16
"""The same where a parameter jumps (`ease: step`)."""

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
    """Makes the effect with its parameters, those that move at their first value.

    Raises:
        AudioError: The name is not in `EFFECTS`, or the effect refuses its parameters.
    """
    if effect.name not in EFFECTS:
        raise AudioError(f"there is no effect {effect.name!r}; there are {', '.join(EFFECTS)}")
    try:
        parameters = dict(effect.parameters)
        first = {
            name: value.values[0] if isinstance(value, Curve) else value for name, value in parameters.items()
        }
        return EFFECTS[effect.name](**first)
    except (TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise AudioError(f"the effect {effect.name!r} refuses its parameters: {reason}") from error


def _next(position: int, step: int) -> int:
    """The first multiple of a step after a position."""
    return (position // step + 1) * step


def _longest(value: float | Curve) -> float:
    return max(value.values) if isinstance(value, Curve) else float(value)


@dataclass(frozen=True)
class _Moving:
    """A parameter that moves."""

    plugin: pedalboard.Plugin
    name: str
    curve: Curve

    def set(self, position: int, sample_rate: int) -> None:
        """Gives the effect the value at an absolute sample."""
        setattr(self.plugin, self.name, float(values(self.curve, np.array([position]), sample_rate)[0]))


class Chain:
    """A chain over one stream of audio, pushed block by block.

    Args:
        effects: Effects in the order in which the sound passes them; without any, the sound is unchanged.
        sample_rate: Sample rate in Hz.
        start: Absolute sample of the first one that is pushed; parameters that move do so by it.
        loop: First and one-past-last absolute sample of a loop; what is pushed before its start is heard as
            what comes before its end.

    Raises:
        AudioError: See `build_effect`.
    """

    def __init__(
        self,
        effects: Sequence[EffectLike],
        sample_rate: int,
        *,
        start: int = 0,
        loop: tuple[int, int] | None = None,
    ) -> None:
        self._board = pedalboard.Pedalboard([build_effect(effect) for effect in effects])
        self._sample_rate = sample_rate
        self._position = start
        self._moving = [
            _Moving(plugin, name, wrapped(value, *loop) if loop else value)
            for plugin, effect in zip(self._board, effects, strict=True)
            for name, value in dict(effect.parameters).items()
            if isinstance(value, Curve)
        ]
        self._channels = 0
        self._quiet_seconds = 0.5 + sum(
            _longest(dict(effect.parameters).get("delay_seconds", 0.5))
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
        first, self._position = self._position, self._position + block.shape[1]
        if not self._moving:
            return self._process(block)
        done = [self._process(block[:, begin - first : end - first]) for begin, end in self._steps(first)]
        return np.concatenate(done, axis=1)

    def _process(self, block: Audio) -> Audio:
        return np.asarray(
            self._board.process(block, self._sample_rate, buffer_size=BUFFER_SAMPLES, reset=False),
            np.float32,
        )

    def _steps(self, first: int) -> Iterator[tuple[int, int]]:
        """Sets what moves, step by step from `first` on, and yields first and one-past-last sample of each.

        Steps are counted from sample 0, so that they do not depend on the blocks.
        """
        begin = first
        while begin < self._position:
            step, end = BUFFER_SAMPLES, min(_next(begin, BUFFER_SAMPLES), self._position)
            moving = [each for each in self._moving if moves(each.curve, begin, end, self._sample_rate)]
            if moving:
                jumps = any(each.curve.ease == "step" for each in moving)
                step = JUMP_STEP_SAMPLES if jumps else STEP_SAMPLES
                end = min(_next(begin, step), self._position)
            for each in self._moving:
                each.set(_next(begin, step) if each in moving else begin, self._sample_rate)
            yield begin, end
            begin = end

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
