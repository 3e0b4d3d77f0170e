"""Golden outputs of mix and master: effects, transitions, width, loops, limiter, a file and its loudness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from fingerprints import Fingerprint, figures, fingerprint, uniform
from mix_signals import EFFECT_SETTINGS, SAMPLE_RATE, Effect

from riffcomposer.mix.blocks import ScratchAudio
from riffcomposer.mix.chain import Chain
from riffcomposer.mix.encoding import SoundFileReader, encode
from riffcomposer.mix.loudness import Loudness, measure
from riffcomposer.mix.master import Master, Mastering, MasterSettings
from riffcomposer.mix.mixdown import MixPassage, MixSection, mixdown

BEAT = SAMPLE_RATE // 2
TARGETS_LUFS = (-11.9, -9.0)
"""On the way to the first one a pass misses it by 0.0255 LU, so that a wider tolerance ends there."""


def _hits(seed: int, samples: int, channels: int = 1) -> np.ndarray:
    """Strokes of falling tones on every beat over a bed of noise, peaks far above the loudness."""
    audio = 0.03 * (uniform(seed, channels, samples) - 0.5)
    x = np.arange(9000)
    for channel in range(channels):
        for number, start in enumerate(range(200 + 500 * channel, samples - 9000, BEAT)):
            turns = (60 + 30 * number + 400 * np.exp(-x / 900)) * x / SAMPLE_RATE
            audio[channel, start : start + 9000] += 0.6 * np.exp(-x / 1500) * np.sin(2 * np.pi * turns)
    return audio.astype(np.float32)


def _whole(audio: ScratchAudio) -> np.ndarray:
    return audio.read(0, audio.samples)


def _loudness(found: Loudness) -> Fingerprint:
    return figures(
        integrated=found.integrated_lufs,
        short_term_max=found.short_term_max_lufs,
        range=found.loudness_range_lu,
        true_peak=found.true_peak_dbtp,
        sample_peak=found.sample_peak_dbfs,
    )


def _effects() -> dict[str, Fingerprint]:
    audio = _hits(1, BEAT, 2)
    found = {}
    for name, parameters in EFFECT_SETTINGS.items():
        chain = Chain([Effect(name, parameters)], SAMPLE_RATE)
        blocks = [chain.push(audio[:, :15000]), chain.push(audio[:, 15000:]), *chain.tail()]
        found[f"effect {name}"] = fingerprint(np.concatenate(blocks, axis=1))
    return found


def mixed_track(folder: Path) -> ScratchAudio:
    """Two passages and four sections: a bridge, a crossfade and a cut, chains, gains and fades."""
    room = (Effect("reverb", {"room_size": 0.3, "wet_level": 0.2}),)
    tilt = (Effect("low_shelf", {"cutoff_frequency_hz": 200.0, "gain_db": 3.0}),)
    sections = (
        MixSection("one", 0, 2 * BEAT, chain=tilt, fade_in_samples=BEAT // 2),
        MixSection("two", 2 * BEAT, 4 * BEAT, BEAT, gain_db=-2.0, chain=room),
    )
    third = MixSection("three", 4 * BEAT, 6 * BEAT, BEAT // 2, gain_db=1.5)
    fourth = MixSection("four", 6 * BEAT, 8 * BEAT, 441, fade_out_samples=BEAT)
    mix, _ = mixdown(
        [
            MixPassage(_hits(2, 5 * BEAT), 0, 4 * BEAT, sections, tail_samples=BEAT),
            MixPassage(_hits(3, 3 * BEAT, 2), 4 * BEAT, 2 * BEAT, (third,), tail_samples=BEAT),
            MixPassage(_hits(4, 2 * BEAT), 6 * BEAT, 2 * BEAT, (fourth,)),
        ],
        total_samples=8 * BEAT,
        sample_rate=SAMPLE_RATE,
        stereo_width=0.7,
        loop=False,
        path=folder / "track.f32",
    )
    return mix


def plain_track(folder: Path) -> ScratchAudio:
    """One mono passage as it is, so that what is done at a track's two ends is heard."""
    level = (0.3 * np.cos(2 * np.pi * 2000 * np.arange(BEAT) / SAMPLE_RATE)).astype(np.float32)
    mix, _ = mixdown(
        [MixPassage(level[None], 0, BEAT, (MixSection("all", 0, BEAT),))],
        total_samples=BEAT,
        sample_rate=SAMPLE_RATE,
        stereo_width=0.0,
        loop=False,
        path=folder / "plain.f32",
    )
    return mix


def _loop(folder: Path) -> ScratchAudio:
    echo = (Effect("delay", {"delay_seconds": 0.3, "feedback": 0.3, "mix": 0.4}),)
    section = MixSection("all", 0, 3 * BEAT, chain=echo)
    mix, _ = mixdown(
        [MixPassage(_hits(5, 3 * BEAT), 0, 3 * BEAT, (section,), wraps=True)],
        total_samples=3 * BEAT,
        sample_rate=SAMPLE_RATE,
        stereo_width=1.0,
        loop=True,
        path=folder / "loop.f32",
    )
    return mix


def _mastered(name: str, master: Master) -> dict[str, Fingerprint]:
    return {
        name: fingerprint(_whole(master.audio)),
        f"figures of {name}": _loudness(master.loudness)
        | figures(gain=master.gain_db, limiter=master.limiter_ceiling_db, passes=master.passes),
    }


def compute(folder: Path) -> dict[str, Fingerprint]:
    """Case to fingerprint; works in an empty folder."""
    track, loop = mixed_track(folder), _loop(folder)
    found = _effects()
    found["track"] = fingerprint(_whole(track))
    found["ends of a track"] = fingerprint(_whole(plain_track(folder)))
    found["loop"] = fingerprint(_whole(loop))
    glue = (Effect("compressor", {"threshold_db": -18.0, "ratio": 2.0}),)
    mastering = Mastering(
        track, MasterSettings(glue), sample_rate=SAMPLE_RATE, loop=False, folder=folder / "track"
    )
    for target in TARGETS_LUFS:
        master = mastering.render(integrated_lufs=target)
        found |= _mastered(f"master at {target:g} LUFS", master)
    encode(master.audio, SAMPLE_RATE, folder / "track.flac", "flac")
    with SoundFileReader(folder / "track.flac") as reader:
        found["flac"] = fingerprint(reader.read(0, reader.samples))
        found["figures of the flac"] = _loudness(measure(reader, SAMPLE_RATE))
    mastering = Mastering(loop, MasterSettings(), sample_rate=SAMPLE_RATE, loop=True, folder=folder / "loop")
    return found | _mastered("master of the loop", mastering.render(integrated_lufs=-9.0))
