"""Loudness and ceiling, measured by another library; loops; silence; short tracks."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
from mix_signals import SAMPLE_RATE, Effect, noise, plucks, strokes
from scipy.signal import resample_poly

from riffcomposer.mix.blocks import ArrayReader
from riffcomposer.mix.master import Master, Mastering, MasterSettings


def mastering(folder: Path, audio: np.ndarray, *, loop: bool = False, **settings: object) -> Mastering:
    return Mastering(
        ArrayReader(audio),
        MasterSettings(**settings),  # type: ignore[arg-type]
        sample_rate=SAMPLE_RATE,
        loop=loop,
        folder=folder,
    )


def samples(master: Master) -> np.ndarray:
    return master.audio.read(0, master.audio.samples)


def lufs(audio: np.ndarray) -> float:
    return float(pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(audio.T.astype(np.float64)))


def true_peak(audio: np.ndarray) -> float:
    return float(20 * np.log10(np.abs(resample_poly(audio.astype(np.float64), 4, 1, axis=1)).max()))


MATERIAL = {
    "strokes": lambda: strokes(3),
    "noise": lambda: noise(3, 0.1, 2),
    "quiet noise": lambda: noise(3, 1e-3, 2),
    "loud": lambda: np.clip(noise(3, 1.5, 2), -3, 3),
}


@pytest.mark.parametrize("target", [(-14, -1), (-20, -3)], ids=str)
@pytest.mark.parametrize("name", MATERIAL)
def test_on_target_and_under_the_ceiling(tmp_path: Path, name: str, target: tuple[float, float]) -> None:
    audio = MATERIAL[name]()
    stage = mastering(tmp_path, audio, integrated_lufs=target[0], true_peak_dbtp=target[1])
    result = samples(stage.render())
    assert result.shape == audio.shape
    assert lufs(result) == pytest.approx(target[0], abs=0.1)
    assert true_peak(result) <= target[1]


def test_real_music(tmp_path: Path, shared_folder: Path) -> None:
    for path in sorted(shared_folder.glob("*.wav")):
        audio, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
        assert sample_rate == SAMPLE_RATE
        result = samples(mastering(tmp_path, audio.T).render())
        assert lufs(result) == pytest.approx(-14, abs=0.1)
        assert true_peak(result) <= -1


def test_without_peaks_there_is_one_gain_and_no_limiter(tmp_path: Path) -> None:
    audio = noise(4, 0.05, 2)
    master = mastering(tmp_path, audio, integrated_lufs=-30).render()
    assert master.limiter_ceiling_db is None
    np.testing.assert_allclose(samples(master), audio * 10 ** (master.gain_db / 20), rtol=1e-5)


def test_the_limiter_adds_no_delay(tmp_path: Path) -> None:
    audio = plucks(3)
    master = mastering(tmp_path, audio).render()
    assert master.limiter_ceiling_db is not None
    result = samples(master)
    lags = [float(np.sum(audio[0, 500:-500] * np.roll(result[0], lag)[500:-500])) for lag in range(-8, 9)]
    assert int(np.argmax(lags)) - 8 == 0


def test_silence_stays_silent(tmp_path: Path) -> None:
    master = mastering(tmp_path, np.zeros((2, 60000), np.float32), chain=(Effect("reverb"),)).render()
    assert not samples(master).any()
    assert master.loudness.integrated_lufs == -math.inf


@pytest.mark.parametrize("length", [1, 2, 100, 279, 281, 5000, 17000, 20000])
def test_very_short_tracks(tmp_path: Path, length: int) -> None:
    audio = noise(1, 0.3, 2)[:, :length]
    master = mastering(tmp_path, audio, chain=(Effect("highpass"),)).render()
    assert master.audio.samples == length
    assert np.isfinite(samples(master)).all()
    assert master.loudness.true_peak_dbtp <= -1
    if length >= 5000:
        assert master.loudness.integrated_lufs == pytest.approx(-14, abs=0.1)


def test_a_target_out_of_reach_gives_the_loudest_that_can_be_had(tmp_path: Path) -> None:
    audio = np.zeros((2, SAMPLE_RATE), np.float32)
    audio[:, ::11025] = 0.9
    master = mastering(tmp_path, audio, integrated_lufs=-5).render()
    assert master.loudness.true_peak_dbtp <= -1
    assert -60 < master.loudness.integrated_lufs < -5


@pytest.mark.parametrize("seconds", [0.7, 2.1])
def test_a_loop_stays_a_loop(tmp_path: Path, seconds: float) -> None:
    # Whatever state the stages have at the end, they must have at the start: master three turns
    # in a row and compare the middle one with the loop.
    turn = plucks(seconds)
    chain = (
        Effect("compressor", {"threshold_db": -24, "ratio": 3.0, "release_ms": 200}),
        Effect("reverb", {"room_size": 0.4, "wet_level": 0.3, "dry_level": 0.4}),
    )
    stage = mastering(tmp_path, turn, loop=True, chain=chain)
    loop = stage.render()
    result = samples(loop)
    twice = np.concatenate([result, result], axis=1)
    seam = np.abs(np.diff(twice, 2, axis=1))
    at = turn.shape[1]
    assert seam[:, at - 5 : at + 5].max() <= np.percentile(seam, 99.9)
    rows = np.concatenate([turn] * 9, axis=1)
    long = Mastering(
        ArrayReader(rows), stage.settings, sample_rate=SAMPLE_RATE, loop=False, folder=tmp_path / "long"
    )
    audio = long._source.read(7 * at, 8 * at)
    np.testing.assert_allclose(stage._source.read(0, at), audio, atol=2e-4)


def test_the_same_master_twice(tmp_path: Path) -> None:
    audio = plucks(1)
    first, second = (
        samples(mastering(tmp_path / name, audio, chain=(Effect("chorus"),)).render()) for name in "ab"
    )
    np.testing.assert_array_equal(first, second)


def test_progress_may_stop_the_work(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def progress(done: int, total: int) -> None:
        assert 0 <= done <= total
        raise Stop

    stage = MasterSettings(chain=(Effect("gain"),))
    with pytest.raises(Stop):
        Mastering(
            ArrayReader(noise(1, channels=2)),
            stage,
            sample_rate=SAMPLE_RATE,
            loop=False,
            folder=tmp_path,
            progress=progress,
        )
