"""Effects on instruments: reverberation, tape delay, low fidelity, pumping, saturation, cabinet, chorus."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from riffcomposer.scipy_signal import signal
from riffcomposer.synth.voices import SAMPLE_RATE, Audio


@dataclass(frozen=True)
class Room:
    """A reverberation.

    Attributes:
        seconds: Time in which it decays by 60 dB.
        high_cut_hz: Cutoff frequency of its low-pass filter.
        share: Its amplitude relative to the dry sound.
    """

    seconds: float
    high_cut_hz: float
    share: float


# Amplitude that each role sends to the reverberation; less of it makes a part sound closer.
_SENDS = {
    "bass": 0.15,
    "drums": 0.45,
    "percussion": 0.6,
    "lead": 1.0,
    "comp": 0.9,
    "pad": 1.3,
    "second": 1.0,
    "texture": 0.3,
    "foley": 0.6,
}


@cache
def impulse_response(seconds: float, high_cut_hz: float, *, side: bool = False) -> Audio:
    """Noise that decays by 60 dB in `seconds`, darker towards its end, of unit energy.

    The one of the side channel does not correlate with the one of the mid.
    """
    seed = int(seconds * 1000 + high_cut_hz)
    generator = np.random.default_rng((seed, 1) if side else seed)
    samples = int(seconds * SAMPLE_RATE)
    t = np.arange(samples) / SAMPLE_RATE
    noise = generator.standard_normal(samples)
    bright = signal.sosfilt(signal.butter(1, high_cut_hz, fs=SAMPLE_RATE, output="sos"), noise)
    dark = signal.sosfilt(signal.butter(2, high_cut_hz / 4, fs=SAMPLE_RATE, output="sos"), noise)
    fade = np.minimum(1.0, t / seconds * 1.5)
    shaped = (bright * (1 - fade) + 1.6 * dark * fade) * np.exp(-6.9 * t / seconds)
    early = int(0.012 * SAMPLE_RATE)
    shaped[:early] *= np.linspace(0, 1, early)
    return (shaped / np.sqrt(np.sum(shaped**2))).astype(np.float32)


@lru_cache(maxsize=8)
def _response_spectrum(
    seconds: float, high_cut_hz: float, size: int, *, side: bool
) -> npt.NDArray[np.complex64]:
    """The transform of an impulse response, cached because pieces of equal length share it."""
    return np.asarray(scipy.fft.rfft(impulse_response(seconds, high_cut_hz, side=side), size))


def send_level(role: str, wetness: float) -> float:
    """Amplitude that a part of this role sends to the reverberation."""
    return _SENDS.get(role, 0.8) * wetness


def reverberate(send: Audio, room: Room | None, *, side: bool = False) -> Audio:
    """The reverberation of a send signal without the dry sound; silence if `room` is None.

    Args:
        send: The sound that is sent, [samples].
        room: The room.
        side: Whether the side of a stereo signal is wanted, else the mid.
    """
    if room is None or not np.any(send):
        return np.zeros_like(send)
    size = scipy.fft.next_fast_len(len(send) + int(room.seconds * SAMPLE_RATE), real=True)
    response = _response_spectrum(room.seconds, room.high_cut_hz, size, side=side)
    wet = scipy.fft.irfft(scipy.fft.rfft(send, size) * response, size)
    return np.asarray(room.share * wet[: len(send)], np.float32)


def tape_delay(audio: Audio, delay_s: float, feedback: float, cutoff_hz: float = 2500.0) -> Audio:
    """Echoes that lose highs each time around."""
    sos = signal.butter(1, [250, cutoff_hz], "band", fs=SAMPLE_RATE, output="sos")
    out = np.zeros_like(audio)
    echo, lag, level = audio, int(delay_s * SAMPLE_RATE), 1.0
    for repeat in range(1, 5):
        at = repeat * lag
        if at >= len(audio):
            break
        echo = signal.sosfilt(sos, echo).astype(np.float32)
        level *= feedback
        out[at:] += level * echo[: len(audio) - at]
    return out


def low_fidelity(audio: Audio, generator: np.random.Generator, *, crush: bool = True) -> Audio:
    """Imitates an old tape: wow (slow pitch changes), dull highs, soft clipping and few bits."""
    samples = len(audio)
    t = np.arange(samples) / SAMPLE_RATE
    cents, rate = generator.uniform(3, 9), generator.uniform(0.4, 1.1)
    depth = cents / 1200 * np.log(2) / (2 * np.pi * rate)
    positions = (t + depth * np.sin(2 * np.pi * rate * t + generator.uniform(0, 6))) * SAMPLE_RATE
    low = np.clip(positions.astype(np.int64), 0, samples - 2)
    share = (positions - low).astype(np.float32)
    wobbled = audio[low] * (1 - share) + audio[low + 1] * share
    peak = float(np.abs(wobbled).max()) or 1.0
    driven = np.tanh(1.6 * wobbled / peak)
    if crush:
        levels = 2.0 ** generator.integers(8, 11)
        driven = np.round(driven * levels) / levels
    cutoff = generator.uniform(3000, 6500)
    soft = signal.sosfilt(signal.butter(2, cutoff, fs=SAMPLE_RATE, output="sos"), driven)
    return (peak * soft).astype(np.float32)


def pump(audio: Audio, seconds_per_beat: float, depth: float) -> Audio:
    """Ducks the sound on every beat, as a compressor fed by the kick would."""
    phase = (np.arange(len(audio), dtype=np.float32) / np.float32(SAMPLE_RATE * seconds_per_beat)) % 1.0
    return audio * (1 - depth * np.maximum(0.0, 1 - phase / 0.55) ** 1.5).astype(np.float32)


def saturate(audio: Audio, drive: float) -> Audio:
    """Soft clipping that keeps the peak; the higher the drive, the denser the sound."""
    peak = float(np.abs(audio).max()) or 1.0
    return (np.tanh(drive * audio / peak) / np.tanh(drive) * peak).astype(np.float32)


def cabinet(audio: Audio) -> Audio:
    """A guitar speaker: nothing below 80 Hz, little above 4.5 kHz."""
    sos = signal.butter(2, [80, 4800], "band", fs=SAMPLE_RATE, output="sos")
    return signal.sosfilt(sos, audio).astype(np.float32)


def chorus(audio: Audio, generator: np.random.Generator) -> Audio:
    """Two delayed copies whose delay swings slowly."""
    samples = len(audio)
    t = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    out = audio.copy()
    for phase in (0.0, np.pi):
        delay = (0.011 + 0.003 * np.sin(2 * np.pi * 0.6 * t + phase + generator.uniform(0, 1))) * SAMPLE_RATE
        positions = np.clip(np.arange(samples) - delay, 0, samples - 2)
        low = positions.astype(np.int64)
        share = (positions - low).astype(np.float32)
        out += 0.5 * (audio[low] * (1 - share) + audio[low + 1] * share)
    return (out / 1.5).astype(np.float32)
