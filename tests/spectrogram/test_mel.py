"""The forward half: audio to mel and levels."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from riffcomposer.errors import AudioError, SpectrogramError
from riffcomposer.spectrogram.mel import levels_from_mel, mel_from_audio, mel_from_levels
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters()


def _noise(samples: int, channels: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(channels, samples, generator=torch.Generator().manual_seed(3))


def _riffusion(audio: torch.Tensor, torchaudio: ModuleType) -> torch.Tensor:
    spectrogram = torchaudio.transforms.Spectrogram(n_fft=17640, hop_length=441, win_length=4410, power=None)
    bank = torchaudio.transforms.MelScale(512, 44100, 0.0, 10000.0, 8821)
    mel: torch.Tensor = bank(spectrogram(audio * 32768).abs())
    return mel


def test_the_mel_is_that_of_riffusions_own_transforms(torchaudio: ModuleType) -> None:
    audio = _noise(441 * 30 + 17, channels=2)
    wanted, got = _riffusion(audio, torchaudio), mel_from_audio(audio, PARAMS)
    assert got.shape == wanted.shape == (2, 512, 31)
    assert float((got - wanted).abs().max() / wanted.max()) < 1e-6


def test_the_fast_mel_is_exact_below_the_top_bands() -> None:
    time = torch.arange(441 * 60) / 44100
    tones = [0.1 * torch.sin(2 * torch.pi * hz * time) for hz in (55.0, 440.0, 3000.0, 8000.0)]
    audio = torch.stack(tones).sum(0)[None]
    wanted, got = mel_from_audio(audio, PARAMS), mel_from_audio(audio, PARAMS, fast=True)
    assert got.shape == wanted.shape
    assert float((got - wanted)[:, :505].abs().max() / wanted.max()) < 1e-3


@pytest.mark.parametrize("samples", [1, 440, 441, 2205, 5000])
@pytest.mark.parametrize("fast", [False, True])
def test_short_audio_has_its_frames(samples: int, fast: bool) -> None:
    mel = mel_from_audio(_noise(samples), PARAMS, fast=fast)
    assert mel.shape == (1, 512, 1 + samples // 441)
    assert bool(torch.isfinite(mel).all())


def test_levels_and_mels_are_inverse() -> None:
    level = torch.rand(1, 512, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(levels_from_mel(mel_from_levels(level, PARAMS), PARAMS), level)
    assert float(levels_from_mel(torch.tensor([[[1e12]]]), PARAMS)) == 1.0


def test_what_cannot_be_analysed_is_refused() -> None:
    with pytest.raises(AudioError):
        mel_from_audio(torch.zeros(1, 0), PARAMS)
    with pytest.raises(AudioError):
        mel_from_audio(torch.zeros(100), PARAMS)
    with pytest.raises(SpectrogramError):
        levels_from_mel(torch.tensor([[[float("nan")]]]), PARAMS)
