"""The meter against EBU's test signals (Tech 3341, 3342) and another library."""

from __future__ import annotations

import math

import numpy as np
import pyloudnorm
import pytest
from mix_signals import SAMPLE_RATE, noise, plucks, tones

from riffcomposer.mix.blocks import ArrayReader
from riffcomposer.mix.loudness import Loudness, LoudnessMeter, k_weighting, measure, measure_parts


def meter(audio: np.ndarray, sample_rate: int = 48000) -> Loudness:
    return measure(ArrayReader(audio), sample_rate)


EBU_3341: dict[str, tuple[list[tuple[float, float]], float]] = {
    "1": ([(-23, 20)], -23),
    "2": ([(-33, 20)], -33),
    "3": ([(-36, 10), (-23, 60), (-36, 10)], -23),
    "4": ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
    "5": ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
}


@pytest.mark.parametrize("case", EBU_3341)
@pytest.mark.parametrize("sample_rate", [44100, 48000])
def test_integrated_loudness_of_ebu_tones(case: str, sample_rate: int) -> None:
    parts, expected = EBU_3341[case]
    result = measure(ArrayReader(tones(parts, sample_rate)), sample_rate, true_peak=False)
    assert result.integrated_lufs == pytest.approx(expected, abs=0.1)


def test_short_term_loudness_of_ebu_case_9() -> None:
    # 1.34 s at -20 and 1.66 s at -30, five times: every window of 3 s is at -23.
    result = meter(tones([(-20, 1.34), (-30, 1.66)] * 5))
    assert result.short_term_max_lufs == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-20, 20), (-30, 20)], 10),
        ([(-20, 20), (-15, 20)], 5),
        ([(-40, 20), (-20, 20)], 20),
        ([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15),
    ],
)
def test_loudness_range_of_ebu_3342(parts: list[tuple[float, float]], expected: float) -> None:
    result = measure(ArrayReader(tones(parts)), 48000, true_peak=False)
    assert result.loudness_range_lu == pytest.approx(expected, abs=0.3)


@pytest.mark.parametrize(
    ("divider", "degrees", "amplitude", "expected"),
    [(4, 0, 0.5, -6), (4, 45, 0.5, -6), (6, 60, 0.5, -6), (8, 67.5, 0.5, -6), (4, 45, 1.41, 3)],
    ids=["15", "16", "17", "18", "19"],
)
def test_true_peak_of_ebu_tones(divider: int, degrees: float, amplitude: float, expected: float) -> None:
    x = np.arange(9600)
    fade = np.minimum(1, np.minimum(x, x[::-1]) / 1000)
    sine = amplitude * fade * np.sin(2 * np.pi * x / divider + np.radians(degrees))
    result = meter(np.repeat(sine[None], 2, 0).astype(np.float32))
    assert expected - 0.4 <= result.true_peak_dbtp <= expected + 0.2


def test_agrees_with_another_meter() -> None:
    for audio in (noise(5, 0.1, 2), plucks(6), tones([(-20, 2), (-45, 3)], SAMPLE_RATE)):
        other = pyloudnorm.Meter(SAMPLE_RATE, filter_class="DeMan").integrated_loudness(audio.T)
        assert meter(audio, SAMPLE_RATE).integrated_lufs == pytest.approx(other, abs=0.02)


def test_coefficients_are_those_printed_in_the_standard() -> None:
    printed = [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, 1, -1.99004745483398, 0.99007225036621],
    ]
    np.testing.assert_allclose(k_weighting(48000), printed, atol=1e-6)


def test_blocks_do_not_matter() -> None:
    audio = plucks(4)
    whole = meter(audio, SAMPLE_RATE)
    for size in (1000, 4410, 77777):
        blocks = LoudnessMeter(2, SAMPLE_RATE)
        for start in range(0, audio.shape[1], size):
            blocks.push(audio[:, start : start + size])
        result = blocks.result()
        assert result.integrated_lufs == pytest.approx(whole.integrated_lufs, abs=1e-9)
        assert result.true_peak_dbtp == pytest.approx(whole.true_peak_dbtp, abs=1e-4)


def test_true_peak_against_a_direct_oversampling() -> None:
    from scipy.signal import butter, resample_poly, sosfilt

    lowpass = butter(10, 16000, fs=SAMPLE_RATE, output="sos")
    audio = sosfilt(lowpass, noise(2, 0.2, 2), axis=1).astype(np.float32)
    peak = np.abs(resample_poly(audio, 4, 1, axis=1, window=("kaiser", 12.0))).max()
    assert meter(audio, SAMPLE_RATE).true_peak_dbtp == pytest.approx(20 * np.log10(peak), abs=0.05)


@pytest.mark.parametrize("samples", [0, 1, 100, 4410, 17639])
def test_shorter_than_a_block(samples: int) -> None:
    audio = tones([(-20, 1)], SAMPLE_RATE)[:, :samples]
    result = meter(audio, SAMPLE_RATE)
    assert result.samples == samples
    assert result.loudness_range_lu == 0
    if samples < 2:
        assert result.integrated_lufs == -math.inf
    else:
        assert math.isfinite(result.integrated_lufs)
    assert result.as_dict()["integrated_lufs"] is None or samples >= 2


def test_half_a_second_is_one_block() -> None:
    assert meter(tones([(-20, 0.5)], SAMPLE_RATE), SAMPLE_RATE).integrated_lufs == pytest.approx(-20, abs=0.1)


def test_silence_is_minus_infinity() -> None:
    result = meter(np.zeros((2, 48000), np.float32))
    assert result.integrated_lufs == result.true_peak_dbtp == result.short_term_max_lufs == -math.inf
    assert result.as_dict()["true_peak_dbtp"] is None
    assert result.clipped_samples == 0


def test_clipped_samples_are_counted() -> None:
    audio = np.zeros((2, 1000), np.float32)
    audio[0, 10:13], audio[1, 5] = 1.0, -1.2
    assert meter(audio).clipped_samples == 4


def test_parts_are_measured_as_files_of_their_own() -> None:
    audio = np.concatenate([tones([(-30, 4)], SAMPLE_RATE), tones([(-20, 5)], SAMPLE_RATE)], axis=1)
    border = 4 * SAMPLE_RATE
    whole, parts = measure_parts(ArrayReader(audio), SAMPLE_RATE, [(0, border), (border, audio.shape[1])])
    assert whole == meter(audio, SAMPLE_RATE)
    assert parts[0].integrated_lufs == pytest.approx(-30, abs=0.1)
    assert parts[1].integrated_lufs == pytest.approx(-20, abs=0.1)
    assert [part.samples for part in parts] == [border, 5 * SAMPLE_RATE]
