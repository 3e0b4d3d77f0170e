"""What must stay in a store: the entries that locks name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from riffcomposer.lock.lock_file import digests_in
from riffcomposer.store.store import Store


def named_by_locks(store: Store, locks: Iterable[Path] = ()) -> tuple[dict[str, set[str]], list[Path]]:
    """Collects what locks need.

    Args:
        store: The store; the locks that it remembers count.
        locks: Further locks.

    Returns:
        kind -> keys, for `Store.gc`; and the locks that were read.

    Raises:
        StoreError: A lock is there and cannot be read.
    """
    remembered = store.notes.remembered_locks()
    found = list(dict.fromkeys([*remembered, *locks]))
    keep: dict[str, set[str]] = {"clip": set(), "passage": set()}
    for lock in found:
        digests = digests_in(lock)
        for kept in keep.values():
            kept.update(digests)
        for kind, more in remembered.get(lock, {}).items():
            keep.setdefault(kind, set()).update(more)
    return keep, found
