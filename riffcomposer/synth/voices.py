"""Synthesised voices: saws, pulses, FM, pads, plucked strings and bells.

Each voice makes the raw tone of one pitch; `render_notes` applies envelopes and mixes the notes. The tone of
a pitch is made once per part and reused, which makes this about as fast as playing samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riffcomposer.composer.theory import Note
from riffcomposer.scipy_signal import signal

SAMPLE_RATE = 44100
Audio = npt.NDArray[np.float32]


def _phase(frequency: float | npt.NDArray[np.float64], samples: int, start: float) -> npt.NDArray[np.float64]:
    if isinstance(frequency, np.ndarray):
        return np.asarray((start + np.cumsum(frequency) / SAMPLE_RATE) % 1.0, np.float64)
    return np.asarray((start + np.arange(samples) * (frequency / SAMPLE_RATE)) % 1.0, np.float64)


def _blep(phase: npt.NDArray[np.float64], step: float | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The polynomial that rounds off a jump at phase 0 (Välimäki and Huovilainen's PolyBLEP)."""
    after = np.clip(phase / step, 0, 1)
    before = np.clip((phase - 1) / step, -1, 0)
    return (2 * after - after**2 - 1) * (phase < step) + (before**2 + 2 * before + 1) * (phase > 1 - step)


def saw(
    frequency: float | npt.NDArray[np.float64], samples: int, start: float = 0.0
) -> npt.NDArray[np.float64]:
    """A saw wave with little aliasing."""
    phase = _phase(frequency, samples, start)
    return 2 * phase - 1 - _blep(phase, frequency / SAMPLE_RATE)


def pulse(
    frequency: float | npt.NDArray[np.float64], samples: int, width: float, start: float = 0.0
) -> npt.NDArray[np.float64]:
    """A pulse wave: two saws, one shifted by the width."""
    return 0.5 * (saw(frequency, samples, start) - saw(frequency, samples, start + width))


def sine(
    frequency: float | npt.NDArray[np.float64], samples: int, start: float = 0.0
) -> npt.NDArray[np.float64]:
    return np.asarray(np.sin(2 * np.pi * _phase(frequency, samples, start)), np.float64)


def lowpass(audio: npt.NDArray[np.floating], cutoff_hz: float, order: int = 2) -> npt.NDArray[np.float64]:
    return signal.sosfilt(signal.butter(order, min(cutoff_hz, 20000), fs=SAMPLE_RATE, output="sos"), audio)


def _decay(samples: int, seconds: float) -> npt.NDArray[np.float64]:
    """An exponential that falls by 60 dB in `seconds`."""
    return np.exp(-6.9 / seconds / SAMPLE_RATE * np.arange(samples))


def _opening(
    audio: npt.NDArray[np.float64],
    frequency: float,
    dark: float,
    bright: float,
    envelope: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """A filter sweep: fades between a dark and a bright version of the tone."""
    low = lowpass(audio, frequency * dark + 80)
    high = lowpass(audio, frequency * bright + 400)
    return low + (high - low) * envelope


def _supersaw(f: float, n: int, g: np.random.Generator) -> npt.NDArray[np.float64]:
    cents = np.array([-19, -11, -5, 0, 6, 12, 20]) * 0.8
    total = np.zeros(n)
    for detune in cents:
        total += saw(f * 2 ** (detune / 1200), n, g.random())
    return lowpass(total / 3.2, 7500)


def _acid(f: float, n: int, g: np.random.Generator) -> npt.NDArray[np.float64]:
    """A saw through a resonant lowpass whose cutoff falls with the note."""
    raw = saw(f, n, g.random())
    out = np.empty(n)
    state = np.zeros((1, 2))
    start_hz, block = g.uniform(1200, 3200), 256
    for at in range(0, n, block):
        cutoff = 220 + start_hz * np.exp(-at / SAMPLE_RATE / 0.11)
        w = 2 * np.pi * cutoff / SAMPLE_RATE
        alpha = np.sin(w) / (2 * 6.5)
        b0 = (1 - np.cos(w)) / 2
        sos = np.array([[b0, 2 * b0, b0, 1 + alpha, -2 * np.cos(w), 1 - alpha]]) / (1 + alpha)
        out[at : at + block], state = signal.sosfilt(sos, raw[at : at + block], zi=state)
    return np.tanh(1.4 * out)


def _reese(f: float, n: int, g: np.random.Generator) -> npt.NDArray[np.float64]:
    spread = g.uniform(0.6, 1.6)
    total = saw(f - spread / 2, n, g.random()) + saw(f + spread / 2, n, g.random()) + 0.7 * sine(f, n)
    sweep = 0.5 + 0.5 * np.sin(2 * np.pi * g.uniform(0.4, 1.2) * np.arange(n) / SAMPLE_RATE + g.uniform(0, 6))
    return np.tanh(_opening(total, f, 3, 18, sweep) * 0.8)


def _sub(f: float, n: int, _g: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.tanh(1.6 * sine(f, n)) + 0.12 * sine(2 * f, n)


def _sawbass(f: float, n: int, g: np.random.Generator) -> npt.NDArray[np.float64]:
    total = saw(f, n, g.random()) + 0.8 * saw(f * 1.004, n, g.random()) + 0.5 * sine(f / 2, n)
    return 0.6 * _opening(total, f, 3, 22, _decay(n, 0.5))


def _fmbass(f: float, n: int, _g: np.random.Generator) -> npt.NDArray[np.float64]:
    index = 2.6 * _decay(n, 0.7) + 0.5
    t = 2 * np.pi * f * np.arange(n) / SAMPLE_RATE
    return np.sin(t + index * np.sin(t)) * (0.35 + 0.65 * _decay(n, 1.6))


def _fmbell(f: float, n: int, g: np.random.Generator) -> npt.NDArray[np.float64]:
    t = 2 * np.pi * f * np.arange(n) / SAMPLE_RATE
    ratio = g.choice([3.5, 1.4, 2.76])
    return np.sin(t + 2.2 * _decay(n, 1.6) * np.sin(ratio * t)) * _decay(n, 3.4) + 0.3 * np.sin(
        4.2 * t
    ) * _decay(n, 0.7)


def _churchbell(f: float, n: int, g: np.random.Generator) -> npt.NDArray[np.float64]:
    """The partials of a tuned bell: hum, prime, tierce, quint, nominal and above."""
    total = np.zeros(n)
    for ratio, level, seconds in (
        (0.5, 0.5, 9),
        (1, 0.8, 6),
        (1.19, 0.8, 4.5),
        (1.5, 0.4, 3.2),
        (2, 1.0, 4),
        (2.52, 0.4, 2.0),
        (2.66, 0.35, 1.8),
        (3.01, 0.5, 1.6),
        (4.1, 0.4, 1.1),
        (5.43, 0.3, 0.8),
        (6.8, 0.2, 0.5),
    ):
        total += level * sine(f * ratio * (1 + g.normal(0, 0.001)), n, g.random()) * _decay(n, seconds)
    return total / 3


def _chip_vibrato(f: float, n: int) -> npt.NDArray[np.float64]:
    t = np.arange(n) / SAMPLE_RATE
    return f * (1 + 0.006 * np.sin(2 * np.pi * 6 * t) * np.clip((t - 0.18) / 0.1, 0, 1))


def _triangle(f: float, n: int, _g: np.random.Generator) -> npt.NDArray[np.float64]:
    """A triangle wave in sixteen steps, as in early game consoles."""
    return np.round((4 * np.abs(_phase(f, n, 0.25) - 0.5) - 1) * 7.5) / 7.5


def _analogpad(f: float, n: int, g: np.random.Generator) -> npt.NDArray[np.float64]:
    total = sum(saw(f * 2 ** (g.normal(0, 6) / 1200), n, g.random()) for _ in range(3)) + 0.5 * pulse(
        f / 2, n, 0.45, g.random()
    )
    sweep = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / SAMPLE_RATE / g.uniform(4, 9))
    return 0.35 * _opening(total, f, 2.5, 7, sweep)


def _airpad(f: float, n: int, g: np.random.Generator) -> npt.NDArray[np.float64]:
    air = g.standard_normal(n)
    w = 2 * np.pi * f / SAMPLE_RATE
    breath = np.zeros(n)
    for harmonic, level in ((1, 1.0), (2, 0.5), (3, 0.2)):
        radius = 1 - 0.0006 * harmonic
        breath += level * signal.lfilter(
            [(1 - radius) * 12], [1, -2 * radius * np.cos(w * harmonic), radius**2], air
        )
    return 0.7 * sine(f, n, g.random()) + 0.3 * sine(f * 2.003, n) + breath


def _drone(f: float, n: int, g: np.random.Generator) -> npt.NDArray[np.float64]:
    total = saw(f, n, g.random()) + saw(f * 1.006, n, g.random()) + 0.7 * saw(f * 1.498, n, g.random())
    sweep = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / SAMPLE_RATE / g.uniform(5, 12) + g.uniform(0, 6))
    return 0.5 * _opening(total, f, 2, 10, sweep)


def _pluck(f: float, n: int, g: np.random.Generator) -> npt.NDArray[np.float64]:
    total = saw(f, n, g.random()) + saw(f * 1.005, n, g.random())
    return 0.5 * _opening(total, f, 1.5, 14, _decay(n, 0.5)) * (0.1 + 0.9 * _decay(n, 1.0))


def _stringmachine(f: float, n: int, g: np.random.Generator) -> npt.NDArray[np.float64]:
    t = np.arange(n) / SAMPLE_RATE
    total = np.zeros(n)
    for lag in range(3):
        total += saw(
            f * (1 + 0.0022 * np.sin(2 * np.pi * (0.6 * t + lag / 3)) + 0.0006 * np.sin(2 * np.pi * 6 * t)),
            n,
            g.random(),
        )
    return 0.3 * lowpass(total - lowpass(total, 150, 1), 5000)


def _karplus(f: float, n: int, g: np.random.Generator) -> npt.NDArray[np.float64]:
    """A plucked string: a burst of noise through a comb with a gentle lowpass in its loop."""
    period = max(2, round(SAMPLE_RATE / f - 0.5))
    burst = np.zeros(n)
    count = min(n, period)
    burst[:count] = lowpass(g.uniform(-1, 1, period), 5000)[:count]
    loss = 0.5 * 0.996
    denominator = np.zeros(period + 2)
    denominator[0], denominator[period], denominator[period + 1] = 1, -loss, -loss
    return 1.6 * signal.lfilter([1.0], denominator, burst) if period > 2 else burst


def _organtone(f: float, n: int, g: np.random.Generator) -> npt.NDArray[np.float64]:
    bars = (0.8, 0.5, 1.0, 0.6, 0.35, 0.25, 0.15, 0.2)
    ratios = (0.5, 1.5, 1, 2, 3, 4, 5, 6)
    t = np.arange(n) / SAMPLE_RATE
    leslie = 1 + 0.0025 * np.sin(2 * np.pi * 6.3 * t)
    total = sum(
        level * sine(f * ratio * leslie, n, g.random()) for level, ratio in zip(bars, ratios, strict=True)
    )
    return np.asarray(total) / 2.2 + 0.25 * g.standard_normal(n) * _decay(n, 0.015)


def _gliding_saw(frequency: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 0.6 * saw(frequency, len(frequency))


def _gliding_pulse(frequency: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return pulse(frequency, len(frequency), 0.25)


@dataclass(frozen=True)
class Patch:
    """A voice of the synthesiser.

    Attributes:
        tone: Function of frequency in Hz, length in samples and a generator that returns the raw tone.
        attack_s, release_s: Lengths of attack and release in seconds.
        gliding: Function of the frequency at each sample that returns the tone of a bent note; None for a
            voice that ignores bends.
    """

    tone: Callable[[float, int, np.random.Generator], npt.NDArray[np.float64]]
    attack_s: float
    release_s: float
    gliding: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]] | None = None


VOICES: dict[str, Patch] = {
    "supersaw": Patch(_supersaw, 0.006, 0.16, _gliding_saw),
    "acid": Patch(_acid, 0.002, 0.02),
    "reese": Patch(_reese, 0.01, 0.06),
    "sub": Patch(_sub, 0.006, 0.06),
    "sawbass": Patch(_sawbass, 0.003, 0.05),
    "fmbass": Patch(_fmbass, 0.002, 0.06),
    "pulse12": Patch(lambda f, n, g: pulse(_chip_vibrato(f, n), n, 0.125), 0.001, 0.01),
    "pulse25": Patch(lambda f, n, g: pulse(_chip_vibrato(f, n), n, 0.25), 0.001, 0.01, _gliding_pulse),
    "pulse50": Patch(lambda f, n, g: pulse(_chip_vibrato(f, n), n, 0.5), 0.001, 0.01, _gliding_pulse),
    "triangle": Patch(_triangle, 0.001, 0.01),
    "fmbell": Patch(_fmbell, 0.001, 1.2),
    "churchbell": Patch(_churchbell, 0.001, 4.0),
    "glide": Patch(
        lambda f, n, g: 0.5 * lowpass(saw(_chip_vibrato(f, n), n) + pulse(f * 1.003, n, 0.4), 6 * f + 800),
        0.02,
        0.1,
        _gliding_saw,
    ),
    "analogpad": Patch(_analogpad, 0.35, 0.9),
    "airpad": Patch(_airpad, 0.5, 1.2),
    "drone": Patch(_drone, 0.8, 1.5),
    "pluck": Patch(_pluck, 0.002, 0.15),
    "stringmachine": Patch(_stringmachine, 0.12, 0.4),
    "karplus": Patch(_karplus, 0.001, 0.25),
    "organtone": Patch(_organtone, 0.005, 0.05),
}


def render_notes(
    voice: str, notes: Sequence[Note], seconds_per_beat: float, samples: int, generator: np.random.Generator
) -> Audio:
    """Plays notes with one of `VOICES`.

    Args:
        voice: Name of the voice.
        notes: Notes in order of their starts.
        seconds_per_beat: Length of a beat.
        samples: Length of the result.
        generator: Source of start phases, detuning and noise.

    Returns:
        Audio float32 [samples].
    """
    patch = VOICES[voice]
    out = np.zeros(samples, np.float32)
    attack, release = int(patch.attack_s * SAMPLE_RATE) + 1, int(patch.release_s * SAMPLE_RATE) + 1
    longest: dict[int, int] = {}
    spans: list[tuple[Note, int, int]] = []
    for note in notes:
        at = round(note.start * seconds_per_beat * SAMPLE_RATE)
        length = max(attack, int(note.length * seconds_per_beat * SAMPLE_RATE)) + release
        length = min(length, samples - at)
        if length > 32:
            spans.append((note, at, length))
            longest[note.pitch] = max(longest.get(note.pitch, 0), length)
    tones: dict[int, npt.NDArray[np.float64]] = {}
    for note, at, length in spans:
        frequency = 440.0 * 2 ** ((note.pitch - 69) / 12)
        if note.bend and patch.gliding is not None:
            t = np.arange(length) / SAMPLE_RATE
            body = patch.gliding(frequency * 2 ** (note.bend / 12 * np.exp(-t / 0.06)))
        else:
            if note.pitch not in tones:
                tones[note.pitch] = patch.tone(frequency, longest[note.pitch], generator)
            body = tones[note.pitch][:length]
        shaped = body * (0.25 * (note.velocity / 127) ** 1.5)
        rise = min(attack, length)
        shaped[:rise] *= np.linspace(0, 1, rise)
        fall = min(release, length)
        shaped[length - fall :] *= np.linspace(1, 0, fall) ** 2
        out[at : at + length] += shaped.astype(np.float32)
    return out
