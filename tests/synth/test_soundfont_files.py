"""Reading sound fonts, choosing one, and which preset plays what a font lacks."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_font import ALL_PRESETS, write_tiny_font

from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.errors import ModelError
from riffcomposer.synth import soundfont_choice
from riffcomposer.synth.soundfont_choice import ENVIRONMENT, SHIPPED, font_digest
from riffcomposer.synth.soundfont_file import SoundFontFile
from riffcomposer.synth.soundfont_player import KIT_PROGRAMS, default_player
from riffcomposer.synth.soundfont_presets import SUBSTITUTES, nearest_kit, nearest_program

MOST_MB = 14


def test_the_shipped_font_has_every_program_and_kit_and_every_sample_can_be_read() -> None:
    font = SoundFontFile(SHIPPED)
    wanted = {(0, program) for program in range(128)} | {(128, kit) for kit in KIT_PROGRAMS.values()}
    assert set(font.presets) == wanted
    assert SHIPPED.stat().st_size < MOST_MB * 1e6
    zones = [zone for preset in font.presets for zone in font.zones(*preset)]
    looped = {zone.sample for zone in zones if zone[54] in (1, 3)}
    assert looped
    for sample in sorted({zone.sample for zone in zones}):
        wave = font.read_wave(sample)
        assert np.isfinite(wave.audio).all()
        assert 0 < float(np.abs(wave.audio).max()) < 2
        assert wave.loop is not None or sample not in looped


def test_the_shipped_font_sounds_over_the_whole_range_of_every_instrument() -> None:
    font = SoundFontFile(SHIPPED)
    silent = [
        (name, key, velocity)
        for name, instrument in INSTRUMENTS.items()
        if not instrument.voice
        for key in range(instrument.low, instrument.high + 1)
        for velocity in (20, 64, 110)
        if not any(zone.sounds(key, velocity) for zone in font.zones(0, instrument.program))
    ]
    assert not silent


def test_chunks_without_padding_are_read(tmp_path: Path) -> None:
    content = write_tiny_font(tmp_path / "tiny.sf2").read_bytes()
    even, odd = (b"INAM" + struct.pack("<I", size) + b"tiny\0\0"[:size] for size in (6, 5))
    padded = content.replace(even, odd + b"\0")
    size, listed = (struct.unpack_from("<I", content, at)[0] for at in (4, 16))
    assert content[12:24] == b"LIST" + struct.pack("<I", listed) + b"INFO"
    bare = b"".join(
        [b"RIFF", struct.pack("<I", size - 1), b"sfbkLIST", struct.pack("<I", listed - 1), content[20:]]
    ).replace(even, odd)
    assert len(bare) == len(content) - 1
    for number, variant in enumerate((padded, bare)):
        path = tmp_path / f"{number}.sf2"
        path.write_bytes(variant)
        assert len(SoundFontFile(path).presets) == len(ALL_PRESETS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a sound font"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "not a sound font"),
        (b"RIFF\x04\0\0\0sfbk", "damaged sound font"),
    ],
)
def test_what_is_no_sound_font_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "font.sf2"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        SoundFontFile(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.97])
def test_a_font_that_was_cut_off_is_named(tmp_path: Path, share: float) -> None:
    path = write_tiny_font(tmp_path / "font.sf2")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match=r"font\.sf2: a damaged sound font"):
        SoundFontFile(path)


def test_a_sample_that_is_no_vorbis_is_named(tmp_path: Path) -> None:
    content = bytearray(SHIPPED.read_bytes())
    at = content.index(b"OggS")
    content[at : at + 4] = b"Oops"
    path = tmp_path / "font.sf3"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"font\.sf3: its sample '.+' cannot be read"):
        SoundFontFile(path).read_wave(0)


def test_the_environment_names_another_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    shipped = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert font_digest() == shipped
    assert default_player() is default_player()
    path = write_tiny_font(tmp_path / "mine.sf2")
    monkeypatch.setenv(ENVIRONMENT, str(path))
    first = font_digest()
    assert first == hashlib.sha256(path.read_bytes()).hexdigest()
    player = default_player()
    write_tiny_font(path, length=6600)
    os.utime(path, ns=(1, 1))
    assert font_digest() == hashlib.sha256(path.read_bytes()).hexdigest() != first
    assert default_player() is not player
    monkeypatch.setenv(ENVIRONMENT, "")
    assert font_digest() == shipped


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.sf2", "cannot be read (No such file or directory)"),
        ("song.mid", "not a sound font"),
    ],
)
def test_a_wrong_name_in_the_environment_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    (tmp_path / "song.mid").write_bytes(b"MThd\0\0\0\6\0\1\0\1\0`")
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / name))
    for use in (font_digest, default_player):
        with pytest.raises(ModelError) as caught:
            use()
        text = str(caught.value)
        assert message in text
        assert str(tmp_path / name) in text
        assert ENVIRONMENT in text
        assert "unset the variable" in text


def test_a_missing_shipped_font_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(soundfont_choice, "SHIPPED", tmp_path / "gone.sf3")
    with pytest.raises(ModelError, match=r"gone\.sf3, the sound font that ships.*install riffcomposer again"):
        font_digest()


def test_the_digest_needs_no_heavy_library() -> None:
    code = (
        "import sys; from riffcomposer.synth.soundfont_choice import font_digest; font_digest();"
        "sys.exit(bool({'numpy', 'scipy', 'soundfile', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_every_program_has_a_preset_whatever_a_font_has() -> None:
    composers = [(0, each.program) for each in INSTRUMENTS.values() if not each.voice]
    for program in range(128):
        nearest = nearest_program(program, composers)
        assert nearest in composers
        if (0, program) in composers:
            assert nearest == (0, program)
    assert nearest_program(37, composers) == (0, 36)
    assert nearest_program(51, composers) == (0, 50)
    assert nearest_program(60, [(0, 40), (0, 57), (0, 62), (128, 60)]) == (0, 62)
    assert nearest_program(60, [(0, 40), (0, 72)]) == (0, 72)
    assert nearest_program(60, [(128, 0)]) is None
    assert not set(SUBSTITUTES) & {program for _, program in composers}


def test_kits_fall_back_to_the_standard_one() -> None:
    assert nearest_kit(32, [(128, 0), (128, 32)]) == (128, 32)
    assert nearest_kit(32, [(128, 0), (128, 40)]) == (128, 0)
    assert nearest_kit(32, [(128, 8), (128, 40)]) == (128, 40)
    assert nearest_kit(32, [(0, 32)]) is None
