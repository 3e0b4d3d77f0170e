"""Voices, drum machines, foley, effects, and how loudness is measured."""

from __future__ import annotations

import numpy as np
import pytest

from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.piece import Part
from riffcomposer.composer.styles import STYLES
from riffcomposer.composer.theory import Note
from riffcomposer.synth.drum_machines import KITS, render_drums
from riffcomposer.synth.effect_chains import EFFECT_CHAINS, Track
from riffcomposer.synth.foley import SOUNDS, render_foley
from riffcomposer.synth.instrument_effects import impulse_response, low_fidelity, pump, reverberate
from riffcomposer.synth.piece_audio import loudness_db
from riffcomposer.synth.stereo_placement import DRUM_PANS
from riffcomposer.synth.voices import SAMPLE_RATE, VOICES, render_notes


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
    patch = VOICES[voice]
    tail = audio[int((max(0.5, patch.attack_s) + patch.release_s + 0.01) * SAMPLE_RATE) :]
    assert not np.any(tail)


@pytest.mark.parametrize("kit", KITS)
def test_drum_machines_play_every_drum(kit: str) -> None:
    for drum in (36, 37, 38, 39, 42, 44, 46, 49, 51, 50, 43, 56, 63, 70, 75):
        audio, side = render_drums(
            kit, [Note(1.0, 0.1, drum, 110)], 0.5, SAMPLE_RATE * 2, np.random.default_rng(0)
        )
        assert not np.any(audio[: SAMPLE_RATE // 2 - 1])
        assert 0.03 < float(np.abs(audio).max()) < 2.0
        assert float(np.abs(side).max()) == pytest.approx(
            abs(DRUM_PANS.get(drum, 0.0)) * float(np.abs(audio).max()), rel=1e-5
        )


def test_a_closed_hat_cuts_the_open_one() -> None:
    open_hat = [Note(0.0, 0.1, 46, 110)]
    ringing, _ = render_drums("909", open_hat, 0.5, SAMPLE_RATE, np.random.default_rng(0))
    cut, _ = render_drums(
        "909", [*open_hat, Note(0.25, 0.1, 42, 1)], 0.5, SAMPLE_RATE, np.random.default_rng(0)
    )
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
    hall = EFFECT_CHAINS["hall"].room
    assert not np.any(reverberate(send, hall))
    send[100] = 1.0
    assert not np.any(np.abs(reverberate(send, hall)[:100]) > 1e-6)
    assert np.any(reverberate(send, hall)[100:])
    assert not np.any(reverberate(send, None))


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


def test_every_style_has_its_mix() -> None:
    assert {style.mix for style in STYLES.values()} <= set(EFFECT_CHAINS)


@pytest.mark.parametrize(
    ("mix", "role", "instrument", "changed"),
    [
        ("pump", "bass", "sub bass", True),
        ("pump", "drums", None, False),
        ("synthwave", "pad", "warm pad", True),
        ("synthwave", "bass", "saw bass", False),
        ("rock", "comp", "distorted guitar", True),
        ("rock", "comp", "piano", False),
        ("dub", "lead", "clarinet", True),
        ("dub", "drums", None, False),
        ("plate", "lead", "flute", True),
        ("plate", "comp", "flute", False),
    ],
)
def test_a_mix_changes_the_parts_that_it_is_for(
    mix: str, role: str, instrument: str | None, changed: bool
) -> None:
    player = INSTRUMENTS[instrument] if instrument else None
    part = Part(role, player, "", (), 0.0, (True,))
    stem = (0.1 * np.random.default_rng(0).standard_normal(SAMPLE_RATE)).astype(np.float32)
    processed = stem
    for effect in EFFECT_CHAINS[mix].parts:
        processed = effect(Track(processed, part, 0.5, np.random.default_rng(1)))
    assert processed.dtype == np.float32
    assert np.array_equal(processed, stem) != changed
