"""Checks the numbers in a LoRA file: NaN, infinity, and files that change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from riffcomposer.checkpoints.lora_fit import LoraFit
from riffcomposer.checkpoints.safetensors_file import read_header
from riffcomposer.errors import ModelError

_BLOCK = 1 << 22
_FORMATS = {
    "F64": ("<u8", 0x7FF0_0000_0000_0000),
    "F32": ("<u4", 0x7F80_0000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
}
"""Unsigned integers of a number format's width, and its exponent bits: all set for NaN and infinity."""


def check_values(path: Path, fit: LoraFit) -> bool:
    """Checks every number that acts, block by block, without converting it.

    Returns:
        Whether the file changes anything: a LoRA before its first training step has zeros throughout.

    Raises:
        ModelError: A tensor has NaN or infinity; the message names it, but not the file.
    """
    header = read_header(path)
    acts = False
    with open(path, "rb") as handle:
        start = 8 + int.from_bytes(handle.read(8), "little")
        for layer in fit.layers:
            filled = []
            for name in filter(None, (layer.down, layer.up, layer.alpha)):
                entry = header[name]
                begin, end = (start + offset for offset in entry["data_offsets"])
                is_filled, strange = _look(handle, begin, end, entry["dtype"])
                if strange:
                    raise ModelError(
                        f"has {strange} in {name}: its training went wrong; use an earlier save of it"
                    )
                filled.append(is_filled)
            acts = acts or all(filled)
    return acts


def _look(handle: BinaryIO, begin: int, end: int, dtype: str) -> tuple[bool, str]:
    """Returns whether a tensor has anything but zeros, and `NaN` or `infinity` if it has one of those."""
    number, exponent = _FORMATS.get(dtype, ("u1", 0))
    width = np.dtype(number).itemsize * 8
    without_sign, mantissa = (1 << width - 1) - 1, (exponent & -exponent) - 1
    is_filled = False
    handle.seek(begin)
    for at in range(begin, end, _BLOCK):
        content = handle.read(min(_BLOCK, end - at))
        if len(content) != min(_BLOCK, end - at):
            raise ModelError("cannot be read: it became shorter during reading")
        bits = np.frombuffer(content, number)
        strange = bits[(bits & exponent) == exponent] if exponent else bits[:0]
        if strange.size:
            return True, "NaN" if (strange & mantissa).any() else "infinity"
        is_filled = is_filled or bool((bits & without_sign).any())
    return is_filled, ""
