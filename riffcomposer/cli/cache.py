"""`riffcompose cache`: shows and verifies the store, and collects entries that are not needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riffcomposer.cli.console import print_json, print_line, print_warning
from riffcomposer.cli.store_option import StoreFolder, chosen_store
from riffcomposer.errors import StoreError
from riffcomposer.text import GIB, size

if TYPE_CHECKING:
    from riffcomposer.store.transfer import Transferred

_SONG_SUFFIXES = (".yaml", ".yml")

Url = Annotated[
    str, typer.Argument(metavar="URL", help="A folder, or a URL: sftp://host/folder, s3://bucket/folder, ...")
]
Paths = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[PATH]...", help="Songs, locks or folders with locks. Default: everything."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def _count(number: int, word: str) -> str:
    many = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number:,} {word if number == 1 else many}"


def locks_in(path: Path) -> Iterator[Path]:
    """Returns the locks that a path means: a lock, the lock of a song, or all locks in a folder.

    Raises:
        StoreError: The path is none of these.
    """
    from riffcomposer.lock.lock_file import lock_path

    if path.is_dir():
        for parent, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(parent, name) for name in sorted(names) if name.endswith(".lock"))
    elif path.suffix == ".lock" and path.is_file():
        yield path
    elif path.suffix in _SONG_SUFFIXES and lock_path(path).is_file():
        yield lock_path(path)
    else:
        raise StoreError(f"{path}: not a lock, a song with a lock beside it, or a folder")


def _wanted(paths: list[Path] | None) -> dict[str, set[str]] | None:
    """Returns the keys that locks name, by kind; None for all, if no paths are given."""
    from riffcomposer.lock.lock_file import digests_in
    from riffcomposer.store.transfer import COPIED

    if not paths:
        return None
    digests = {digest for path in paths for lock in locks_in(path) for digest in digests_in(lock)}
    return dict.fromkeys(COPIED, digests)


def _print_transferred(done: Transferred, *, as_json: bool) -> None:
    """Prints what was copied."""
    if as_json:
        print_json(
            {
                "copied": done.copied,
                "copied_bytes": done.copied_bytes,
                "present": done.present,
                "bad": [{"name": name, "reason": reason} for name, reason in done.bad],
            }
        )
        return
    for name, reason in done.bad:
        print_warning(f"{name}: not copied ({reason})")
    print_line(
        f"{_count(done.copied, 'entry')} copied, {size(done.copied_bytes)}; {done.present:,} there already"
    )


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    cache = typer.Typer(help="Look after the store of rendered clips.", no_args_is_help=True)
    app.add_typer(cache, name="cache")

    @cache.command()
    def info(store: StoreFolder = None, as_json: AsJson = False) -> None:
        """Show where the store is and what is in it."""
        found = chosen_store(store).info()
        if as_json:
            print_json(
                {
                    "path": str(found.root),
                    "cap_bytes": found.size_cap_bytes,
                    "total_bytes": found.total_bytes,
                    "entries": {
                        kind: {"count": count, "bytes": total}
                        for kind, (count, total) in found.entries.items()
                    },
                    "trash": {"count": found.trash[0], "bytes": found.trash[1]},
                    "bad": {"count": found.bad[0], "bytes": found.bad[1]},
                }
            )
            return
        lines = [f"store: {found.root}"]
        lines += [
            f"{kind}: {count:,}, {size(total)}" for kind, (count, total) in sorted(found.entries.items())
        ]
        lines.append(f"in all: {size(found.total_bytes)} of {size(found.size_cap_bytes)}")
        for name, (count, total) in (("trash", found.trash), ("set aside as bad", found.bad)):
            if count:
                lines.append(f"{name}: {count:,}, {size(total)}")
        for line in lines:
            print_line(line)

    @cache.command()
    def verify(store: StoreFolder = None, as_json: AsJson = False) -> None:
        """Read every entry; set aside those whose content does not match. Exit with 4 if there were any."""
        found = chosen_store(store).verify()
        if as_json:
            bad = [{"path": str(path), "reason": reason} for path, reason in found.bad]
            print_json({"checked": found.checked, "checked_bytes": found.checked_bytes, "bad": bad})
        else:
            verdict = f"{len(found.bad)} bad, set aside" if found.bad else "all sound"
            print_line(f"{_count(found.checked, 'entry')} read, {size(found.checked_bytes)}: {verdict}")
        if found.bad:
            raise typer.Exit(StoreError.exit_code)

    @cache.command()
    def push(url: Url, paths: Paths = None, store: StoreFolder = None, as_json: AsJson = False) -> None:
        """Copy clips and passages to another place: of songs or locks, or all of the store."""
        from riffcomposer.store import transfer

        done = transfer.push(chosen_store(store), transfer.fsspec_remote(url), _wanted(paths))
        _print_transferred(done, as_json=as_json)

    @cache.command()
    def pull(url: Url, paths: Paths = None, store: StoreFolder = None, as_json: AsJson = False) -> None:
        """Copy clips and passages from another place into the store; exit with 4 if any were damaged."""
        from riffcomposer.store import transfer

        done = transfer.pull(chosen_store(store), transfer.fsspec_remote(url), _wanted(paths))
        _print_transferred(done, as_json=as_json)
        if done.bad:
            raise typer.Exit(StoreError.exit_code)

    @cache.command()
    def gc(
        paths: Annotated[
            list[Path] | None,
            typer.Argument(
                metavar="[PATH]...",
                help="Songs, locks or folders whose clips stay, besides those of earlier renders.",
            ),
        ] = None,
        max_size: Annotated[
            float | None,
            typer.Option(
                "--max-size",
                min=0,
                metavar="GIB",
                help="Size to reduce the store to; 0 collects all that no lock names.",
            ),
        ] = None,
        trash_days: Annotated[
            float,
            typer.Option("--trash-days", min=0, help="Remove from the trash what has been there for longer."),
        ] = 7.0,
        store: StoreFolder = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Move the least recently used entries to the trash, except those that a lock names."""
        from riffcomposer.lock.kept_keys import named_by_locks

        kept = chosen_store(store)
        keep, locks = named_by_locks(kept, [lock for path in paths or [] for lock in locks_in(path)])
        cap = None if max_size is None else int(max_size * GIB)
        done = kept.gc(keep, cap, trash_days=trash_days, dry_run=dry_run)
        trashed_bytes = sum(entry.size_bytes for entry in done.trashed)
        if as_json:
            print_json(
                {
                    "dry_run": dry_run,
                    "locks": [str(lock) for lock in locks],
                    "trashed": {"count": len(done.trashed), "bytes": trashed_bytes},
                    "removed": {"count": done.removed[0], "bytes": done.removed[1]},
                    "kept_bytes": done.kept_bytes,
                    "named_bytes": done.named_bytes,
                }
            )
            return
        would = "would be " if dry_run else ""
        lines = [
            f"{_count(len(done.trashed), 'entry')} {would}moved to the trash, {size(trashed_bytes)}",
            f"{_count(done.removed[0], 'entry')} {would}removed for good, {size(done.removed[1])}",
            f"{size(done.kept_bytes)} stay, {size(done.named_bytes)} of it for songs with a lock",
        ]
        for line in lines:
            print_line(line)
