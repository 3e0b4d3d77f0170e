"""Sealed files: a payload followed by 48 bytes that say what it is.

The *seal* is the mark `RIFFSEAL`, the payload's length (8 bytes, little endian) and the SHA-256
of `kind`, `key` and payload. The payload comes first, so that numpy opens or maps a `.npy` payload
directly. A file that was truncated, changed, or renamed to another key does not match its seal.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import struct
import time
from pathlib import Path
from typing import BinaryIO

_SEAL = struct.Struct("<8sQ32s")
_MARK = b"RIFFSEAL"
_CHUNK = 1 << 20

SEAL_BYTES = _SEAL.size
Identity = tuple[int, int, int, int]
"""Identity of a file and its last change: device, inode, size, modification time in ns."""

DAMAGE = {
    errno.EIO,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENXIO,
    errno.EUCLEAN if hasattr(errno, "EUCLEAN") else errno.EIO,
}
"""System errors that mean a damaged entry, not a lack of permission to read it."""


class Damaged(Exception):
    """A file is not sealed, or not the one asked for; the message says why."""


def seal_of(payload: bytes, kind: str, key: str) -> bytes:
    """Returns the seal of a payload in memory."""
    digest = _hasher(kind, key)
    digest.update(payload)
    return _SEAL.pack(_MARK, len(payload), digest.digest())


def append_seal(path: Path, kind: str, key: str) -> None:
    """Reads the payload that `path` holds so far and writes its seal after it."""
    digest = _hasher(kind, key)
    length = 0
    with open(path, "rb+") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
            length += len(chunk)
        handle.write(_SEAL.pack(_MARK, length, digest.digest()))


def stamp(path: Path) -> None:
    """Sets the time of last use to now, with a random fraction of a millisecond.

    File systems note changes by a clock that ticks every few milliseconds only. A later change replaces
    the fraction, so that it shows in the file's identity even within the same tick.

    Raises:
        OSError: The time cannot be set.
    """
    now = time.time_ns() // 1_000_000 * 1_000_000 + secrets.randbelow(1_000_000)
    os.utime(path, ns=(now, now))


def identity_of(status: os.stat_result) -> Identity:
    """Returns the identity of a file, which changes whenever its content does."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def looks_sealed(path: Path | str) -> bool:
    """Whether `path` is a regular file that ends in a seal of the right length. Hashes nothing."""
    try:
        with _open_regular(path) as handle:
            _read_seal(handle)
            return True
    except (OSError, Damaged):
        return False


def read_sealed(
    path: Path, kind: str, key: str, *, load: bool = True, verified: Identity | None = None
) -> tuple[bytes, Identity]:
    """Verifies a sealed file.

    Args:
        load: Whether to return the payload; otherwise it is empty.
        verified: The file's identity when it was found to match its seal. While that is still its
            identity, the payload is not hashed again.

    Returns:
        The payload, and the identity of the file that it came from.

    Raises:
        Damaged: The file does not match its seal, or is not a regular file.
        OSError: The file does not exist or cannot be read.
    """
    with _open_regular(path) as handle:
        identity = identity_of(os.fstat(handle.fileno()))
        length, expected = _read_seal(handle)
        handle.seek(0)
        payload = handle.read(length) if load else b""
        if identity == verified:
            return payload, identity
        digest = _hasher(kind, key)
        if load:
            digest.update(payload)
        else:
            left = length
            while left and (chunk := handle.read(min(left, _CHUNK))):
                digest.update(chunk)
                left -= len(chunk)
        if digest.digest() != expected:
            raise Damaged("its content does not match its seal")
        return payload, identity


def _hasher(kind: str, key: str) -> hashlib._Hash:
    return hashlib.sha256(f"{kind}\0{key}\0".encode())


def _open_regular(path: Path | str) -> BinaryIO:
    """Opens a file without following a link and without waiting for the other end of a pipe."""
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    handle = open(os.open(path, flags), "rb")  # noqa: SIM115 - given to the caller, who closes it
    if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
        handle.close()
        raise Damaged("it is not a regular file")
    return handle


def _read_seal(handle: BinaryIO) -> tuple[int, bytes]:
    size = os.fstat(handle.fileno()).st_size
    if size < SEAL_BYTES:
        raise Damaged(f"it is truncated to {size} bytes")
    handle.seek(size - SEAL_BYTES)
    mark, length, digest = _SEAL.unpack(handle.read(SEAL_BYTES))
    if mark != _MARK or length != size - SEAL_BYTES:
        raise Damaged("it does not end in its seal: truncated, or not an entry")
    return length, digest
