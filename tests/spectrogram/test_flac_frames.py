"""FLAC files whose header states fewer samples than they have are read to their real end."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from encoded_sounds import RATE, encode, music

from riffcomposer.media.flac_frames import goes_on_after_its_header
from riffcomposer.media.sound import counted_seconds, read_part, seekable_seconds
from riffcomposer.spectrogram.audio_files import read_audio

MUSIC = music()


def stating(path: Path, samples: int) -> Path:
    """The file with another number of samples in its header."""
    content = bytearray(path.read_bytes())
    at = content.index(b"fLaC") + 21
    number = int.from_bytes(content[at : at + 5], "big") & ~((1 << 36) - 1) | samples
    content[at : at + 5] = number.to_bytes(5, "big")
    changed = path.with_name(f"states-{samples}.flac")
    changed.write_bytes(content)
    return changed


@pytest.mark.parametrize("samples", [1, 4000, 44_100, len(MUSIC) // 2, len(MUSIC) - 1])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_a_header_that_states_too_few(tmp_path: Path, samples: int, subtype: str) -> None:
    whole = tmp_path / "whole.flac"
    soundfile.write(whole, MUSIC, RATE, subtype=subtype)
    path = stating(whole, samples)
    np.testing.assert_array_equal(read_audio(path), read_audio(whole))
    assert seekable_seconds(path) is None
    assert counted_seconds(path) == Fraction(len(MUSIC), RATE)
    late = read_part(path, start_seconds=1.5, duration_seconds=0.25)
    np.testing.assert_array_equal(
        late.samples, read_part(whole, start_seconds=1.5, duration_seconds=0.25).samples
    )


def test_tags_before_and_after_hide_nothing(tmp_path: Path) -> None:
    whole = tmp_path / "whole.flac"
    soundfile.write(whole, MUSIC, RATE)
    content = stating(whole, 1000).read_bytes()
    tagged = tmp_path / "tagged.flac"
    tagged.write_bytes(b"ID3\4\0\0\0\0\x01\x00" + bytes(128) + content + b"TAG" + bytes(125))
    assert len(read_audio(tagged)[0]) == len(MUSIC)


KINDS = {
    "8 bits": ({"subtype": "PCM_S8"}, 1, RATE),
    "16 bits": ({"subtype": "PCM_16"}, 2, RATE),
    "24 bits": ({"subtype": "PCM_24"}, 6, 96_000),
    "an odd rate": ({"subtype": "PCM_16"}, 1, 12_345),
    "a rate in kHz": ({"subtype": "PCM_16"}, 1, 50_000),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [1, 15, 16, 4096, 4097, 65_536, 100_000])
def test_a_true_header_is_believed(tmp_path: Path, kind: str, samples: int) -> None:
    options, channels, rate = KINDS[kind]
    noise = np.random.default_rng(samples).uniform(-1, 1, (samples, channels))
    soundfile.write(tmp_path / "x.flac", noise, rate, **options)
    assert not goes_on_after_its_header(tmp_path / "x.flac")
    assert seekable_seconds(tmp_path / "x.flac") == Fraction(samples, rate)
    assert read_part(tmp_path / "x.flac").coding.startswith("FLAC")
    if samples > 1:
        assert goes_on_after_its_header(stating(tmp_path / "x.flac", samples - 1))


def test_ffmpegs_files_are_believed(tmp_path: Path) -> None:
    encode(tmp_path / "x.flac", MUSIC, "flac", "flac")
    assert not goes_on_after_its_header(tmp_path / "x.flac")
    assert goes_on_after_its_header(stating(tmp_path / "x.flac", 5000))


def test_frames_numbered_by_samples(tmp_path: Path) -> None:
    """Of an encoder that varies the length of its frames; none of our libraries has one."""
    content = b""
    for number, size in ((0, 576), (576, 1152), (1728, 4608)):
        code = {576: 2, 1152: 3, 4608: 5}[size]
        coded = bytes([number]) if number < 128 else chr(number).encode()
        header = b"\xff\xf9" + bytes([code << 4 | 9, 0x08]) + coded
        content += header + bytes([_checksum(header)]) + bytes(40)
    for total, goes_on in ((6336, False), (6335, True), (1728, True), (0, False), (9000, False)):
        facts = (RATE << 44 | 15 << 36 | total).to_bytes(8, "big")
        info = (576).to_bytes(2, "big") + (4608).to_bytes(2, "big") + bytes(6) + facts + bytes(16)
        (tmp_path / "x.flac").write_bytes(b"fLaC\x80\0\0\x22" + info + content)
        assert goes_on_after_its_header(tmp_path / "x.flac") == goes_on


def _checksum(content: bytes) -> int:
    """The remainder by x^8 + x^2 + x + 1, by long division."""
    number = int.from_bytes(content, "big") << 8
    for bit in range(number.bit_length() - 1, 7, -1):
        if number >> bit & 1:
            number ^= 0x107 << (bit - 8)
    return number


def test_a_header_by_chance_is_none(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.flac", MUSIC, RATE)
    header = b"\xff\xf8\xc9\x08" + chr(1500).encode()
    stray = header + bytes([_checksum(header)]) + bytes(20)
    content = (tmp_path / "x.flac").read_bytes()
    (tmp_path / "y.flac").write_bytes(content + stray)
    assert not goes_on_after_its_header(tmp_path / "y.flac")


@pytest.mark.parametrize(
    "content", [b"", b"fLaC", b"fLaC\x00\x00\x00\x22" + bytes(10), b"\xff\xf8" * 100_000]
)
def test_what_is_hardly_a_flac(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.flac").write_bytes(content)
    assert not goes_on_after_its_header(tmp_path / "x.flac")
