"""Writes files so that a reader sees the old content or the complete new one, never a part.

Content is written under a unique temporary name in the destination's folder, flushed and synced;
then it replaces the destination in one step. Encoders only see the temporary name.

A temporary is called `.tmp-PID-PLACE-RANDOM-NAME`. PLACE says where the process id PID means
something: `process_place` is the same for processes that see each other's ids, and differs on
another machine, in another container or after a restart. `sweep_stale` relies on it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from riffcomposer.errors import DiskFullError, StoreError

_TEMPORARY = re.compile(r"\.tmp-(?P<pid>[0-9]+)-(?:(?P<place>[0-9a-f]{12})-)?[0-9a-f]{8}-.+", re.DOTALL)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
STALE_AFTER_S = 24 * 3600.0
"""A temporary file without a write for this long is abandoned, whoever made it."""

_NAME_BYTES = 160
"""Bytes of the destination's name that the temporary name repeats; a name may have 255 bytes."""


def disk_error(error: OSError, path: Path, needed_bytes: int | None = None) -> StoreError:
    """Returns the error to raise for a failed write; a full disk has an error of its own."""
    if error.errno in _FULL:
        return DiskFullError(path, needed_bytes)
    return StoreError(f"{path}: cannot be written ({error.strerror or error})")


def is_read_only(error: StoreError) -> bool:
    """Whether a write failed because of permissions or a read-only file system."""
    status = error.__cause__
    return isinstance(status, OSError) and status.errno in (errno.EACCES, errno.EPERM, errno.EROFS)


@lru_cache(maxsize=1)
def process_place() -> str:
    """Returns an identifier of the place where this process's id is valid, 12 hex digits.

    It is made from the host's name and, on Linux, from the system's start (`boot_id`) and the
    namespace of process ids (each container has its own).
    """
    import platform

    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def temporary_name(path: Path) -> Path:
    """Returns a unique name beside `path` with the same suffix, so that encoders pick the right format."""
    mark = f"{os.getpid()}-{process_place()}-{os.urandom(4).hex()}"
    end = os.fsencode(path.name)[-_NAME_BYTES:].decode(errors="ignore")
    return path.with_name(f".tmp-{mark}-{end}")


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` durable; does nothing where folders cannot be synced."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise
    finally:
        os.close(handle)


def file_sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, 64 hex digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def replacing(path: Path, *, durable: bool = True, needed_bytes: int | None = None) -> Iterator[Path]:
    """Yields a temporary path to write to; on success it replaces `path`, on failure it is removed.

    Args:
        path: The destination. Its folder is made if necessary.
        durable: Whether to sync the file and its folder, so that the new content survives a power loss.
        needed_bytes: Size of the file, for the message if the disk is full.

    Raises:
        DiskFullError: The disk, the quota or the file size limit is full.
        StoreError: The file system fails in any other way.
    """
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if durable:
            with open(temporary, "rb+") as handle:
                os.fsync(handle.fileno())
        os.replace(temporary, path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        raise disk_error(error, path, needed_bytes) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Writes `content` to `path` in one step. Raises the same errors as `replacing`."""
    with replacing(path, durable=durable, needed_bytes=len(content)) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str, *, durable: bool = True) -> None:
    """Writes UTF-8 text to `path` in one step. Raises the same errors as `replacing`."""
    write_bytes(path, content.encode(), durable=durable)


def _process_lives(pid: int) -> bool:
    """Whether a process of this id may exist here; always true on Windows, where asking disturbs it."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """Makes a temporary folder in `parent` and removes it at the end.

    `sweep_stale` removes a folder that a crash left. If the folder cannot be removed at the end, a
    `UserWarning` names it, since it may hold gigabytes.

    Raises:
        DiskFullError, StoreError: The folder cannot be made.
    """
    folder = temporary_name(parent / name)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise disk_error(error, folder) from error
    try:
        yield folder
    finally:
        try:
            shutil.rmtree(folder)
        except OSError as error:
            message = f"{folder}: cannot be removed ({error.strerror or error}); delete it by hand"
            warnings.warn(message, stacklevel=3)


def sweep_stale(folder: Path, *, recursive: bool = False) -> int:
    """Removes temporary files that dead processes left in `folder`. Returns how many it removed.

    The rule for each temporary file or folder:

    1. Without a write for a day, it is removed. For a folder, the newest file counts.
    2. If it was made here (`process_place`) and its process is dead, it is removed.
    3. Everything else stays. A run on another machine or in another container may be writing it; names
       without a place come from earlier versions; on Windows a process cannot be probed.
    """
    if not folder.is_dir():
        return 0
    removed = 0
    for entry in folder.rglob(".tmp-*") if recursive else folder.glob(".tmp-*"):
        match = _TEMPORARY.fullmatch(entry.name)
        if match is None:
            continue
        with suppress(OSError):
            here = match["place"] == process_place()
            if (here and not _process_lives(int(match["pid"]))) or _age_seconds(entry) > STALE_AFTER_S:
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
                removed += 1
    return removed


def _age_seconds(path: Path) -> float:
    """Returns the seconds since the last write to a file, or to anything in a folder."""
    newest = path.lstat().st_mtime
    if path.is_dir() and not path.is_symlink():
        newest = max([newest, *(inner.lstat().st_mtime for inner in path.rglob("*"))])
    return time.time() - newest
