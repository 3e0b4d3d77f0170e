"""Messages from a worker to the driver, as bytes that hold names, numbers and plain arrays only.

A message is 4 bytes with the length of its head (little endian), the head in JSON, and the array's bytes.
Nothing is unpickled, and everything is checked: whatever a worker sends, it is a message or a `WireError`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from riffcomposer.device import BACKENDS
from riffcomposer.render.engines.interface import Done, Failed, SoundBlock, Step, Versions

_LENGTH = struct.Struct("<I")
MAX_HEAD = 64 * 1024
MAX_TEXT = 4000
MAX_ARRAY_BYTES = 256 << 20
DTYPES = {name: np.dtype(name) for name in ("<f2", "<f4")}


class WireError(Exception):
    """Bytes that are no message."""


@dataclass(frozen=True)
class Ready:
    """A worker has started.

    Attributes:
        place: Machine and device, in words.
        backend: Class of device and number format.
        versions: Versions of its code.
    """

    place: str
    backend: str
    versions: Versions


@dataclass(frozen=True)
class Loaded:
    """A worker has loaded a checkpoint.

    Attributes:
        digest: Identity of the checkpoint.
        frames_per_batch: How many frames of clips it renders at once; 0 for one clip.
    """

    digest: str
    frames_per_batch: int


@dataclass(frozen=True)
class LoadFailed:
    """A worker could not load a checkpoint, and why."""

    digest: str
    message: str


@dataclass(frozen=True)
class Ended:
    """A worker is through with a batch."""

    number: int


@dataclass(frozen=True)
class Dying:
    """A worker ends because of an error that is nobody's clip's."""

    message: str


Message = Ready | Loaded | LoadFailed | Step | Done | Failed | SoundBlock | Ended | Dying

_KINDS: dict[str, type] = {
    "ready": Ready,
    "loaded": Loaded,
    "load-failed": LoadFailed,
    "step": Step,
    "done": Done,
    "failed": Failed,
    "block": SoundBlock,
    "ended": Ended,
    "dying": Dying,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_ARRAYS = {"done": "level", "block": "sound"}


def encode(message: Message) -> bytes:
    """Returns a message as bytes. Levels are sent in float16, as they are stored."""
    name = _NAMES[type(message)]
    head = {
        field.name: getattr(message, field.name)
        for field in fields(message)
        if field.name != _ARRAYS.get(name)
    }
    if isinstance(message, Ready):
        head["versions"] = asdict(message.versions)
    head = {key: value[:MAX_TEXT] if isinstance(value, str) else value for key, value in head.items()}
    body = b""
    if isinstance(message, Done | SoundBlock):
        array: NDArray[np.floating] = (
            message.level.astype("<f2") if isinstance(message, Done) else message.sound.astype("<f4")
        )
        head["array"] = {"dtype": array.dtype.str, "shape": list(array.shape)}
        body = np.ascontiguousarray(array).tobytes()
    text = json.dumps({"kind": name, **head}).encode()
    return _LENGTH.pack(len(text)) + text + body


def decode(content: bytes) -> Message:
    """Returns the message that bytes hold.

    Raises:
        WireError: They hold none.
    """
    try:
        (length,) = _LENGTH.unpack_from(content)
        if not 0 < length <= MAX_HEAD:
            raise WireError(f"a head of {length} bytes")
        head = json.loads(content[_LENGTH.size : _LENGTH.size + length])
        if not isinstance(head, dict):
            raise WireError("a head that is no object")
        return _message(head, memoryview(content)[_LENGTH.size + length :])
    except (ValueError, struct.error, RecursionError) as error:
        raise WireError(str(error)[:200]) from error


def _message(head: dict[str, object], body: memoryview) -> Message:
    match _text(head, "kind", 20):
        case "ready":
            backend = _text(head, "backend", 40)
            if backend not in BACKENDS.values():
                raise WireError(f"a class of device {backend!r}")
            return Ready(_text(head, "place"), backend, _versions(head.get("versions")))
        case "loaded":
            return Loaded(_key(head, "digest"), _number(head, "frames_per_batch"))
        case "load-failed":
            return LoadFailed(_key(head, "digest"), _text(head, "message"))
        case "step":
            return Step(_key(head, "key"), _number(head, "step"), _number(head, "of"))
        case "done":
            return Done(_key(head, "key"), _array(head, body, "<f2", 3))
        case "failed":
            return Failed(_key(head, "key"), _text(head, "message"), head.get("final") is True)
        case "block":
            sound = _array(head, body, "<f4", 2)
            return SoundBlock(_key(head, "key"), sound.astype(np.float32, copy=False))
        case "ended":
            return Ended(_number(head, "number"))
        case "dying":
            return Dying(_text(head, "message"))
        case other:
            raise WireError(f"a message of kind {other!r}")


def _text(head: dict[str, object], name: str, most: int = MAX_TEXT) -> str:
    value = head.get(name)
    if not isinstance(value, str) or len(value) > most:
        raise WireError(f"{name} is no text of at most {most} characters")
    return value


def _key(head: dict[str, object], name: str) -> str:
    value = _text(head, name, 200)
    if not value or not value.isascii() or not value.isprintable():
        raise WireError(f"{name} is no key")
    return value


def _number(head: dict[str, object], name: str) -> int:
    value = head.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 31:
        raise WireError(f"{name} is no number")
    return value


def _versions(value: object) -> Versions:
    if not isinstance(value, dict) or set(value) != {field.name for field in fields(Versions)}:
        raise WireError("versions of other parts")
    numbers = {name: _number(value, name) for name in value if name != "riffcomposer"}
    return Versions(riffcomposer=_text(value, "riffcomposer", 100), **numbers)


def _array(
    head: dict[str, object], body: memoryview, dtype: Literal["<f2", "<f4"], axes: int
) -> NDArray[np.floating]:
    """The array behind the head; its size must be exactly what its shape says."""
    described = head.get("array")
    if not isinstance(described, dict) or described.get("dtype") != dtype:
        raise WireError(f"no array of type {dtype}")
    shape = described.get("shape")
    if not isinstance(shape, list) or len(shape) != axes:
        raise WireError(f"no array of {axes} axes")
    sizes = [size for size in shape if isinstance(size, int) and not isinstance(size, bool) and size > 0]
    count = 1
    for size in sizes:
        count *= size
    if len(sizes) != axes or count * DTYPES[dtype].itemsize != len(body) or len(body) > MAX_ARRAY_BYTES:
        raise WireError(f"an array of shape {str(shape)[:100]} in {len(body)} bytes")
    return np.frombuffer(body, DTYPES[dtype]).reshape(sizes)
