"""Notes that a store keeps beside its entries: who renders from it, and facts that were found out.

Layout: `ROOT/locks/...` has one note per lock file, `ROOT/devices/...` the class of device that torch found,
`ROOT/sounds/...` the length and tempo of users' recordings, `ROOT/nearness/...` how near clips are to their
prompts. A note that is lost costs finding it out again, or keeps nothing from `gc`; it is never needed to
read an entry.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from riffcomposer.files import write_bytes
from riffcomposer.store.store_entries import listed

Topic = Literal["devices", "sounds", "nearness"]
"""What facts are about."""


class Notes:
    """The notes in the store's folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def remember_lock(self, lock_path: Path, keys: Mapping[str, Collection[str]] | None = None) -> None:
        """Records that the song of `lock_path` is rendered from this store, so `gc` keeps its entries.

        Args:
            lock_path: The lock beside a song; `gc` forgets it once it no longer exists.
            keys: Keys to keep besides the clips that the lock names (passages), by kind.
        """
        place = os.path.abspath(lock_path)
        lines = [
            place,
            *(f"{kind} {key}" for kind, names in sorted((keys or {}).items()) for key in sorted(names)),
        ]
        content = os.fsencode("\0".join(lines))
        path = self.root / "locks" / hashlib.sha256(os.fsencode(place)).hexdigest()[:32]
        with suppress(OSError):
            if path.read_bytes() == content:
                return
        write_bytes(path, content, durable=False)

    def remembered_locks(self) -> dict[Path, dict[str, set[str]]]:
        """Returns the locks that used this store and still exist, each with the keys recorded for it."""
        locks: dict[Path, dict[str, set[str]]] = {}
        for note in listed(self.root / "locks"):
            with suppress(OSError):
                place, *lines = os.fsdecode(note.read_bytes()).split("\0")
                if place and Path(place).is_file():
                    keys = locks.setdefault(Path(place), {})
                    for kind, _, key in (line.partition(" ") for line in lines):
                        keys.setdefault(kind, set()).add(key)
        return locks

    def remember(self, topic: Topic, basis: str, fact: str) -> None:
        """Notes a fact that was found out and can be found out again.

        Args:
            topic: What kind of fact it is.
            basis: Everything that it depends on.
            fact: ASCII.
        """
        write_bytes(self._place(topic, basis), fact.encode("ascii"), durable=False)

    def known(self, topic: Topic, basis: str) -> str | None:
        """Returns the fact that was noted for `basis`, or None."""
        with suppress(OSError, UnicodeDecodeError):
            return self._place(topic, basis).read_text(encoding="ascii")
        return None

    def _place(self, topic: Topic, basis: str) -> Path:
        return self.root / topic / hashlib.sha256(basis.encode(errors="replace")).hexdigest()[:32]
