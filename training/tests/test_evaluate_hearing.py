"""Measures of what is wrong to the ear, on clips of which the answer is known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from riffcomposer.diffusion.caption_spectrum import THIRD_OCTAVES_HZ
from riffcomposer_training import hearing
from riffcomposer_training.collection import compose
from riffcomposer_training.evaluate_repaints import compared, other_styles
from riffcomposer_training.evaluation_pieces import EvaluationPiece, evaluation_pieces
from riffcomposer_training.known_music import KnownChord, KnownMusic, known_music
from riffcomposer_training.measures import band_frequencies

HZ = band_frequencies()
NOTES = np.array([[0, 128, 57], [0, 128, 60], [0, 128, 64], [128, 256, 53], [128, 256, 57], [128, 256, 60]])
CHORDS = (KnownChord(0, 128, (9, 0, 4)), KnownChord(128, 256, (5, 9, 0)))
MUSIC = KnownMusic(NOTES.astype(float), np.array([0, 128]), CHORDS)


def partials(blur: int = 0, noise: float = 0.05) -> np.ndarray:
    """A clip with the partials of `NOTES`, each `blur` bands wider to both sides, over even noise."""
    level = np.full((512, 256), noise)
    for start, end, pitch in NOTES:
        for number in range(1, 9):
            band = int(np.argmin(np.abs(HZ - number * 440 * 2 ** ((pitch - 69) / 12))))
            rows = slice(max(0, band - blur), band + blur + 1)
            level[rows, start:end] = np.maximum(level[rows, start:end], 0.7 / number**0.25)
    return level


def test_evaluate_a_third_octave_that_is_louder_is_seen_in_its_band() -> None:
    level, band = np.full((512, 64), 0.3), 19
    hz = THIRD_OCTAVES_HZ[band]
    louder = level.copy()
    louder[(hz * 2 ** (-1 / 6) <= HZ) & (hz * 2 ** (1 / 6) > HZ)] *= 10 ** (3 / 80)  # 3 dB
    change = hearing.third_octaves(louder) - hearing.third_octaves(level)
    assert hz == pytest.approx(5040, rel=0.001)
    assert change[band] == pytest.approx(3)
    assert np.delete(change, band) == pytest.approx(0)


def test_evaluate_a_spectrum_does_not_depend_on_loudness() -> None:
    level = partials()
    assert hearing.third_octaves(0.8 * level) == pytest.approx(hearing.third_octaves(level), abs=0.3)
    assert hearing.treble(0.8 * level) == pytest.approx(hearing.treble(level), abs=0.05)


def test_evaluate_hiss_raises_the_treble() -> None:
    hissing = partials()
    hissing[HZ > 4000] = 0.5
    assert hearing.treble(hissing) > hearing.treble(partials()) + 20


def test_evaluate_what_sounds_between_notes_is_haze() -> None:
    strokes = np.full((512, 200), 0.1)
    strokes[:, ::10] = 0.7
    hazy = np.maximum(strokes, 0.2)
    assert hearing.haze(hazy) > hearing.haze(strokes) + 20
    louder = strokes.copy()
    louder[:, ::10] = 0.8  # the strokes themselves
    assert hearing.haze(louder) < hearing.haze(strokes)


def test_evaluate_lines_that_never_end_are_stripes() -> None:
    noise = np.random.default_rng(1).uniform(0.2, 0.4, (512, 400))
    striped = noise.copy()
    striped[::12] += 0.3
    changing = noise.copy()
    for number in range(8):
        changing[number::12, 50 * number : 50 * number + 50] += 0.3
    assert hearing.stripes(noise) < 0.02
    assert hearing.stripes(striped) > 0.6
    assert hearing.stripes(changing) < 0.2


def test_evaluate_chroma_of_the_same_notes_is_the_same() -> None:
    same = hearing.chroma_similarity(partials(), 0.9 * partials(), MUSIC)
    other = hearing.chroma_similarity(partials(), np.roll(partials(), 128, axis=1), MUSIC)
    assert same == pytest.approx([1, 1], abs=0.01)
    assert max(other) < 0.95


def test_evaluate_blur_and_noise_lower_tonal_clarity() -> None:
    clear = hearing.tonal_clarity(partials(), MUSIC)
    noisy = hearing.tonal_clarity(partials(noise=0.3), MUSIC)
    blurred = hearing.tonal_clarity(partials(blur=6), MUSIC)
    assert clear is not None
    assert noisy is not None
    assert blurred is not None
    assert clear > noisy + 6
    assert clear > blurred + 6
    assert hearing.tonal_clarity(partials(), KnownMusic(np.zeros((0, 3)), np.array([0]), ())) is None


def test_evaluate_soft_onsets_are_less_sharp() -> None:
    sharp, soft = np.full((512, 256), 0.1), np.full((512, 256), 0.1)
    for onset in (60, 160):
        sharp[:, onset : onset + 20] = 0.7
        soft[:, onset - 10 : onset + 10] += np.linspace(0, 0.6, 20)
    music = KnownMusic(np.zeros((0, 3)), np.array([60, 160]), ())
    clear, dull = (hearing.onset_sharpness(level, music) for level in (sharp, soft))
    assert clear is not None
    assert dull is not None
    assert clear > dull + 15


def test_evaluate_chords_are_right_where_they_are_heard() -> None:
    assert hearing.chords_right(partials(), MUSIC) == [True, True]
    swapped = np.roll(partials(), 128, axis=1)
    assert hearing.chords_right(swapped, MUSIC) == [False, False]


@pytest.mark.parametrize(
    ("tones", "names"),
    [
        ((9, 0, 4), [(9, 0, 4)]),
        ((9, 0, 4, 7), [(9, 0, 4), (0, 4, 7)]),  # Am7 holds C too
        ((2, 9), [(2, 6, 9), (2, 5, 9)]),  # a fifth asks for either mode
    ],
)
def test_evaluate_what_a_chord_asks_for(tones: tuple[int, ...], names: list[tuple[int, ...]]) -> None:
    assert hearing.asks_for(KnownChord(0, 1, tones)) == {frozenset(triad) for triad in names}


def test_evaluate_equal_clips_have_no_variety() -> None:
    rng = np.random.default_rng(0)
    clip = rng.random((512, 64))
    assert hearing.variety(np.stack([clip] * 3)) == 0
    assert hearing.variety(np.stack([clip, clip + 0.1])) == pytest.approx(0.1)


def test_evaluate_known_music_is_where_the_piece_has_it() -> None:
    checked = 0
    for index in range(12):
        collected = compose(14, index, windows=1, kind="score")
        assert collected.composition is not None
        music = known_music(collected, 0, 576)
        assert list(music.onsets) == sorted(set(music.onsets))
        assert all(0 <= onset < 576 for onset in music.onsets)
        assert ((music.notes[:, 0] >= 0) & (music.notes[:, 1] <= 576)).all()
        bar_beats = collected.piece.layout.bar_beats
        per_beat = 100 * collected.piece.layout.seconds_per_beat
        for chord in music.chords:
            middle = collected.starts[0] - bar_beats + (chord.start + chord.end) / 2 / per_beat
            assert collected.composition.chord_at(middle).pitch_classes == chord.pitch_classes
            assert chord.end - chord.start <= bar_beats * per_beat + 1
            checked += 1
    assert checked > 12


def test_evaluate_pieces_are_of_every_style_and_heard_right() -> None:
    pieces = evaluation_pieces(1)
    assert len({piece.style for piece in pieces}) == len(pieces) == 24
    again = evaluation_pieces(1)
    assert all(np.array_equal(a.level, b.level) for a, b in zip(pieces[:2], again[:2], strict=True))
    right = [each for piece in pieces for each in hearing.chords_right(piece.level, piece.music)]
    wrong = [
        each for piece, other in pairwise(pieces) for each in hearing.chords_right(piece.level, other.music)
    ]
    assert np.mean(right) > np.mean(wrong) + 0.2


def test_evaluate_a_repaint_that_is_the_piece_differs_in_nothing() -> None:
    piece = EvaluationPiece("jazz", "jazz piano", partials().astype(np.float32), MUSIC)
    figures, spectrum = compared("same", piece.level[None], [piece])
    assert figures["same_spectrum_error_db"] == 0
    assert figures["same_bands_within_2_db"] == figures["same_chords_kept"] == 1
    assert figures["same_clarity_db"] == figures["same_onsets_db"] == figures["same_treble_db"] == 0
    assert figures["same_haze_db"] == 0
    assert figures["same_chroma_similarity"] == pytest.approx(1)
    assert figures["same_onset_correlation"] == pytest.approx(1)
    assert spectrum.shape == (1, len(THIRD_OCTAVES_HZ))
    worse, _ = compared("same", partials(noise=0.4).astype(np.float32)[None], [piece])
    assert worse["same_clarity_db"] < -6
    assert worse["same_haze_db"] > 6
    assert worse["same_treble_db"] > 6
    assert worse["same_bands_within_2_db"] < 0.5


def test_evaluate_the_average_spectrum_of_a_style_is_over_its_clips() -> None:
    level = partials(noise=0.1).astype(np.float32)
    louder, quieter = level.copy(), level.copy()
    louder[300:] *= 1.12  # 3.9 dB
    quieter[300:] /= 1.12
    pieces = [EvaluationPiece(style, style, level, MUSIC) for style in ("jazz", "rock", "jazz")]
    figures, _ = compared("same", np.stack([louder, level, quieter]), pieces)
    assert figures["same_bands_within_2_db"] < 1
    assert figures["same_styles_within_2_db"] == figures["same_style_bands_within_2_db"] == 1
    figures, _ = compared("same", np.stack([louder, level, louder]), pieces)
    assert figures["same_styles_within_2_db"] == 0.5
    assert 0.5 < figures["same_style_bands_within_2_db"] < 1


def test_evaluate_every_piece_gets_another_style() -> None:
    pieces = [
        EvaluationPiece(style, style, np.zeros((512, 16), np.float32), MUSIC)
        for style in ("jazz", "rock", "folk", "funk", "jazz")
    ]
    others = other_styles(pieces)
    assert all(other != piece.style for other, piece in zip(others, pieces, strict=True))
    assert set(others) == {piece.style for piece in pieces}
