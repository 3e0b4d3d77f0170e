"""The store: rendered clips and decoded passages on disk, by key.

Layout: `ROOT/kind/ab/cdef....npy`, `abcdef...` being the key; each file is sealed (see
`riffcomposer.store.sealed_file`). An entry that does not match its seal is set aside as `*.bad`,
reported once, and made again. That a file exists proves nothing.

There are no locks: one `os.replace` creates an entry, two runs that make the same entry make equal
ones, and at worst work is done twice. `gc` moves entries to `ROOT/trash` first, where a run that
still needs one finds it.

The time of last use is the entry's modification time. Where it cannot be set (in a read-only
store), only the order of collection is lost.

A `Store` hashes each payload once: it remembers which file it has written or verified, and hashes
again when that file's size or time of modification changes.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from riffcomposer.errors import StoreError
from riffcomposer.files import replacing, sweep_stale
from riffcomposer.store.notes import Notes
from riffcomposer.store.sealed_file import (
    DAMAGE,
    SEAL_BYTES,
    Damaged,
    Identity,
    append_seal,
    identity_of,
    looks_sealed,
    read_sealed,
    seal_of,
    stamp,
)
from riffcomposer.store.store_entries import (
    KINDS,
    Collected,
    Entry,
    Kind,
    StoreInfo,
    Verification,
    entry_name,
    listed,
    parse_entry_name,
    remove,
    walk,
)

DEFAULT_CAP_BYTES = 20 << 30
DEFAULT_TRASH_DAYS = 7.0

_TOUCH_AFTER_S = 60.0


def _log(sentence: str) -> None:
    import logging

    logging.getLogger(__name__).warning("%s", sentence)


def default_root() -> Path:
    """Returns the store's folder: `$RIFFCOMPOSER_STORE`, else one in the user's cache folder."""
    if chosen := os.environ.get("RIFFCOMPOSER_STORE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        configured = os.environ.get("XDG_CACHE_HOME", "")
        cache = Path(configured) if os.path.isabs(configured) else Path.home() / ".cache"
    return cache / "riffcomposer" / "store"


class Store:
    """A folder of sealed entries. A new `Store` object touches nothing on disk.

    Args:
        root: The folder, which the first `put` makes.
        size_cap_bytes: The size to which `gc` reduces the store.
        warn: A function that is called with a sentence once per bad entry; by default it logs.

    Attributes:
        notes: Who renders from this store, and what device was found.
    """

    def __init__(
        self,
        root: Path,
        *,
        size_cap_bytes: int = DEFAULT_CAP_BYTES,
        warn: Callable[[str], None] = _log,
    ) -> None:
        self.root = Path(root)
        self.notes = Notes(self.root)
        self.size_cap_bytes = size_cap_bytes
        self._warn = warn
        self._warned: set[Path] = set()
        self._verified: dict[Path, Identity] = {}

    # Reading ------------------------------------------------------------------------------

    def get(self, kind: Kind, key: str) -> bytes | None:
        """Returns the verified payload, or None if there is no usable entry.

        Raises:
            StoreError: The store cannot be read (permissions, too many open files).
        """
        found = self._find(kind, key, load=True)
        return None if found is None else found[1]

    def path(self, kind: Kind, key: str) -> Path | None:
        """Returns the verified entry's file, for `numpy.load(path, mmap_mode="r")`.

        The payload starts at byte 0 and is followed by the seal. None if there is no usable entry.
        Raises the same errors as `get`.
        """
        found = self._find(kind, key, load=False)
        return None if found is None else found[0]

    def has(self, kind: Kind, key: str) -> bool:
        """Whether a plausible entry exists, as `plan` asks; only `get` and `path` verify it.

        It changes nothing on disk, not even for a bad entry.
        """
        # Texts, not paths: `plan` asks for thousands.
        name = entry_name(kind, key)
        root = os.fspath(self.root)
        return looks_sealed(f"{root}/{name}") or looks_sealed(f"{root}/trash/{name}")

    # Writing ------------------------------------------------------------------------------

    def put(self, kind: Kind, key: str, payload: bytes) -> None:
        """Stores a payload and replaces an existing entry.

        Raises:
            DiskFullError: No space is left. Finished entries are unharmed.
            StoreError: The file system fails in any other way.
        """
        path = self._place(kind, key)
        self._make_way(path)
        with replacing(path, needed_bytes=len(payload) + SEAL_BYTES) as temporary:
            with open(temporary, "wb") as handle:
                handle.write(payload)
                handle.write(seal_of(payload, kind, key))
            written = _stamped(temporary)
        self._remember(path, written)

    @contextmanager
    def put_file(self, kind: Kind, key: str, *, needed_bytes: int | None = None) -> Iterator[Path]:
        """Stores what the caller writes to the given path, for payloads too large for memory.

            with store.put_file("passage", key) as temporary:
                audio = numpy.lib.format.open_memmap(temporary, "w+", numpy.float32, shape=(2, samples))

        Nothing is stored if the block raises. Raises the same errors as `put`.
        """
        path = self._place(kind, key)
        self._make_way(path)
        with replacing(path, needed_bytes=needed_bytes) as temporary:
            yield temporary
            append_seal(temporary, kind, key)
            written = _stamped(temporary)
        self._remember(path, written)

    @contextmanager
    def receive(self, kind: Kind, key: str, *, needed_bytes: int | None = None) -> Iterator[Path]:
        """Stores a sealed file that the caller writes to the given path, as `put_file` does.

        Raises:
            Damaged: It does not match its seal; nothing is stored. And the same errors as `put`.
        """
        path = self._place(kind, key)
        self._make_way(path)
        with replacing(path, needed_bytes=needed_bytes) as temporary:
            yield temporary
            read_sealed(temporary, kind, key, load=False)
            written = _stamped(temporary)
        self._remember(path, written)

    def sweep(self) -> int:
        """Removes temporaries of processes that died; `render` calls it at its start. Never raises."""
        with suppress(OSError):
            return sweep_stale(self.root, recursive=True)
        return 0

    # Looking after it ---------------------------------------------------------------------

    def entries(self) -> Iterator[Entry]:
        """Yields all entries, unverified, kind by kind."""
        for kind in KINDS:
            for item in (item for folder in listed(self.root / kind) for item in listed(folder)):
                named = parse_entry_name(f"{kind}/{item.parent.name}/{item.name}")
                if named is not None:
                    with suppress(OSError):
                        status = item.lstat()
                        yield Entry(*named, item, status.st_size, status.st_mtime)

    def info(self) -> StoreInfo:
        """Returns counts and sizes without reading a payload."""
        totals: dict[str, tuple[int, int]] = {}
        for entry in self.entries():
            count, size = totals.get(entry.kind, (0, 0))
            totals[entry.kind] = (count + 1, size + entry.size_bytes)
        trash = [status.st_size for _, status in self._trash()]
        bad = [status.st_size for _, status in self._bad()]
        return StoreInfo(
            self.root, self.size_cap_bytes, totals, (len(trash), sum(trash)), (len(bad), sum(bad))
        )

    def verify(self) -> Verification:
        """Reads every entry and sets the bad ones aside.

        Raises:
            StoreError: An entry cannot be read.
        """
        checked = checked_bytes = 0
        bad: list[tuple[Path, str]] = []
        for entry in list(self.entries()):
            try:
                read_sealed(entry.path, entry.kind, entry.key, load=False)
            except FileNotFoundError:
                continue
            except (OSError, Damaged) as problem:
                reason = _damage(entry.path, problem)
                bad.append((entry.path, reason))
                self._set_aside(entry.path, reason)
            checked, checked_bytes = checked + 1, checked_bytes + entry.size_bytes
        return Verification(checked, checked_bytes, tuple(bad))

    def gc(
        self,
        keep: Mapping[str, Collection[str]] | None = None,
        cap_bytes: int | None = None,
        *,
        trash_days: float = DEFAULT_TRASH_DAYS,
        dry_run: bool = False,
    ) -> Collected:
        """Reduces the store to its cap by moving the least recently used entries to the trash.

        What has been in the trash, or set aside as bad, for `trash_days` is then removed for
        good. The cap does not count the trash, so the disk meets it once the trash is emptied.

        Args:
            keep: Keys that stay whatever the cap is (those that locks name), by kind.
            cap_bytes: A cap to use instead of the store's own; 0 collects all that is not in `keep`.
            trash_days: Days that entries stay in the trash; 0 empties it at once.
            dry_run: Whether to change nothing, and only return what would be done.

        Raises:
            StoreError: An entry cannot be moved or removed.
        """
        cap = self.size_cap_bytes if cap_bytes is None else cap_bytes
        named = {kind: frozenset(keys) for kind, keys in (keep or {}).items()}
        entries = sorted(self.entries(), key=lambda entry: (entry.used_at, entry.kind, entry.key))
        named_bytes = sum(entry.size_bytes for entry in entries if entry.key in named.get(entry.kind, ()))
        total = sum(entry.size_bytes for entry in entries)
        trashed: list[Entry] = []
        removed: list[int] = []
        path = self.root
        try:
            # 1. Move the least recently used entries to the trash until the cap is met.
            for entry in entries:
                if total <= cap:
                    break
                if entry.key in named.get(entry.kind, ()):
                    continue
                path = entry.path
                if not dry_run:
                    self._move_to_trash(entry)
                trashed.append(entry)
                total -= entry.size_bytes
            # 2. Remove what has been set aside for long enough, and what dead processes left.
            oldest = time.time() - trash_days * 86400
            for path, status in [*self._trash(), *self._bad()]:
                if status.st_mtime <= oldest:
                    if not dry_run:
                        remove(path)
                    removed.append(status.st_size)
        except OSError as error:
            raise StoreError(f"{path}: cannot be collected ({error.strerror or error})") from error
        if not dry_run:
            self.sweep()
        return Collected(tuple(trashed), total, named_bytes, (len(removed), sum(removed)))

    # Inside -------------------------------------------------------------------------------

    def _place(self, kind: Kind, key: str) -> Path:
        return self.root / entry_name(kind, key)

    def _trash_place(self, kind: Kind, key: str) -> Path:
        return self.root / "trash" / entry_name(kind, key)

    def _find(self, kind: Kind, key: str, *, load: bool) -> tuple[Path, bytes] | None:
        place, trashed = self._place(kind, key), self._trash_place(kind, key)
        for path in (place, trashed):
            _touch(path)
            try:
                payload, identity = read_sealed(
                    path, kind, key, load=load, verified=self._verified.get(place)
                )
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, Damaged) as problem:
                self._set_aside(path, _damage(path, problem))
                continue
            found = path
            if path == trashed:
                with suppress(OSError):
                    place.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(trashed, place)
                    found = place
            self._remember(place, identity)
            return found, payload
        return None

    def _remember(self, path: Path, identity: Identity | None) -> None:
        """Records which file at `path` need not be hashed again, if any."""
        if identity is None:
            self._verified.pop(path, None)
        else:
            self._verified[path] = identity

    def _set_aside(self, path: Path, reason: str) -> None:
        """Renames a bad entry to `*.bad` and warns of it once; in a read-only store it only warns."""
        if path not in self._warned:
            self._warned.add(path)
            self._warn(f"{path}: a bad entry ({reason}); it is set aside and made again")
        with suppress(OSError):
            bad = path.with_name(f"{path.name}.{os.urandom(4).hex()}.bad")
            os.rename(path, bad)
            os.utime(bad, follow_symlinks=False)

    def _make_way(self, path: Path) -> None:
        """Sets aside something at an entry's path that is not a file and so could not be replaced."""
        with suppress(OSError):
            if not stat.S_ISREG(path.lstat().st_mode):
                self._set_aside(path, "it is not a regular file")

    def _move_to_trash(self, entry: Entry) -> None:
        """Moves an entry; where the disk is too full even for the trash's folders, removes it."""
        place = self._trash_place(entry.kind, entry.key)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                os.utime(entry.path, follow_symlinks=False)
                os.replace(entry.path, place)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            remove(entry.path)

    def _trash(self) -> Iterator[tuple[Path, os.stat_result]]:
        yield from walk(self.root / "trash", lambda name: not name.endswith(".bad"))

    def _bad(self) -> Iterator[tuple[Path, os.stat_result]]:
        yield from walk(self.root, lambda name: name.endswith(".bad"))


def _stamped(path: Path) -> Identity | None:
    """Returns the identity of a file just written, which any later change alters, or None on failure."""
    with suppress(OSError):
        stamp(path)
        return identity_of(os.stat(path))
    return None


def _touch(path: Path) -> None:
    """Records that an entry is used now, at most once per interval, since a write per read would be slow."""
    with suppress(OSError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime > _TOUCH_AFTER_S:
            stamp(path)


def _damage(path: Path, problem: OSError | Damaged) -> str:
    """Returns why an entry is bad; raises an error that is not about the entry itself."""
    if isinstance(problem, Damaged):
        return str(problem)
    if problem.errno in DAMAGE:
        return problem.strerror or str(problem)
    raise StoreError(f"{path}: cannot be read ({problem.strerror or problem})") from problem
