"""Audio files whose headers are wrong, and correct ones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from riffcomposer.errors import AudioError
from riffcomposer.spectrogram.audio_files import read_audio


def _wav_header(channels: int, rate: int, claimed: int) -> bytes:
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, 0, max(1, channels * 2) % 65536, 16)
    return b"RIFF" + struct.pack("<I", 36 + claimed) + b"WAVE" + fmt + b"data" + struct.pack("<I", claimed)


ZOO = {
    "empty.wav": b"",
    "header_only.wav": _wav_header(1, 44100, 0),
    "many_channels.wav": _wav_header(65535, 44100, 1000) + bytes(1000),
    "rate_0.wav": _wav_header(1, 0, 1000) + bytes(1000),
    "page.mp3": b"<!DOCTYPE html><html><title>not found</title></html>" * 20,
    "junk.flac": b"fLaC" + bytes(range(256)) * 4,
    "text.ogg": b"OggS but no more than that",
}


@pytest.mark.parametrize("name", sorted(ZOO))
def test_the_zoo_ends_in_an_error_that_names_the_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(ZOO[name])
    with pytest.raises(AudioError, match=name):
        read_audio(tmp_path / name)


def test_a_forged_length_yields_what_is_there_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "forged.wav"
    path.write_bytes(_wav_header(1, 44100, 0x7FFF0000) + bytes(2000))
    assert read_audio(path).shape == (1, 1000)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(tmp_path: Path, value: float) -> None:
    samples = np.zeros(200_000, dtype=np.float32)
    samples[150_000] = value
    soundfile.write(tmp_path / "bad.wav", samples, 44100, subtype="FLOAT")
    with pytest.raises(AudioError, match="NaN"):
        read_audio(tmp_path / "bad.wav")


def test_a_truncated_file_gives_what_is_left(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "whole.wav", np.full(10_000, 0.25), 44100)
    content = (tmp_path / "whole.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: len(content) // 2])
    audio = read_audio(tmp_path / "cut.wav")
    assert 4000 < audio.shape[1] < 6000
    assert np.allclose(audio, 0.25, atol=1e-3)


def test_dc_silence_one_sample_and_eight_channels_are_audio(tmp_path: Path) -> None:
    for name, samples in {
        "dc.wav": np.ones(1000) * 0.5,
        "silence.flac": np.zeros(1000),
        "one.wav": np.array([0.5]),
        "eight.wav": np.zeros((1000, 8)),
    }.items():
        soundfile.write(tmp_path / name, samples, 44100)
        audio = read_audio(tmp_path / name)
        assert audio.shape == ((8 if name == "eight.wav" else 1), len(samples))
        assert read_audio(tmp_path / name, mono=True).shape == (1, len(samples))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_tone_is_resampled_and_keeps_its_pitch(tmp_path: Path, suffix: str) -> None:
    time = np.arange(48_000) / 48_000
    soundfile.write(tmp_path / f"tone.{suffix}", 0.5 * np.sin(2 * np.pi * 1000 * time), 48_000)
    audio = read_audio(tmp_path / f"tone.{suffix}")
    assert abs(audio.shape[1] - 44_100) < 3000
    middle = audio[0, 10_000:30_000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert abs(spectrum.argmax() * 44_100 / len(middle) - 1000) < 3
    assert abs(np.abs(middle).max() - 0.5) < 0.03


def test_parts_are_cut_where_they_were_asked_for(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "ramp.wav", np.linspace(0, 0.9, 44_100), 44_100, subtype="FLOAT")
    whole = read_audio(tmp_path / "ramp.wav")
    part = read_audio(tmp_path / "ramp.wav", start_seconds=0.25, duration_seconds=0.5)
    np.testing.assert_array_equal(part, whole[:, 11_025 : 11_025 + 22_050])
    for start, duration in ((5.0, None), (-1.0, None), (0.0, 0.0), (float("nan"), None)):
        with pytest.raises(AudioError):
            read_audio(tmp_path / "ramp.wav", start_seconds=start, duration_seconds=duration)


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="regular file"):
        read_audio(tmp_path)
    with pytest.raises(AudioError, match="gone"):
        read_audio(tmp_path / "gone.wav")
