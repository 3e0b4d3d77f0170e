"""Results in parts: a file that must travel in pieces of at most 16 MiB, and its joining."""

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
        What was written, the list included.
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
        ModelError: A part is missing, or the whole does not have the hash it should.
    """
    written = []
    for listing in sorted(folder.glob("*.parts.json")):
        record = json.loads(listing.read_text(encoding="utf-8"))
        missing = [name for name in record["parts"] if not (folder / name).is_file()]
        if missing:
            raise ModelError(f"{folder / missing[0]}: missing; bring all {len(record['parts'])} parts")
        content = b"".join((folder / name).read_bytes() for name in record["parts"])
        if hashlib.sha256(content).hexdigest() != record["sha256"]:
            raise ModelError(f"{folder / record['name']}: its parts do not add up to the file they came from")
        target = out / Path(record["name"]).name
        files.write_bytes(target, content)
        written.append(target)
    return written
