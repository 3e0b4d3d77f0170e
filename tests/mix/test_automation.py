"""Automation: values that move, in gains, pans and effects."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_signals import EFFECT_SETTINGS, SAMPLE_RATE, Effect, mix, noise, plucks

from riffcomposer.curves import EASES, Curve, Ease
from riffcomposer.mix.automation import gains, jump_samples, over, values
from riffcomposer.mix.chain import STEP_SAMPLES, Chain
from riffcomposer.mix.mixdown import MixPassage, MixSection
from riffcomposer.mix.mixed_layers import MixLayer
from riffcomposer.song import effects as song_effects

SECOND = SAMPLE_RATE


def curve(*points: tuple[int, float], ease: Ease = "linear") -> Curve:
    return Curve(tuple((Fraction(at), value) for at, value in points), ease)


@given(
    st.lists(
        st.tuples(st.integers(-5000, 5000), st.floats(-60, 24)),
        min_size=1,
        max_size=6,
        unique_by=lambda p: p[0],
    ),
    st.sampled_from(EASES),
    st.integers(-8000, 8000),
    st.integers(1, 3000),
)
@settings(max_examples=200)
def test_a_block_has_the_values_of_the_curve(
    points: list[tuple[int, float]], ease: Ease, start: int, samples: int
) -> None:
    moving = curve(*sorted(points), ease=ease)
    positions = np.arange(start, start + samples)
    found = np.broadcast_to(over(moving, start, samples, SAMPLE_RATE), samples)
    np.testing.assert_allclose(found, values(moving, positions, SAMPLE_RATE), atol=1e-9)
    expected = np.array([moving.at(int(position)) for position in positions[::97]])
    if ease != "step":
        np.testing.assert_allclose(found[::97], expected, atol=1e-6)
        return
    # A jump takes a few milliseconds after its point; elsewhere a step holds.
    jumps = np.array([position for position, _ in sorted(points)])
    since = positions[::97, None] - jumps
    held = ~((since >= 0) & (since < jump_samples(SAMPLE_RATE))).any(axis=1)
    np.testing.assert_allclose(found[::97][held], expected[held], atol=1e-6)


def test_a_gain_that_stays_is_one_number() -> None:
    assert gains(-6.0, 0, 1000, SAMPLE_RATE) == pytest.approx([10 ** (-6 / 20)])
    fade = curve((0, -60.0), (SECOND, 0.0))
    assert gains(fade, SECOND, 1000, SAMPLE_RATE).shape == (1,)
    assert gains(fade, SECOND - 10, 1000, SAMPLE_RATE).shape == (1000,)


def test_the_gain_of_a_section_moves(tmp_path: Path) -> None:
    audio = noise(2)
    plain = MixPassage(audio, 0, 2 * SECOND, (MixSection("a", 0, 2 * SECOND),))
    moving = curve((SECOND // 2, -20.0), (3 * SECOND // 2, 0.0))
    faded = replace(plain, sections=(MixSection("a", 0, 2 * SECOND, gain_db=moving),))
    wanted = 10 ** (values(moving, np.arange(2 * SECOND), SAMPLE_RATE) / 20)
    np.testing.assert_allclose(mix(tmp_path, [faded])[0], mix(tmp_path, [plain])[0] * wanted, atol=1e-6)


def test_gain_and_pan_of_a_layer_move(tmp_path: Path) -> None:
    audio, sections = noise(2), (MixSection("a", 0, 2 * SECOND),)
    quiet = MixLayer("b", 0 * audio)
    still = MixPassage((MixLayer("a", audio), quiet), 0, 2 * SECOND, sections)
    pan = curve((0, -1.0), (2 * SECOND, 1.0))
    moving = MixLayer("a", audio, gain_db=curve((0, -12.0), (SECOND, -2.0), ease="ease"), pan=pan)
    before, _ = mix(tmp_path, [still])
    after, _ = mix(tmp_path, [replace(still, audio=(moving, quiet))])
    left, right = (np.sqrt(np.square(channel).reshape(8, -1).mean(axis=1)) for channel in after)
    assert np.all(np.diff(right / left) > 0)
    level = np.sqrt(np.square(after).sum(axis=0) / np.square(before).sum(axis=0).clip(1e-12))
    assert 20 * np.log10(np.median(level[1000:2000])) == pytest.approx(-12, abs=0.1)
    assert 20 * np.log10(np.median(level[-3000:-2000])) == pytest.approx(-2, abs=0.1)


def _numbers() -> list[tuple[str, str, float, float]]:
    """Every number of every effect, with two values that a song may state."""
    found = []
    for name, model in song_effects.EFFECTS.items():
        for key, field in model.model_fields.items():
            low = next((each.ge for each in field.metadata if hasattr(each, "ge")), None)
            high = next((each.le for each in field.metadata if hasattr(each, "le")), None)
            if low is not None and high is not None:
                found.append((name, key, float(low), float(high)))
    return found


@pytest.mark.parametrize(("name", "key", "low", "high"), _numbers())
def test_every_number_of_every_effect_moves(name: str, key: str, low: float, high: float) -> None:
    stated = dict(song_effects.ChainEntry.model_validate({name: EFFECT_SETTINGS[name]}).effect().parameters)
    moving = curve((0, low + 0.3 * (high - low)), (SECOND // 2, low + 0.6 * (high - low)))
    chain = Chain([Effect(name, {**stated, key: moving})], SAMPLE_RATE)
    chain.push(plucks(1.0))
    (plugin,) = chain._board
    assert getattr(plugin, key) == pytest.approx(moving.values[1], rel=1e-3)


@pytest.mark.parametrize("size", [7001, 333, 44_100])
def test_what_moves_does_not_depend_on_blocks(size: int) -> None:
    audio, sweep = plucks(1.5), curve((1000, 300.0), (40_000, 9000.0), ease="ease")
    effects = [Effect("lowpass", {"cutoff_frequency_hz": sweep})]
    whole = Chain(effects, SAMPLE_RATE).push(audio)
    chain = Chain(effects, SAMPLE_RATE)
    blocks = [chain.push(audio[:, start : start + size]) for start in range(0, audio.shape[1], size)]
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), whole, atol=1e-6)


def test_a_sweep_opens_a_filter_without_clicks() -> None:
    time = np.arange(2 * SECOND) / SECOND
    tone = np.sin(2 * np.pi * 220 * time).astype(np.float32)[None]
    sweep = curve((SECOND // 2, 200.0), (2 * SECOND, 8000.0))
    swept = Chain([Effect("lowpass", {"cutoff_frequency_hz": sweep})], SAMPLE_RATE).push(tone)[0]
    assert np.abs(swept[-4410:]).max() > 1.3 * np.abs(swept[2205:6615]).max()
    # What is not the tone itself: below -60 dB of it.
    spectrum = np.abs(np.fft.rfft(swept[SECOND // 2 :] * np.hanning(len(swept) - SECOND // 2)))
    hertz = np.fft.rfftfreq(len(swept) - SECOND // 2, 1 / SECOND)
    assert spectrum[hertz > 1000].max() < 1e-3 * spectrum.max()


@pytest.mark.parametrize("ease", EASES)
def test_a_moving_gain_effect_does_not_click(ease: Ease) -> None:
    time = np.arange(SECOND) / SECOND
    tone = np.sin(2 * np.pi * 220 * time).astype(np.float32)[None]
    rise = curve((SECOND // 4, -12.0), (SECOND // 2, 0.0), ease=ease)
    heard = Chain([Effect("gain", {"gain_db": rise})], SAMPLE_RATE).push(tone)[0]
    curvature = np.abs(np.diff(heard, 2))
    usual = (2 * np.pi * 220 / SECOND) ** 2
    assert curvature.max() < 80 * usual, (
        "a jump from sample to sample has 700 times the curvature of the tone"
    )


def test_a_loop_hears_its_end_before_its_start() -> None:
    rise = curve((0, 200.0), (SECOND, 9000.0))
    effects = [Effect("lowpass", {"cutoff_frequency_hz": rise})]
    chain = Chain(effects, SAMPLE_RATE, start=-2 * STEP_SAMPLES, loop=(0, SECOND))
    chain.push(noise(1.0)[:, :STEP_SAMPLES])
    (plugin,) = chain._board
    before: Any = plugin.cutoff_frequency_hz
    chain.push(noise(1.0)[:, : 3 * STEP_SAMPLES])
    assert before > 8500
    assert plugin.cutoff_frequency_hz < 400
