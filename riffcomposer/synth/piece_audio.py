"""Renders a composed piece to audio: each part with its instrument, then effects, then a common loudness.

All pieces have the same loudness (weighted as in ITU-R BS.1770), so that their spectrogram images are
comparable. Nothing is kept between two renders but decoded samples, so they may run in several threads.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from riffcomposer.composer.piece import Part, Piece
from riffcomposer.errors import UsageError
from riffcomposer.scipy_signal import signal
from riffcomposer.synth.drum_machines import KITS, render_drums
from riffcomposer.synth.effect_chains import EFFECT_CHAINS, Track
from riffcomposer.synth.foley import render_foley
from riffcomposer.synth.instrument_effects import reverberate, send_level
from riffcomposer.synth.soundfont_player import KIT_PROGRAMS, SoundFontPlayer, default_player
from riffcomposer.synth.stereo_placement import left_and_right, side_of
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

ROLES = ("drums", "bass", "comp", "second", "pad", "lead", "texture", "foley")
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


@dataclass(frozen=True)
class _Stem:
    """One part after its effects, at its level in the mix.

    Attributes:
        part: The part.
        mid, side: Its sound, each [samples].
    """

    part: Part
    mid: Audio
    side: Audio


@dataclass(frozen=True)
class _Take:
    """A piece that was played, before its parts are mixed.

    Attributes:
        piece: The piece.
        stems: The parts that sound, in the piece's order.
        samples: Length.
        generator: The piece's generator after all parts were played.
    """

    piece: Piece
    stems: tuple[_Stem, ...]
    samples: int
    generator: np.random.Generator


def _played(
    part: Part, piece: Piece, player: SoundFontPlayer, samples: int, generator: np.random.Generator
) -> tuple[Audio, Audio | None]:
    """A part's mid, and its side if the instrument itself is stereo."""
    beat_s = piece.layout.seconds_per_beat
    if part.role in ("foley", "texture"):
        return render_foley(part.kit, samples, generator), None
    if part.role == "drums" and part.kit in KITS:
        return render_drums(part.kit, part.notes, beat_s, samples, generator)
    if part.instrument is not None and part.instrument.voice:
        return render_notes(part.instrument.voice, part.notes, beat_s, samples, generator), None
    kit = part.role == "drums"
    if kit:
        program = KIT_PROGRAMS[part.kit]
    else:
        assert part.instrument is not None
        program = part.instrument.program
    left, right = player.render(program, part.notes, beat_s, samples, piece.font, kit=kit, bends=part.bends)
    return np.float32(0.5) * (left + right), np.float32(0.5) * (left - right)


def _play(piece: Piece, player: SoundFontPlayer, samples: int) -> _Take:
    """Plays all parts, each with its effects and at its level."""
    generator = generator_for(piece)
    stems = []
    for part in piece.parts:
        mid, own_side = _played(part, piece, player, samples, generator)
        if part.role == "texture":
            gain = _gain(part.gain_db)
        else:
            level = loudness_db(mid)
            if level < _SILENCE_DB:
                continue
            gain = _gain(_ROLE_DB.get(part.role, -20.0) + part.gain_db - level)
        mid = mid * gain
        dry = mid
        for effect in EFFECT_CHAINS[piece.mix].parts:
            mid = effect(Track(mid, part, piece.layout.seconds_per_beat, generator))
        side = side_of(part.role, mid, part.pan)
        if own_side is not None and mid is dry:
            side += own_side * gain
        stems.append(_Stem(part, mid, side))
    return _Take(piece, tuple(stems), samples, generator)


def _mixed(take: _Take, stems: Sequence[_Stem], *, stereo: bool) -> tuple[Audio, Audio]:
    """Mid and side of some stems with the reverberation and the effect on the mix, before the loudness.

    The side is silent unless `stereo`.
    """
    mix = EFFECT_CHAINS[take.piece.mix]
    mid, side, send = (np.zeros(take.samples, np.float32) for _ in range(3))
    for stem in stems:
        mid += stem.mid
        side += stem.side
        send += stem.mid * np.float32(send_level(stem.part.role, take.piece.wetness))
    mid += reverberate(send, mix.room)
    if stereo:
        side += reverberate(send, mix.room, side=True)
    else:
        side[:] = 0
    if mix.whole is not None:
        # Both channels get the same random values, so that a tape's wow moves them together.
        mid = mix.whole(mid, copy.deepcopy(take.generator))
        side = mix.whole(side, copy.deepcopy(take.generator)) if stereo else side
    return mid, side


def _floor(take: _Take) -> tuple[Audio, Audio]:
    """Mid and side of the noise that is added to a whole piece."""
    generator = copy.deepcopy(take.generator)
    level = _gain(_FLOOR_DB + generator.uniform(-6, 6))
    mid, side = (generator.standard_normal(take.samples).astype(np.float32) for _ in range(2))
    return level * mid, level * side


def _loudness_gain(take: _Take, mid: Audio) -> np.float32:
    return _gain(LOUDNESS_DB + take.piece.loudness_db - loudness_db(mid))


def _length(duration_s: float) -> int:
    samples = round(duration_s * SAMPLE_RATE)
    if samples < 1:
        raise UsageError(f"a piece cannot be rendered for {duration_s} s; ask for more than 0 s")
    return samples


def render_piece(
    piece: Piece,
    *,
    duration_s: float,
    roles: tuple[str, ...] = (),
    stereo: bool = False,
    player: SoundFontPlayer | None = None,
) -> Audio:
    """Renders a piece, or some of its parts at the level that they have in the whole.

    The parts of a piece, rendered by themselves and added up, are the whole piece but for the mix's own
    effect (tape, saturation) and for the noise floor.

    Args:
        piece: The notes, instruments and mix.
        duration_s: Seconds from the piece's start; what sounds on after it is cut.
        roles: Only the parts with these roles sound; all if there is none. A role that the piece lacks is
            silent.
        stereo: Whether parts are placed between left and right; else the mean of both channels.
        player: Plays the sampled instruments; the sound font in use if None (see `soundfont_choice`).

    Returns:
        Audio float32 [channels, samples] at 44,100 Hz. A whole piece has `LOUDNESS_DB` plus its own offset,
        measured in mono.

    Raises:
        UsageError: The duration is not above 0, or a role is not known.
        ModelError: The sound font is missing or damaged.
    """
    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise UsageError(f"no part has the role {unknown[0]!r}; the roles are {', '.join(ROLES)}")
    take = _play(piece, player or default_player(), _length(duration_s))
    mid, side = _mixed(take, take.stems, stereo=stereo and not roles)
    gain = _loudness_gain(take, mid)
    if roles:
        chosen = [stem for stem in take.stems if stem.part.role in roles]
        mid, side = _mixed(take, chosen, stereo=stereo)
    mid, side = gain * mid, gain * side
    if not roles:
        mid_floor, side_floor = _floor(take)
        mid, side = mid + mid_floor, side + side_floor
    return left_and_right(mid, side) if stereo else mid[None]


def render_stems(piece: Piece, duration_s: float, player: SoundFontPlayer | None = None) -> dict[str, Audio]:
    """Renders each part of a piece by itself, in stereo, at the level that it has in the whole.

    Args:
        piece, duration_s, player: As in `render_piece`.

    Returns:
        Role to audio float32 [2, samples], for the roles that sound, in the piece's order.

    Raises:
        UsageError, ModelError: As in `render_piece`.
    """
    take = _play(piece, player or default_player(), _length(duration_s))
    gain = _loudness_gain(take, _mixed(take, take.stems, stereo=False)[0])
    found = {}
    for role in dict.fromkeys(stem.part.role for stem in take.stems):
        mid, side = _mixed(take, [stem for stem in take.stems if stem.part.role == role], stereo=True)
        found[role] = left_and_right(gain * mid, gain * side)
    return found


def _gain(level_db: float) -> np.float32:
    return np.float32(10 ** (level_db / 20))
