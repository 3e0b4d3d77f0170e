"""Finds and checks the files that a song names, before anything is planned.

A song may come from a stranger: paths are resolved strictly under its folder, sizes are bounded
before a file is opened, and a file's kind is told from its content, not from its name or a header
that may be forged. Images are decoded in full, sounds for the first tenth of a second;
`riffcomposer.plan.init_scan` reads the part that is used.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Literal

from riffcomposer.checkpoints.safetensors_file import is_safetensors
from riffcomposer.diagnostics import NodePath
from riffcomposer.errors import SongError
from riffcomposer.files import file_sha256
from riffcomposer.media.kinds import IMAGE_SUFFIXES, INIT_SUFFIXES, kind_of
from riffcomposer.plan.section_settings import InitMedium, InputFile, Measured, medium_of, predicate
from riffcomposer.song.paths import MAX_LORA_BYTES, PathError, song_file
from riffcomposer.text import shorten

MAX_BYTES = {"init": 512 << 20, "mask": 32 << 20, "lora": MAX_LORA_BYTES}
_SUFFIXES = {
    "init": INIT_SUFFIXES,
    "mask": IMAGE_SUFFIXES,
    "lora": (".safetensors",),
}

Purpose = Literal["init", "mask", "lora"]


class SongFiles:
    """Looks up the files of the song in `folder`; each is read once.

    Args:
        folder: The song's folder.
        allowed: Further folders that links may lead to; the user allows them.
        measure: Makes what can be found out about a sound, from its path and digest.
    """

    def __init__(
        self,
        folder: Path,
        allowed: tuple[Path, ...] = (),
        measure: Callable[[Path, str], Measured] | None = None,
    ) -> None:
        self.folder = folder
        self.allowed = allowed
        self.measure = measure
        self._known: dict[tuple[str, Purpose], InputFile] = {}

    def __call__(self, name: str, purpose: Purpose, where: NodePath) -> InputFile:
        """Returns path and digest of the file that the song calls `name`.

        Raises:
            SongError: The file does not exist, is outside the folder, is too large, or has the wrong kind.
        """
        if (name, purpose) not in self._known:
            path = song_file(self.folder, name, where, max_bytes=MAX_BYTES[purpose], allowed=self.allowed)
            try:
                medium, seconds = self._check(path, purpose)
                digest = file_sha256(path)
            except PathError as problem:
                raise SongError.fault("bad-file", str(problem), where) from None
            except OSError as problem:
                message = f"{shorten(name)} cannot be read ({problem.strerror or problem})"
                raise SongError.fault("bad-file", message, where) from None
            measured = None
            if purpose == "init" and medium == "audio" and self.measure is not None:
                measured = self.measure(path, digest)
            self._known[name, purpose] = InputFile(path, digest, medium, measured, seconds)
        return self._known[name, purpose]

    def _check(self, path: Path, purpose: Purpose) -> tuple[InitMedium | None, Fraction | None]:
        """Refuses a file that does not suit its purpose.

        Returns:
            What an init or a mask holds, and the length of an image in seconds.
        """
        shown = shorten(path.name)
        if path.suffix.lower() not in _SUFFIXES[purpose]:
            raise PathError(f"{shown} is not one of {' '.join(_SUFFIXES[purpose])}")
        if purpose == "lora":
            _check_safetensors(path, shown)
            return None, None
        return _check_content(path, shown, purpose)


def _check_safetensors(path: Path, shown: str) -> None:
    """Checks the length of the header, which is absurd in a file of another kind."""
    if not is_safetensors(path):
        raise PathError(f"{shown} is not a safetensors file")


def _check_content(path: Path, shown: str, purpose: Purpose) -> tuple[InitMedium, Fraction | None]:
    """Reads an image to its last pixel, or the beginning of a sound; a MIDI file when its tracks are known.

    Returns:
        What the file holds, and the length of an image in seconds.
    """
    from riffcomposer.errors import AudioError, SpectrogramError
    from riffcomposer.media.picture import read_picture
    from riffcomposer.media.sound import read_part

    kind = kind_of(path)
    medium = medium_of(path) if kind is None or kind.medium == "other" else kind.medium
    if purpose == "mask":
        medium = "image"
    seconds = None
    try:
        if medium == "image":
            picture = read_picture(path)
            seconds = picture.level.shape[2] / picture.params.frames_per_second
        elif medium == "audio":
            read_part(path, duration_seconds=0.1)
    except (AudioError, SpectrogramError) as problem:
        raise PathError(predicate(problem, path, shown)) from None
    return medium, seconds
