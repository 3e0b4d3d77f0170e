"""Sounds as other programs write them are read completely, from the first sample to the last."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from encoded_sounds import RATE, encode, encode_vbr_mp3, music

from riffcomposer.errors import AudioError
from riffcomposer.media.sound import counted_seconds, read_part, seekable_seconds
from riffcomposer.spectrogram.audio_files import read_audio

MUSIC = music()


def likeness(found: np.ndarray, wanted: np.ndarray) -> tuple[float, int]:
    """Cosine of a sound and the one it was made from, at the delay where it is largest, and that delay."""
    size = 1 << 19
    spectrum = np.fft.rfft(found, size) * np.conj(np.fft.rfft(wanted, size))
    delay = (int(np.fft.irfft(spectrum).argmax()) + size // 2) % size - size // 2
    left, right = found[max(0, delay) :], wanted[max(0, -delay) :]
    common = min(len(left), len(right))
    left, right = left[:common], right[:common]
    return float(left @ right / np.sqrt((left @ left) * (right @ right))), delay


def write(folder: Path, name: str) -> Path:
    """`MUSIC` in the format that `name` asks for."""
    path = folder / name
    codec, container, rate = {
        "aac.aac": ("aac", "adts", RATE),
        "aac.m4a": ("aac", "mp4", RATE),
        "alac.m4a": ("alac", "mp4", RATE),
        "cbr.mp3": ("libmp3lame", "mp3", RATE),
        "flac.ogg": ("flac", "ogg", RATE),
        "mp3.wav": ("libmp3lame", "wav", RATE),
        "opus.opus": ("libopus", "ogg", 48_000),
        "opus.webm": ("libopus", "webm", 48_000),
        "pack.wv": ("wavpack", "wv", RATE),
        "vorbis.ogg": ("", "", RATE),
        "adpcm.wav": ("", "", RATE),
        "media.wma": ("wmav2", "asf", RATE),
    }[name]
    if name == "vorbis.ogg":
        soundfile.write(path, MUSIC, RATE)
    elif name == "adpcm.wav":
        soundfile.write(path, MUSIC, RATE, subtype="MS_ADPCM")
    else:
        encode(path, music(rate=rate), codec, container, rate=rate, bit_rate=128_000)
    return path


FORMATS = (
    *("aac.aac", "aac.m4a", "alac.m4a", "cbr.mp3", "flac.ogg", "mp3.wav", "opus.opus", "opus.webm"),
    *("pack.wv", "vorbis.ogg", "adpcm.wav", "media.wma"),
)


@pytest.mark.parametrize("name", FORMATS)
def test_what_players_open_is_read_whole(tmp_path: Path, name: str) -> None:
    found = read_audio(write(tmp_path, name))[0]
    alike, _ = likeness(found, MUSIC)
    assert alike > 0.98
    assert abs(len(found) - len(MUSIC)) < 5000


@pytest.mark.parametrize("name", ["aac.m4a", "aac.aac", "opus.webm", "cbr.mp3", "pack.wv"])
def test_a_wrong_name_changes_nothing(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name)
    wanted = read_audio(path)
    for wrong in ("wrong.wav", "wrong.mp3", "wrong.flac"):
        np.testing.assert_array_equal(read_audio(path.rename(tmp_path / wrong)), wanted)
        path = tmp_path / wrong


def test_an_mp3_without_a_length_is_heard_to_its_end(tmp_path: Path) -> None:
    encode_vbr_mp3(tmp_path / "v.mp3", MUSIC, xing=False)
    found = read_audio(tmp_path / "v.mp3")[0]
    assert len(found) >= len(MUSIC)
    alike, delay = likeness(found, MUSIC)
    assert alike > 0.99
    part = read_audio(tmp_path / "v.mp3", start_seconds=3.0, duration_seconds=0.5)[0]
    np.testing.assert_array_equal(part, found[3 * RATE : 3 * RATE + RATE // 2])
    assert delay == 1105  # of the encoder and the decoder, which no header says how to undo


def test_an_mp3_of_variable_bit_rate_is_right_after_its_first_block(tmp_path: Path) -> None:
    encode_vbr_mp3(tmp_path / "v.mp3", MUSIC, xing=True)
    found = read_audio(tmp_path / "v.mp3")[0]
    assert len(found) == len(MUSIC)
    error = (found - MUSIC).reshape(4, -1).std(axis=1)
    assert error.max() < 1.5 * error.min()


def test_mp3s_in_a_row_are_one_sound(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp3", MUSIC, "libmp3lame", bit_rate=128_000)
    content = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "twice.mp3").write_bytes(content + content)
    assert read_audio(tmp_path / "twice.mp3").shape[1] > 1.95 * len(MUSIC)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_the_links_of_a_chained_ogg_are_one_sound(tmp_path: Path, subtype: str) -> None:
    rate = 48_000 if subtype == "OPUS" else RATE
    soundfile.write(tmp_path / "one.ogg", MUSIC, rate, format="OGG", subtype=subtype)
    content = (tmp_path / "one.ogg").read_bytes()
    (tmp_path / "radio.ogg").write_bytes(content * 3)
    part = read_part(tmp_path / "radio.ogg")
    assert part.samples.shape[1] == pytest.approx(3 * len(MUSIC), abs=3000)
    assert counted_seconds(tmp_path / "radio.ogg") == Fraction(part.samples.shape[1], rate)
    assert seekable_seconds(tmp_path / "radio.ogg") is None
    assert seekable_seconds(tmp_path / "one.ogg") == Fraction(len(MUSIC), rate)


def test_links_of_several_rates_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.ogg", MUSIC, RATE)
    soundfile.write(tmp_path / "b.ogg", MUSIC, 48_000)
    content = (tmp_path / "a.ogg").read_bytes() + (tmp_path / "b.ogg").read_bytes()
    (tmp_path / "radio.ogg").write_bytes(content)
    with pytest.raises(AudioError, match="differ in rate or channels") as refused:
        read_part(tmp_path / "radio.ogg")
    assert "save it again" in str(refused.value)


def test_flacs_in_a_row_are_one_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.flac", MUSIC, RATE)
    content = (tmp_path / "one.flac").read_bytes()
    (tmp_path / "tagged.flac").write_bytes(b"ID3\4\0\0\0\0\x01\x00" + bytes(128) + content)
    (tmp_path / "twice.flac").write_bytes(content + content)
    one = read_audio(tmp_path / "one.flac")
    np.testing.assert_array_equal(read_audio(tmp_path / "twice.flac"), np.concatenate([one, one], axis=1))
    assert seekable_seconds(tmp_path / "tagged.flac") == Fraction(len(MUSIC), RATE)


def test_an_mp3_after_zeros_is_heard(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp3", MUSIC, "libmp3lame", bit_rate=128_000)
    (tmp_path / "cut.mp3").write_bytes(bytes(100_000) + (tmp_path / "a.mp3").read_bytes())
    assert read_audio(tmp_path / "cut.mp3").shape[1] > 0.95 * len(MUSIC)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff"])
@pytest.mark.parametrize("subtype", ["first", "second"])
def test_what_libsndfile_reads_well_is_as_it_was(tmp_path: Path, suffix: str, subtype: str) -> None:
    kinds = {"wav": ("PCM_16", "FLOAT"), "flac": ("PCM_16", "PCM_24"), "ogg": ("VORBIS", "OPUS")}
    kind = kinds.get(suffix, ("PCM_16", "PCM_24"))[subtype == "second"]
    rate = 48_000 if kind == "OPUS" else RATE
    stereo = np.stack([MUSIC, MUSIC[::-1]], axis=1)
    soundfile.write(tmp_path / f"s.{suffix}", stereo, rate, subtype=kind)
    wanted, _ = soundfile.read(tmp_path / f"s.{suffix}", dtype="float32")
    np.testing.assert_array_equal(read_audio(tmp_path / f"s.{suffix}", sample_rate=rate), wanted.T)
    mono = read_audio(tmp_path / f"s.{suffix}", sample_rate=rate, mono=True)
    np.testing.assert_array_equal(mono[0], wanted.mean(axis=1))


def test_flac_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "known.flac", MUSIC, RATE)
    content = bytearray((tmp_path / "known.flac").read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO's total samples
    content[22:26] = bytes(4)
    (tmp_path / "pipe.flac").write_bytes(content)
    np.testing.assert_array_equal(read_audio(tmp_path / "pipe.flac"), read_audio(tmp_path / "known.flac"))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_wav_whose_length_was_never_written_is_read_to_its_end(tmp_path: Path, size: int) -> None:
    soundfile.write(tmp_path / "known.wav", MUSIC, RATE)
    content = bytearray((tmp_path / "known.wav").read_bytes())
    at = content.index(b"data") + 4
    content[4:8] = content[at : at + 4] = struct.pack("<I", size)
    (tmp_path / "crashed.wav").write_bytes(content)
    np.testing.assert_array_equal(read_audio(tmp_path / "crashed.wav"), read_audio(tmp_path / "known.wav"))


def test_tags_that_are_not_utf8_are_no_hindrance(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "known.wav", MUSIC, RATE)
    content = (tmp_path / "known.wav").read_bytes()
    at = content.index(b"data")
    tag = b"LIST" + struct.pack("<I", 16) + b"INFOINAM" + struct.pack("<I", 4) + b"Caf\xe9"
    crashed = content[:at] + tag + b"data" + bytes(4) + content[at + 8 :]
    (tmp_path / "crashed.wav").write_bytes(crashed)
    np.testing.assert_array_equal(read_audio(tmp_path / "crashed.wav"), read_audio(tmp_path / "known.wav"))


@pytest.mark.parametrize("name", ["flac.flac", "vorbis.ogg", "cbr.mp3", "aac.aac", "pack.wv", "opus.webm"])
def test_a_file_cut_off_gives_what_is_left(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "flac.flac":
        soundfile.write(path, MUSIC, RATE)
    else:
        path = write(tmp_path, name)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    found = read_audio(path)[0]
    assert (0.2 if name == "vorbis.ogg" else 0.4) * len(MUSIC) < len(found) < 0.8 * len(MUSIC)
    assert likeness(found, MUSIC)[0] > 0.97


def test_an_mp4_cut_off_before_its_index_is_refused(tmp_path: Path) -> None:
    content = write(tmp_path, "aac.m4a").read_bytes()
    (tmp_path / "cut.m4a").write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match=r"cut\.m4a: is not a sound that can be read; it may be damaged"):
        read_audio(tmp_path / "cut.m4a")


def test_a_rate_that_changes_on_the_way_is_refused(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp3", MUSIC, "libmp3lame")
    encode(tmp_path / "b.mp3", music(rate=32_000), "libmp3lame", rate=32_000)
    (tmp_path / "c.mp3").write_bytes((tmp_path / "a.mp3").read_bytes() + (tmp_path / "b.mp3").read_bytes())
    with pytest.raises(AudioError, match="changes from 44100 Hz and 1 channels to 32000 Hz"):
        read_audio(tmp_path / "c.mp3")


@pytest.mark.parametrize("name", ["cbr.mp3", "aac.m4a", "aac.aac", "opus.webm", "pack.wv", "flac.ogg"])
def test_damage_ends_in_sound_or_in_one_error(tmp_path: Path, name: str) -> None:
    whole = write(tmp_path, name).read_bytes()[:20_000]
    random = np.random.default_rng(7)
    for number in range(15):
        content = bytearray(whole)
        for place in random.integers(0, 400 if number % 2 else len(content), 12):
            content[place] = random.integers(256)
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(content)
        try:
            part = read_part(path, duration_seconds=10.0)
        except AudioError:
            continue
        assert part.samples.dtype == np.float32
        assert part.samples.shape[1] <= 10 * part.sample_rate


def test_a_playlist_leads_to_no_other_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "secret.wav", MUSIC, RATE)
    for name, content in {
        "hls.mp3": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.wav\n#EXT-X-ENDLIST\n",
        "concat.mp3": "ffconcat version 1.0\nfile secret.wav\n",
        "sdp.mp3": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio 9 RTP/AVP 0\n",
    }.items():
        for start in (b"", b"\x01\x02\xfe\xff"):  # also where the first bytes say nothing
            (tmp_path / name).write_bytes(start + content.encode())
            with pytest.raises(AudioError, match=name):
                read_audio(tmp_path / name)


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_a_part_larger_than_allowed_is_refused_before_it_is_in_memory(tmp_path: Path, suffix: str) -> None:
    soundfile.write(tmp_path / f"s.{suffix}", np.stack([MUSIC, MUSIC], 1), RATE)
    assert (
        read_part(tmp_path / f"s.{suffix}", duration_seconds=1.0, max_values=2 * RATE).samples.size
        == 2 * RATE
    )
    with pytest.raises(AudioError, match="more than 100,000 samples"):
        read_part(tmp_path / f"s.{suffix}", max_values=100_000)
