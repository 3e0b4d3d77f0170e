"""Synthesised drum machines in the manner of the 808 and the 909, a gated eighties kit and chip noise.

Each sound is synthesised once per piece, with that piece's tuning, and then placed like a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from riffcomposer.composer.theory import Note
from riffcomposer.scipy_signal import signal
from riffcomposer.synth.stereo_placement import DRUM_PANS
from riffcomposer.synth.voices import SAMPLE_RATE, Audio

_SQUARES_HZ = (205.3, 304.4, 369.6, 522.7, 540.0, 800.0)
# Pitch relative to the floor tom's, by General MIDI number.
_TOMS = {50: 2.0, 48: 1.7, 47: 1.45, 45: 1.25, 43: 1.0, 41: 0.85}
_SKINS = {**_TOMS, 60: 3.4, 61: 2.6, 62: 2.5, 63: 2.3, 64: 1.7, 65: 2.8, 66: 2.1}
_Sound = npt.NDArray[np.float64]


def _time(seconds: float) -> _Sound:
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _band(audio: _Sound, low_hz: float, high_hz: float) -> _Sound:
    return signal.sosfilt(signal.butter(2, [low_hz, high_hz], "band", fs=SAMPLE_RATE, output="sos"), audio)


def _high(audio: _Sound, cutoff_hz: float) -> _Sound:
    return signal.sosfilt(signal.butter(2, cutoff_hz, "high", fs=SAMPLE_RATE, output="sos"), audio)


def _swept(start_hz: float, end_hz: float, fall_s: float, seconds: float) -> _Sound:
    t = _time(seconds)
    phase = np.cumsum(end_hz + (start_hz - end_hz) * np.exp(-t / fall_s)) / SAMPLE_RATE
    return np.sin(2 * np.pi * phase)


def _metal(seconds: float, tune: float) -> _Sound:
    """Six square waves at inharmonic ratios, the metallic sound of both machines' hats and cymbals."""
    t = _time(seconds)
    return np.asarray(sum(np.sign(np.sin(2 * np.pi * hz * tune * 2.1 * t)) for hz in _SQUARES_HZ)) / 6


@dataclass(frozen=True)
class _Hit:
    """One drum to synthesise.

    Attributes:
        drum: Its General MIDI number.
        tune: Factor by which its frequencies are multiplied.
        generator: Source of its noise.
    """

    drum: int
    tune: float
    generator: np.random.Generator

    def noise(self, samples: int) -> _Sound:
        return self.generator.standard_normal(samples)


_Maker = Callable[[_Hit], _Sound]


def _kick_808(hit: _Hit) -> _Sound:
    t = _time(0.9)
    return 1.3 * np.tanh(1.3 * _swept(150 * hit.tune, 48 * hit.tune, 0.02, 0.9) * np.exp(-t / 0.28))


def _kick_909(hit: _Hit) -> _Sound:
    t = _time(0.38)
    click = _high(hit.noise(len(t)) * np.exp(-t / 0.004), 1500) * 0.25
    return 1.2 * np.tanh(2.2 * _swept(260 * hit.tune, 52 * hit.tune, 0.03, 0.38) * np.exp(-t / 0.12)) + click


def _snare(
    hit: _Hit, *, partials_hz: tuple[float, float], body_s: float, noise_level: float, noise_s: float
) -> _Sound:
    t = _time(0.25)
    low, high = partials_hz
    tones = np.sin(2 * np.pi * low * hit.tune * t) + 0.6 * np.sin(2 * np.pi * high * hit.tune * t)
    body = tones * np.exp(-t / body_s)
    return 0.7 * body + noise_level * _high(hit.noise(len(t)), 1400) * np.exp(-t / noise_s)


def _snare_gated(hit: _Hit) -> _Sound:
    t = _time(0.34)
    gate = np.where(t < 0.22, 1.0, np.exp(-(t - 0.22) / 0.015))
    body = _swept(260 * hit.tune, 180 * hit.tune, 0.03, 0.34) * np.exp(-t / 0.09)
    room = _band(hit.noise(len(t)), 400, 7000) * (0.4 * gate + 0.8 * np.exp(-t / 0.05))
    return 1.1 * np.tanh(1.5 * body + 1.3 * room)


def _clap(hit: _Hit) -> _Sound:
    t = _time(0.3)
    bursts = np.asarray(sum(np.where(t >= lag, np.exp(-(t - lag) / 0.006), 0.0) for lag in (0, 0.011, 0.022)))
    return 1.1 * _band(hit.noise(len(t)), 900, 3200) * (bursts + 0.7 * np.exp(-t / 0.09) * (t > 0.025))


def _rim(hit: _Hit) -> _Sound:
    t = _time(0.08)
    tones = np.sin(2 * np.pi * 1700 * hit.tune * t) + np.sin(2 * np.pi * 480 * hit.tune * t)
    return tones * np.exp(-t / 0.012)


def _shaker(hit: _Hit) -> _Sound:
    t = _time(0.12)
    return 0.5 * _band(hit.noise(len(t)), 4500, 12000) * np.exp(-((t - 0.02) ** 2) / 0.0006)


def _closed_hat(hit: _Hit, *, noise: float) -> _Sound:
    t = _time(0.12)
    return 0.55 * _high(_metal(0.12, hit.tune) + noise * hit.noise(len(t)), 6500) * np.exp(-t / 0.028)


def _open_hat(hit: _Hit, *, noise: float) -> _Sound:
    t = _time(0.5)
    return 0.5 * _high(_metal(0.5, hit.tune) + noise * hit.noise(len(t)), 6000) * np.exp(-t / 0.13)


def _cymbal(hit: _Hit, *, decay_s: float) -> _Sound:
    t = _time(1.2)
    return 0.4 * _high(_metal(1.2, hit.tune * 1.07) + 0.4 * hit.noise(len(t)), 4500) * np.exp(-t / decay_s)


def _cowbell(hit: _Hit) -> _Sound:
    t = _time(0.3)
    squares = np.sign(np.sin(2 * np.pi * 540 * hit.tune * t)) + np.sign(
        np.sin(2 * np.pi * 800 * hit.tune * t)
    )
    return 0.5 * _band(squares, 500, 3000) * np.exp(-t / 0.06)


def _skin(hit: _Hit) -> _Sound:
    """A tom, conga, bongo or timbale."""
    t, ratio = _time(0.35), _SKINS[hit.drum]
    return 0.9 * _swept(130 * hit.tune * ratio, 82 * hit.tune * ratio, 0.03, 0.35) * np.exp(-t / 0.1)


def _click(hit: _Hit) -> _Sound:
    """Any other percussion, for example claves, wood blocks and agogos."""
    t = _time(0.06)
    return 0.6 * np.sin(2 * np.pi * 2500 * hit.tune * t) * np.exp(-t / 0.01)


def _chip_kick(hit: _Hit) -> _Sound:
    """A falling square; toms end an octave above kicks."""
    t = _time(0.14)
    end_hz = 60 * hit.tune * (1 if hit.drum < 37 else 2)
    return np.sign(_swept(400 * hit.tune, end_hz, 0.03, 0.14)) * np.exp(-t / 0.06) * 0.8


def _chip_noise(hit: _Hit, *, seconds: float, hold: int) -> _Sound:
    """Noise of two levels, each held for some samples."""
    t = _time(seconds)
    signs = hit.generator.choice(np.array([-1.0, 1.0]), len(t) // hold + 1)
    held = np.repeat(signs, hold)[: len(t)]
    return 0.6 * held * np.exp(-t / (seconds / 3))


def _machine(kick: _Maker, snare: _Maker, hat_noise: float) -> dict[int, _Maker]:
    """The drums of an analogue machine by General MIDI number; the rest are clicks."""
    long_cymbal, short_cymbal = partial(_cymbal, decay_s=0.4), partial(_cymbal, decay_s=0.25)
    closed_hat = partial(_closed_hat, noise=hat_noise)
    return {
        **dict.fromkeys((35, 36), kick),
        **dict.fromkeys((38, 40), snare),
        37: _rim,
        39: _clap,
        **dict.fromkeys((42, 44), closed_hat),
        46: partial(_open_hat, noise=hat_noise),
        **dict.fromkeys((54, 69, 70), _shaker),
        **dict.fromkeys((49, 52, 57), long_cymbal),
        **dict.fromkeys((51, 53, 55, 59), short_cymbal),
        56: _cowbell,
        **dict.fromkeys(_SKINS, _skin),
    }


_SNARE_808 = partial(_snare, partials_hz=(180, 330), body_s=0.06, noise_level=0.55, noise_s=0.07)
_SNARE_909 = partial(_snare, partials_hz=(190, 280), body_s=0.09, noise_level=0.8, noise_s=0.1)

# kit: (its drums, what all other numbers sound like)
_KITS: dict[str, tuple[dict[int, _Maker], _Maker]] = {
    "808": (_machine(_kick_808, _SNARE_808, 0.0), _click),
    "909": (_machine(_kick_909, _SNARE_909, 0.5), _click),
    "gated": (_machine(_kick_909, _snare_gated, 0.5), _click),
    "chip": (
        {
            **dict.fromkeys((35, 36, *_TOMS), _chip_kick),
            **dict.fromkeys((38, 39, 40), partial(_chip_noise, seconds=0.18, hold=4)),
            **dict.fromkeys((42, 44, 70), partial(_chip_noise, seconds=0.05, hold=1)),
        },
        partial(_chip_noise, seconds=0.3, hold=2),
    ),
}
KITS = tuple(_KITS)


def _sound(kit: str, hit: _Hit) -> _Sound:
    drums, other = _KITS[kit]
    return drums.get(hit.drum, other)(hit)


def render_drums(
    kit: str, notes: Sequence[Note], seconds_per_beat: float, samples: int, generator: np.random.Generator
) -> tuple[Audio, Audio]:
    """Plays drum notes (General MIDI numbers) on one of `KITS`; a closed hat cuts an open one.

    Returns:
        Mid and side (see `stereo_placement`), each float32 [samples].
    """
    out, side = np.zeros(samples, np.float32), np.zeros(samples, np.float32)
    tune = generator.uniform(0.92, 1.1)
    drums = sorted({note.pitch for note in notes})
    sounds = {drum: _sound(kit, _Hit(drum, tune, generator)) for drum in drums}
    hats = sorted(note.start for note in notes if note.pitch in (42, 44))
    for note in notes:
        at = round(note.start * seconds_per_beat * SAMPLE_RATE)
        sound = sounds[note.pitch]
        length = min(len(sound), samples - at)
        if note.pitch == 46 and hats:
            later = next((start for start in hats if start > note.start + 0.05), None)
            if later is not None:
                length = min(length, int((later - note.start) * seconds_per_beat * SAMPLE_RATE))
        if length > 0:
            hit = (0.5 * (note.velocity / 127) ** 1.4 * sound[:length]).astype(np.float32)
            out[at : at + length] += hit
            if note.pitch in DRUM_PANS:
                side[at : at + length] -= np.float32(DRUM_PANS[note.pitch]) * hit
    return out, side
