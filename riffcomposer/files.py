"""Writing files so that a reader sees the old content or the complete new one, never a part.

Every write goes to a unique temporary name in the destination's own folder, is flushed and
synced, and then replaces the destination in one step. Encoders only ever see the temporary
name. Temporaries of processes that died are swept by `sweep_stale`.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from riffcomposer.errors import DiskFullError, StoreError

_TEMPORARY = re.compile(r"\.tmp-(?P<pid>[0-9]+)-[0-9a-f]{8}-.+", re.DOTALL)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
STALE_AFTER_S = 24 * 3600.0


def disk_error(error: OSError, path: Path, needed_bytes: int | None = None) -> StoreError:
    """The error to raise for a failed write: names the path, and says so when the disk is full."""
    if error.errno in _FULL:
        return DiskFullError(path, needed_bytes)
    return StoreError(f"{path}: cannot be written ({error.strerror or error})")


def is_read_only(error: StoreError) -> bool:
    """Whether a write failed because the user may not write there, or nobody may."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.EACCES, errno.EPERM, errno.EROFS)


def temporary_name(path: Path) -> Path:
    """A unique name beside `path`, keeping its suffix so that encoders pick the right format."""
    # 80 characters of some scripts are more bytes than a name may have.
    end = os.fsencode(path.name)[-80:].decode(errors="ignore")
    return path.with_name(f".tmp-{os.getpid()}-{secrets.token_hex(4)}-{end}")


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
        shutil.rmtree(folder, ignore_errors=True)


def sweep_stale(folder: Path, *, recursive: bool = False) -> int:
    """Removes temporaries left in `folder` by processes that died. Returns how many went.

    A temporary of a live process is left alone unless it is older than a day: process ids are
    reused, and mean nothing on a folder shared between machines.
    """
    if not folder.is_dir():
        return 0
    removed = 0
    for entry in folder.rglob(".tmp-*") if recursive else folder.glob(".tmp-*"):
        match = _TEMPORARY.fullmatch(entry.name)
        if match is None:
            continue
        with suppress(OSError):
            age = time.time() - entry.stat().st_mtime
            if age > STALE_AFTER_S or not _process_lives(int(match["pid"])):
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
                removed += 1
    return removed
