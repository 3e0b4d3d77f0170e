"""Entries of a store, reports about them, and the walk over its folders."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from riffcomposer.errors import StoreError

Kind = Literal["clip", "passage", "track"]
"""What an entry holds: a rendered clip's level, a passage's audio, or what is known of a track's files."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_SUFFIX = ".npy"
_KEY = re.compile(r"[0-9a-f]{64}")


def entry_name(kind: Kind, key: str) -> str:
    """Returns an entry's file relative to the store, with `/`.

    Raises:
        ValueError: Not a kind and a key of the store.
    """
    if kind not in KINDS or not _KEY.fullmatch(key):
        raise ValueError(f"{kind!r}, {key!r}: not a kind and a key of the store")
    return f"{kind}/{key[:2]}/{key[2:]}{_SUFFIX}"


def parse_entry_name(name: str) -> tuple[Kind, str] | None:
    """Returns the kind and the key of an entry's file; None if it is no entry's."""
    folder, _, rest = name.partition("/")
    kind = next((kind for kind in KINDS if kind == folder), None)
    key = rest.removesuffix(_SUFFIX).replace("/", "", 1)
    if kind is None or not _KEY.fullmatch(key) or entry_name(kind, key) != name:
        return None
    return kind, key


@dataclass(frozen=True)
class Entry:
    """One entry on disk, as found by a walk over the store; not verified."""

    kind: Kind
    key: str
    path: Path
    size_bytes: int
    used_at: float


@dataclass(frozen=True)
class StoreInfo:
    """Counts and sizes of the store's contents.

    Attributes:
        entries: Count and bytes of each kind of entry.
        trash: Count and bytes of what `gc` collected and has not yet removed.
        bad: Count and bytes of entries that were set aside.
    """

    root: Path
    size_cap_bytes: int
    entries: dict[str, tuple[int, int]]
    trash: tuple[int, int]
    bad: tuple[int, int]

    @property
    def total_bytes(self) -> int:
        """Bytes of all entries, which the cap limits."""
        return sum(size for _, size in self.entries.values())


@dataclass(frozen=True)
class Verification:
    """The result of `verify`: how much it read, and (path, reason) of each bad entry."""

    checked: int
    checked_bytes: int
    bad: tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class Collected:
    """The result of `gc`, done or only planned.

    Attributes:
        trashed: Entries moved to the trash, least recently used first.
        kept_bytes: Bytes that stay in the store.
        named_bytes: Bytes that stay because a lock names them.
        removed: Count and bytes of what is removed for good: old trash and old bad entries.
    """

    trashed: tuple[Entry, ...]
    kept_bytes: int
    named_bytes: int
    removed: tuple[int, int]


def listed(folder: Path) -> list[Path]:
    """Lists a folder in order; the list is empty if there is no folder, or only a link."""
    try:
        return [] if folder.is_symlink() else sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(f"{folder}: cannot be read ({error.strerror or error})") from error


def walk(folder: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[Path, os.stat_result]]:
    """Yields everything below `folder` with a wanted name that is a file, or a folder that was set aside."""
    for parent, folders, names in os.walk(folder):
        for name in sorted(names) + [name for name in folders if name.endswith(".bad")]:
            if wanted(name) and not name.startswith(".tmp-"):
                with suppress(OSError):
                    path = Path(parent, name)
                    yield path, path.lstat()
        folders[:] = sorted(name for name in folders if not name.endswith(".bad"))


def remove(path: Path) -> None:
    """Removes a file or a folder, if it still exists."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
