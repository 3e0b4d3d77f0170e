"""Tells what a file is by its first bytes, and lists the sound and image formats that are read.

A name proves little: a download called `.mp3` may hold a web page, a repository without git-lfs
holds pointers, and phones name AAC recordings in many ways. `kind_of` returns the true kind, so a
sound under a wrong name is read nevertheless, and a refusal says what the file is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from riffcomposer.diagnostics import Diagnostic

AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".mp4", ".aac", ".aif", ".aiff", ".aifc"),
    *(".caf", ".au", ".w64", ".wma", ".wv", ".webm", ".mka"),
)
"""Suffixes that a sound of a song may have."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
"""Suffixes that an image of a song may have."""

IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
"""The same formats, as Pillow calls them."""

AudioFormat = Literal["wav", "flac", "mp3", "ogg"]
"""A format in which music is written."""

AUDIO_FORMATS: tuple[AudioFormat, ...] = get_args(AudioFormat)

MIDI_SUFFIXES = (".mid", ".midi", ".smf", ".kar", ".rmi")
"""Suffixes that a MIDI file may have."""

INIT_SUFFIXES = AUDIO_SUFFIXES + IMAGE_SUFFIXES + MIDI_SUFFIXES
"""Suffixes of what a render may start from."""

HEAD_BYTES = 4096
Medium = Literal["audio", "image", "midi", "other"]


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    Attributes:
        name: Its name with an article: "a FLAC file".
        medium: Whether it is a sound, an image, notes (`midi`), or `other`, which is refused.
        suffixes: Suffixes that suit it, the usual one first; empty for `other`.
        advice: What to do about a file of kind `other`, or about notes where a sound or an image is wanted.
    """

    name: str
    medium: Medium
    suffixes: tuple[str, ...] = ()
    advice: str = ""

    @property
    def refusal(self) -> str:
        """The message about a file that cannot be read: `is a PDF document; ...`."""
        return f"is {self.name}; {self.advice}" if self.advice else f"is {self.name}"


def _audio(name: str, *suffixes: str) -> FileKind:
    return FileKind(name, "audio", suffixes)


def _other(name: str, advice: str) -> FileKind:
    return FileKind(name, "other", (), advice)


WAV = _audio("a WAV file", ".wav")
FLAC = _audio("a FLAC file", ".flac")
OGG = _audio("an Ogg file", ".ogg", ".oga", ".opus")
AIFF = _audio("an AIFF file", ".aiff", ".aif", ".aifc")
CAF = _audio("a Core Audio file", ".caf")
AU = _audio("an AU file", ".au")
W64 = _audio("a Wave64 file", ".w64")
MP3 = _audio("an MP3 file", ".mp3")
AAC = _audio("an AAC stream (ADTS)", ".aac")
MP4 = _audio("an MP4 file (AAC or ALAC as a rule)", ".m4a", ".mp4")
WMA = _audio("a Windows Media file", ".wma")
WAVPACK = _audio("a WavPack file", ".wv")
MATROSKA = _audio("a Matroska or WebM file", ".webm", ".mka")

_EXPORT = "export it as WAV from the program that made it"
_UNPACK = "unpack it and name the file inside"
_DOWNLOAD = "download the file itself, not the page about it"
_CONVERT = "convert it to FLAC"
_EXTRACT = "extract its sound to FLAC"
_SAVE_PNG = "save it as PNG"

HTML = _other("an HTML page", _DOWNLOAD)
LFS_POINTER = _other("a git-lfs pointer, not the file itself", "run `git lfs pull`")
CONFLICT = _other(
    "a file with an unresolved merge conflict",
    "choose a side: git checkout --ours or --theirs, and its name",
)
MIDI = FileKind(
    "a MIDI file", "midi", MIDI_SUFFIXES, "it holds notes and no sound: render it to WAV with a synthesizer"
)
PLAYLIST = _other("a playlist, not a sound", "name the sound file that it lists")
TEXT = _other("a text file", "name the sound or image that is meant")
ZEROS = _other("a file of zero bytes only", "it was never downloaded or saved to its end; get it again")

_SIGNATURES: tuple[tuple[bytes, FileKind], ...] = (
    (b"fLaC", FLAC),
    (b"OggS", OGG),
    (b"caff", CAF),
    (b".snd", AU),
    (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb", W64),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", WMA),
    (b"wvpk", WAVPACK),
    (b"\x1a\x45\xdf\xa3", MATROSKA),
    (b"\x89PNG\r\n\x1a\n", FileKind("a PNG image", "image", (".png",))),
    (b"\xff\xd8\xff", FileKind("a JPEG image", "image", (".jpg", ".jpeg"))),
    (b"GIF8", FileKind("a GIF image", "image", (".gif",))),
    (b"version https://git-lfs", LFS_POINTER),
    (b"MThd", MIDI),
    (b"%PDF", _other("a PDF document", "export the picture or the sound that is meant")),
    (b"%!PS", _other("a PostScript document", _SAVE_PNG)),
    (b"PK\x03\x04", _other("a ZIP archive", _UNPACK)),
    (b"PK\x05\x06", _other("an empty ZIP archive", _UNPACK)),
    (b"\x1f\x8b", _other("a gzip archive (an Ableton project is one)", f"unpack it, or {_EXPORT}")),
    (b"BZh", _other("a bzip2 archive", _UNPACK)),
    (b"\xfd7zXZ\x00", _other("an xz archive", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", _other("a Zstandard archive", _UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", _other("a 7z archive", _UNPACK)),
    (b"Rar!", _other("a RAR archive", _UNPACK)),
    (b"SQLite format 3", _other("an SQLite database (an Audacity project is one)", _EXPORT)),
    (b"<REAPER_PROJECT", _other("a REAPER project", _EXPORT)),
    (b"FLhd", _other("an FL Studio project", _EXPORT)),
    (b"Extended Module:", _other("a tracker module", _EXPORT)),
    (b"IMPM", _other("a tracker module", _EXPORT)),
    (b"MAC ", _other("a Monkey's Audio file", _CONVERT)),
    (b"TTA", _other("a True Audio file", _CONVERT)),
    (b"DSD ", _other("a DSD file", _CONVERT)),
    (b"FRM8", _other("a DSD file", _CONVERT)),
    (b"\x0b\x77", _other("an AC-3 file", _CONVERT)),
    (b"MPCK", _other("a Musepack file", _CONVERT)),
    (b"MP+", _other("a Musepack file", _CONVERT)),
    (b"OFR ", _other("an OptimFROG file", _CONVERT)),
    (b"ajkg", _other("a Shorten file", _CONVERT)),
    (b".ra\xfd", _other("a RealAudio file", _CONVERT)),
    (b".RMF", _other("a RealMedia file", _CONVERT)),
    (b"FLV\x01", _other("a Flash film", _EXTRACT)),
    (b"\x00\x00\x01\xba", _other("an MPEG film", _EXTRACT)),
    (b"Creative Voice File", _other("a Creative Voice file", _CONVERT)),
    (b"NIST_1A", _other("a NIST Sphere file", _CONVERT)),
    (b"#!AMR", _other("an AMR recording", _CONVERT)),
    (b"II*\x00", _other("a TIFF image", _SAVE_PNG)),
    (b"MM\x00*", _other("a TIFF image", _SAVE_PNG)),
    (b"8BPS", _other("a Photoshop document", _SAVE_PNG)),
    (b"gimp xcf", _other("a GIMP document", _SAVE_PNG)),
    (b"qoif", _other("a QOI image", _SAVE_PNG)),
    (b"\x00\x00\x01\x00", _other("a Windows icon", _SAVE_PNG)),
    (b"P5\n", _other("a PGM image", _SAVE_PNG)),
    (b"P6\n", _other("a PPM image", _SAVE_PNG)),
    (b"DDS ", _other("a DDS texture", _SAVE_PNG)),
    (b"\x76\x2f\x31\x01", _other("an OpenEXR image", _SAVE_PNG)),
    (b"\xff\x0a", _other("a JPEG XL image", _SAVE_PNG)),
    (b"\x00\x00\x00\x0cJXL ", _other("a JPEG XL image", _SAVE_PNG)),
    (b"\x00\x00\x00\x0cjP  ", _other("a JPEG 2000 image", _SAVE_PNG)),
    (b"\x00\x05\x16\x07", _other("a companion file that macOS makes (`._name`)", "name the file beside it")),
    (b"\x7fELF", _other("a program", "name the sound or image that is meant")),
    (b"MZ\x90\x00", _other("a Windows program", "name the sound or image that is meant")),
    (b"\x93NUMPY", _other("a NumPy array", "write it as WAV or PNG")),
    (b"\x80\x02", _other("a Python pickle", "write it as WAV or PNG")),
)

_RIFF_FORMS = {
    b"WAVE": WAV,
    b"WEBP": FileKind("a WebP image", "image", (".webp",)),
    b"sfbk": _other("a SoundFont: instruments, and no recording", "render notes with it to WAV"),
    b"RMID": MIDI,
    b"AVI ": _other("an AVI film", _EXTRACT),
}

_IMAGE_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis")

_BMP = FileKind("a BMP image", "image", (".bmp",))


def name_fault(kind: FileKind | None, name: str) -> Diagnostic | None:
    """Returns a warning if a file's suffix does not suit its kind, else None."""
    if kind is None or name.lower().endswith(kind.suffixes):
        return None
    hint = f"rename it to {kind.suffixes[0]} to silence this warning" if kind.suffixes else ""
    return Diagnostic("warning", "wrong-suffix", f"is {kind.name}, and is read as that", hint=hint)


def kind_of(path: Path) -> FileKind | None:
    """Returns the kind of a regular file, or None if its first bytes do not tell.

    Raises:
        OSError: The file cannot be read.
    """
    with open(path, "rb") as handle:
        head = handle.read(HEAD_BYTES)
        if head[:3] == b"ID3" and len(head) >= 10:
            # An ID3v2 tag comes before MP3; some programs also write it before FLAC, WAV and AAC.
            handle.seek(10 + _syncsafe(head[6:10]) + (10 if head[5] & 0x10 else 0))
            return kind_of_bytes(handle.read(HEAD_BYTES).lstrip(b"\0")) or MP3
        kind = kind_of_bytes(head)
        if kind is not ZEROS:
            return kind
        # A recording that was cut out of a stream may begin with zeros; players look for the first frame.
        while block := handle.read(HEAD_BYTES):
            if block.strip(b"\0"):
                found = kind_of_bytes((block + handle.read(HEAD_BYTES)).lstrip(b"\0"))
                return found if found is MP3 or found is AAC else None
    return ZEROS


def kind_of_bytes(head: bytes) -> FileKind | None:
    """Returns the kind of a file that starts with `head`, or None if that does not tell."""
    if not head:
        return None
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        form = head[8:12]
        if form == b"WAVE" and (packed := _packed_in_wav(head)) is not None:
            return packed
        return _RIFF_FORMS.get(form) or _other(
            f"a RIFF file of the form {form.decode('latin-1')!r}", "name a WAV file"
        )
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return AIFF
    if head[:1] == b"G" and head[188:189] == b"G" and head[376:377] == b"G":
        return _other("an MPEG transport stream", _EXTRACT)
    if head[4:8] in (b"moov", b"mdat", b"wide"):
        return MP4  # QuickTime before it had a brand
    if head[4:8] == b"ftyp":
        if head[8:12] in _IMAGE_BRANDS:
            return _other("a HEIC or AVIF image", _SAVE_PNG)
        return MP4
    if head.startswith((b"<<<<<<< ", b"version https://git-lfs")) and b"<<<<<<< " in head[:1024]:
        return CONFLICT  # git writes them into texts only, and a git-lfs pointer is one
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return _BMP
    if len(head) >= 4 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 6 != 6:
        return _of_mpeg_header(head)
    if not head.strip(b"\0"):
        return ZEROS
    return _of_text(head)


def _packed_in_wav(head: bytes) -> FileKind | None:
    """Recognises surround sound for a receiver, which is packed as if it were samples and sounds as noise.

    The marks are those of IEC 61937-1 (6.1.7) and of DTS (ETSI TS 102 114, 6.1: words of 16 and 14 bits).
    """
    at = head.find(b"data", 12)
    if at < 0:
        return None
    start = head[at + 8 :].lstrip(b"\0")[:4]
    if start.startswith((b"\x72\xf8\x1f\x4e", b"\xf8\x72\x4e\x1f")):
        return _other("Dolby or DTS sound for a receiver, packed in a WAV file", _CONVERT)
    if start in (b"\xfe\x7f\x01\x80", b"\x7f\xfe\x80\x01", b"\xff\x1f\x00\xe8", b"\x1f\xff\xe8\x00"):
        return _other("DTS sound packed in a WAV file", _CONVERT)
    return None


def _syncsafe(size: bytes) -> int:
    """Decodes a number of four times seven bits (ID3v2.4, section 6.2)."""
    return sum((byte & 0x7F) << shift for byte, shift in zip(size, (21, 14, 7, 0), strict=True))


def _of_mpeg_header(head: bytes) -> FileKind | None:
    """Recognises MP3 or AAC by four bytes (ISO 11172-3, 2.4.1.3; ISO 13818-7, 6.2)."""
    if head[1] & 0xF6 == 0xF0:
        return AAC
    layer, bitrate, rate = head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return MP3 if layer in (1, 2) and bitrate != 15 and rate != 3 else None


def _of_text(head: bytes) -> FileKind | None:
    """Recognises several kinds of text; returns None if the bytes are not text."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return TEXT
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data" or error.start == 0:
            return None
        text = head[: error.start].decode("utf-8-sig")
    if re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", text):
        return None
    start = text.lstrip().lower()
    if start.startswith(("<!doctype html", "<html", "<head", "<body")) or "<html" in start[:1024]:
        return HTML
    if start.startswith(("<?xml", "<svg")):
        if "<svg" in start[:2048]:
            return _other("an SVG drawing", _SAVE_PNG)
        return _other("an XML document", "name the sound or image that is meant")
    if start.startswith(("#extm3u", "[playlist]")):
        return PLAYLIST
    if start.startswith("{"):
        return _other("a JSON document (an error message of a server?)", _DOWNLOAD)
    return TEXT
