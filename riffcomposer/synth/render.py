"""Renders a composed piece to audio: each part with its instrument, the style's effects, one level.

The level of the collection: a piece is brought to one loudness (ITU-R BS.1770's weighting), but
never so far that a mel bin would pass `max_volume`; then images of all pieces are comparable, and
the loudest bins of a full mix stand close to level 1, as in Riffusion's own seed images.
"""

from __future__ import annotations

import zlib
from functools import cache

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal as signal

from riffcomposer.composer.piece import Part, Piece
from riffcomposer.synth import effects
from riffcomposer.synth.drum_machines import KITS, render_drums
from riffcomposer.synth.foley import render_foley
from riffcomposer.synth.sampler import KIT_PROGRAMS, Sampler
from riffcomposer.synth.voices import SAMPLE_RATE, Audio, render_notes

# Stems are brought to these effective levels (dB, gated) before the mix's own gains.
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
_FLOOR_DB = -78.0
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
    """The generator of a piece's noise: it depends on the piece alone."""
    return np.random.default_rng(zlib.crc32(piece.seed.encode()))


@cache
def _k_weights() -> npt.NDArray[np.float32]:
    """What each bin of a block's transform counts: BS.1770's weighting and Parseval's factor."""
    _, response = signal.sosfreqz(_K_WEIGHTING, worN=scipy.fft.rfftfreq(_BLOCK) * 2 * np.pi)
    weights = 2 * np.abs(response) ** 2 / _BLOCK**2
    weights[[0, -1]] /= 2
    return weights.astype(np.float32)


def loudness_db(audio: Audio) -> float:
    """K-weighted level over the louder part of a sound (blocks within 10 dB of the mean), dB."""
    padded = np.pad(audio, (0, _BLOCK - len(audio))) if len(audio) < _BLOCK else audio
    blocks = padded[: len(padded) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    spectra = scipy.fft.rfft(blocks)
    power = (spectra.real**2 + spectra.imag**2) @ _k_weights()
    gate = np.mean(power) / 10
    return float(10 * np.log10(np.mean(power[power >= gate]) + 1e-12))


def _stem(part: Part, piece: Piece, sampler: Sampler, samples: int, generator: np.random.Generator) -> Audio:
    beat_s = piece.layout.seconds_per_beat
    if part.role in ("foley", "texture"):
        return render_foley(part.kit, samples, generator)
    if part.role == "drums":
        if part.kit in KITS:
            return render_drums(part.kit, part.notes, beat_s, samples, generator)
        return sampler.render(KIT_PROGRAMS[part.kit], part.notes, beat_s, samples, piece.font, kit=True)
    assert part.instrument is not None
    if part.instrument.voice:
        return render_notes(part.instrument.voice, part.notes, beat_s, samples, generator)
    return sampler.render(part.instrument.program, part.notes, beat_s, samples, piece.font)


def _process(stem: Audio, part: Part, piece: Piece, generator: np.random.Generator) -> Audio:
    """The part's own place in the style's effects, before the mix."""
    mix, role = piece.mix, part.role
    if mix in ("pump", "pump light") and role not in ("drums", "foley"):
        stem = effects.pump(stem, piece.layout.seconds_per_beat, 0.75 if mix == "pump" else 0.45)
    if mix == "synthwave" and role in ("pad", "comp", "second"):
        stem = effects.chorus(stem, generator)
    if mix == "rock" and part.instrument is not None and part.instrument.family == "guitar":
        stem = effects.cabinet(effects.saturate(stem, generator.uniform(2.0, 5.0)))
    if mix == "dub" and role in ("comp", "lead", "second"):
        stem = stem + effects.tape_delay(
            stem, 0.75 * piece.layout.seconds_per_beat, generator.uniform(0.35, 0.6)
        )
    if mix in ("synthwave", "plate", "pump") and role == "lead":
        stem = stem + effects.tape_delay(stem, 0.75 * piece.layout.seconds_per_beat, 0.35, 5000.0)
    return stem


def render(piece: Piece, sampler: Sampler) -> Audio:
    """Renders a piece.

    Returns:
        Audio float32 [samples] at the loudness of the collection, before the check against the
        loudest mel bin (see `training.clips`).
    """
    generator = generator_for(piece)
    samples = int(np.ceil(piece.layout.duration_s * SAMPLE_RATE)) + SAMPLE_RATE // 4
    dry, send = np.zeros(samples, np.float32), np.zeros(samples, np.float32)
    for part in piece.parts:
        stem = _stem(part, piece, sampler, samples, generator)
        if part.role != "texture":
            level = loudness_db(stem)
            if level < -90:
                continue
            stem = stem * np.float32(10 ** ((_ROLE_DB.get(part.role, -20.0) + part.gain_db - level) / 20))
        else:
            stem = stem * np.float32(10 ** (part.gain_db / 20))
        stem = _process(stem, part, piece, generator)
        dry += stem
        send += stem * np.float32(effects.send_level(part.role, piece.wetness))
    mixed = dry + effects.reverberate(send, piece.mix)
    if piece.mix == "lofi":
        mixed = effects.low_fidelity(mixed, generator)
    elif piece.mix == "rock":
        mixed = effects.saturate(mixed, 1.5)
    level = loudness_db(mixed)
    mixed *= np.float32(10 ** ((LOUDNESS_DB + piece.loudness_db - level) / 20))
    floor = generator.standard_normal(samples).astype(np.float32)
    return mixed + np.float32(10 ** ((_FLOOR_DB + generator.uniform(-6, 6)) / 20)) * floor
