"""The option that names the store, which every command that reads it shares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riffcomposer.cli.console import print_warning
from riffcomposer.errors import UsageError

if TYPE_CHECKING:
    from riffcomposer.store.store import Store

StoreFolder = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="DIR",
        help="Folder of rendered clips. Default: RIFFCOMPOSER_STORE, else one in your cache folder.",
    ),
]


def chosen_store(folder: Path | None) -> Store:
    """Returns the store in `folder`; the user's own if None. It warns of bad entries on stderr.

    Raises:
        UsageError: There is something else than a folder.
    """
    from riffcomposer.store.store import Store, default_root

    if folder is not None:
        folder = folder.expanduser()
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"--store {folder}: is no folder; name one, which need not exist yet")
    return Store(folder or default_root(), warn=print_warning)
