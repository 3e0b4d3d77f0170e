"""The guess of the device class."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from riffcomposer import device as module
from riffcomposer.device import (
    BACKENDS,
    NvidiaDriver,
    TorchBuild,
    guess_backend,
    guess_basis,
    nvidia_driver,
    torch_build,
)
from riffcomposer.errors import UsageError

CUDA_BUILD = TorchBuild("2.14.1+cu130", "13.0")
CPU_BUILD = TorchBuild("2.14.1+cpu")
TWO_GPUS = NvidiaDriver(13, 2)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Plays a machine: `machine(build, driver, system, visible, processor)` gives what is guessed on it."""
    monkeypatch.delenv("RIFFCOMPOSER_DEVICE", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def guess(
        build: TorchBuild,
        driver: NvidiaDriver | None,
        *,
        system: str = "linux",
        visible: str | None = None,
        processor: str = "x86_64",
    ) -> str:
        monkeypatch.setattr(module, "torch_build", lambda: build)
        monkeypatch.setattr(module, "nvidia_driver", lambda: driver)
        monkeypatch.setattr(sys, "platform", system)
        monkeypatch.setattr("platform.machine", lambda: processor)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        return guess_backend()

    return guess


@pytest.mark.parametrize(
    ("device", "backend"),
    [("cpu", "cpu-float32"), ("cuda", "cuda-float16"), ("cuda:1", "cuda-float16"), ("mps", "mps-float16")],
)
def test_a_named_device(device: Any, backend: Any) -> None:
    assert guess_backend(device) == backend


def test_the_guess_is_what_torch_finds_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RIFFCOMPOSER_DEVICE", raising=False)
    from riffcomposer.diffusion.loading import choose_device

    assert guess_backend() == BACKENDS[choose_device().type]


def test_the_build_is_what_torch_says_of_itself() -> None:
    import torch

    build = torch_build()
    assert build.version == torch.__version__
    assert build.cuda == (torch.version.cuda or "")
    assert build.hip == (torch.version.hip or "")


@pytest.mark.parametrize(
    ("lines", "build"),
    [
        ("__version__ = '2.14.1+cpu'\ncuda: Optional[str] = None\nhip: Optional[str] = None\n", CPU_BUILD),
        (
            "__version__ = '2.14.1+cu130'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n",
            CUDA_BUILD,
        ),
        ("__version__ = '2.11.0'\ncuda = None\nhip = None\n", TorchBuild("2.11.0")),
        (
            "__version__ = '2.11.0+rocm7.1'\ncuda: str | None = None\nhip: str | None = \"7.1.25\"\n",
            TorchBuild("2.11.0+rocm7.1", hip="7.1.25"),
        ),
        ("", TorchBuild()),
    ],
)
def test_builds_are_told_by_their_version_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: Any, build: Any
) -> None:
    (tmp_path / "version.py").write_text("from typing import Optional\n__all__ = ['cuda', 'hip']\n" + lines)
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert torch_build() == build


def test_without_torch_the_guess_is_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RIFFCOMPOSER_DEVICE", raising=False)
    for spec in (None, SimpleNamespace(origin=str(tmp_path / "gone" / "__init__.py"))):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, spec=spec: spec)
        assert torch_build() == TorchBuild()
        assert guess_backend() == "cpu-float32"


@pytest.mark.parametrize("system", ["linux", "win32"])
@pytest.mark.parametrize(
    ("build", "driver", "visible", "device"),
    [
        (CUDA_BUILD, TWO_GPUS, None, "cuda"),
        (CPU_BUILD, TWO_GPUS, None, "cpu"),
        (CUDA_BUILD, None, None, "cpu"),
        (CUDA_BUILD, NvidiaDriver(13, 0), None, "cpu"),
        (CUDA_BUILD, NvidiaDriver(12, 2), None, "cpu"),
        (TorchBuild("2.11.0+cu126", "12.6"), TWO_GPUS, None, "cuda"),
        (CUDA_BUILD, NvidiaDriver(0, 1), None, "cuda"),
        (CUDA_BUILD, TWO_GPUS, "", "cpu"),
        (CUDA_BUILD, TWO_GPUS, "-1", "cpu"),
        (CUDA_BUILD, TWO_GPUS, "NoDevFiles", "cpu"),
        (CUDA_BUILD, TWO_GPUS, "1", "cuda"),
        (CUDA_BUILD, TWO_GPUS, "2", "cpu"),
        (CUDA_BUILD, TWO_GPUS, "GPU-8932f937", "cuda"),
    ],
)
def test_cuda_takes_a_build_a_driver_and_a_visible_gpu(
    machine: Any, system: Any, build: Any, driver: Any, visible: Any, device: Any
) -> None:
    assert machine(build, driver, system=system, visible=visible) == BACKENDS[device]


def test_a_device_file_alone_is_no_gpu(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`/dev/dxg` is on every WSL2, with and without a GPU."""
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: str(path) == "/dev/dxg" or exists(path))
    monkeypatch.setattr("ctypes.CDLL", lambda name: (_ for _ in ()).throw(OSError(name)))
    monkeypatch.setattr(Path, "glob", lambda path, pattern: iter(()))
    monkeypatch.setattr(sys, "platform", "linux")
    assert machine(CUDA_BUILD, nvidia_driver.__wrapped__()) == "cpu-float32"


@pytest.mark.parametrize(
    ("processor", "device"), [("arm64", "mps"), ("x86_64", "cpu")], ids=["Apple's own", "Intel"]
)
def test_a_mac(machine: Any, processor: Any, device: Any) -> None:
    build = TorchBuild("2.11.0")
    assert machine(build, None, system="darwin", processor=processor) == BACKENDS[device]


def test_what_the_guess_rests_on_shows_in_its_basis(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(CUDA_BUILD, TWO_GPUS)
    before = guess_basis()
    assert guess_basis() == before
    machine(CPU_BUILD, TWO_GPUS)
    assert guess_basis() != before
    machine(CUDA_BUILD, NvidiaDriver(13, 1))
    assert guess_basis() != before
    machine(CUDA_BUILD, TWO_GPUS, visible="1")
    assert guess_basis() != before


def test_the_environment_may_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIFFCOMPOSER_DEVICE", "cuda")
    assert guess_backend() == "cuda-float16"
    assert guess_backend("cpu") == "cpu-float32"


def test_an_unknown_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="toaster"):
        guess_backend("toaster")
    monkeypatch.setenv("RIFFCOMPOSER_DEVICE", "toaster")
    with pytest.raises(UsageError, match="toaster"):
        guess_backend()
