"""What clips start from where music is composed: on the grid to the sample, over the borders of clips."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import pytest

from riffcomposer.composer.section_score import Score
from riffcomposer.curves import Curve
from riffcomposer.diffusion.score_clips import ScorePlayer
from riffcomposer.plan.score_types import ComposedStretch, ScoreInit
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters()
EXACT_TEMPO = 93.75
"""BPM at which a quarter note is 64 frames."""


def stretch(tempo: float = EXACT_TEMPO, *, bars: int = 3, **fields: object) -> ComposedStretch:
    """A short stretch of house music, whose kick drum is on every beat."""
    score = Score(Fraction(bars), tempo, style="house", key="A minor", **fields)  # type: ignore[arg-type]
    return ComposedStretch(score, (), repr(score))


def init(
    music: ComposedStretch,
    at: Fraction | int = 0,
    *,
    following: ComposedStretch | None = None,
    heard: Iterable[str] = (),
) -> ScoreInit:
    return ScoreInit(music, following, Fraction(at), tuple(heard), "sound")


def level(player: ScorePlayer, start: ScoreInit, frames: int = 320) -> np.ndarray:
    quarter = PARAMS.frames_per_second * 60 / Fraction(start.stretch.score.tempo)
    return player.level(start, width_frames=frames, frames_per_quarter=Fraction(quarter))


@pytest.fixture(scope="module")
def player() -> ScorePlayer:
    return ScorePlayer(PARAMS)


def test_a_clip_is_a_part_of_its_section(player: ScorePlayer) -> None:
    music = stretch()
    whole = level(player, init(music), frames=768)
    part = level(player, init(music, at=4))
    assert part.shape == (1, PARAMS.num_frequencies, 320)
    np.testing.assert_allclose(part, whole[:, :, 256:576], atol=2e-4)
    assert part.max() > 0.3


@pytest.mark.parametrize("tempo", [61.7, 97.3, 133.0])
def test_beats_are_where_the_grid_has_them(player: ScorePlayer, tempo: float) -> None:
    """The kick's onset is within a frame of each beat, at tempi whose beats fall between frames."""
    music = stretch(tempo, bars=4)
    frames_per_beat = 100 * 60 / tempo
    for at in (0, 4, 8):
        low = level(player, init(music, at, heard=["drums"]))[0, :12].sum(axis=0)
        rise = np.diff(low, prepend=low[:1])
        for beat in range(1, int(310 // frames_per_beat)):
            around = round(beat * frames_per_beat)
            found = around - 8 + int(np.argmax(rise[around - 8 : around + 9]))
            # A window of 100 ms begins to hear the kick five frames before its onset.
            assert -5 <= found - beat * frames_per_beat <= 1


@pytest.mark.parametrize(
    ("meter", "tempo"),
    [("2/4", 61.7), ("3/4", 118.3), ("5/4", 61.7), ("6/8", 118.3), ("7/8", 61.7), ("12/8", 118.3)],
)
def test_downbeats_are_at_the_bar_lines_of_every_meter(player: ScorePlayer, meter: str, tempo: float) -> None:
    """In clips that start at any bar, the first low onset of a bar is within a frame of its line."""
    music = stretch(tempo, bars=6, meter=meter, energy=Curve.level(0.9))
    quarters = music.score.measure.beats
    frames_per_bar = float(quarters) * 100 * 60 / tempo
    for bar in range(1, 4):
        low = level(player, init(music, bar * quarters, heard=["drums"]))[0, :12].sum(axis=0)
        rise = np.diff(low, prepend=low[:1])
        for line in range(1, int(310 // frames_per_bar)):
            around = round(line * frames_per_bar)
            found = around - 8 + int(np.argmax(rise[around - 8 : around + 9]))
            assert -5 <= found - line * frames_per_bar <= 1
            assert rise[found] > 0.5 * rise.max()


def test_after_its_end_the_music_dies_away_or_goes_on(player: ScorePlayer) -> None:
    music = stretch()
    alone = level(player, init(music, at=8), frames=512)
    joined = level(player, init(music, at=8, following=music), frames=512)
    beginning = level(player, init(music))
    np.testing.assert_allclose(joined[:, :, :240], alone[:, :, :240], atol=0.03)  # the noise of a lead-in
    after = slice(300, 512)
    assert alone[:, :, after].mean() < 0.6 * joined[:, :, after].mean()
    similar = np.corrcoef(joined[0, :, 270:500].ravel(), beginning[0, :, 14:244].ravel())[0, 1]
    assert similar > 0.9


def test_only_the_roles_that_are_asked_for_are_heard(player: ScorePlayer) -> None:
    music = stretch()
    drums, bass = (level(player, init(music, heard=[role])) for role in ("drums", "bass"))
    silent = level(player, init(music, heard=["second"]))
    assert drums[0, 300:].mean() > 3 * bass[0, 300:].mean()
    assert bass[0, :40].mean() > 0.1
    assert silent.max() < drums.max()


def test_a_stereo_model_hears_where_the_players_are() -> None:
    stereo = ScorePlayer(SpectrogramParameters(stereo=True))
    both = level(stereo, init(stretch()))
    assert both.shape[0] == 2
    assert np.abs(both[0] - both[1]).max() > 0.01


def test_the_sound_of_at_most_two_stretches_is_kept() -> None:
    player = ScorePlayer(PARAMS)
    for seed in range(3):
        level(player, init(stretch(seed=seed, bars=1)), frames=64)
    assert len(player._sounds) == 2
