"""Splits a result file into parts of at most 16 MiB, for transfer, and joins them again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from riffcomposer import files
from riffcomposer.errors import ModelError

PART_BYTES = 16 << 20


def split(path: Path, folder: Path, part_bytes: int = PART_BYTES) -> list[Path]:
    """Cuts a file into `NAME.000`, `NAME.001`, ... and writes `NAME.parts.json` with its hash.

    Returns:
        The files that were written, the list of parts included.
    """
    content = path.read_bytes()
    written = []
    for number, start in enumerate(range(0, max(len(content), 1), part_bytes)):
        part = folder / f"{path.name}.{number:03d}"
        files.write_bytes(part, content[start : start + part_bytes])
        written.append(part)
    record = {
        "name": path.name,
        "parts": [part.name for part in written],
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    files.write_text(folder / f"{path.name}.parts.json", json.dumps(record, indent=2) + "\n")
    return [*written, folder / f"{path.name}.parts.json"]


def join(folder: Path, out: Path) -> list[Path]:
    """Joins every file whose list is in `folder`; returns what was written to `out`.

    Raises:
        ModelError: A part is missing, or the joined file has another hash than the list says.
    """
    written = []
    for listing in sorted(folder.glob("*.parts.json")):
        record = json.loads(listing.read_text(encoding="utf-8"))
        missing = [name for name in record["parts"] if not (folder / name).is_file()]
        if missing:
            raise ModelError(f"{folder / missing[0]}: missing; bring all {len(record['parts'])} parts")
        content = b"".join((folder / name).read_bytes() for name in record["parts"])
        if hashlib.sha256(content).hexdigest() != record["sha256"]:
            raise ModelError(f"{folder / record['name']}: its parts are damaged; copy all parts again")
        target = out / Path(record["name"]).name
        files.write_bytes(target, content)
        written.append(target)
    return written
