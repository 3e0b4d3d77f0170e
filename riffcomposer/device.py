"""Guesses which class of device a render will use, without importing torch.

Planning needs it for keys: results differ between number formats, so the class is part of a clip's
key. The guess uses how the installed torch was built and what the driver reports. It can be wrong
(a driver that does not start, a virtual Mac without Metal), so a render asks torch before it works
and plans again if the guess was wrong; the store remembers torch's answer for `guess_basis()`. A
wrong guess costs time, never a wrong clip.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from riffcomposer.errors import UsageError

Backend = Literal["cpu-float32", "cuda-float16", "mps-float16"]
BACKENDS: dict[str, Backend] = {"cpu": "cpu-float32", "cuda": "cuda-float16", "mps": "mps-float16"}

_BUILD_FIELD = re.compile(r"^_*(version|cuda|hip)_*\s*(?::[^=\n]*)?=\s*['\"](\d[^'\"]*)['\"]", re.MULTILINE)


@dataclass(frozen=True)
class TorchBuild:
    """What the installed torch was built for.

    Attributes:
        version: `2.14.1+cu130`; empty if torch is not installed.
        cuda: CUDA version, `13.0`; empty for builds without.
        hip: ROCm's HIP version; empty for builds without.
    """

    version: str = ""
    cuda: str = ""
    hip: str = ""


@dataclass(frozen=True)
class NvidiaDriver:
    """What an NVIDIA driver reports.

    Attributes:
        cuda_major: Major version of the newest CUDA that it runs; 0 if unknown.
        devices: Number of GPUs.
    """

    cuda_major: int
    devices: int


def torch_build() -> TorchBuild:
    """Returns how torch was built, from the text of its `version.py`, which every build has."""
    with suppress(ImportError, ValueError, OSError):
        spec = importlib.util.find_spec("torch")
        if spec is not None and spec.origin:
            text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
            return TorchBuild(**dict(_BUILD_FIELD.findall(text)))
    return TorchBuild()


@cache
def nvidia_driver() -> NvidiaDriver | None:
    """Returns what the NVIDIA driver reports through its management library, or None without a driver.

    The driver itself is not asked, because that would create a context on the GPU.
    """
    name = {"linux": "libnvidia-ml.so.1", "win32": "nvml.dll"}.get(sys.platform)
    if name is None:
        return None
    count, newest = ctypes.c_uint(), ctypes.c_int()
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(name)
        if library.nvmlInit_v2() != 0:
            return None
        try:
            library.nvmlDeviceGetCount_v2(ctypes.byref(count))
            library.nvmlSystemGetCudaDriverVersion_v2(ctypes.byref(newest))
        finally:
            library.nvmlShutdown()
        return NvidiaDriver(newest.value // 1000, count.value)
    # A container may have the GPU's device file and the driver, but not the management library.
    devices = len(list(Path("/dev").glob("nvidia[0-9]*"))) if sys.platform == "linux" else 0
    return NvidiaDriver(0, devices) if devices else None


def _visible(devices: int, chosen: str | None) -> bool:
    """Whether CUDA_VISIBLE_DEVICES leaves any of `devices`; the first invalid name ends its list."""
    if chosen is None:
        return devices > 0
    first = chosen.split(",")[0].strip()
    if first.startswith(("GPU-", "MIG-")):
        return devices > 0
    return first.isascii() and first.isdigit() and int(first) < devices


def _has_cuda(build: TorchBuild) -> bool:
    """Whether this torch will find a device that it calls `cuda`."""
    if build.hip:
        return Path("/dev/kfd").exists() and os.environ.get("HIP_VISIBLE_DEVICES", "0") not in ("", "-1")
    if not build.cuda:
        return False
    driver = nvidia_driver()
    if driver is None or not _visible(driver.devices, os.environ.get("CUDA_VISIBLE_DEVICES")):
        return False
    # A driver runs programs made for the major version of its own CUDA and for older ones.
    return not driver.cuda_major or driver.cuda_major >= int(build.cuda.partition(".")[0])


def named_device(device: str) -> str:
    """Returns the requested device; for `auto`, the value of the environment variable RIFFCOMPOSER_DEVICE.

    Raises:
        UsageError: The name is not `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
    """
    if device == "auto":
        device = os.environ.get("RIFFCOMPOSER_DEVICE", "auto")
    if device != "auto" and device.partition(":")[0] not in BACKENDS:
        raise UsageError(f"device {device!r} is not one of auto, cpu, cuda, cuda:<number> or mps")
    return device


def guess_backend(device: str = "auto") -> Backend:
    """Guesses the class of device and number format that a render on `device` will use.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`. `auto` takes the environment variable
            RIFFCOMPOSER_DEVICE if set, else CUDA, else Apple's GPU, else the CPU.

    Raises:
        UsageError: The name is another one.
    """
    device = named_device(device)
    if device != "auto":
        return BACKENDS[device.partition(":")[0]]
    build = torch_build()
    if _has_cuda(build):
        return BACKENDS["cuda"]
    apple = sys.platform == "darwin" and platform.machine() == "arm64" and build.version
    return BACKENDS["mps" if apple else "cpu"]


def guess_basis() -> str:
    """Returns everything that the guess for `auto` depends on, as text; torch's answer is stored under it."""
    driver = nvidia_driver()
    visible = [os.environ.get(name, "-") for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")]
    parts = [platform.node(), platform.machine(), torch_build(), driver, Path("/dev/kfd").exists(), *visible]
    return "; ".join(map(str, parts))
