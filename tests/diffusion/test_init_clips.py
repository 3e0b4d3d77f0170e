"""Loops and masks fitted to the beat grid."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.diffusion.init_clips import fit_init, fit_mask, resampling_matrix
from riffcomposer.errors import RenderError
from riffcomposer.files import file_sha256
from riffcomposer.plan.inits import InitClip
from riffcomposer.plan.types import MaskImage
from riffcomposer.spectrogram.image import read_image, write_image
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters(num_frequencies=64)


def fitted(init: Any, width: int, frames_per_quarter: Any, params: Any = PARAMS) -> Any:
    return fit_init(
        init,
        width_frames=width,
        frames_per_quarter=Fraction(frames_per_quarter),
        params=params,
    )


def ramp_clip(folder: Any, level: Any, tempo: Any, quarters: Any) -> Any:
    path = folder / "clip.png"
    write_image(path, level, PARAMS)
    return InitClip("image", "clip", path, file_sha256(path), Fraction(tempo), Fraction(quarters))


@settings(max_examples=30)
@given(st.integers(4, 40), st.floats(0.3, 4.0))
def test_resampling_keeps_constants(length: Any, stretch: Any) -> None:
    positions = np.arange(0, length - 1, stretch)
    assert np.allclose(resampling_matrix(positions, length, stretch).sum(axis=1), 1)


def test_resampling_follows_a_smooth_signal() -> None:
    signal = np.sin(np.arange(64) * 0.2)
    positions = np.linspace(5, 55, 91)
    found = resampling_matrix(positions, 64, 50 / 90) @ signal
    assert np.abs(found - np.sin(positions * 0.2)).max() < 1e-3


def test_resampling_does_not_alias() -> None:
    signal = np.cos(np.pi * np.arange(64))  # the highest frequency there is
    found = resampling_matrix(np.arange(8, 56, 3.0), 64, 3.0) @ signal
    assert np.abs(found).max() < 0.1


def test_at_its_own_tempo_a_loop_is_itself_twice(seed_clip: Any) -> None:
    level, _, _ = read_image(seed_clip.path)
    assert np.array_equal(fitted(seed_clip, 128, 32), np.tile(level.numpy(), (1, 1, 2)))


def test_a_start_is_read_cyclically_from_there(seed_clip: Any) -> None:
    level = read_image(seed_clip.path)[0].numpy()
    late = replace(seed_clip, start_seconds=Fraction(16, 100), loop_quarters=Fraction(1))
    assert np.array_equal(fitted(late, 64, 32), np.tile(level[:, :, 16:48], (1, 1, 2)))


@pytest.mark.parametrize("frames_per_quarter", ["40", "24", "97/3", "64"])
def test_beats_land_on_the_songs_grid(tmp_path: Path, frames_per_quarter: Any) -> None:
    # A hit on each of two beats; wherever the tempo, the hits stand on multiples of the beat.
    level = np.zeros((1, 64, 64), np.float32)
    hit = np.exp(-(((np.arange(64) + 16) % 32 - 16) ** 2) / 18)
    level[0] = hit
    init = ramp_clip(tmp_path, level, Fraction(375, 2), 2)
    found = fitted(init, 256, frames_per_quarter)[0, 10]
    beat = float(Fraction(frames_per_quarter))
    for index in range(int(256 / beat) - 1):
        near = np.arange(256)[np.abs(np.arange(256) - index * beat) < beat / 3]
        centre = float((found[near] * near).sum() / found[near].sum())
        assert abs(centre - index * beat) < (0.6 if index else beat / 3)


def test_a_loop_of_odd_length_has_no_seam(tmp_path: Path) -> None:
    # 170 BPM: 35.3 frames a quarter. A slow wave of exactly one loop stays smooth where it wraps.
    frames = float(Fraction(6000, 170) * 2)
    wave = 0.5 + 0.4 * np.cos(2 * np.pi * np.arange(90) / frames)
    init = ramp_clip(tmp_path, np.broadcast_to(wave, (1, 64, 90)).astype(np.float32), 170, 2)
    found = fitted(init, 256, Fraction(6000, 170))[0, 0]
    wanted = 0.5 + 0.4 * np.cos(2 * np.pi * np.arange(256) / frames)
    assert np.abs(found - wanted).max() < 0.01


def test_levels_are_carried_to_the_models_reference(tmp_path: Path) -> None:
    path = tmp_path / "quiet.png"
    write_image(
        path, np.full((1, 64, 64), 0.5, np.float32), replace(PARAMS, max_volume=PARAMS.max_volume / 16)
    )
    init = InitClip("image", "quiet", path, file_sha256(path), Fraction(375, 2), Fraction(2))
    assert np.allclose(fitted(init, 64, 32), 0.25, atol=0.003)


def test_an_image_of_another_format_is_refused(tmp_path: Path, seed_clip: Any) -> None:
    with pytest.raises(RenderError, match="num_frequencies is 64, the model's is 512"):
        fitted(seed_clip, 64, 32, params=SpectrogramParameters())


def test_a_changed_file_is_refused(seed_clip: Any) -> None:
    with pytest.raises(RenderError, match="has changed since"):
        fitted(replace(seed_clip, sha256="0" * 64), 64, 32)


def test_a_missing_file_is_refused(seed_clip: Any, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="cannot be read"):
        fitted(replace(seed_clip, path=tmp_path / "none.png"), 64, 32)


def mask_of(folder: Any, grey: Any) -> Any:
    from PIL import Image

    path = folder / "mask.png"
    Image.fromarray(grey).save(path)
    return MaskImage("mask", path, file_sha256(path))


def test_a_mask_fills_the_slot_and_starts_again(tmp_path: Path) -> None:
    grey = np.zeros((4, 4), np.uint8)
    grey[0, :] = 255  # the top row of the image is the highest band
    grey[:, 2] = 128
    mask = mask_of(tmp_path, grey)
    found = fit_mask(
        mask, width_frames=96, frames_per_quarter=Fraction(32), clip_quarters=Fraction(2), n_mels=64
    )
    assert found.shape == (64, 96)
    assert found[60, 8] == pytest.approx(1)
    assert found[5, 8] == pytest.approx(0)
    assert found[5, 40] == pytest.approx(128 / 255, abs=0.05)
    assert np.allclose(found[:, 64:], found[:, :32], atol=1e-6)


def test_a_mask_that_is_no_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    path.write_text("<html>")
    with pytest.raises(RenderError, match="not an image"):
        fit_mask(
            MaskImage("mask", path, file_sha256(path)),
            width_frames=64,
            frames_per_quarter=Fraction(32),
            clip_quarters=Fraction(2),
            n_mels=64,
        )


def clicks(folder: Any, seconds: Any, period: Any, rate: int = 44100, channels: int = 1) -> Any:
    """A WAV file with a click every `period` seconds, the first at once."""
    import soundfile

    audio = np.zeros((int(seconds * rate), channels), np.float32)
    for index in range(int(seconds / period)):
        audio[int(index * period * rate)] = 0.9
    path = folder / "clicks.wav"
    soundfile.write(path, audio, rate, subtype="FLOAT")
    return path


@pytest.mark.parametrize(("rate", "channels"), [(44100, 1), (48000, 2)])
@pytest.mark.parametrize("start", ["0", "1/2", "7/4"])
def test_an_audio_file_is_read_from_its_start_on_the_songs_grid(
    tmp_path: Path, rate: Any, channels: Any, start: Any
) -> None:
    # 120 BPM: a click each half second. On a grid of 40 frames a quarter it falls on every 40th.
    path = clicks(tmp_path, 4.0, 0.5, rate, channels)
    init = InitClip("audio", "clicks", path, file_sha256(path), Fraction(120), Fraction(2), Fraction(start))
    offset = 20 if start == "7/4" else 0
    found = fitted(init, 160, 40)[0].mean(axis=0)
    assert found.shape == (160,)
    inner = [index for index in range(20, 140) if found[index] == found[index - 15 : index + 16].max()]
    assert [index for index in inner if found[index] > 0.1] == pytest.approx(
        list(range(offset or 40, 140, 40)), abs=1.01
    )


def test_an_audio_loop_longer_than_its_file_goes_on_in_silence(tmp_path: Path) -> None:
    path = clicks(tmp_path, 1.0, 0.25)
    init = InitClip("audio", "short", path, file_sha256(path), Fraction(120), Fraction(8))
    found = fitted(init, 400, 50)[0]
    assert found[:, :90].max() > 0.1
    assert found[:, 115:390].max() == 0


def test_a_start_after_the_files_end_is_refused(tmp_path: Path) -> None:
    path = clicks(tmp_path, 1.0, 0.25)
    init = InitClip("audio", "late", path, file_sha256(path), Fraction(120), Fraction(2), Fraction(5))
    with pytest.raises(RenderError):
        fitted(init, 64, 32)
