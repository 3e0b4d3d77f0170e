"""Recordings as what clips start from: each clip has its own bars, and only those are read."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from encoded_sounds import RATE, encode

from riffcomposer.diffusion import recordings
from riffcomposer.diffusion.init_clips import fit_init
from riffcomposer.media.sound import can_seek, sound_seconds
from riffcomposer.plan.types import InitClip
from riffcomposer.spectrogram.audio_files import read_audio
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters()
BAR_SECONDS = 2.56
"""A bar of 4/4 at 93.75 BPM: 256 frames."""


def tones(bars: int) -> np.ndarray:
    """A recording with a tone of its own in each bar: 300 Hz, 600 Hz, 900 Hz, ..."""
    samples = round(bars * BAR_SECONDS * RATE)
    bar = np.arange(samples) // round(BAR_SECONDS * RATE)
    return (0.3 * np.sin(2 * np.pi * 300 * (bar + 1) * np.arange(samples) / RATE)).astype(np.float32)


def write(path: Path, bars: int) -> Path:
    if path.suffix == ".mp3":
        encode(path, tones(bars), "libmp3lame", bit_rate=128_000)
    else:
        soundfile.write(path, tones(bars), RATE)
    return path


def fitted(path: Path, bar: Fraction | int, *, bars: int, width: int = 320) -> np.ndarray:
    init = InitClip(
        "audio", path.name, path, "", Fraction(375, 4), Fraction(4 * bars), at_quarters=Fraction(4 * bar)
    )
    return fit_init(
        init, width_frames=width, frames_per_quarter=Fraction(64), clip_quarters=Fraction(4), params=PARAMS
    )


def heard(level: np.ndarray) -> int:
    """Which bar's tone is loudest, counted from 0."""
    peaks = [np.argmax(level[0].mean(axis=1))]
    alone = [int(np.argmax(_tone_level(number))) for number in range(8)]
    return int(np.argmin([abs(int(peaks[0]) - band) for band in alone]))


_levels: dict[int, np.ndarray] = {}


def _tone_level(number: int) -> np.ndarray:
    from riffcomposer.spectrogram.mel import levels_from_mel, mel_from_audio

    if number not in _levels:
        import torch

        time = np.arange(RATE) / RATE
        tone = np.sin(2 * np.pi * 300 * (number + 1) * time).astype(np.float32)[None]
        _levels[number] = (
            levels_from_mel(mel_from_audio(torch.from_numpy(0.3 * tone), PARAMS), PARAMS)[0]
            .numpy()
            .mean(axis=1)
        )
    return _levels[number]


@pytest.mark.parametrize("name", ["take.wav", "take.flac", "take.mp3"])
def test_each_clip_starts_from_its_own_bar(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, 6)
    assert [heard(fitted(path, bar, bars=6)[:, :, 20:230]) for bar in range(6)] == list(range(6))


def test_a_recording_starts_again_after_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "take.wav", 6)
    level = fitted(path, 5, bars=6, width=512)
    assert heard(level[:, :, 20:240]) == 5
    assert heard(level[:, :, 270:490]) == 0


def test_the_surplus_of_a_clip_is_the_next_clips_start(tmp_path: Path) -> None:
    path = write(tmp_path / "take.wav", 6)
    one, two = (fitted(path, bar, bars=6) for bar in (2, 3))
    np.testing.assert_allclose(one[:, :, 256:310], two[:, :, :54], atol=2e-3)


def test_only_what_a_clip_needs_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "take.wav", 40)
    lengths: list[float] = []
    read = read_audio

    def watched(*args: Any, **options: Any) -> np.ndarray:
        lengths.append(options["duration_seconds"])
        return read(*args, **options)

    monkeypatch.setattr(recordings, "read_audio", watched)
    fitted(path, 30, bars=40)
    assert lengths == [pytest.approx(3.4, abs=0.1)]


def test_a_file_that_cannot_be_sought_is_decoded_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "_PIECE_SECONDS", 8)
    monkeypatch.setattr(recordings, "_REACH_SECONDS", 4)
    recordings._piece.cache_clear()
    path = write(tmp_path / "take.mp3", 8)
    assert not can_seek(path)
    assert [heard(fitted(path, bar, bars=8)[:, :, 20:230]) for bar in range(8)] == list(range(8))
    assert recordings._piece.cache_info().hits > 0
    recordings._piece.cache_clear()


def test_after_the_files_end_there_is_silence(tmp_path: Path) -> None:
    path = write(tmp_path / "take.wav", 3)
    assert fitted(path, 4, bars=6)[:, :, 20:].max() < 0.02


@pytest.mark.parametrize("name", ["take.wav", "take.flac", "take.ogg", "take.mp3"])
def test_the_length_is_what_can_be_decoded(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, 2)
    assert float(sound_seconds(path)) == pytest.approx(
        2 * BAR_SECONDS, abs=0.06 if name.endswith("mp3") else 1e-4
    )


def test_a_wav_whose_header_promises_more_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "take.wav", 2)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert float(sound_seconds(path)) == pytest.approx(BAR_SECONDS, abs=0.01)
