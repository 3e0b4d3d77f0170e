"""Reads the table of tensors of a safetensors file, or tells what another file really is.

Only the header is read. Its format is described at
https://github.com/huggingface/safetensors#format: a length of 8 bytes, JSON, then the tensors.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

from riffcomposer.errors import ModelError

_HEADER_BYTES = 16 << 20
"""Longest table in bytes: far longer than any checkpoint's, and safe to parse from a stranger's file."""

_MOST_DIMENSIONS = 16
_BITS = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6} | {
    f"{kind}{bits}": bits for kind in "FIUC" for bits in (8, 16, 32, 64)
}

_STARTS = (
    (b"version https://git-lfs.github.com/", "a git-lfs pointer", "run `git lfs pull`"),
    (b"GGUF", "a GGUF file", "GGUF is for other programs; get the safetensors version"),
    (b"PK\x03\x04", "a pickled checkpoint or a zip archive", "get the safetensors version"),
    (b"\x80", "a pickled checkpoint", "get the safetensors version"),
    (b"\x89HDF", "an HDF5 file (Keras)", "get the safetensors version"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
    (b"Rar!", "a rar archive", "unpack it first"),
    (b"\x89PNG", "a PNG image", "name the weights instead"),
    (b"\xff\xd8\xff", "a JPEG image", "name the weights instead"),
)


def impostor(path: Path) -> tuple[str, str] | None:
    """Returns what a file is that is not safetensors, and what to do about it, or None if unknown."""
    with open(path, "rb") as handle:
        start = handle.read(512)
    for magic, kind, advice in _STARTS:
        if start.startswith(magic):
            return kind, advice
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page", "download the file itself, not the page about it"
    return None


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do, whatever its name."""
    with open(path, "rb") as handle:
        start = handle.read(9)
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size - 8


def _entry_fault(entry: dict[str, Any]) -> str | None:
    """Returns what is wrong with one tensor of the table, or None."""
    begin, end = entry["data_offsets"]
    shape, dtype = entry["shape"], entry["dtype"]
    if not (type(begin) is int and type(end) is int and 0 <= begin <= end):
        return "has impossible offsets"
    if not isinstance(shape, list) or len(shape) > _MOST_DIMENSIONS:
        return "has no shape"
    if not all(type(side) is int and side >= 0 for side in shape):
        return "has no shape"
    bits = _BITS.get(dtype) or _BITS.get(str(dtype).partition("_")[0]) or (16 if dtype == "BF16" else 0)
    if bits and (end - begin) * 8 != prod(shape) * bits:
        return f"has {end - begin:,} bytes, too {'few' if (end - begin) * 8 < prod(shape) * bits else 'many'}"
    return None


def _as_mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Makes a mapping of JSON, and refuses a name that is there twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _texts(metadata: object) -> dict[str, str]:
    """Returns the file's metadata, which must be texts."""
    if metadata is None:
        return {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise TypeError("metadata that are no texts")
    return metadata


def _gap(header: dict[str, Any]) -> str | None:
    """Returns the first tensor that does not begin where the one before it ends, or None."""
    position = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        if begin != position:
            return name
        position = end
    return None


def read_table(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the table of tensors (name -> dtype, shape, data_offsets), and the file's metadata.

    Raises:
        ModelError: The file is truncated, longer than its header says, damaged, or not safetensors.
    """
    size = path.stat().st_size
    with open(path, "rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if size < 8 or length > min(_HEADER_BYTES, size - 8):
            if found := impostor(path):
                raise ModelError(f"{path}: not a safetensors file but {found[0]}; {found[1]}")
            raise ModelError(f"{path}: truncated or not a safetensors file ({size:,} bytes); fetch it again")
        try:
            content = handle.read(length).decode("utf-8")
            header = json.loads(content, object_pairs_hook=_as_mapping, parse_constant=_no_number)
            texts = _texts(header.pop("__metadata__", None))
            faults = {name: fault for name, entry in header.items() if (fault := _entry_fault(entry))}
            end = 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
            raise ModelError(f"{path}: its header is damaged; fetch it again") from error
    if faults:
        name = next(iter(faults))
        raise ModelError(
            f"{path}: its header is damaged (tensor {name[:100]} {faults[name]}); fetch it again"
        )
    if size != end:
        what = "truncated" if size < end else "longer than its header says"
        raise ModelError(f"{path}: {what} ({size:,} bytes of {end:,}); fetch it again")
    if (name := _gap(header)) is not None:
        raise ModelError(
            f"{path}: its header is damaged (tensor {name[:100]} does not begin where another ends); "
            "fetch it again"
        )
    return header, texts


def read_header(path: Path) -> dict[str, Any]:
    """Returns the table of tensors alone. Raises the same errors as `read_table`."""
    return read_table(path)[0]


def shapes(header: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every tensor of a table."""
    return {name: tuple(entry["shape"]) for name, entry in header.items()}
