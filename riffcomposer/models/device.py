"""Guesses which class of device a render will use, without importing torch.

Planning needs it for keys: results differ between number formats, so the class is part of a clip's
key. The engine states the class that it really got; a wrong guess costs a new key, never a wrong hit.
"""

from __future__ import annotations

import ctypes.util
import os
import platform
import sys
from pathlib import Path
from typing import Literal

from riffcomposer.errors import UsageError

Compute = Literal["cpu-float32", "cuda-float16", "mps-float16"]
COMPUTE: dict[str, Compute] = {"cpu": "cpu-float32", "cuda": "cuda-float16", "mps": "mps-float16"}


def _has_nvidia_driver() -> bool:
    """Whether an NVIDIA driver with at least one visible device is installed."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        return False
    if sys.platform == "linux":
        return (
            Path("/proc/driver/nvidia/gpus").is_dir()
            or Path("/dev/nvidia0").exists()
            or Path("/dev/dxg").exists()
        )
    return sys.platform == "win32" and ctypes.util.find_library("nvcuda") is not None


def guess_compute(device: str = "auto") -> Compute:
    """The class of device and number format that a render on `device` will use.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`. `auto` takes the environment variable
            RIFFCOMPOSER_DEVICE if set, else CUDA, else Apple's GPU, else the CPU.

    Raises:
        UsageError: Another name.
    """
    if device == "auto":
        device = os.environ.get("RIFFCOMPOSER_DEVICE", "auto")
    if device == "auto":
        if _has_nvidia_driver():
            return COMPUTE["cuda"]
        apple = sys.platform == "darwin" and platform.machine() == "arm64"
        return COMPUTE["mps" if apple else "cpu"]
    kind = device.partition(":")[0]
    if kind not in COMPUTE:
        raise UsageError(f"device {device!r} is not one of auto, cpu, cuda, cuda:<number> or mps")
    return COMPUTE[kind]
