"""Drum machines of our own in the manner of the 808 and the 909, a gated eighties kit and chip noise.

Each sound is synthesised once for a piece (with that piece's tuning) and then placed like a sample.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.signal as signal

from riffcomposer.composer.theory import Note
from riffcomposer.synth.voices import SAMPLE_RATE, Audio

KITS = ("808", "909", "gated", "chip")
_SQUARES_HZ = (205.3, 304.4, 369.6, 522.7, 540.0, 800.0)
_TOMS = {50: 2.0, 48: 1.7, 47: 1.45, 45: 1.25, 43: 1.0, 41: 0.85}


def _time(seconds: float) -> npt.NDArray[np.float64]:
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _band(audio: npt.NDArray[np.float64], low_hz: float, high_hz: float) -> npt.NDArray[np.float64]:
    return signal.sosfilt(signal.butter(2, [low_hz, high_hz], "band", fs=SAMPLE_RATE, output="sos"), audio)


def _high(audio: npt.NDArray[np.float64], cutoff_hz: float) -> npt.NDArray[np.float64]:
    return signal.sosfilt(signal.butter(2, cutoff_hz, "high", fs=SAMPLE_RATE, output="sos"), audio)


def _swept(start_hz: float, end_hz: float, fall_s: float, seconds: float) -> npt.NDArray[np.float64]:
    t = _time(seconds)
    phase = np.cumsum(end_hz + (start_hz - end_hz) * np.exp(-t / fall_s)) / SAMPLE_RATE
    return np.sin(2 * np.pi * phase)


def _metal(seconds: float, tune: float) -> npt.NDArray[np.float64]:
    """Six squares at odd ratios: the metal of both machines' hats and cymbals."""
    t = _time(seconds)
    return np.asarray(sum(np.sign(np.sin(2 * np.pi * hz * tune * 2.1 * t)) for hz in _SQUARES_HZ)) / 6


def _sound(kit: str, drum: int, tune: float, g: np.random.Generator) -> npt.NDArray[np.float64]:
    noise = g.standard_normal
    if kit == "chip":
        return _chip(drum, tune, g)
    is808 = kit == "808"
    if drum in (35, 36):
        if is808:
            t = _time(0.9)
            return 1.3 * np.tanh(1.3 * _swept(150 * tune, 48 * tune, 0.02, 0.9) * np.exp(-t / 0.28))
        t = _time(0.38)
        click = _high(noise(len(t)) * np.exp(-t / 0.004), 1500) * 0.25
        return 1.2 * np.tanh(2.2 * _swept(260 * tune, 52 * tune, 0.03, 0.38) * np.exp(-t / 0.12)) + click
    if drum in (38, 40):
        if kit == "gated":
            t = _time(0.34)
            gate = np.where(t < 0.22, 1.0, np.exp(-(t - 0.22) / 0.015))
            body = _swept(260 * tune, 180 * tune, 0.03, 0.34) * np.exp(-t / 0.09)
            return 1.1 * np.tanh(
                1.5 * body + 1.3 * _band(noise(len(t)), 400, 7000) * (0.4 * gate + 0.8 * np.exp(-t / 0.05))
            )
        t = _time(0.25)
        low, high = (180, 330) if is808 else (190, 280)
        body = (np.sin(2 * np.pi * low * tune * t) + 0.6 * np.sin(2 * np.pi * high * tune * t)) * np.exp(
            -t / (0.06 if is808 else 0.09)
        )
        return 0.7 * body + (0.55 if is808 else 0.8) * _high(noise(len(t)), 1400) * np.exp(
            -t / (0.07 if is808 else 0.1)
        )
    if drum == 39:
        t = _time(0.3)
        bursts = np.asarray(
            sum(np.where(t >= lag, np.exp(-(t - lag) / 0.006), 0.0) for lag in (0, 0.011, 0.022))
        )
        return 1.1 * _band(noise(len(t)), 900, 3200) * (bursts + 0.7 * np.exp(-t / 0.09) * (t > 0.025))
    if drum == 37:
        t = _time(0.08)
        return (np.sin(2 * np.pi * 1700 * tune * t) + np.sin(2 * np.pi * 480 * tune * t)) * np.exp(-t / 0.012)
    if drum in (42, 44, 70, 69, 54):
        t = _time(0.12)
        if drum in (70, 69, 54):
            return 0.5 * _band(noise(len(t)), 4500, 12000) * np.exp(-((t - 0.02) ** 2) / 0.0006)
        return (
            0.55
            * _high(_metal(0.12, tune) + (0.0 if is808 else 0.5) * noise(len(t)), 6500)
            * np.exp(-t / 0.028)
        )
    if drum == 46:
        t = _time(0.5)
        return (
            0.5 * _high(_metal(0.5, tune) + (0.0 if is808 else 0.5) * noise(len(t)), 6000) * np.exp(-t / 0.13)
        )
    if drum in (49, 51, 52, 53, 55, 57, 59):
        t = _time(1.2)
        return (
            0.4
            * _high(_metal(1.2, tune * 1.07) + 0.4 * noise(len(t)), 4500)
            * np.exp(-t / (0.4 if drum in (49, 52, 57) else 0.25))
        )
    if drum == 56:
        t = _time(0.3)
        return (
            0.5
            * _band(
                np.sign(np.sin(2 * np.pi * 540 * tune * t)) + np.sign(np.sin(2 * np.pi * 800 * tune * t)),
                500,
                3000,
            )
            * np.exp(-t / 0.06)
        )
    if drum in _TOMS or drum in (60, 61, 62, 63, 64, 65, 66):
        ratio = _TOMS.get(
            drum, {60: 3.4, 61: 2.6, 62: 2.5, 63: 2.3, 64: 1.7, 65: 2.8, 66: 2.1}.get(drum, 1.0)
        )
        t = _time(0.35)
        return 0.9 * _swept(130 * tune * ratio, 82 * tune * ratio, 0.03, 0.35) * np.exp(-t / 0.1)
    t = _time(0.06)
    return 0.6 * np.sin(2 * np.pi * 2500 * tune * t) * np.exp(-t / 0.01)


def _chip(drum: int, tune: float, g: np.random.Generator) -> npt.NDArray[np.float64]:
    """Noise held for several samples, and a falling square for the kick."""
    if drum in (35, 36) or drum in _TOMS:
        t = _time(0.14)
        return (
            np.sign(_swept(400 * tune, 60 * tune * (1 if drum < 37 else 2), 0.03, 0.14))
            * np.exp(-t / 0.06)
            * 0.8
        )
    seconds, hold = (0.18, 4) if drum in (38, 39, 40) else (0.05, 1) if drum in (42, 44, 70) else (0.3, 2)
    t = _time(seconds)
    held = np.repeat(g.choice([-1.0, 1.0], len(t) // hold + 1), hold)[: len(t)]
    return 0.6 * held * np.exp(-t / (seconds / 3))


def render_drums(
    kit: str, notes: Sequence[Note], seconds_per_beat: float, samples: int, generator: np.random.Generator
) -> Audio:
    """Plays drum notes (General MIDI numbers) on one of `KITS`; a closed hat cuts an open one.

    Returns:
        Audio float32 [samples].
    """
    out = np.zeros(samples, np.float32)
    tune = generator.uniform(0.92, 1.1)
    sounds = {drum: _sound(kit, drum, tune, generator) for drum in sorted({note.pitch for note in notes})}
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
            out[at : at + length] += (0.5 * (note.velocity / 127) ** 1.4 * sound[:length]).astype(np.float32)
    return out
