"""Golden outputs of the decoder: passages of all presets, a loop, and clips joined as one mel."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from fingerprints import Fingerprint, fingerprint, uniform

from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters(num_frequencies=128)
FRAMES = 120
MONO_SEED, STEREO_SEED = 15, 10
"""Phases with which the last of eight draws is the best one in the first channel, by 0.65 % and 0.36 % (in
the second another one, by 0.13 %): one draw fewer is noticed, and other roundings choose no other draw."""


def synthetic_level(seed: int, channels: int = 1, frames: int = FRAMES) -> np.ndarray:
    """Decaying strokes in random bands over a soft floor, float32 `[channels, 128, frames]`, 0..1.

    Most begin early, so that the decoder's first draws of phases differ in how well they fit.
    """
    bands = PARAMS.num_frequencies
    level = 0.05 + 0.1 * uniform(seed, channels, bands, frames)
    for number, (band, start, size) in enumerate(uniform(seed + 1, 24, 3)):
        centre, first = int(band * (bands - 8)), int(start**3 * (frames - 10))
        stroke = (0.4 + 0.4 * size) * np.exp(-np.arange(frames - first) / 25)
        channel = number % channels
        level[channel, centre : centre + 3, first:] += stroke * np.array([0.5, 1.0, 0.5])[:, None]
    return np.clip(level, 0, 1).astype(np.float32)


def joined_clips() -> dict[str, np.ndarray]:
    """Three clips joined as a passage and as a loop, as levels."""
    from riffcomposer.mix.mel_timeline import MelClip, MelTimeline

    slot = 44100 + 137
    levels = [synthetic_level(20 + 2 * number, 2, 176) for number in range(3)]
    clips = [
        MelClip(number * slot, slot, lambda level=level: level, number)  # type: ignore[misc]
        for number, level in enumerate(levels)
    ]
    found = {}
    for wraps in (False, True):
        timeline = MelTimeline(
            clips,
            start_sample=0,
            body_samples=3 * slot,
            tail_samples=0 if wraps else 20000,
            params=PARAMS,
            wraps=wraps,
        )
        name = "joined clips of a loop" if wraps else "joined clips"
        # Loudness spreads over decades; the level's own power brings it to about one size.
        found[name] = (timeline.read(0, 300) / PARAMS.max_volume) ** PARAMS.power_for_image
    return found


def compute(folder: Path) -> dict[str, Fingerprint]:
    """Case to fingerprint."""
    del folder  # nothing is written
    import torch

    from riffcomposer.spectrogram.decoder import Decoder
    from riffcomposer.spectrogram.mel import mel_from_levels

    mono, stereo = (
        mel_from_levels(torch.from_numpy(synthetic_level(seed, channels)), PARAMS)
        for seed, channels in ((10, 1), (12, 2))
    )
    found = joined_clips()
    decoders = {preset: Decoder(PARAMS, preset, seed=MONO_SEED) for preset in ("fast", "default", "best")}
    for preset, decoder in decoders.items():
        found[preset] = decoder.decode(mono).numpy()
    found["stereo"] = Decoder(PARAMS, "fast", seed=STEREO_SEED).decode(stereo).numpy()
    samples = int(Fraction(FRAMES * 441) - 137)
    loop = decoders["fast"].decode_stream(
        lambda first, count: mono[:, :, first : first + count].numpy(), FRAMES, samples, wraps=True
    )
    found["loop of two chunks"] = np.concatenate(list(loop), axis=1)
    return {name: fingerprint(audio) for name, audio in found.items()}
