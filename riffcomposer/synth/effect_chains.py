"""The effect chains that styles name: effects on each part, a reverberation, and an effect on the mix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from riffcomposer.composer.piece import Part
from riffcomposer.synth import instrument_effects
from riffcomposer.synth.instrument_effects import Room
from riffcomposer.synth.voices import Audio

_CHORDS = ("comp", "second", "pad")


@dataclass(frozen=True)
class Track:
    """The sound of one part, between two effects.

    Attributes:
        stem: The sound, [samples].
        part: The part that plays it.
        seconds_per_beat: Length of a beat, which echoes and pumping follow.
        generator: Source of random values.
    """

    stem: Audio
    part: Part
    seconds_per_beat: float
    generator: np.random.Generator


PartEffect = Callable[[Track], Audio]
"""Processes one part's sound; the effect returns the sound of parts that it is not meant for unchanged."""

MixEffect = Callable[[Audio, np.random.Generator], Audio]
"""Processes the mid or the side of a mix; the same generator state gives the same random values."""


def _pumping(depth: float) -> PartEffect:
    def process(track: Track) -> Audio:
        if track.part.role in ("drums", "foley"):
            return track.stem
        return instrument_effects.pump(track.stem, track.seconds_per_beat, depth)

    return process


def _chorus_on_chords(track: Track) -> Audio:
    return (
        instrument_effects.chorus(track.stem, track.generator) if track.part.role in _CHORDS else track.stem
    )


def _amplifier_on_guitars(track: Track) -> Audio:
    if track.part.instrument is None or track.part.instrument.family != "guitar":
        return track.stem
    return instrument_effects.cabinet(
        instrument_effects.saturate(track.stem, track.generator.uniform(2.0, 5.0))
    )


def _dub_echoes(track: Track) -> Audio:
    if track.part.role not in ("comp", "lead", "second"):
        return track.stem
    feedback = track.generator.uniform(0.35, 0.6)
    return track.stem + instrument_effects.tape_delay(track.stem, 0.75 * track.seconds_per_beat, feedback)


def _echo_on_lead(track: Track) -> Audio:
    if track.part.role != "lead":
        return track.stem
    return track.stem + instrument_effects.tape_delay(track.stem, 0.75 * track.seconds_per_beat, 0.35, 5000.0)


def _tape(mixed: Audio, generator: np.random.Generator) -> Audio:
    return instrument_effects.low_fidelity(mixed, generator)


def _glue(mixed: Audio, _generator: np.random.Generator) -> Audio:
    return instrument_effects.saturate(mixed, 1.5)


@dataclass(frozen=True)
class EffectChain:
    """An effect chain.

    Attributes:
        room: Its reverberation, or None.
        parts: Effects on each part, in order.
        whole: Effect on the mix, or None.
    """

    room: Room | None
    parts: tuple[PartEffect, ...] = ()
    whole: MixEffect | None = None


EFFECT_CHAINS: dict[str, EffectChain] = {
    "none": EffectChain(None),
    "dry": EffectChain(Room(0.25, 7000.0, 0.10)),
    "room": EffectChain(Room(0.55, 6500.0, 0.18)),
    "plate": EffectChain(Room(1.4, 8000.0, 0.28), (_echo_on_lead,)),
    "hall": EffectChain(Room(2.3, 5500.0, 0.38)),
    "cathedral": EffectChain(Room(4.0, 4500.0, 0.6)),
    "lofi": EffectChain(Room(0.7, 4500.0, 0.2), whole=_tape),
    "pump": EffectChain(Room(0.9, 7000.0, 0.2), (_pumping(0.75), _echo_on_lead)),
    "pump light": EffectChain(Room(1.1, 7000.0, 0.22), (_pumping(0.45),)),
    "synthwave": EffectChain(Room(1.5, 7500.0, 0.3), (_chorus_on_chords, _echo_on_lead)),
    "dub": EffectChain(Room(1.2, 4500.0, 0.25), (_dub_echoes,)),
    "rock": EffectChain(Room(0.6, 7000.0, 0.16), (_amplifier_on_guitars,), _glue),
}
