"""A clip's average spectrum is held between that of what it starts from and what its prompt is known for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_sampler import write_spectrum
from safetensors.numpy import save_file
from tiny_checkpoint import TINY_FLOW_PROFILE, build_tiny_checkpoint

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.checkpoints.profile import SPECTRUM_BANDS, SPECTRUM_FILE, write_profile
from riffcomposer.checkpoints.verify import verify_model
from riffcomposer.diffusion.caption_spectrum import (
    FREE_DB,
    LARGEST_GAIN_DB,
    SOFTEST_DB,
    THIRD_OCTAVES_HZ,
    CaptionSpectrum,
    _measured,
    average_spectrum,
    held,
    hold,
    limits,
)
from riffcomposer.diffusion.engine import Engine
from riffcomposer.errors import ModelError
from riffcomposer.render.engines.node_files import _names
from riffcomposer.spectrogram.mel_filters import band_centres_hz, mel_filters
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters()
KNOWING = replace(TINY_FLOW_PROFILE, name="tiny knowing", caption_spectrum=True)


def noise(seed: int = 1, channels: int = 1, frames: int = 96) -> np.ndarray:
    """A level of noise that falls with frequency, float32 [channels, 512, frames]."""
    random = np.random.default_rng(seed).uniform(0.3, 0.6, (channels, 512, frames))
    return (random * np.linspace(1, 0.6, 512)[:, None]).astype(np.float32)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_the_centre_of_a_band_is_where_its_filter_is_highest(scale: str) -> None:
    shape: dict[str, Any] = {"min_frequency_hz": 0, "max_frequency_hz": 10000, "scale": scale}
    centres = band_centres_hz(64, **shape).numpy()
    peaks = mel_filters(20001, 64, sample_rate=44100, **shape).argmax(dim=0).numpy() * 22050 / 20000
    np.testing.assert_allclose(centres, peaks, atol=1.2)


def test_a_spectrum_is_relative_to_the_body_and_has_the_bands_that_sound() -> None:
    level = np.zeros((1, 512, 8), np.float32)
    centres = band_centres_hz(512, min_frequency_hz=0, max_frequency_hz=10000).numpy()
    for hertz, height in ((500, 0.5), (4000, 0.5 * 10 ** (-20 / 80))):
        level[0, np.abs(centres - hertz).argmin()] = height
    found = average_spectrum(level, PARAMS)
    loudest = {round(THIRD_OCTAVES_HZ[band]): found[band] for band in np.flatnonzero(found > SOFTEST_DB)}
    assert loudest == {500: pytest.approx(0, abs=1e-6), 4000: pytest.approx(-20, abs=1e-3)}
    np.testing.assert_allclose(average_spectrum(level / 2, PARAMS), found, atol=0.1)


def test_limits_are_the_caption_and_the_start_and_wider_from_noise() -> None:
    caption, start = np.array([0.0, -10.0]), np.array([-3.0, -4.0])
    softest, loudest = limits(caption, start, 0)
    assert (softest.tolist(), loudest.tolist()) == ([-3, -10], [0, -4])
    softest, loudest = limits(caption, None, 1)
    np.testing.assert_array_equal(loudest - caption, FREE_DB)
    np.testing.assert_array_equal(caption - softest, FREE_DB)


def test_a_start_within_the_tolerance_is_kept_and_one_beyond_it_moves_to_its_edge() -> None:
    caption, start = np.array([0.0, 0.0, 0.0, 0.0]), np.array([-2.0, 2.0, -5.0, 5.0])
    softest, loudest = limits(caption, start, 0, np.array([3.0, 3.0, 3.0, 1.0]))
    assert softest.tolist() == [-2, 2, -5, 1]
    assert loudest.tolist() == [-2, 2, -3, 5]
    np.testing.assert_array_equal(limits(caption, None, 1, np.full(4, 3.0)), limits(caption, None, 1))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("change_db", [-6.0, 6.0])
def test_a_band_outside_its_limits_is_moved_into_them(change_db: float, channels: int) -> None:
    level = noise(channels=channels)
    wanted = average_spectrum(level, PARAMS)
    wanted[-4:] += change_db
    held = hold(level, wanted - 0.5, wanted + 0.5, PARAMS)
    found = average_spectrum(held, PARAMS)
    assert np.abs(found - wanted).max() < 0.7
    assert held.dtype == np.float32
    assert held.shape == level.shape
    np.testing.assert_array_equal(hold(level, wanted - 9, wanted + 9, PARAMS), level)


@pytest.mark.parametrize("change_db", [-8.0, 4.0])
def test_the_body_keeps_its_power(change_db: float) -> None:
    level = noise()
    now = average_spectrum(level, PARAMS)
    softest, loudest = now - 9, now + 9
    softest[3:6] = loudest[3:6] = now[3:6] + change_db
    moved = hold(level, softest, loudest, PARAMS)
    before, after = (_measured(each, PARAMS)[1] for each in (level, moved))
    assert 10 * np.log10(after / before) == pytest.approx(0, abs=0.35)
    np.testing.assert_allclose(average_spectrum(moved, PARAMS)[4], now[4] + change_db, atol=0.7)


def test_what_is_soft_is_not_raised_and_loud_bands_are_lowered_whole() -> None:
    level = noise()
    now = average_spectrum(level, PARAMS)
    soft = level <= np.quantile(level, 0.2, axis=2, keepdims=True)
    raised = hold(level, now + 6, now + 6, PARAMS)
    np.testing.assert_allclose(raised[soft], level[soft], rtol=1e-6)
    assert raised[~soft].mean() > 1.05 * level[~soft].mean()
    lowered = hold(level, now - 6, now - 6, PARAMS)
    np.testing.assert_allclose(lowered, level * 10 ** (-6 / 80), rtol=1e-5)


def test_gains_have_a_bound_and_silence_stays() -> None:
    level = noise()
    now = average_spectrum(level, PARAMS)
    np.testing.assert_allclose(
        hold(level, now - 90, now - 80, PARAMS), level * 10 ** (-LARGEST_GAIN_DB / 80), rtol=1e-5
    )
    level[0, 300:] = 0
    assert not hold(level, now, now, PARAMS)[0, 300:].any()
    assert not hold(np.zeros_like(level), now, now, PARAMS).any()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose captions all have very little treble."""
    folder = build_tiny_checkpoint(tmp_path_factory.mktemp("knowing"), KNOWING)
    bias = np.zeros(SPECTRUM_BANDS, np.float32)
    bias[-8:] = -50
    write_spectrum(folder, np.zeros((SPECTRUM_BANDS, 32), np.float32), bias)
    return folder


@pytest.fixture(scope="module")
def knowing(folder: Path) -> Engine:
    return Engine(locate_model(str(folder)), device="cpu")


def rendered(engine: Engine, *jobs: Any) -> list[np.ndarray]:
    found = dict(engine.render({str(number): job for number, job in enumerate(jobs)}))
    levels = [found[str(number)] for number in range(len(jobs))]
    assert all(isinstance(level, np.ndarray) for level in levels), levels
    return [level for level in levels if isinstance(level, np.ndarray)]


def treble(level: np.ndarray, engine: Engine) -> float:
    return float(average_spectrum(level, engine.located.profile.spectrogram)[-6:].mean())


def test_clips_are_held_where_they_have_a_prompt_and_no_mask(
    knowing: Engine, flow_engine: Engine, make_job: Any, seed_clip: Any, half_mask: Any
) -> None:
    plain = make_job(init=seed_clip, scheduler="euler", negative_prompt="")
    silent = replace(plain.place, a=replace(plain.place.a, prompt=""), b=replace(plain.place.b, prompt=""))
    jobs = [
        replace(plain, init=None),
        plain,
        replace(plain, mask=half_mask),
        replace(plain, place=silent),
        replace(plain, init=None, place=silent),
    ]
    free, held = rendered(flow_engine, *jobs), rendered(knowing, *jobs)
    assert treble(held[0], knowing) < treble(free[0], knowing) - 6
    for before, after in zip(free[2:], held[2:], strict=True):
        np.testing.assert_array_equal(after, before)
    # What it starts from has that treble: it may stay.
    start = treble(knowing._levels.level(plain), knowing)
    assert abs(treble(held[1], knowing) - start) < abs(treble(free[1], knowing) - start)


def test_the_embedding_of_a_prompt_has_unit_length_and_none_is_none(knowing: Engine) -> None:
    one, other = (knowing._prompts.embedding(text) for text in ("bells", "a choir in a hall " * 9))
    assert one is not None
    assert other is not None
    assert float(one.norm()) == pytest.approx(1, abs=1e-5)
    assert not np.allclose(one.numpy(), other.numpy())
    assert knowing._prompts.embedding("") is None


def test_a_missing_or_misshapen_file_is_named(folder: Path, tmp_path: Path) -> None:
    copy = build_tiny_checkpoint(tmp_path / "copy", KNOWING)
    with pytest.raises(ModelError, match=r"caption_spectrum\.safetensors: missing"):
        verify_model(locate_model(str(copy)))
    write_spectrum(copy, np.zeros((SPECTRUM_BANDS, 31), np.float32), np.zeros(SPECTRUM_BANDS, np.float32))
    with pytest.raises(ModelError, match="weight must be 22 x 32 numbers, and is 22 x 31"):
        verify_model(locate_model(str(copy)))
    write_spectrum(copy, np.zeros((SPECTRUM_BANDS, 32), np.float32), np.zeros(3, np.float32))
    with pytest.raises(ModelError, match="bias must be 22 numbers, and is 3"):
        verify_model(locate_model(str(copy)))
    without = {"weight": np.zeros((SPECTRUM_BANDS, 32)), "bias": np.zeros(SPECTRUM_BANDS)}
    save_file(without, copy / SPECTRUM_FILE)
    with pytest.raises(ModelError, match="tolerance must be 22 numbers, and is missing"):
        verify_model(locate_model(str(copy)))


def test_the_file_is_part_of_the_checkpoint(folder: Path, tmp_path: Path) -> None:
    assert SPECTRUM_FILE in list(_names(folder))
    copy = build_tiny_checkpoint(tmp_path / "copy", KNOWING)
    digests = set()
    for bias in (0, 1):
        width = np.zeros((SPECTRUM_BANDS, 32), np.float32)
        write_spectrum(copy, width, np.full(SPECTRUM_BANDS, bias, np.float32))
        digests.add(locate_model(str(copy)).digest)
    write_profile(copy, replace(KNOWING, caption_spectrum=False))
    assert len(digests | {locate_model(str(copy)).digest}) == 3


def test_prompts_count_by_their_shares_and_the_strength_sets_clips_free() -> None:
    weight = np.zeros((SPECTRUM_BANDS, 32), np.float32)
    weight[-4:, 0], weight[-4:, 1] = -40, 20
    tolerance = np.linspace(0, 5, SPECTRUM_BANDS, dtype=np.float32)
    bias = average_spectrum(noise(), PARAMS).astype(np.float32)
    profile = replace(KNOWING, spectrogram=PARAMS, strength_map=())
    spectra = CaptionSpectrum(weight, bias, tolerance)
    one, other = torch.eye(32)[:2]
    level = noise(2)
    for strength, init, freedom in ((1.0, None, 1.0), (0.5, bias, 0.0), (0.9, bias, 0.5)):
        for share in (0.0, 0.25, 1.0):
            found = held(level, profile, spectra, [(1 - share, one), (share, other)], init, strength)
            wanted = bias.astype(np.float64)
            wanted[-4:] += (1 - share) * -40 + share * 20
            softest, loudest = limits(wanted, init, freedom, tolerance)
            np.testing.assert_allclose(found, hold(level, softest, loudest, PARAMS), atol=1e-6)
    assert held(level, profile, spectra, [(0.5, None), (0.5, None)], None, 1.0) is level
    halves = held(level, profile, spectra, [(0.5, None), (0.5, other)], bias, 0.5)
    np.testing.assert_array_equal(halves, held(level, profile, spectra, [(1.0, other)], bias, 0.5))
