"""The guess of the device class."""

from __future__ import annotations

import pytest

from riffcomposer.errors import UsageError
from riffcomposer.models.device import guess_compute


@pytest.mark.parametrize(
    ("device", "compute"),
    [("cpu", "cpu-float32"), ("cuda", "cuda-float16"), ("cuda:1", "cuda-float16"), ("mps", "mps-float16")],
)
def test_a_named_device(device, compute):
    assert guess_compute(device) == compute


def test_the_guess_agrees_with_torch():
    import torch

    from riffcomposer.diffusion.loading import choose_device

    if torch.backends.mps.is_available() or torch.cuda.is_available():
        assert guess_compute().startswith(choose_device().type)
    else:
        assert choose_device().type == "cpu"


def test_the_environment_may_decide(monkeypatch):
    monkeypatch.setenv("RIFFCOMPOSER_DEVICE", "cuda")
    assert guess_compute() == "cuda-float16"
    assert guess_compute("cpu") == "cpu-float32"


def test_hidden_devices_do_not_count(monkeypatch):
    monkeypatch.delenv("RIFFCOMPOSER_DEVICE", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert guess_compute() != "cuda-float16"


def test_an_unknown_device_is_refused():
    with pytest.raises(UsageError, match="toaster"):
        guess_compute("toaster")
