"""Sounds for tests, encoded as other programs write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np

RATE = 44_100


def music(seconds: float = 4.0, rate: int = RATE) -> np.ndarray:
    """A loop with a hit on each half second: loud and quiet enough to move a variable bit rate."""
    time = np.arange(round(seconds * rate)) / rate
    beat = time % 0.5
    hits = 0.4 * np.exp(-beat / 0.05) * np.sin(2 * np.pi * 440 * beat)
    hiss = 0.05 * np.random.default_rng(0).standard_normal(len(time)) * np.exp(-beat / 0.02)
    return (hits + hiss + 0.1 * np.sin(2 * np.pi * 220 * time)).astype(np.float32)


def encode(
    path: Path,
    samples: np.ndarray,
    codec: str,
    container: str | None = None,
    *,
    rate: int = RATE,
    bit_rate: int | None = None,
    options: Mapping[str, str] | None = None,
) -> None:
    """Encodes a mono sound by FFmpeg; the container is told by the name's suffix if it is not given."""
    with av.open(path, "w", format=container, options=dict(options or {})) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        resampler = av.AudioResampler(
            format=stream.codec_context.format or "fltp", layout="mono", rate=stream.codec_context.sample_rate
        )
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = rate
        frame.pts = 0
        for part in resampler.resample(frame):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))


def encode_vbr_mp3(path: Path, samples: np.ndarray, *, xing: bool, quality: int = 2) -> None:
    """An MP3 of variable bit rate, with or without the header that tells its length."""
    with av.open(path, "w", options={} if xing else {"write_xing": "0"}) as file:
        stream = file.add_stream("libmp3lame", rate=RATE, layout="mono", options={"compression_level": "2"})
        stream.codec_context.qscale = True
        stream.codec_context.global_quality = quality * 118
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = RATE
        frame.pts = 0
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
