"""The files that a song names, looked at before anything is planned: where they lie, what they are.

A song may come from a stranger: paths are resolved strictly under its folder, sizes are bounded
before a file is opened, and headers are compared with the bytes on disk (a forged header can
claim 65,535 channels and 1.4 billion frames in 132 kB). No sound or image is decoded here.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Literal

from riffcomposer.plan.findings import fault
from riffcomposer.plan.voices import InputFile
from riffcomposer.song.diagnostics import shorten
from riffcomposer.song.paths import AUDIO_SUFFIXES, MAX_LORA_BYTES, PathError, resolve_inside
from riffcomposer.song.resolved import NodePath

MAX_BYTES = {"init": 512 << 20, "mask": 32 << 20, "lora": MAX_LORA_BYTES}
MAX_PIXELS = 64 << 20
MAX_CHANNELS = 8
SAMPLE_RATES = range(4000, 384_001)
_SUFFIXES = {"init": (*AUDIO_SUFFIXES, ".png"), "mask": (".png",), "lora": (".safetensors",)}

Purpose = Literal["init", "mask", "lora"]


class SongFiles:
    """Looks up the files of the song in `folder`; each is read once.

    Args:
        folder: The song's folder.
        allowed: Further folders that links may lead to, by the user's leave.
    """

    def __init__(self, folder: Path, allowed: tuple[Path, ...] = ()) -> None:
        self.folder = folder
        self.allowed = allowed
        self._known: dict[tuple[str, Purpose], InputFile] = {}

    def __call__(self, name: str, purpose: Purpose, where: NodePath) -> InputFile:
        """Path and digest of the file that the song calls `name`.

        Raises:
            SongError: It is not there, leads out of the folder, is too large, or not what it says.
        """
        if (name, purpose) not in self._known:
            try:
                path = resolve_inside(self.folder, name, max_bytes=MAX_BYTES[purpose], allowed=self.allowed)
                self._check(path, purpose)
                with open(path, "rb") as handle:
                    digest = hashlib.file_digest(handle, "sha256").hexdigest()
            except PathError as problem:
                raise fault("bad-file", str(problem), where) from None
            except OSError as problem:
                message = f"{shorten(name)} cannot be read ({problem.strerror or problem})"
                raise fault("bad-file", message, where) from None
            self._known[name, purpose] = InputFile(path, digest)
        return self._known[name, purpose]

    def _check(self, path: Path, purpose: Purpose) -> None:
        suffix = path.suffix.lower()
        shown = shorten(path.name)
        if suffix not in _SUFFIXES[purpose]:
            raise PathError(f"{shown} is not one of {' '.join(_SUFFIXES[purpose])}")
        if suffix == ".png":
            _check_png(path, shown)
        elif suffix == ".safetensors":
            _check_safetensors(path, shown)
        else:
            _check_audio(path, shown)


def _check_png(path: Path, shown: str) -> None:
    """Reads the header (PNG specification, 11.2.2 IHDR)."""
    with open(path, "rb") as handle:
        header = handle.read(24)
    if len(header) < 24 or header[:8] != b"\x89PNG\r\n\x1a\n" or header[12:16] != b"IHDR":
        raise PathError(f"{shown} is not a PNG image")
    width, height = struct.unpack(">II", header[16:24])
    if not 0 < width * height <= MAX_PIXELS:
        raise PathError(
            f"{shown} says it is {width} x {height} pixels; at most {MAX_PIXELS >> 20} million are read"
        )


def _check_safetensors(path: Path, shown: str) -> None:
    """Reads the length of the header: a file of another kind claims an absurd one."""
    size = path.stat().st_size
    with open(path, "rb") as handle:
        start = handle.read(9)
    if len(start) < 9 or start[8:] != b"{" or int.from_bytes(start[:8], "little") > size - 8:
        raise PathError(f"{shown} is not a safetensors file")


def _check_audio(path: Path, shown: str) -> None:
    import soundfile

    try:
        header = soundfile.info(str(path))
    except (soundfile.SoundFileError, RuntimeError, OSError) as problem:
        raise PathError(f"{shown} is not a sound file that can be read ({_last_line(problem)})") from None
    size = path.stat().st_size
    if not 1 <= header.channels <= MAX_CHANNELS:
        raise PathError(f"{shown} says it has {header.channels} channels; 1 to {MAX_CHANNELS} are read")
    if header.samplerate not in SAMPLE_RATES:
        raise PathError(f"{shown} says it has {header.samplerate} samples a second")
    if header.frames < 1:
        raise PathError(f"{shown} has no sound in it")
    # The densest compressed sound (silence in FLAC or OGG) stays below some 20,000 samples a byte
    # only in theory; 4096 leaves room for real silence and stops the forged ones.
    if header.frames * header.channels > 4096 * size:
        raise PathError(f"{shown} says it has {header.frames} samples, too many for its {size} bytes")


def _last_line(problem: BaseException) -> str:
    return (
        str(problem).strip().splitlines()[-1].rpartition(": ")[2]
        if str(problem).strip()
        else "no reason given"
    )
