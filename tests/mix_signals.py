"""Signals for the tests of the mix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from riffcomposer.curves import Curve
from riffcomposer.mix.mixdown import MixPassage, mixdown

SAMPLE_RATE = 44100


@dataclass(frozen=True)
class Effect:
    """An effect as the song hands it over."""

    name: str
    parameters: dict[str, float | str | Curve] = field(default_factory=dict)


def tones(
    parts: Sequence[tuple[float, float]], sample_rate: int = 48000, hz: float = 1000.0, channels: int = 2
) -> np.ndarray:
    """A sine in steps of (level in dBFS, seconds), alike in all channels, phase running on."""
    gain = np.concatenate([np.full(round(s * sample_rate), 10 ** (db / 20)) for db, s in parts])
    sine = np.sin(2 * np.pi * hz * np.arange(len(gain)) / sample_rate)
    return np.repeat((gain * sine)[None], channels, axis=0).astype(np.float32)


def noise(seconds: float, level: float = 0.1, channels: int = 1, seed: int = 1) -> np.ndarray:
    """White noise."""
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal((channels, round(seconds * SAMPLE_RATE)))).astype(np.float32)


def plucks(seconds: float, seed: int = 1, channels: int = 2) -> np.ndarray:
    """A signal with high peaks: short decaying strokes over almost nothing."""
    rng = np.random.default_rng(seed)
    audio = noise(seconds, 0.003, channels, seed)
    stroke = np.exp(-np.arange(4000) / 300) * np.sin(np.arange(4000) * 0.13)
    for start in range(0, audio.shape[1] - 4000, 11025):
        audio[:, start : start + 4000] += (0.5 + 0.3 * rng.random()) * stroke
    return audio


def strokes(seconds: float, seed: int = 1) -> np.ndarray:
    """Kicks over a bed of noise: peaks 18 dB above the loudness."""
    audio = noise(seconds, 0.02, 2, seed)
    x = np.arange(9000)
    kick = 0.9 * np.exp(-x / 1500) * np.sin(2 * np.pi * (55 + 120 * np.exp(-x / 600)) * x / SAMPLE_RATE)
    for start in range(0, audio.shape[1] - 9000, 22050):
        audio[:, start : start + 9000] += kick.astype(np.float32)
    return audio


EFFECT_SETTINGS: dict[str, dict[str, float | str | Curve]] = {
    "highpass": {"cutoff_frequency_hz": 100},
    "lowpass": {"cutoff_frequency_hz": 3000},
    "peak": {"cutoff_frequency_hz": 500, "gain_db": 6, "q": 2},
    "low_shelf": {"cutoff_frequency_hz": 200, "gain_db": -6},
    "high_shelf": {"cutoff_frequency_hz": 4000, "gain_db": 4},
    "compressor": {"threshold_db": -24, "ratio": 4, "attack_ms": 5, "release_ms": 80},
    "noise_gate": {"threshold_db": -30, "ratio": 4},
    "gain": {"gain_db": -3},
    "reverb": {"room_size": 0.5, "wet_level": 0.3},
    "chorus": {"rate_hz": 2.0},
    "phaser": {"rate_hz": 2.0},
    "delay": {"delay_seconds": 0.1, "feedback": 0.3},
    "distortion": {"drive_db": 12},
    "clipping": {"threshold_db": -12},
    "bitcrush": {"bit_depth": 6},
    "ladder_filter": {"mode": "HPF24", "cutoff_hz": 800, "resonance": 0.3},
}
"""Every effect of the song language with parameters under which it is heard."""


def mix(
    folder: Path,
    passages: Sequence[MixPassage],
    *,
    loop: bool = False,
    width: float = 0.0,
    stems: int = 0,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Mixes passages in a folder; returns the mix and so many stems."""
    total = sum(passage.body_samples for passage in passages)
    track, parts = mixdown(
        passages,
        total_samples=total,
        sample_rate=SAMPLE_RATE,
        stereo_width=width,
        loop=loop,
        path=folder / "mix.f32",
        stem_paths=[folder / f"stem-{number}.f32" for number in range(stems)],
    )
    assert (track.channels, track.samples) == (2, total)
    return track.read(0, total), [part.read(0, total) for part in parts]
