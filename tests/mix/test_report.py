"""Figures of the report on material whose answer is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from mix_signals import SAMPLE_RATE, noise

from riffcomposer.mix.blocks import ArrayReader
from riffcomposer.mix.mel_timeline import MelClip, MelTimeline
from riffcomposer.mix.report import (
    measure_joins,
    measure_repetition,
    measure_transitions,
    summarise_joins,
)
from riffcomposer.mix.tempo import measure_tempo
from riffcomposer.spectrogram.mel import levels_from_mel, mel_from_audio
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters()


def clicks(bpm: float, seconds: float, accents: bool = True) -> np.ndarray:
    audio = np.zeros((1, round(seconds * SAMPLE_RATE)), np.float32)
    rng = np.random.default_rng(1)
    beat = 60 * SAMPLE_RATE / bpm
    for number in range(int(audio.shape[1] / beat * 2)):
        at = round(number * beat / 2)
        hit = rng.standard_normal(2000) * np.exp(-np.arange(2000) / 400) * (0.2 if number % 2 else 0.6)
        part = audio[0, at : at + 2000]
        part += hit[: len(part)].astype(np.float32)
    return audio


@pytest.mark.parametrize(
    ("real", "declared"), [(93.75, 93.75), (120, 120), (70, 70), (121, 120), (95.6, 93.75), (171.3, 174)]
)
def test_tempo_of_clicks(real: float, declared: float) -> None:
    result = measure_tempo(ArrayReader(clicks(real, 30)), SAMPLE_RATE, declared)
    assert result.measured_bpm == pytest.approx(real, rel=2e-3)
    assert result.deviation_percent == pytest.approx(100 * (real / declared - 1), abs=0.2)


def test_what_has_no_onsets_has_no_tempo() -> None:
    t = np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE
    pad = (0.3 * np.sin(2 * np.pi * 220 * t) + 0.2 * np.sin(2 * np.pi * 331 * t))[None].astype(np.float32)
    for audio in (np.zeros((2, 20 * SAMPLE_RATE), np.float32), pad, noise(20), noise(20, seed=5), noise(1)):
        result = measure_tempo(ArrayReader(audio), SAMPLE_RATE, 93.75)
        assert result.measured_bpm is None
        assert result.as_dict()["deviation_percent"] is None


def below_10_khz(audio: np.ndarray) -> np.ndarray:
    """What a decoder gives: nothing above the top of the mel."""
    spectrum = np.fft.rfft(audio)
    spectrum[:, int(spectrum.shape[1] * 9500 / 22050) :] = 0
    return np.fft.irfft(spectrum, audio.shape[1]).astype(np.float32)


def passage(breakage: str = "") -> tuple[np.ndarray, MelTimeline]:
    """Noise and its own mel, cut into two clips; optionally spoilt in or at the join."""
    audio = below_10_khz(np.random.default_rng(2).standard_normal((1, 441 * 420)) * 0.05)
    level = levels_from_mel(mel_from_audio(torch.from_numpy(audio), PARAMS), PARAMS).numpy()
    join = 200 * 441
    clips = [
        MelClip(0, join, lambda: level[:, :, :240], "a"),
        MelClip(join, 220 * 441, lambda: level[:, :, 200:], "b"),
    ]
    timeline = MelTimeline(clips, start_sample=0, body_samples=420 * 441, tail_samples=0, params=PARAMS)
    if breakage == "quiet":
        audio[:, join : join + 39 * 441] *= 0.8
    if breakage == "click":
        audio[:, join:] += 0.05
    return audio, timeline


def test_a_good_join_has_good_figures() -> None:
    audio, timeline = passage()
    (join,) = measure_joins(ArrayReader(audio), timeline, PARAMS)
    assert (join.start_sample, join.length_samples) == (200 * 441, 39 * 441)  # all of the surplus
    assert abs(join.level_step_db) < 0.05
    assert join.sc_db < -40
    assert join.click < 1.5
    summary = summarise_joins([join])
    assert summary["count"] == 1
    json.dumps([summary, join.as_dict()])
    assert summarise_joins([]) == {"count": 0}


def test_a_level_dip_shows() -> None:
    audio, timeline = passage("quiet")
    (join,) = measure_joins(ArrayReader(audio), timeline, PARAMS, start_sample=1000)
    assert join.start_sample == 1000 + 200 * 441
    assert join.level_step_db == pytest.approx(20 * np.log10(0.8), abs=0.3)
    assert join.sc_db > join.sc_around_db + 6


def test_a_click_shows() -> None:
    audio, timeline = passage("click")
    (join,) = measure_joins(ArrayReader(audio), timeline, PARAMS)
    assert join.click > 10


def test_a_drum_on_the_first_beat_is_no_click() -> None:
    audio, _ = passage()
    x = np.arange(8000)
    drum = 0.8 * np.exp(-x / 2000) * np.sin(x * 0.02) * np.minimum(1, x / 60)
    audio[:, 88200:96200] += drum.astype(np.float32)
    audio = below_10_khz(audio)
    (figures,) = measure_transitions(ArrayReader(audio), [88200], SAMPLE_RATE, loop=False)
    assert figures.click < 3


def test_transitions_step_and_seam() -> None:
    audio = np.concatenate([noise(1, 0.1), noise(1, 0.2, seed=2)], axis=1)
    figures = measure_transitions(ArrayReader(audio), [0, SAMPLE_RATE], SAMPLE_RATE, loop=True)
    assert figures[0].level_step_db == pytest.approx(-6, abs=0.4)
    assert figures[1].level_step_db == pytest.approx(6, abs=0.4)
    assert len(measure_transitions(ArrayReader(audio), [0, SAMPLE_RATE], SAMPLE_RATE, loop=False)) == 1
    silent = measure_transitions(ArrayReader(audio * 0), [SAMPLE_RATE], SAMPLE_RATE, loop=False)
    assert silent[0].as_dict()["level_step_db"] is None


def test_repetition() -> None:
    rng = np.random.default_rng(3)
    levels = [rng.random((1, 512, 576)).astype(np.float16) ** 2 for _ in range(4)]
    near = levels[0] + np.float16(0.01) * rng.random((1, 512, 576)).astype(np.float16)

    def clips(*pairs: tuple[str, np.ndarray]) -> list:
        return [(key, lambda level=level: level) for key, level in pairs]

    different = measure_repetition(clips(*zip("abcd", levels, strict=True)))
    assert different["nearest_similarity_max"] < 0.2
    assert (different["clips"], different["distinct"], different["nearly_equal"]) == (4, 4, 0)
    again = measure_repetition(clips(("a", levels[0]), ("b", levels[1]), ("a", levels[0])))
    assert (again["clips"], again["distinct"]) == (3, 2)
    alike = measure_repetition(clips(("a", levels[0]), ("b", near), ("c", levels[2])))
    assert alike["nearest_similarity_max"] > 0.99
    assert alike["nearly_equal"] == 2
    assert measure_repetition(clips(("a", levels[0] * 0))) == {"clips": 1, "distinct": 1}
