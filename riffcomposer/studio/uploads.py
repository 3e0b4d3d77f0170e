"""Loops and pictures of one's own, sent by the page, to start a jam from.

They are written into `recordings/` of the studio's folder, so that a song that is kept from the jam finds
them. What a file is, its bytes decide: it is read to its end before it is written. Its name is the digest of
its content behind a few letters of the name that it was sent under, so no name leads anywhere else, and the
same file is written once.
"""

from __future__ import annotations

import hashlib
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

from riffcomposer.errors import AudioError, SpectrogramError, UsageError
from riffcomposer.files import write_bytes
from riffcomposer.media.kinds import HEAD_BYTES, FileKind, kind_of_bytes
from riffcomposer.media.picture import read_picture
from riffcomposer.media.sound import read_part
from riffcomposer.render.measured_sounds import MeasuredSound
from riffcomposer.render.output_names import slug
from riffcomposer.store.store import Store
from riffcomposer.studio.workspace import Workspace
from riffcomposer.text import size
from riffcomposer.units import Meter

FOLDER = "recordings"
MAX_UPLOAD_BYTES = 32 << 20
MAX_FOLDER_BYTES = 1 << 30
MAX_SECONDS = 600
MAX_HEIGHT = 2048
NAME_BYTES = 48
DIGEST_DIGITS = 16


def keep_upload(workspace: Workspace, store: Store, name: str, content: bytes) -> dict[str, Any]:
    """Checks a file by reading it, and writes it into the folder.

    Args:
        store: Notes the tempo of a sound.
        name: What the file is called where it comes from; only letters and digits of it are used.
        content: Its bytes, at most 32 MiB.

    Returns:
        `path` in the folder, `medium` (`audio` or `image`), and of a sound `seconds` and `tempo`.

    Raises:
        UsageError: It is no sound or picture that can be read, or it is too long, or the folder has too much.
        StoreError: It cannot be written.
    """
    if len(content) > MAX_UPLOAD_BYTES:
        raise UsageError(f"the file has {size(len(content))}; at most {size(MAX_UPLOAD_BYTES)} are taken")
    kind = kind_of_bytes(content[:HEAD_BYTES])
    if kind is None or kind.medium not in ("audio", "image"):
        found = "of an unknown kind" if kind is None else kind.name
        raise UsageError(f"the file is {found}; a jam starts from a sound or a picture")
    digest = hashlib.sha256(content).hexdigest()
    with tempfile.TemporaryDirectory(prefix="riffcomposer-upload-") as folder:
        # A name of our own in a folder of our own: its readers say what is wrong with it by this name.
        copy = Path(folder) / f"the file{kind.suffixes[0]}"
        copy.write_bytes(content)
        facts = _read(copy, kind, digest, store)
    stem = slug(name.replace("\\", "/").rpartition("/")[2].partition(".")[0], NAME_BYTES)
    target = _folder(workspace) / f"{stem}-{digest[:DIGEST_DIGITS]}{kind.suffixes[0]}"
    if not target.exists():
        write_bytes(target, content)
    return {"path": workspace.name_of(target), "medium": kind.medium, **facts}


def _read(copy: Path, kind: FileKind, digest: str, store: Store) -> dict[str, Any]:
    try:
        if kind.medium == "image":
            read_picture(copy, max_height=MAX_HEIGHT)
            return {}
        sound = read_part(copy, duration_seconds=MAX_SECONDS + 1)
        seconds = sound.samples.shape[1] / sound.sample_rate
        if seconds > MAX_SECONDS:
            raise UsageError(
                f"the file is longer than {MAX_SECONDS // 60} minutes; send the part that counts"
            )
        tempo = MeasuredSound(copy, digest, store).tempo(Meter(4, 4), Fraction(100))
    except (AudioError, SpectrogramError) as error:
        raise UsageError(
            str(error).replace(f"{copy}: ", "the file ").replace(str(copy), "the file")
        ) from None
    return {
        "seconds": round(seconds, 3),
        "tempo": round(float(tempo.bpm), 2),
        "tempo_is_certain": tempo.is_certain,
    }


def _folder(workspace: Workspace) -> Path:
    """The folder for recordings, made if it is missing; not one that a link puts elsewhere."""
    folder = workspace.root / FOLDER
    folder.mkdir(exist_ok=True)
    if not folder.resolve().is_relative_to(workspace.root):
        raise UsageError(f"{FOLDER} is a link that leads out of the studio's folder")
    there = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    if there > MAX_FOLDER_BYTES:
        raise UsageError(f"{FOLDER} has more than {size(MAX_FOLDER_BYTES)}; remove what is not needed")
    return folder
