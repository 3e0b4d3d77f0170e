"""Files that a worker on another machine needs, by digest: the driver's list of them, and the node's cache.

A checkpoint, loops, recordings, masks, LoRAs and the sound font reach a node by their SHA-256, once. Each is
checked before it is used; what is in the cache may be removed at any time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from riffcomposer.checkpoints.locate import COMPONENTS, locate_model
from riffcomposer.checkpoints.profile import FILE_NAME, SPECTRUM_FILE, LocatedModel, write_profile
from riffcomposer.errors import ModelError, RenderError
from riffcomposer.files import file_sha256, replacing
from riffcomposer.plan.inits import InitClip, MidiInit
from riffcomposer.plan.types import ClipJob, LoraFile, MaskImage
from riffcomposer.store.store import default_root
from riffcomposer.synth.soundfont_choice import ENVIRONMENT, font_digest, font_path

File = TypeVar("File", InitClip, MidiInit, MaskImage, LoraFile)

CACHE_VARIABLE = "RIFFCOMPOSER_NODE_CACHE"


@dataclass(frozen=True)
class NodeFile:
    """A file, by content.

    Attributes:
        sha256: Its digest.
        suffix: End of its name, which tells its format.
    """

    sha256: str
    suffix: str


@dataclass(frozen=True)
class ModelFiles:
    """A checkpoint's files.

    Attributes:
        model: The checkpoint, as the driver found it.
        files: Digest by path relative to its folder, with `/`.
        font: The sound font that `RIFFCOMPOSER_SOUNDFONT` names on the driver; None for the one that ships.
    """

    model: LocatedModel
    files: Mapping[str, NodeFile]
    font: NodeFile | None


def model_files(model: LocatedModel) -> tuple[ModelFiles, dict[str, Path]]:
    """Returns what a worker needs for a checkpoint, and where each file is on this machine, by digest.

    Raises:
        ModelError: A file cannot be read.
    """
    names = dict(model.profile.files) or dict.fromkeys(_names(model.folder), "")
    files: dict[str, NodeFile] = {}
    paths: dict[str, Path] = {}
    try:
        for name, known in names.items():
            path = model.folder / name
            digest = known or file_sha256(path)
            files[name] = NodeFile(digest, path.suffix)
            paths[digest] = path
    except OSError as error:
        raise ModelError(f"{model.folder}: cannot be read ({error.strerror or error})") from error
    font = None
    if os.environ.get(ENVIRONMENT):
        path = font_path()
        font = NodeFile(font_digest(), path.suffix)
        paths[font.sha256] = path
    return ModelFiles(model, files, font), paths


def _names(folder: Path) -> Iterator[str]:
    """The files of a checkpoint whose profile lists none."""
    parts = (each for part in COMPONENTS for each in sorted((folder / part).glob("*")))
    for path in (*sorted(folder.glob("*.json")), folder / SPECTRUM_FILE, *parts):
        if path.is_file() and path.suffix in (".json", ".txt", ".safetensors"):
            yield path.relative_to(folder).as_posix()


def job_paths(jobs: Iterable[ClipJob]) -> dict[str, Path]:
    """Returns where the files of jobs are on this machine, by digest."""
    return {file.sha256: file.path for job in jobs for file in job.files}


class NodeCache:
    """Files on a node, by digest.

    Args:
        folder: Where they are.
        fetch: Returns the content of a file by its digest, in parts.
        lock: Returns a lock by its path, so that two workers of a node fetch a file once.
    """

    def __init__(
        self,
        folder: Path,
        fetch: Callable[[str], Iterator[bytes]],
        lock: Callable[[Path], AbstractContextManager[object]],
    ) -> None:
        self._folder, self._fetch, self._lock = folder, fetch, lock

    def path(self, file: NodeFile) -> Path:
        """Returns a file's path; fetches it if it is not here yet.

        Raises:
            RenderError: What came is another file.
            StoreError: It cannot be written.
        """
        path = self._folder / "files" / file.sha256[:2] / f"{file.sha256}{file.suffix}"
        if path.is_file():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock(path.with_name(f"{file.sha256}.lock")):
            if not path.is_file():
                with replacing(path) as temporary:
                    with temporary.open("wb") as handle:
                        for part in self._fetch(file.sha256):
                            handle.write(part)
                    if (found := file_sha256(temporary)) != file.sha256:
                        raise RenderError(f"file {file.sha256[:12]} came as {found[:12]}")
        return path

    def model(self, wanted: ModelFiles) -> LocatedModel:
        """Returns a checkpoint on this node: the one that ships if it is the same, else one in the cache.

        Raises:
            ModelError, RenderError, StoreError: It cannot be had.
        """
        self._choose_font(wanted.font)
        model = wanted.model
        if model.reference == "default":
            here = locate_model("default")
            if here.digest == model.digest:
                return here
        folder = self._folder / "models" / model.digest
        for name, file in wanted.files.items():
            target = folder / name
            if not target.exists():
                source = self.path(file)
                target.parent.mkdir(parents=True, exist_ok=True)
                with replacing(target) as temporary:
                    os.link(source, temporary)
        if FILE_NAME not in wanted.files:
            write_profile(folder / FILE_NAME, model.profile)
        return replace(model, folder=folder)

    def job(self, job: ClipJob) -> ClipJob:
        """Returns a job whose files are on this node.

        Raises:
            RenderError, StoreError: One cannot be had.
        """
        init = job.init
        match init:
            case InitClip():
                init = self._moved(init)
            case MidiInit():
                init = self._moved(init)
            case _:
                pass
        return replace(
            job,
            init=init,
            mask=self._moved(job.mask) if job.mask is not None else None,
            loras=tuple(self._moved(lora) for lora in job.loras),
        )

    def _moved(self, file: File) -> File:
        return replace(file, path=self.path(NodeFile(file.sha256, file.path.suffix)))

    def _choose_font(self, font: NodeFile | None) -> None:
        """Plays with the driver's sound font, whatever this node's environment says."""
        if font is None:
            os.environ.pop(ENVIRONMENT, None)
        else:
            os.environ[ENVIRONMENT] = str(self.path(font))


def cache_folder() -> Path:
    """Returns the node's folder for files: `$RIFFCOMPOSER_NODE_CACHE`, else one beside the default store."""
    named = os.environ.get(CACHE_VARIABLE, "")
    return Path(named).expanduser() if named else default_root().parent / "node-files"
