"""What one key of a sound font's zone sounds like: pitch, loop, filter, envelopes and their modulation.

Source: *SoundFont Technical Specification 2.04*, sections 8.1 (generators), 8.4 (modulators) and 9 (model).
The modulation envelope keeps its sustain level after the key is released; all else follows the specification,
with two habits of FluidSynth that sound fonts rely on: attenuation in generators counts 0.4 times, and
velocity closes no filter unless the font says so.

Conventions: levels are amplitudes, lengths are samples at `SAMPLE_RATE`, key and velocity are MIDI numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from riffcomposer.composer.theory import Note
from riffcomposer.scipy_signal import signal
from riffcomposer.synth.soundfont_file import ATTENUATION, VELOCITY_TO_ATTENUATION, Wave, Zone
from riffcomposer.synth.voices import SAMPLE_RATE, Audio

RANGE_DB = 100.0
"""Decay and release times are how long a level takes to fall by this much."""

_SILENT_DB = 90.0
_GENERATOR_ATTENUATION = 0.4
_OPEN_FILTER_HZ = 18000.0
_FILTER_BLOCK, _FILTER_STEP_CENTS = 256, 25.0
_FILTER_CUTOFF, _FILTER_Q = 8, 9
BEND_S = 0.087
"""Time in which a bent note reaches its pitch."""

Cents = npt.NDArray[np.float64]
_Curve = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tone:
    """One key of a zone, held without end.

    Attributes:
        audio: The sound before the volume envelope, [samples].
        held: The volume envelope while the key is down, same length.
    """

    audio: Audio
    held: Audio


def _seconds(timecents: float) -> float:
    return 0.0 if timecents <= -12000 else float(2.0 ** (timecents / 1200))


def modulation(source: int, amount: int, key: int, velocity: int) -> float:
    """What a modulator adds to its destination for a note (section 8.2.1 and 8.2.2).

    Args:
        source: Its source enumerator: index, direction, polarity and curve.
        amount: Its amount, in the destination's unit.
        key, velocity: The note's.
    """
    share = (velocity if source & 0x7F == 2 else key) / 127
    if source & 0x100:
        share = 1 - share
    curve = source >> 10
    if curve == 1:
        share = _concave(share)
    elif curve == 2:
        share = 1 - _concave(1 - share)
    elif curve == 3:
        share = float(share >= 0.5)
    return amount * (2 * share - 1 if source & 0x200 else share)


def _concave(share: float) -> float:
    return 1.0 if share >= 1 else min(1.0, -40 / 96 * math.log10(1 - share))


def _modulated(zone: Zone, generator: int, key: int, velocity: int) -> float:
    return zone[generator] + sum(
        modulation(source, amount, key, velocity)
        for (source, to), amount in zone.modulators.items()
        if to == generator
    )


def level(zone: Zone, key: int, velocity: int) -> float:
    """The amplitude of a note in a zone, 0..1: the zone's attenuation and the velocity's."""
    by_note = _modulated(zone, ATTENUATION, key, velocity) - zone[ATTENUATION]
    centibels = max(0.0, _GENERATOR_ATTENUATION * zone[ATTENUATION] + by_note)
    return float(10 ** (-centibels / 200))


def tone_key(zone: Zone, key: int, velocity: int, bend: float) -> tuple[float, ...]:
    """What a `Tone` depends on; notes for which this is the same share one."""
    moved = any(identity != VELOCITY_TO_ATTENUATION for identity in zone.modulators)
    return (zone.number, key, bend, velocity if moved else 0)


def release_samples(zone: Zone) -> int:
    """How long a note sounds on after its key is released, until it is inaudible."""
    return max(64, int(_seconds(zone[38]) * _SILENT_DB / RANGE_DB * SAMPLE_RATE))


def falling(seconds: float, samples: int) -> Audio:
    """An exponential fall from 1 that takes `seconds` for `RANGE_DB`, at least a millisecond."""
    rate = math.log(10) * RANGE_DB / 20 / (max(seconds, 1e-3) * SAMPLE_RATE)
    return np.exp(-rate * np.arange(samples)).astype(np.float32)


def release(zone: Zone, samples: int) -> Audio:
    """The fall of a note's level after its key is released, [samples], from 1."""
    return falling(_seconds(zone[38]), samples)


def _segments(zone: Zone, first: int, samples: int, key: int, floor: float, *, in_db: bool) -> _Curve:
    """Delay, attack, hold, decay and sustain, 0..1, from the generators that begin at `first`."""
    scale = 60 - key
    delay, attack, hold, decay = (
        _seconds(timecents)
        for timecents in (
            zone[first],
            zone[first + 1],
            zone[first + 2] + scale * zone[first + 6],
            zone[first + 3] + scale * zone[first + 7],
        )
    )
    t = np.arange(samples) / SAMPLE_RATE - delay
    rise = np.clip(t / attack, 0, 1) if attack > 0 else (t >= 0).astype(np.float64)
    since = np.maximum(0.0, t - attack - hold)
    if not in_db:
        fall = 1 - since / decay if decay > 0 else (since <= 0).astype(np.float64)
        return np.asarray(rise * np.maximum(fall, floor), np.float64)
    if floor >= 1:
        return np.asarray(rise, np.float64)
    rate = math.log(10) * RANGE_DB / 20 / max(decay, 1e-3)
    return np.asarray(rise * np.maximum(np.exp(-rate * since), floor), np.float64)


def _volume(zone: Zone, samples: int, key: int) -> _Curve:
    floor = 10 ** (-min(1440, max(0, zone[37])) / 200)
    return _segments(zone, 33, samples, key, floor, in_db=True)


def _oscillator(delay_timecents: int, cents: int, samples: int) -> _Curve:
    """A low-frequency triangle that begins at 0 after its delay; `cents` are above 8.176 Hz."""
    t = np.maximum(0.0, np.arange(samples) / SAMPLE_RATE - _seconds(delay_timecents))
    phase = t * 8.176 * 2 ** (cents / 1200) + 0.25
    return np.asarray(1 - 4 * np.abs(phase % 1 - 0.5), np.float64)


def _source(wave: Wave, zone: Zone, positions: _Curve) -> tuple[Audio, _Curve]:
    """What `interpolated` reads for a zone: its sample with margins, and `positions` within it.

    A sample that loops holds its loop twice, and positions after the first pass are brought back into the
    second; positions after the end of one that does not loop are left out.
    """
    offset = [zone[fine] + 32768 * zone[coarse] for fine, coarse in ((0, 4), (1, 12), (2, 45), (3, 50))]
    first, last = max(0, offset[0]), len(wave.audio) + min(0, offset[1])
    body = wave.audio[first:last]
    margin = np.zeros(3, np.float32)
    if wave.loop is not None and zone[54] in (1, 3):
        start, end = wave.loop[0] + offset[2] - first, wave.loop[1] + offset[3] - first
        if 0 <= start < end <= len(body):
            loop, margin = body[start:end], np.resize(body[start:end], 3)
            body = np.concatenate([body[:end], loop])
            late = np.searchsorted(positions, end)
            positions = np.concatenate([positions[:late], end + (positions[late:] - end) % (end - start)])
    source = np.concatenate([np.zeros(1, np.float32), body, margin])
    return source, positions[positions < len(source) - 4]


def interpolated(source: Audio, positions: _Curve) -> Audio:
    """Reads a sound between its samples, by cubic Hermite interpolation.

    Args:
        source: The sound with one sample of margin before it and two behind, [samples].
        positions: Where to read, in samples from the first after the margin; none below 0.
    """
    whole = positions.astype(np.intp)
    part = (positions - whole).astype(np.float32)
    before, here, after, later = (source.take(whole + step) for step in range(4))
    slope = 0.5 * (after - before)
    bow = before - 2.5 * here + 2 * after - 0.5 * later
    twist = 0.5 * (later - before) + 1.5 * (here - after)
    return np.asarray(((twist * part + bow) * part + slope) * part + here, np.float32)


def _lowpass(cutoff_hz: float, q_centibels: float) -> tuple[_Curve, _Curve]:
    """A second-order resonant low pass (Bristow-Johnson's cookbook) of gain 1 / sqrt(Q)."""
    q = 10 ** ((max(0.0, q_centibels) / 10 - 3.01) / 20)
    omega = 2 * math.pi * min(max(cutoff_hz, 20.0), _OPEN_FILTER_HZ) / SAMPLE_RATE
    alpha, cosine = math.sin(omega) / (2 * q), math.cos(omega)
    gain = (1 - cosine) / (1 + alpha) / max(1.0, math.sqrt(q))
    return np.array([gain / 2, gain, gain / 2]), np.array(
        [1, -2 * cosine / (1 + alpha), (1 - alpha) / (1 + alpha)]
    )


def _filtered(audio: Audio, cents: float | _Curve, q_centibels: float) -> Audio:
    """Filters with a cutoff in absolute cents that is fixed, or that changes in blocks and steps."""
    if isinstance(cents, float):
        cutoff_hz = 8.176 * 2 ** (cents / 1200)
        if cutoff_hz >= _OPEN_FILTER_HZ and q_centibels <= 0:
            return audio
        return signal.lfilter(*_lowpass(cutoff_hz, q_centibels), audio).astype(np.float32)
    out, state = np.empty_like(audio), np.zeros(2)
    steps = np.rint(cents[::_FILTER_BLOCK] / _FILTER_STEP_CENTS)
    starts = np.flatnonzero(np.diff(steps, prepend=np.nan) != 0)
    for first, last in pairwise([*starts, len(steps)]):
        block = slice(first * _FILTER_BLOCK, last * _FILTER_BLOCK)
        cutoff_hz = 8.176 * 2 ** (float(steps[first]) * _FILTER_STEP_CENTS / 1200)
        out[block], state = signal.lfilter(*_lowpass(cutoff_hz, q_centibels), audio[block], zi=state)
    return out


def glide_cents(bend: float, samples: int) -> Cents | None:
    """How far a note that starts `bend` semitones off its pitch is from it, [samples]; None if it never is.

    It is there after `BEND_S`.
    """
    if not bend:
        return None
    left = np.maximum(0.0, 1 - np.arange(samples) / (BEND_S * SAMPLE_RATE))
    return np.asarray(100 * bend * left**1.5)


def make_tone(zone: Zone, wave: Wave, note: Note, samples: int, off_pitch: Cents | None) -> Tone:
    """Plays one key of a zone.

    Args:
        zone: The zone.
        wave: Its sample, decoded.
        note: Its pitch, and its velocity for zones whose filter or pitch follows it.
        samples: Most samples that are needed; samples without a loop may end earlier.
        off_pitch: Distance from the note's pitch in cents, [samples]; None for none.
    """
    key, velocity = note.pitch, note.velocity
    root = zone[58] if zone[58] >= 0 else wave.key
    fixed = zone[46] if zone[46] >= 0 else key
    cents = zone[56] * (fixed - root) + 100 * zone[51] + zone[52] + wave.correction
    ratio = wave.rate / SAMPLE_RATE * 2 ** (cents / 1200)

    # 1. The low-frequency oscillators and the modulation envelope, where the font uses them.
    to_pitch = {number: _modulated(zone, number, key, velocity) for number in (5, 6, 7)}
    to_filter = {number: _modulated(zone, number, key, velocity) for number in (10, 11)}
    tremolo = _modulated(zone, 13, key, velocity)
    tremor = _oscillator(zone[21], zone[22], samples) if to_pitch[5] or to_filter[10] or tremolo else None
    vibrato = _oscillator(zone[23], zone[24], samples) if to_pitch[6] else None
    shape = None
    if to_pitch[7] or to_filter[11]:
        floor = 1 - min(1000, max(0, zone[29])) / 1000
        shape = _segments(zone, 25, samples, key, floor, in_db=False)

    # 2. Where the sample is read.
    curves = ((tremor, to_pitch[5]), (vibrato, to_pitch[6]), (shape, to_pitch[7]))
    moves = [amount * curve for curve, amount in curves if curve is not None and amount]
    if off_pitch is not None:
        moves.append(off_pitch)
    if moves:
        steps = ratio * np.exp2(np.sum(moves, axis=0) / 1200)
        positions = np.concatenate([[0.0], np.cumsum(steps[:-1])])
    else:
        positions = np.arange(samples) * ratio
    audio = interpolated(*_source(wave, zone, positions))

    # 3. Filter, tremolo and the volume envelope.
    cutoff = _modulated(zone, _FILTER_CUTOFF, key, velocity)
    q_centibels = _modulated(zone, _FILTER_Q, key, velocity)
    openings = ((tremor, to_filter[10]), (shape, to_filter[11]))
    opened = [amount * curve[: len(audio)] for curve, amount in openings if curve is not None and amount]
    audio = _filtered(audio, cutoff + np.sum(opened, axis=0) if opened else float(cutoff), q_centibels)
    if tremolo and tremor is not None:
        audio = (audio * 10 ** (tremolo * tremor[: len(audio)] / 200)).astype(np.float32)
    return Tone(audio, _volume(zone, len(audio), key).astype(np.float32))
