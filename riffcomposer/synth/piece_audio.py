"""Renders a composed piece to audio: each part with its instrument, then effects, then a common loudness.

All pieces have the same loudness (weighted as in ITU-R BS.1770), so that their spectrogram images are
comparable.
"""

from __future__ import annotations

import zlib
from functools import cache

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy import signal

from riffcomposer.composer.piece import Part, Piece
from riffcomposer.synth.drum_machines import KITS, render_drums
from riffcomposer.synth.effect_chains import EFFECT_CHAINS, Track
from riffcomposer.synth.foley import render_foley
from riffcomposer.synth.instrument_effects import reverberate, send_level
from riffcomposer.synth.soundfont_player import KIT_PROGRAMS, SoundFontPlayer
from riffcomposer.synth.voices import SAMPLE_RATE, Audio, render_notes

# The loudness in dB to which each role is brought, before a part's own gain.
_ROLE_DB = {
    "drums": -17.0,
    "bass": -19.0,
    "comp": -21.0,
    "lead": -19.5,
    "pad": -22.0,
    "second": -23.0,
    "foley": -18.0,
}
LOUDNESS_DB = -16.0
"""Loudness of a rendered piece, see `loudness_db`."""

_SILENCE_DB = -90.0
_FLOOR_DB = -78.0
"""Level of the noise that is added to every piece, since no recording has digital silence."""

_BLOCK = SAMPLE_RATE // 5
# BS.1770's K weighting at 44.1 kHz as second-order sections: a shelf, then a high pass.
_K_WEIGHTING = np.array(
    [
        [
            1.5308412300498355,
            -2.6509799951536985,
            1.1690790799210682,
            1.0,
            -1.6636551132560204,
            0.7125954280732254,
        ],
        [1.0, -2.0, 1.0, 1.0, -1.9891696736297957, 0.9891990357870394],
    ]
)


def generator_for(piece: Piece) -> np.random.Generator:
    """The generator of a piece's noise, seeded by the piece's seed alone."""
    return np.random.default_rng(zlib.crc32(piece.seed.encode()))


@cache
def _k_weights() -> npt.NDArray[np.float32]:
    """The weight of each bin of a block's transform: BS.1770's weighting and Parseval's factor."""
    _, response = signal.sosfreqz(_K_WEIGHTING, worN=scipy.fft.rfftfreq(_BLOCK) * 2 * np.pi)
    weights = 2 * np.abs(response) ** 2 / _BLOCK**2
    weights[[0, -1]] /= 2
    return weights.astype(np.float32)


def loudness_db(audio: Audio) -> float:
    """K-weighted level in dB over the louder part of a sound: blocks within 10 dB of the mean."""
    padded = np.pad(audio, (0, _BLOCK - len(audio))) if len(audio) < _BLOCK else audio
    blocks = padded[: len(padded) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    spectra = scipy.fft.rfft(blocks)
    power = (spectra.real**2 + spectra.imag**2) @ _k_weights()
    gate = np.mean(power) / 10
    return float(10 * np.log10(np.mean(power[power >= gate]) + 1e-12))


def _stem(
    part: Part, piece: Piece, player: SoundFontPlayer, samples: int, generator: np.random.Generator
) -> Audio:
    beat_s = piece.layout.seconds_per_beat
    if part.role in ("foley", "texture"):
        return render_foley(part.kit, samples, generator)
    if part.role == "drums":
        if part.kit in KITS:
            return render_drums(part.kit, part.notes, beat_s, samples, generator)
        return player.render(KIT_PROGRAMS[part.kit], part.notes, beat_s, samples, piece.font, kit=True)
    assert part.instrument is not None
    if part.instrument.voice:
        return render_notes(part.instrument.voice, part.notes, beat_s, samples, generator)
    return player.render(part.instrument.program, part.notes, beat_s, samples, piece.font)


def render(piece: Piece, player: SoundFontPlayer, duration_s: float) -> Audio:
    """Renders a piece.

    Args:
        piece: The notes, instruments and mix.
        player: Plays the instruments that are not synthesised.
        duration_s: Seconds from the piece's start; the result is a quarter of a second longer.

    Returns:
        Audio float32 [samples] at `LOUDNESS_DB` plus the piece's own offset.
    """
    generator = generator_for(piece)
    mix = EFFECT_CHAINS[piece.mix]
    samples = int(np.ceil(duration_s * SAMPLE_RATE)) + SAMPLE_RATE // 4
    dry, send = np.zeros(samples, np.float32), np.zeros(samples, np.float32)
    for part in piece.parts:
        stem = _stem(part, piece, player, samples, generator)
        if part.role != "texture":
            level = loudness_db(stem)
            if level < _SILENCE_DB:
                continue
            stem = stem * _gain(_ROLE_DB.get(part.role, -20.0) + part.gain_db - level)
        else:
            stem = stem * _gain(part.gain_db)
        for effect in mix.parts:
            stem = effect(Track(stem, part, piece.layout.seconds_per_beat, generator))
        dry += stem
        send += stem * np.float32(send_level(part.role, piece.wetness))
    mixed = dry + reverberate(send, mix.room)
    if mix.whole is not None:
        mixed = mix.whole(mixed, generator)
    mixed *= _gain(LOUDNESS_DB + piece.loudness_db - loudness_db(mixed))
    floor = generator.standard_normal(samples).astype(np.float32)
    return mixed + _gain(_FLOOR_DB + generator.uniform(-6, 6)) * floor


def _gain(level_db: float) -> np.float32:
    return np.float32(10 ** (level_db / 20))
