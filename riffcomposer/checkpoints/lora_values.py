"""Checks the numbers in a LoRA file: NaN, infinity, absurd sizes, and files that change nothing."""

from __future__ import annotations

from dataclasses import dataclass
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
    "F8_E5M2": ("u1", 0x7C),
    "F8_E4M3": ("u1", 0x7F),
}
"""Unsigned integers of a number format's width, and its exponent bits: all set for NaN and infinity.

F8_E4M3 has no infinity, and one NaN: all bits set but the sign (Micikevicius and others: FP8 formats for
deep learning, 2022).
"""


LARGEST = 100.0
"""A factor beyond this is no result of training: the weights that it is added to are below 10."""


@dataclass(frozen=True)
class LoraValues:
    """What the numbers of a LoRA say.

    Attributes:
        acts: Whether it changes anything: before its first training step, a LoRA has zeros throughout.
        largest: Largest magnitude in its factors.
        where: The tensor that holds it.
    """

    acts: bool
    largest: float = 0.0
    where: str = ""


def check_values(path: Path, fit: LoraFit) -> LoraValues:
    """Checks every number that acts, block by block, without converting it.

    Raises:
        ModelError: A tensor has NaN or infinity; the message names it, but not the file.
    """
    header = read_header(path)
    acts, largest, where = False, 0.0, ""
    with open(path, "rb") as handle:
        start = 8 + int.from_bytes(handle.read(8), "little")
        for layer in fit.layers:
            filled = []
            for name in filter(None, (layer.down, layer.up, layer.alpha)):
                entry = header[name]
                begin, end = (start + offset for offset in entry["data_offsets"])
                magnitude, strange = _look(handle, begin, end, entry["dtype"])
                if strange:
                    raise ModelError(
                        f"has {strange} in {name}: its training went wrong; use an earlier save of it"
                    )
                filled.append(magnitude > 0)
                if name != layer.alpha and magnitude > largest:
                    largest, where = magnitude, name
            acts = acts or all(filled)
    return LoraValues(acts, largest, where)


def _look(handle: BinaryIO, begin: int, end: int, dtype: str) -> tuple[float, str]:
    """Returns a tensor's largest magnitude, and `NaN` or `infinity` if it has one of those.

    Without their signs, floating-point numbers have the order of their bits (IEEE 754).
    """
    number, exponent = _FORMATS.get(dtype, ("u1", 0))
    width = np.dtype(number).itemsize * 8
    without_sign, mantissa = (1 << width - 1) - 1, (exponent & -exponent) - 1
    most = 0
    handle.seek(begin)
    for at in range(begin, end, _BLOCK):
        content = handle.read(min(_BLOCK, end - at))
        if len(content) != min(_BLOCK, end - at):
            raise ModelError("cannot be read: it became shorter during reading")
        bits = np.frombuffer(content, number)
        strange = bits[(bits & exponent) == exponent] if exponent else bits[:0]
        if strange.size:
            return np.inf, "infinity" if mantissa and not (strange & mantissa).any() else "NaN"
        most = max(most, int((bits & without_sign).max(initial=0)))
    return _number(most, dtype), ""


def _number(bits: int, dtype: str) -> float:
    """Returns the number that the bits of a positive one mean."""
    if dtype == "BF16":  # the upper half of an F32
        bits, dtype = bits << 16, "F32"
    elif dtype == "F8_E5M2":  # the upper half of an F16
        bits, dtype = bits << 8, "F16"
    elif dtype == "F8_E4M3":
        exponent, mantissa = bits >> 3, bits & 7
        return (8 + mantissa) * 2.0 ** (exponent - 10) if exponent else mantissa * 2.0**-9
    formats = {"F64": ("<u8", "<f8"), "F32": ("<u4", "<f4"), "F16": ("<u2", "<f2")}
    if dtype not in formats:
        return float(bits > 0)
    whole, floating = formats[dtype]
    return float(np.array(bits, whole).view(floating))
