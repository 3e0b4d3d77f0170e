"""The mel filters against torchaudio's."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from riffcomposer.spectrogram.mel_filters import mel_filters

SHAPES = {
    "riffusion": (8821, 512, 0.0, 10000.0, 44100),
    "up to half the sample rate": (1025, 128, 20.0, 11025.0, 22050),
    "an odd sample rate": (513, 40, 0.0, 5000.0, 11025),
}


@pytest.mark.parametrize("norm", [None, "slaney"])
@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_filters_are_torchaudios_to_the_bit(
    shape: tuple[int, int, float, float, int], scale: str, norm: str | None, torchaudio: ModuleType
) -> None:
    bins, n_mels, low, high, rate = shape
    wanted = torchaudio.functional.melscale_fbanks(bins, low, high, n_mels, rate, norm, scale)
    got = mel_filters(
        bins, n_mels, min_frequency_hz=low, max_frequency_hz=high, sample_rate=rate, scale=scale, norm=norm
    )
    assert torch.equal(got, wanted)


def test_neighbouring_filters_add_up_to_one_between_their_peaks() -> None:
    filters = mel_filters(8821, 64, min_frequency_hz=0.0, max_frequency_hz=10000.0, sample_rate=44100)
    peaks = filters.argmax(0)
    between = filters[int(peaks[0]) : int(peaks[-1]) + 1].sum(1)
    assert torch.allclose(between, torch.ones_like(between), atol=1e-4)
