"""Copies entries between a store and another place: a folder, a server, or a bucket, by any fsspec URL.

The other place holds sealed files as the store does (`URL/kind/ab/cdef....npy`). An entry from there
is used only if it matches its seal, so a half-written or damaged one is as good as none. Nothing is removed.
A seal does not tell who made an entry: whoever may write to the place decides what is heard.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from riffcomposer.errors import StoreError, UsageError
from riffcomposer.store.sealed_file import Damaged
from riffcomposer.store.store import Store
from riffcomposer.store.store_entries import Kind, entry_name, parse_entry_name

COPIED: tuple[Kind, ...] = ("clip", "passage")
"""What is worth copying: everything else is made of these in seconds, or is about this machine."""


class Remote(Protocol):
    """A place outside this machine; see `fsspec_remote`."""

    def sizes(self) -> dict[str, int]:
        """Returns the size in bytes of each file, by name relative to the place, with `/`."""
        ...

    def upload(self, path: str, name: str) -> None:
        """Copies a local file there."""
        ...

    def download(self, name: str, path: str) -> None:
        """Copies a file from there to a local path."""
        ...


@dataclass(frozen=True)
class Transferred:
    """What was copied.

    Attributes:
        copied, copied_bytes: Entries that were copied.
        present: Entries that were there already.
        bad: Names of entries that do not match their seal, and why; they are not copied.
    """

    copied: int
    copied_bytes: int
    present: int
    bad: tuple[tuple[str, str], ...]


def push(
    store: Store,
    remote: Remote,
    wanted: Mapping[str, Collection[str]] | None = None,
    tell: Callable[[str], None] = lambda name: None,
) -> Transferred:
    """Copies entries to another place, each verified before it leaves.

    Args:
        store: The store.
        remote: The place.
        wanted: Keys by kind; None for all clips and passages.
        tell: Called with the name of each entry before it is copied.

    Raises:
        StoreError: An entry cannot be read, or the place cannot be written.
    """
    there = remote.sizes()
    copied = copied_bytes = present = 0
    for kind, key in _selected(wanted, ((each.kind, each.key) for each in store.entries())):
        path = store.path(kind, key)
        if path is None:
            continue
        name, size = entry_name(kind, key), path.stat().st_size
        if there.get(name) == size:
            present += 1
            continue
        tell(name)
        remote.upload(str(path), name)
        copied, copied_bytes = copied + 1, copied_bytes + size
    return Transferred(copied, copied_bytes, present, ())


def pull(
    store: Store,
    remote: Remote,
    wanted: Mapping[str, Collection[str]] | None = None,
    tell: Callable[[str], None] = lambda name: None,
) -> Transferred:
    """Copies entries from another place; each is stored only if it matches its seal. Arguments as `push`.

    Raises:
        StoreError: The place cannot be read, or the store cannot be written.
    """
    there = remote.sizes()
    named = (entry for entry in map(parse_entry_name, there) if entry is not None)
    copied = copied_bytes = present = 0
    bad: list[tuple[str, str]] = []
    for kind, key in _selected(wanted, named):
        name = entry_name(kind, key)
        if store.path(kind, key) is not None:
            present += 1
        elif name in there:
            tell(name)
            try:
                with store.receive(kind, key, needed_bytes=there[name]) as temporary:
                    remote.download(name, str(temporary))
            except Damaged as problem:
                bad.append((name, str(problem)))
                continue
            copied, copied_bytes = copied + 1, copied_bytes + there[name]
    return Transferred(copied, copied_bytes, present, tuple(bad))


def _selected(
    wanted: Mapping[str, Collection[str]] | None, found: Iterator[tuple[Kind, str]]
) -> list[tuple[Kind, str]]:
    if wanted is not None:
        return [(kind, key) for kind in COPIED for key in sorted(wanted.get(kind, ()))]
    return sorted(entry for entry in found if entry[0] in COPIED)


def fsspec_remote(url: str) -> Remote:
    """Opens a place by its URL: `file:///shared/clips`, `sftp://host/folder`, `s3://bucket/folder`, ...

    Raises:
        UsageError: There is no such kind of URL, or the package for it is not installed.
        StoreError: The place cannot be reached.
    """
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{url}: cannot be opened ({error})") from error
    except Exception as error:
        raise _unreachable(url, error) from error
    return _FsspecRemote(url, system, root.rstrip("/"))


class FileSystem(Protocol):
    """What is used of `fsspec.AbstractFileSystem`."""

    def find(self, path: str, *, detail: bool) -> Mapping[str, Mapping[str, object]]: ...

    def exists(self, path: str) -> bool: ...

    def makedirs(self, path: str, exist_ok: bool) -> None: ...

    def put_file(self, lpath: str, rpath: str) -> None: ...

    def get_file(self, rpath: str, lpath: str) -> None: ...


class _FsspecRemote:
    def __init__(self, url: str, system: FileSystem, root: str) -> None:
        self._url, self._system, self._root = url, system, root

    def sizes(self) -> dict[str, int]:
        found: dict[str, int] = {}
        try:
            for kind in COPIED:
                folder = f"{self._root}/{kind}"
                if not self._system.exists(folder):
                    continue
                for path, status in self._system.find(folder, detail=True).items():
                    size = status.get("size")
                    name = f"{kind}/{path.rpartition(f'/{kind}/')[2]}"
                    found[name] = size if isinstance(size, int) else -1
        except Exception as error:
            raise _unreachable(self._url, error) from error
        return found

    def upload(self, path: str, name: str) -> None:
        target = f"{self._root}/{name}"
        try:
            self._system.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._system.put_file(path, target)
        except Exception as error:
            raise _unreachable(f"{self._url}/{name}", error) from error

    def download(self, name: str, path: str) -> None:
        try:
            self._system.get_file(f"{self._root}/{name}", path)
        except Exception as error:
            raise _unreachable(f"{self._url}/{name}", error) from error


def _unreachable(url: str, error: Exception) -> StoreError:
    """Returns the error for a place that fails; each kind of place raises errors of its own."""
    return StoreError(f"{url}: {type(error).__name__}: {str(error)[:300]}")
