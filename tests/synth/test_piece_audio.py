"""Whole pieces: loudness, layers, stems, stereo, and the same samples each time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from riffcomposer.composer.arrangement import compose_band
from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.piece import Layout, Part, Piece
from riffcomposer.composer.section import compose_section
from riffcomposer.composer.section_score import Score
from riffcomposer.composer.styles import STYLES
from riffcomposer.composer.theory import Note
from riffcomposer.errors import UsageError
from riffcomposer.synth.piece_audio import LOUDNESS_DB, ROLES, loudness_db, render_piece, render_stems
from riffcomposer.synth.soundfont_player import SoundFontPlayer
from riffcomposer.synth.voices import SAMPLE_RATE


def _piece(style: str, bars: int = 2) -> Piece:
    return compose_section(Score(Fraction(bars), 120.0, style, "A minor")).as_piece()


def _rms_db(audio: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(audio.astype(np.float64) ** 2) + 1e-20))


@pytest.mark.parametrize("style", ["techno", "chiptune", "lo-fi hip hop", "ambient"])
def test_pieces_come_out_at_one_loudness(style: str, player: SoundFontPlayer) -> None:
    piece = compose_band(Random(style), style, Layout(100.0, 4.0, 0, 2, 1), STYLES[style])
    audio = render_piece(piece, duration_s=piece.layout.duration_s, player=player)
    assert audio.dtype == np.float32
    assert audio.shape == (1, round(piece.layout.duration_s * SAMPLE_RATE))
    assert loudness_db(audio[0]) == pytest.approx(LOUDNESS_DB + piece.loudness_db, abs=0.3)
    assert np.array_equal(audio, render_piece(piece, duration_s=piece.layout.duration_s, player=player))


@pytest.mark.parametrize("style", ["jazz", "rock", "lo-fi hip hop", "synthwave"])
def test_mono_is_the_mean_of_both_channels(style: str, player: SoundFontPlayer) -> None:
    piece = _piece(style)
    mono = render_piece(piece, duration_s=4.0, player=player)
    stereo = render_piece(piece, duration_s=4.0, stereo=True, player=player)
    assert stereo.shape == (2, 4 * SAMPLE_RATE)
    np.testing.assert_allclose(stereo.mean(axis=0), mono[0], atol=1e-6)
    width = _rms_db(stereo[0] - stereo[1]) - _rms_db(stereo[0] + stereo[1])
    assert -25 < width < -2


def test_a_part_with_a_place_of_its_own_is_there(player: SoundFontPlayer) -> None:
    part = Part("comp", INSTRUMENTS["piano"], "", (Note(0.0, 2.0, 60, 100),), 0.0, (True,))

    def lean(pan: float) -> float:
        piece = Piece("x", "", Layout(120.0, 4.0, 0, 1, 1), 0, "", (replace(part, pan=pan),), "none")
        left, right = render_piece(piece, duration_s=1.0, stereo=True, player=player)
        return _rms_db(right) - _rms_db(left)

    assert lean(-0.8) + 6 < lean(-0.3) < 0 < lean(0.3) < lean(0.8) - 6


@pytest.mark.parametrize("stereo", [False, True])
def test_layers_add_up_to_the_whole(player: SoundFontPlayer, *, stereo: bool) -> None:
    piece = _piece("jazz")
    whole = render_piece(piece, duration_s=4.0, stereo=stereo, player=player)
    roles = tuple({part.role: None for part in piece.parts})
    layers = [
        render_piece(piece, duration_s=4.0, roles=chosen, stereo=stereo, player=player)
        for chosen in (roles[:1], roles[1:])
    ]
    # What is left is the noise floor, which only the whole has.
    assert _rms_db(sum(layers) - whole) < _rms_db(whole) - 45
    assert all(_rms_db(layer) > _rms_db(whole) - 25 for layer in layers)


def test_stems_are_the_layers(player: SoundFontPlayer) -> None:
    piece = _piece("jazz")
    stems = render_stems(piece, 4.0, player)
    assert list(stems) == list(dict.fromkeys(part.role for part in piece.parts if part.notes))
    for role, stem in stems.items():
        layer = render_piece(piece, duration_s=4.0, roles=(role,), stereo=True, player=player)
        np.testing.assert_allclose(stem, layer, atol=1e-6)
    whole = render_piece(piece, duration_s=4.0, stereo=True, player=player)
    assert _rms_db(sum(stems.values()) - whole) < _rms_db(whole) - 45


def test_a_role_that_the_piece_lacks_is_silent_and_an_unknown_one_an_error(player: SoundFontPlayer) -> None:
    piece = _piece("jazz")
    assert not np.any(render_piece(piece, duration_s=1.0, roles=("foley",), player=player))
    with pytest.raises(UsageError, match="no part has the role 'sitar'; the roles are drums, bass"):
        render_piece(piece, duration_s=1.0, roles=("drums", "sitar"), player=player)
    with pytest.raises(UsageError, match=r"cannot be rendered for 0\.0 s"):
        render_piece(piece, duration_s=0.0, player=player)


def test_all_roles_of_all_styles_are_known(player: SoundFontPlayer) -> None:
    for style in STYLES:
        assert {part.role for part in _piece(style).parts} <= set(ROLES)


def test_parts_are_where_their_role_is() -> None:
    layout = Layout(120.0, 4.0, 0, 2, 1)

    def balance(role: str, instrument: str, kit: str = "", pitch: int = 60) -> float:
        notes = tuple(Note(float(beat), 0.9, pitch, 100) for beat in range(8))
        part = Part(role, None if kit else INSTRUMENTS[instrument], kit, notes, 0.0, (True,))
        piece = Piece("place", "", layout, 0, "major", (part,), "none")
        left, right = render_piece(piece, duration_s=4.0, stereo=True)
        return _rms_db(right) - _rms_db(left)

    assert balance("bass", "sub bass", pitch=36) == pytest.approx(0, abs=0.3)
    assert balance("comp", "piano") < -1
    assert balance("second", "vibraphone") > 2
    assert balance("drums", "", "909", 36) == pytest.approx(0, abs=0.3)
    for kit in ("909", "acoustic"):
        assert balance("drums", "", kit, 42) > 2
        assert balance("drums", "", kit, 49) < -3


def test_pieces_render_alike_in_threads(player: SoundFontPlayer) -> None:
    pieces = [_piece(style) for style in ("jazz", "techno", "rock", "lo-fi hip hop")]
    alone = [render_piece(piece, duration_s=2.0, stereo=True, player=player) for piece in pieces]
    with ThreadPoolExecutor(4) as pool:
        beside = pool.map(
            lambda piece: render_piece(piece, duration_s=2.0, stereo=True, player=player), pieces
        )
        assert all(np.array_equal(one, other) for one, other in zip(alone, beside, strict=True))


def test_the_second_font_is_played_where_the_piece_asks_for_it(player: SoundFontPlayer) -> None:
    piece = replace(_piece("jazz"), font=1)
    first = render_piece(piece, duration_s=2.0, player=player)
    assert np.array_equal(first, render_piece(replace(piece, font=0), duration_s=2.0, player=player))
