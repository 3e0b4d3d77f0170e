"""Our own synthesis, the effects, the level of the collection, and the fast mel."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from riffcomposer.composer.arrangement import compose_loop
from riffcomposer.composer.styles import STYLES
from riffcomposer.composer.theory import Note
from riffcomposer.errors import ModelError
from riffcomposer.spectrogram.mel import mel_from_audio
from riffcomposer.synth.drum_machines import KITS, render_drums
from riffcomposer.synth.effects import impulse_response, low_fidelity, pump, reverberate
from riffcomposer.synth.foley import SOUNDS, render_foley
from riffcomposer.synth.render import LOUDNESS_DB, loudness_db, render
from riffcomposer.synth.sampler import Sampler
from riffcomposer.synth.voices import SAMPLE_RATE, VOICES, render_notes
from riffcomposer_training import fonts
from riffcomposer_training.clip_mel import MARGIN_FRAMES, PARAMETERS, mels_at
from riffcomposer_training.clips import clips_of
from riffcomposer_training.collection import compose
from riffcomposer_training.rendering import render_lane


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _list(kind: bytes, *chunks: bytes) -> bytes:
    return _chunk(b"LIST", kind + b"".join(chunks))


def write_tiny_font(path: Path) -> Path:
    """A sound font with one looped sine: every General MIDI preset and kit (SF2 2.01)."""
    length = 4400
    wave = (8000 * np.sin(2 * np.pi * np.arange(length) / 100)).astype("<i2")
    samples = wave.tobytes() + b"\0" * 92

    def named(text: str) -> bytes:
        return text.encode().ljust(20, b"\0")

    def preset(text: str, bank: int, program: int, bag: int) -> bytes:
        return named(text) + struct.pack("<HHHIII", program, bank, bag, 0, 0, 0)

    programs = [(0, program) for program in range(128)]
    programs += [(128, program) for program in (0, 8, 16, 24, 25, 32, 40, 48)]
    heads = b"".join(preset("Sine", bank, program, bag) for bag, (bank, program) in enumerate(programs))
    heads += preset("EOP", 0, 0, len(programs))
    zones = b"".join(struct.pack("<HH", bag, 0) for bag in range(len(programs) + 1))
    generators = struct.pack("<HH", 41, 0) * len(programs) + bytes(4)
    instruments = named("Sine") + struct.pack("<H", 0) + named("EOI") + struct.pack("<H", 1)
    looped = struct.pack("<HHHHHH", 54, 1, 53, 0, 0, 0)
    header = named("sine") + struct.pack("<IIIIIBbHH", 0, length, 400, length - 400, SAMPLE_RATE, 69, 0, 0, 1)
    header += named("EOS") + bytes(26)
    body = (
        _list(b"INFO", _chunk(b"ifil", struct.pack("<HH", 2, 1)), _chunk(b"INAM", b"tiny\0\0"))
        + _list(b"sdta", _chunk(b"smpl", samples))
        + _list(
            b"pdta",
            _chunk(b"phdr", heads),
            _chunk(b"pbag", zones),
            _chunk(b"pmod", bytes(10)),
            _chunk(b"pgen", generators),
            _chunk(b"inst", instruments),
            _chunk(b"ibag", struct.pack("<HHHH", 0, 0, 2, 0)),
            _chunk(b"imod", bytes(10)),
            _chunk(b"igen", looped),
            _chunk(b"shdr", header),
        )
    )
    path.write_bytes(_chunk(b"RIFF", b"sfbk" + body))
    return path


@pytest.fixture(scope="module")
def sampler(tmp_path_factory: pytest.TempPathFactory) -> Sampler:
    pytest.importorskip("tinysoundfont", reason="needs tinysoundfont: pip install --no-deps tinysoundfont")
    return Sampler([write_tiny_font(tmp_path_factory.mktemp("font") / "tiny.sf2")])


def _peak_hz(audio: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    return float(np.argmax(spectrum) * SAMPLE_RATE / len(audio))


@pytest.mark.parametrize("voice", sorted(VOICES))
def test_voices_sound_at_their_pitch_and_stop(voice: str) -> None:
    pitch = 45 if voice in ("sub", "reese", "sawbass", "acid", "fmbass", "drone", "triangle") else 69
    audio = render_notes(voice, [Note(0.0, 1.0, pitch, 100)], 0.5, SAMPLE_RATE * 3, np.random.default_rng(1))
    assert audio.dtype == np.float32
    assert np.isfinite(audio).all()
    assert 0.01 < float(np.abs(audio).max()) < 2.0
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    ratio = _peak_hz(audio[: SAMPLE_RATE // 2]) / frequency
    # Some voices' strongest partial is a harmonic, or the octave or fifth below the note.
    assert min(abs(ratio - good) for good in (0.5, 0.75, 1, 1.19, 1.5, 2, 3, 4)) < 0.03
    _, attack_s, release_s = VOICES[voice]
    tail = audio[int((max(0.5, attack_s) + release_s + 0.01) * SAMPLE_RATE) :]
    assert not np.any(tail)


def test_the_sampler_plays_in_tune_and_forgets_between_parts(sampler: Sampler) -> None:
    notes = [Note(0.0, 1.0, 69, 100), Note(1.0, 50.0, 81, 100)]  # the second ends long after the render
    first = sampler.render(0, notes, 0.5, SAMPLE_RATE)
    assert _peak_hz(first[2000:20000]) == pytest.approx(440, abs=3)
    assert _peak_hz(first[24000:42000]) == pytest.approx(880, abs=3)
    for _ in range(3):
        assert np.array_equal(sampler.render(0, notes, 0.5, SAMPLE_RATE), first)
    silent = sampler.render(0, [], 0.5, 4000)
    assert float(np.abs(silent).max()) < 1e-4


def test_a_bent_note_glides_into_its_pitch(sampler: Sampler) -> None:
    audio = sampler.render(0, [Note(0.0, 4.0, 69, 100, bend=-2.0)], 0.5, SAMPLE_RATE)
    assert _peak_hz(audio[: SAMPLE_RATE // 50]) < 420
    assert _peak_hz(audio[SAMPLE_RATE // 2 :]) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("kit", KITS)
def test_drum_machines_play_every_drum(kit: str) -> None:
    for drum in (36, 37, 38, 39, 42, 44, 46, 49, 51, 50, 43, 56, 63, 70, 75):
        audio = render_drums(kit, [Note(1.0, 0.1, drum, 110)], 0.5, SAMPLE_RATE * 2, np.random.default_rng(0))
        assert not np.any(audio[: SAMPLE_RATE // 2 - 1])
        assert 0.03 < float(np.abs(audio).max()) < 2.0


def test_a_closed_hat_cuts_the_open_one() -> None:
    open_hat = [Note(0.0, 0.1, 46, 110)]
    ringing = render_drums("909", open_hat, 0.5, SAMPLE_RATE, np.random.default_rng(0))
    cut = render_drums("909", [*open_hat, Note(0.25, 0.1, 42, 1)], 0.5, SAMPLE_RATE, np.random.default_rng(0))
    late = slice(SAMPLE_RATE // 4, None)
    assert float(np.abs(cut[late]).max()) < 0.1 * float(np.abs(ringing[late]).max())


@pytest.mark.parametrize("name", sorted(SOUNDS))
def test_foley_has_its_level_and_follows_its_generator(name: str) -> None:
    audio = render_foley(name, SAMPLE_RATE * 4, np.random.default_rng(3))
    assert float(np.sqrt(np.mean(audio**2))) == pytest.approx(0.1, rel=1e-3)
    assert np.array_equal(audio, render_foley(name, SAMPLE_RATE * 4, np.random.default_rng(3)))
    assert not np.array_equal(audio, render_foley(name, SAMPLE_RATE * 4, np.random.default_rng(4)))


def test_reverberation_decays_as_long_as_the_room_says() -> None:
    response = impulse_response(1.4, 8000.0)
    assert float(np.sum(response**2)) == pytest.approx(1.0, rel=1e-4)
    early, late = np.sum(response[: len(response) // 4] ** 2), np.sum(response[3 * len(response) // 4 :] ** 2)
    assert early > 1000 * late
    send = np.zeros(SAMPLE_RATE, np.float32)
    assert not np.any(reverberate(send, "hall"))
    send[100] = 1.0
    assert not np.any(np.abs(reverberate(send, "hall")[:100]) > 1e-6)
    assert not np.any(reverberate(send, "none"))


def test_pumping_ducks_on_the_beat() -> None:
    audio = pump(np.ones(SAMPLE_RATE * 2, np.float32), 0.5, 0.75)
    for beat in range(4):
        assert audio[beat * SAMPLE_RATE // 2] == pytest.approx(0.25, abs=0.01)
        assert audio[beat * SAMPLE_RATE // 2 + int(0.4 * SAMPLE_RATE)] == pytest.approx(1.0, abs=1e-3)


def test_low_fidelity_takes_the_top_away() -> None:
    noise = (0.1 * np.random.default_rng(0).standard_normal(SAMPLE_RATE * 2)).astype(np.float32)
    worn = np.abs(np.fft.rfft(low_fidelity(noise, np.random.default_rng(1)))) ** 2
    bands = [worn[low * 2 : high * 2].mean() for low, high in ((200, 2000), (12000, 16000))]
    assert 10 * np.log10(bands[0] / bands[1]) > 15


def test_loudness_is_weighted_and_gated() -> None:
    t = np.arange(SAMPLE_RATE * 4) / SAMPLE_RATE
    tone = (0.1 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)
    level = loudness_db(tone)
    assert level == pytest.approx(-23.0 + 0.6, abs=0.4)  # BS.1770 raises 1 kHz by 0.7 dB
    assert loudness_db(2 * tone) == pytest.approx(level + 6.02, abs=0.01)
    assert loudness_db(np.concatenate([tone, 0 * tone])) == pytest.approx(level, abs=0.1)
    rumble = (0.1 * np.sin(2 * np.pi * 25 * t)).astype(np.float32)
    assert loudness_db(rumble) < level - 6


def test_the_fast_mel_is_the_mel() -> None:
    audio = (0.1 * np.random.default_rng(0).standard_normal(SAMPLE_RATE * 4)).astype(np.float32)
    start, frames, hop = 20_000, 96, PARAMETERS.hop_length
    fast = mels_at(audio, [start], frames)[0]
    first = start - MARGIN_FRAMES * hop
    stretch = torch.from_numpy(audio[None, first : first + (frames + 2 * MARGIN_FRAMES) * hop])
    exact = mel_from_audio(stretch, PARAMETERS)[0, :, MARGIN_FRAMES : MARGIN_FRAMES + frames].numpy()
    error = np.abs(fast - exact) / exact.max()
    assert float(error[:-1].max()) < 1e-4
    assert float(error[-1].max()) < 0.02


@pytest.mark.parametrize("device", ["cpu:0", "cuda"])
def test_the_mel_is_the_same_by_torch(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device, and there is none here")
    audio = (0.1 * np.random.default_rng(1).standard_normal(SAMPLE_RATE * 3)).astype(np.float32)
    starts = [0, 30_001]
    plain = mels_at(audio, starts, 64)
    # `cpu:0` is torch's CPU; `cpu` is the numpy path.
    batched = mels_at(audio, starts, 64, device=device)
    assert batched.shape == plain.shape
    np.testing.assert_allclose(batched, plain, atol=1e-4 * plain.max())


@pytest.mark.parametrize("style", ["techno", "chiptune", "lo-fi hip hop", "ambient"])
def test_pieces_come_out_at_one_loudness(style: str, sampler: Sampler) -> None:
    piece = compose(2, 0, style=style, windows=1)
    audio = render(piece, sampler)
    assert audio.dtype == np.float32
    assert loudness_db(audio) == pytest.approx(LOUDNESS_DB + piece.loudness_db, abs=0.3)
    assert np.array_equal(audio, render(piece, sampler))


def test_onsets_stand_on_the_beat(sampler: Sampler) -> None:
    piece = compose_loop("tempo", STYLES["techno"], {"drums": ("909", "techno")})
    clip = clips_of(piece, sampler)[1].levels.astype(np.float64) / 255
    rise = np.maximum(0, np.diff(clip, axis=1)).sum(axis=0)
    beats = [rise[max(0, 64 * beat - 4) : 64 * beat + 4].max() for beat in range(1, 8)]
    assert min(beats) > 2 * np.median(rise)


def test_a_collection_is_cut_into_shards_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    pytest.importorskip("tinysoundfont", reason="needs tinysoundfont: pip install --no-deps tinysoundfont")
    font = write_tiny_font(tmp_path / "tiny.sf2")
    out = tmp_path / "clips"
    out.mkdir()
    render_lane(out, [font], 4, 6, 3, 0, 1, 600.0)
    written = sorted(path.name for path in out.iterdir())
    assert written == ["shard_0000.json", "shard_0000.npz", "shard_0001.json", "shard_0001.npz"]
    with np.load(out / "shard_0001.npz") as content:
        before = content["levels"]
    assert before.dtype == np.uint8
    assert before.shape[1:] == (512, 512)
    assert before.max() > 120
    (out / "shard_0001.json").unlink()
    for lane in range(2):
        render_lane(out, [font], 4, 6, 3, lane, 2, 600.0)
    with np.load(out / "shard_0001.npz") as content:
        assert np.array_equal(content["levels"], before)


def test_missing_fonts_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"MuseScore_General_Lite\.sf3 not found"):
        fonts.find(tmp_path)
    for name in fonts.FONT_FILES:
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in fonts.find(tmp_path)] == list(fonts.FONT_FILES)
    assert fonts.gather(tmp_path) == fonts.find(tmp_path)
