"""Clips: the fast mel, their beat, and shards that are kept when a run goes on."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from tiny_font import write_tiny_font

from riffcomposer.composer.arrangement import compose_loop
from riffcomposer.composer.piece import Layout
from riffcomposer.composer.styles import STYLES
from riffcomposer.diffusion.score_clips import ScorePlayer
from riffcomposer.errors import ModelError
from riffcomposer.plan.score_types import ComposedStretch, ScoreInit
from riffcomposer.spectrogram.mel import mel_from_audio
from riffcomposer.synth.soundfont_player import SoundFontPlayer
from riffcomposer.synth.voices import SAMPLE_RATE
from riffcomposer_training import fonts
from riffcomposer_training.clips import clips_of
from riffcomposer_training.collection import CollectionPiece, compose
from riffcomposer_training.fast_mel import MARGIN_FRAMES, PARAMETERS, mels_at
from riffcomposer_training.rendering import render_lane
from riffcomposer_training.windows import phrase_starts


@pytest.fixture(scope="session")
def player(tmp_path_factory: pytest.TempPathFactory) -> SoundFontPlayer:
    """Plays every preset as a sine."""
    return SoundFontPlayer([write_tiny_font(tmp_path_factory.mktemp("font") / "tiny.sf2")])


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


def test_onsets_are_on_the_beat(player: SoundFontPlayer) -> None:
    layout = Layout(93.75, 4.0, 0, 2, 3)
    piece = compose_loop(Random("tempo"), "tempo", layout, STYLES["techno"], {"drums": ("909", "techno")})
    clip = (
        clips_of(CollectionPiece("drums", piece, phrase_starts(layout)), player)[1].levels.astype(np.float64)
        / 255
    )
    rise = np.maximum(0, np.diff(clip, axis=1)).sum(axis=0)
    beats = [rise[max(0, 64 * beat - 4) : 64 * beat + 4].max() for beat in range(1, 8)]
    assert min(beats) > 2 * np.median(rise)


def test_a_clip_of_a_score_is_what_a_render_starts_from(
    player: SoundFontPlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riffcomposer.synth.piece_audio.default_player", lambda: player)
    collected = next(
        each
        for index in range(100)
        if (each := compose(1, index, kind="score")).composition and not each.heard and each.starts[0] < 20
    )
    assert collected.composition is not None
    score = collected.composition.score
    plain = collected.composition.as_piece()
    played = replace(collected, piece=replace(plain, font=0))
    ours = clips_of(played, player)[0].levels / 255.0
    init = ScoreInit(
        ComposedStretch(score, (), "x"), None, Fraction(collected.starts[0]) - score.measure.beats, (), ""
    )
    quarter = 6000 / Fraction(score.tempo)
    theirs = ScorePlayer(PARAMETERS).level(init, width_frames=576, frames_per_quarter=quarter)[0]
    # Turned down by less than a few percent where a render clips its loudest bins instead; the music before
    # and after the clip is the same but for the length of what is played, which moves the loudness a little.
    assert np.abs(ours - theirs).mean() < 0.01


def test_a_collection_is_cut_into_shards_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    font = write_tiny_font(tmp_path / "tiny.sf2")
    out = tmp_path / "clips"
    out.mkdir()
    render_lane(out, [font], 4, 6, 3, 0, 1, 600.0)
    written = sorted(path.name for path in out.iterdir())
    assert written == ["shard_0000.json", "shard_0000.npz", "shard_0001.json", "shard_0001.npz"]
    with np.load(out / "shard_0001.npz") as content:
        before = content["levels"]
    assert before.dtype == np.uint8
    assert before.shape[1:] == (512, 576)
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
