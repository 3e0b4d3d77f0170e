"""Writing files so that a reader sees the old content or the complete new one, never a part.

Every write goes to a unique temporary name in the destination's own folder, is flushed and
synced, and then replaces the destination in one step. Encoders only ever see the temporary
name.

A temporary is called `.tmp-PID-PLACE-RANDOM-NAME`. PLACE says where the process id PID means
something: `process_place` gives the same text to processes that see each other's ids, and another
one on another machine, in another container or after a restart. `sweep_stale` goes by it.
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
"""A temporary that nobody has written to for so long is dead, whoever made it."""

_NAME_BYTES = 160
"""Bytes of the destination's name in the temporary's, of the 255 that a name may have."""


def disk_error(error: OSError, path: Path, needed_bytes: int | None = None) -> StoreError:
    """The error to raise for a failed write: names the path, and says so when the disk is full."""
    if error.errno in _FULL:
        return DiskFullError(path, needed_bytes)
    return StoreError(f"{path}: cannot be written ({error.strerror or error})")


def is_read_only(error: StoreError) -> bool:
    """Whether a write failed because the user may not write there, or nobody may."""
    status = error.__cause__
    return isinstance(status, OSError) and status.errno in (errno.EACCES, errno.EPERM, errno.EROFS)


@lru_cache(maxsize=1)
def process_place() -> str:
    """Where the process ids of this process are valid, as 12 hex digits.

    Made of the host's name and, on Linux, of the start of the system (`boot_id`) and the space of
    process ids (each container has its own).
    """
    import platform

    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def temporary_name(path: Path) -> Path:
    """A unique name beside `path`, keeping its suffix so that encoders pick the right format."""
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


@contextmanager
def replacing(path: Path, *, durable: bool = True, needed_bytes: int | None = None) -> Iterator[Path]:
    """Gives a temporary path to write to; on success it replaces `path`, on any failure it goes.

    Args:
        path: The destination. Its folder is made if need be.
        durable: Also sync the file and its folder, so that the new content survives a power loss.
        needed_bytes: How large the file will be, for the message when the disk is full.

    Raises:
        DiskFullError: The disk, the quota or the file size limit is full.
        StoreError: Any other failure of the file system.
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
    """Writes `content` to `path` in one step. Raises as `replacing` does."""
    with replacing(path, durable=durable, needed_bytes=len(content)) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str, *, durable: bool = True) -> None:
    """Writes UTF-8 text to `path` in one step. Raises as `replacing` does."""
    write_bytes(path, content.encode(), durable=durable)


def _process_lives(pid: int) -> bool:
    """Whether there may be a process of this id here; Windows cannot be asked without disturbing it."""
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
    """A temporary folder in `parent`, gone at the end; `sweep_stale` removes one that a crash left.

    What cannot be removed at the end is named in a `UserWarning`: it may be gigabytes.

    Raises:
        DiskFullError, StoreError: It cannot be made.
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
    """Removes temporaries left in `folder` by processes that died. Returns how many went.

    The rule for each temporary:

    1. Nobody has written to it for a day: it goes. In a folder, the newest file counts.
    2. It was made here (`process_place`) and its process is dead: it goes.
    3. Anything else stays. A run on another machine or in another container may be writing it; names
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
    """Seconds since the last write to a file, or to anything in a folder."""
    newest = path.lstat().st_mtime
    if path.is_dir() and not path.is_symlink():
        newest = max([newest, *(inner.lstat().st_mtime for inner in path.rglob("*"))])
    return time.time() - newest
