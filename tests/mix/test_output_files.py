"""Finished files: exact, measured, tagged, the same bytes each time, never half written."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_signals import SAMPLE_RATE, noise, strokes

from riffcomposer.errors import AudioError, DiskFullError, StoreError, UsageError
from riffcomposer.media.kinds import AUDIO_FORMATS, AudioFormat
from riffcomposer.mix import encoding
from riffcomposer.mix.blocks import ArrayReader, Part, npy_reader, read_padded
from riffcomposer.mix.encoding import SoundFileReader, encode, ogg_checksum
from riffcomposer.mix.loudness import measure
from riffcomposer.mix.markers import Marker, read_chunks, write_labels
from riffcomposer.mix.master import Mastering, MasterSettings
from riffcomposer.mix.output import write_part, write_stems, write_track
from riffcomposer.mix.tags import Tags, read_embedded, read_recipe

RECIPE = {"song": "title: Ünï\nsections: []\n", "lock": "ab" * 32, "n": [1, 2.5, None, True]}
TAGS = Tags("Night Bus ☃", "someone", "made by a test", RECIPE)
MARKERS = [Marker("intro", 0), Marker("verse “2”", 20000), Marker("end", 41234)]


def mastering(folder: Path, audio: np.ndarray, *, loop: bool = False) -> Mastering:
    return Mastering(
        ArrayReader(audio), MasterSettings(), sample_rate=SAMPLE_RATE, loop=loop, folder=folder / "scratch"
    )


def write(folder: Path, format: AudioFormat, *, loop: bool = False, seconds: float = 1.5) -> Path:
    stage = mastering(folder, strokes(seconds), loop=loop)
    path = folder / f"track.{format}"
    write_track(path, stage, stage.render(), TAGS, MARKERS)
    return path


@pytest.mark.parametrize("format", AUDIO_FORMATS)
def test_every_format_is_exact_measured_and_carries_its_recipe(tmp_path: Path, format: AudioFormat) -> None:
    audio = strokes(2.345)
    stage = mastering(tmp_path, audio)
    result = write_track(
        tmp_path / f"track.{format}", stage, stage.render(), TAGS, MARKERS, parts=[(0, 30000), (30000, 90000)]
    )
    decoded, sample_rate = soundfile.read(result.path, always_2d=True)
    assert decoded.shape == (audio.shape[1], 2)
    assert sample_rate == SAMPLE_RATE
    assert result.loudness.true_peak_dbtp <= -1
    assert result.loudness.integrated_lufs == pytest.approx(-14, abs=0.1)
    assert [part.samples for part in result.parts] == [30000, 60000]
    embedded = read_embedded(result.path)
    assert (embedded.title, embedded.artist, embedded.comment) == (TAGS.title, TAGS.artist, TAGS.comment)
    assert read_recipe(result.path) == RECIPE
    assert [marker.name for marker in embedded.markers] == [marker.name for marker in MARKERS]
    slack = 0 if format == "wav" else SAMPLE_RATE / 2000 + 1
    for found, wanted in zip(embedded.markers, MARKERS, strict=True):
        assert abs(found.start_sample - wanted.start_sample) <= slack
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scratch", f"track.{format}"]


@pytest.mark.parametrize("format", ["mp3", "ogg"])
def test_a_lossy_file_keeps_the_ceiling_where_its_encoder_lifts_bursts(
    tmp_path: Path, format: AudioFormat
) -> None:
    rng = np.random.default_rng(1)
    audio = np.zeros((2, 4 * SAMPLE_RATE), np.float32)
    for start in range(0, audio.shape[1], SAMPLE_RATE // 2):
        audio[:, start : start + SAMPLE_RATE // 10] = 0.5 * rng.standard_normal((2, SAMPLE_RATE // 10))
    stage = mastering(tmp_path, audio)
    result = write_track(tmp_path / f"track.{format}", stage, stage.render(), TAGS)
    with SoundFileReader(result.path) as written:
        loudness = measure(written, SAMPLE_RATE)
    assert loudness == result.loudness
    assert loudness.true_peak_dbtp <= -1
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["master.f32"]


@pytest.mark.parametrize("format", AUDIO_FORMATS)
def test_the_same_bytes_each_time(tmp_path: Path, format: AudioFormat) -> None:
    first, second = (write(tmp_path / name, format).read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize("format", AUDIO_FORMATS)
def test_encoded_audio_is_in_place(tmp_path: Path, format: AudioFormat) -> None:
    audio = strokes(1)
    encode(ArrayReader(audio), SAMPLE_RATE, tmp_path / "x", format)
    decoded = soundfile.read(tmp_path / "x", dtype="float32")[0].T
    if format in encoding.LOSSY:
        error = 10 * np.log10(np.square(decoded - audio).sum() / np.square(audio).sum())
        assert error < -15, "shifted"
    else:
        assert np.abs(decoded - audio).max() <= 2**-24 + 1e-9


def test_24_bits_are_rounded_and_clipped(tmp_path: Path) -> None:
    audio = np.array([[0.0, 0.4 * 2**-23, 0.6 * 2**-23, -0.6 * 2**-23, 2.0, -2.0]], np.float32)
    encode(ArrayReader(audio), SAMPLE_RATE, tmp_path / "x", "wav")
    decoded = soundfile.read(tmp_path / "x", dtype="int32")[0] >> 8
    assert decoded.tolist() == [0, 0, 1, -1, 2**23 - 1, -(2**23)]


def test_16_bits_are_dithered_and_silence_is_kept() -> None:
    quiet = (3e-5 * np.sin(np.arange(1 << 16) / 10)).astype(np.float32)[None]
    quiet[:, 40000:] = 0
    error = encoding.dithered(quiet, 1)[:, :40000] - 2**15 * quiet[:, :40000].astype(np.float64)
    assert not encoding.dithered(quiet, 1)[:, 40000:].any()
    assert np.abs(error).max() <= 1.5
    assert error.mean() == pytest.approx(0, abs=0.02)
    assert np.square(error).mean() == pytest.approx(1 / 4, rel=0.03)
    assert abs(np.corrcoef(error[0], quiet[0, :40000])[0, 1]) < 0.02
    assert np.array_equal(encoding.dithered(quiet, 1), encoding.dithered(quiet, 1))
    assert not np.array_equal(encoding.dithered(quiet, 1), encoding.dithered(quiet, 2))
    assert encoding.dithered(np.array([[2.0, -2.0]], np.float32), 1).tolist() == [[32767, -32768]]


def test_an_mp3_of_a_quiet_sound_has_no_distortion(tmp_path: Path) -> None:
    tone = np.repeat(1e-4 * np.sin(2 * np.pi * 440 * np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE)[None], 2, 0)
    encode(ArrayReader(tone.astype(np.float32)), SAMPLE_RATE, tmp_path / "x", "mp3")
    error = soundfile.read(tmp_path / "x")[0].T - tone
    assert 10 * np.log10(np.square(error[:, 5000:-5000]).mean()) < -96
    assert abs(error.mean()) < 1e-6


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's device that is always full")
def test_a_full_disk_is_named() -> None:
    with pytest.raises(DiskFullError):
        encode(ArrayReader(noise(3, 0.1, 2)), SAMPLE_RATE, Path("/dev/full"), "mp3")


@pytest.mark.parametrize("format", ["wav", "flac", "ogg"])
def test_a_disk_with_room_for_a_part_is_named(
    tmp_path: Path, format: AudioFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise soundfile.LibsndfileError(2)  # "System error."

    class Left:
        f_bavail, f_frsize = 100, 4096

    monkeypatch.setattr(soundfile.SoundFile, "write", refused)
    monkeypatch.setattr("riffcomposer.mix.encoding.os.statvfs", lambda _: Left)
    with pytest.raises(DiskFullError):
        encode(ArrayReader(noise(3, 0.1, 2)), SAMPLE_RATE, tmp_path / f"x.{format}", format)


def test_a_rate_that_a_format_lacks_is_an_audio_error(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be encoded"):
        encode(ArrayReader(noise(0.1)), 96_000, tmp_path / "x.mp3", "mp3")


def test_a_wav_of_a_loop_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, "wav", loop=True)
    samples = soundfile.info(path).frames
    assert read_embedded(path).loop == (0, samples)
    content = path.read_bytes()
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    chunks = dict(read_chunks(path))
    assert set(chunks) >= {b"cue ", b"smpl", b"id3 ", b"LIST"}
    assert struct.unpack_from("<I", chunks[b"cue "])[0] == 3
    (tmp_path / "plain").mkdir()
    assert read_embedded(write(tmp_path / "plain", "wav")).loop is None


def test_a_long_wav_is_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "WAV_LIMIT_BYTES", 1000)
    path = write(tmp_path, "wav")
    assert path.read_bytes()[:4] == b"RF64"
    assert struct.unpack_from("<Q", path.read_bytes(), 20)[0] == path.stat().st_size - 8
    assert soundfile.info(path).frames == round(1.5 * SAMPLE_RATE)
    assert read_recipe(path) == RECIPE
    assert read_embedded(path).markers == tuple(MARKERS)


def test_many_chapters(tmp_path: Path) -> None:
    stage = mastering(tmp_path, noise(1, 0.1, 2))
    markers = [Marker(f"part {n}", 100 * n) for n in range(300)]
    for format in ("mp3", "flac"):
        path = tmp_path / f"x.{format}"
        write_track(path, stage, stage.render(), TAGS, markers)
        assert [marker.name for marker in read_embedded(path).markers] == [m.name for m in markers]


@settings(max_examples=20, deadline=None)
@given(
    title=st.text(max_size=40),
    song=st.text(st.characters(codec="utf-8"), max_size=200),
    format=st.sampled_from(AUDIO_FORMATS),
)
def test_any_text_goes_round(
    tmp_path_factory: pytest.TempPathFactory, title: str, song: str, format: AudioFormat
) -> None:
    path = tmp_path_factory.mktemp("text") / f"x.{format}"
    title = title.encode("utf-8", "ignore").decode()
    write_part(path, ArrayReader(noise(0.05, channels=2)), SAMPLE_RATE, Tags(title, recipe={"song": song}))
    assert read_recipe(path) == {"song": song}
    kept = " ".join("".join(c if c.isprintable() else " " for c in title).split())
    assert read_embedded(path).title == kept


def test_ogg_pages_check(tmp_path: Path) -> None:
    # The checksum of RFC 3533 by its definition, bit by bit.
    path = write(tmp_path, "ogg")
    content, position, pages = path.read_bytes(), 0, 0
    while position < len(content):
        count = content[position + 26]
        size = 27 + count + sum(content[position + 27 : position + 27 + count])
        page = bytearray(content[position : position + size])
        stored = int.from_bytes(page[22:26], "little")
        page[22:26] = bytes(4)
        assert ogg_checksum(bytes(page)) == stored
        assert page[14:18] == b"\1\0\0\0"
        position, pages = position + size, pages + 1
    crc = 0
    for byte in b"OggS and so on":
        crc ^= byte << 24
        for _ in range(8):
            crc = ((crc << 1) ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    assert ogg_checksum(b"OggS and so on") == crc
    assert pages > 2


def test_stems_add_up_under_one_gain(tmp_path: Path) -> None:
    stems = [ArrayReader(noise(0.5, 0.4, 2, seed)) for seed in (1, 2)]
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    gain = 10 ** (write_stems(paths, stems, SAMPLE_RATE, [TAGS, TAGS]) / 20)
    total = sum(soundfile.read(path)[0].T for path in paths)
    expected = gain * sum(stem.read(0, stem.samples) for stem in stems)
    assert gain < 1
    np.testing.assert_allclose(total, expected, atol=2**-22)


def test_a_part_is_a_part(tmp_path: Path) -> None:
    audio = noise(0.5, 0.1, 2)
    write_part(tmp_path / "x.flac", Part(ArrayReader(audio), 1000, 9000), SAMPLE_RATE, TAGS)
    decoded = soundfile.read(tmp_path / "x.flac", dtype="float32")[0].T
    np.testing.assert_allclose(decoded, audio[:, 1000:9000], atol=1e-6)


def test_audacity_labels(tmp_path: Path) -> None:
    write_labels(tmp_path / "x.txt", [Marker("a\tb", 0), Marker("c", 22050)], 44100, 44100)
    assert (tmp_path / "x.txt").read_text() == "0.000000\t0.500000\ta b\n0.500000\t1.000000\tc\n"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.flac"
    path.write_bytes(b"old")

    def fail(*args: object, **options: object) -> None:
        raise AudioError("no")

    monkeypatch.setattr("riffcomposer.mix.output.embed", fail)
    with pytest.raises(AudioError):
        write_part(path, ArrayReader(noise(0.1)), SAMPLE_RATE, TAGS)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    with pytest.raises(StoreError):
        write_part(tmp_path / "folder" / "x.wav", ArrayReader(noise(0.1)), SAMPLE_RATE, TAGS)


@pytest.mark.parametrize("content", [b"", b"<html>", b"RIFF\0\0\0\0WAVE", b"OggS" * 30, b"fLaC\0\0"])
@pytest.mark.parametrize("format", AUDIO_FORMATS)
def test_what_is_no_sound_is_refused(tmp_path: Path, content: bytes, format: AudioFormat) -> None:
    path = tmp_path / f"x.{format}"
    path.write_bytes(content)
    with pytest.raises(AudioError):
        read_embedded(path)


def test_files_of_others_have_no_recipe(tmp_path: Path) -> None:
    for format in ("wav", "flac", "mp3", "ogg"):
        path = tmp_path / f"x.{format}"
        soundfile.write(path, noise(0.2).T, SAMPLE_RATE)
        assert read_recipe(path) is None
    with pytest.raises(UsageError, match="unknown audio format"):
        read_recipe(tmp_path / "x.aiff")
    with pytest.raises(AudioError):
        read_recipe(tmp_path / "missing.wav")


def test_truncated_files_end_in_an_error_or_nothing(tmp_path: Path) -> None:
    for format in AUDIO_FORMATS:
        content = write(tmp_path, format).read_bytes()
        path = tmp_path / f"cut.{format}"
        for size in (1, 30, len(content) // 2, len(content) - 3):
            path.write_bytes(content[:size])
            try:
                read_embedded(path)
            except AudioError:
                continue


def test_an_array_on_disk_is_read_in_blocks(tmp_path: Path) -> None:
    audio = noise(0.1, channels=2)
    with open(tmp_path / "x", "wb") as handle:
        handle.write(b"header")
        np.save(handle, audio)
    reader = npy_reader(tmp_path / "x", 6)
    np.testing.assert_array_equal(reader.read(10, 500), audio[:, 10:500])
    np.testing.assert_array_equal(read_padded(reader, -5, 5, wraps=True)[:, :5], audio[:, -5:])
    np.testing.assert_array_equal(read_padded(reader, -5, 5)[:, :5], 0)
    for wrong in (audio.astype(np.float64), audio[0], np.asfortranarray(audio)):
        np.save(tmp_path / "wrong.npy", wrong)
        with pytest.raises(AudioError):
            npy_reader(tmp_path / "wrong.npy")
    with pytest.raises(AudioError):
        npy_reader(tmp_path / "x")


def test_reading_beyond_a_file_is_an_error(tmp_path: Path) -> None:
    encode(ArrayReader(noise(0.1)), SAMPLE_RATE, tmp_path / "x.wav", "wav")
    with SoundFileReader(tmp_path / "x.wav") as audio, pytest.raises(AudioError, match="before its header"):
        audio.read(0, audio.samples + 1)
