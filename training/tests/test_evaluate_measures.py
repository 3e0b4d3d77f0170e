"""The measures of evaluation, on clips of which the answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer_training import measures, tagger
from riffcomposer_training.clip_shards import read_shard
from riffcomposer_training.evaluate import between, contact_sheet
from riffcomposer_training.evaluation_clips import EvaluationClips, coarse, read_evaluation_clips
from riffcomposer_training.scorer import reduced, sentence_embeddings, train_scorer
from riffcomposer_training.text_states import load_encoder


def clicks(period: float, shift: int = 0, frames: int = 512) -> np.ndarray:
    """A clip with decaying clicks every `period` frames."""
    level = np.full((512, frames), 0.1)
    for beat in np.arange(shift, frames, period):
        start = round(beat)
        length = min(20, frames - start)
        level[100:400, start : start + length] += 0.6 * np.exp(-np.arange(length) / 6)
    return level


@settings(max_examples=20, deadline=None)
@given(st.floats(60.0, 68.0))
def test_evaluate_beat_period_is_found_within_a_third_of_a_percent(period: float) -> None:
    found = measures.beat_period(clicks(period))
    assert found == pytest.approx(period, rel=0.0034)


def test_evaluate_silence_and_a_drone_have_no_beat() -> None:
    assert measures.beat_period(np.zeros((512, 512))) is None
    assert measures.beat_period(np.full((512, 512), 0.5)) is None


def test_evaluate_onsets_tell_the_same_rhythm_from_another() -> None:
    assert measures.onset_correlation(clicks(64), clicks(64)) == pytest.approx(1.0)
    assert measures.onset_correlation(clicks(64), clicks(48, 10)) < 0.5
    assert measures.onset_correlation(clicks(64), np.zeros((512, 512))) == 0.0


@pytest.mark.parametrize("late", [-7, 0, 5])
def test_evaluate_a_late_downbeat_is_seen(late: int) -> None:
    assert measures.onset_lag(clicks(64, 16), clicks(64, 16 + late)) == late


def test_evaluate_key_of_a_scale() -> None:
    hz = measures.band_frequencies()
    level = np.zeros((512, 64))
    for octave in (4, 5):
        for degree, weight in zip((0, 2, 4, 5, 7, 9, 11), (1.0, 0.6, 0.9, 0.6, 0.95, 0.6, 0.5), strict=True):
            note = 440 * 2 ** ((12 * octave + degree + 3 - 69 + 12) / 12)  # E flat major
            level[np.argmin(abs(hz - note))] = weight
    assert measures.estimated_key(level) == (3, "major")
    assert measures.same_scale((3, "major"), (0, "minor"))
    assert not measures.same_scale((3, "major"), (3, "minor"))


@pytest.mark.parametrize(
    ("name", "number"), [("C", 0), ("F# minor", 6), ("Bb", 10), ("a", 9), ("", None), ("H", None)]
)
def test_evaluate_names_of_notes(name: str, number: int | None) -> None:
    assert measures.tonic_number(name) == number


def test_evaluate_timbre_move_goes_from_nothing_to_all() -> None:
    seed, goal = clicks(64), clicks(64)[::-1] * 0.8
    assert measures.timbre_move(seed, seed, measures.timbre(goal)) == pytest.approx(0)
    assert measures.timbre_move(goal, seed, measures.timbre(goal)) == pytest.approx(1)
    assert measures.timbre_move((seed + goal) / 2, seed, measures.timbre(goal)) == pytest.approx(0.5)


def test_evaluate_frechet_distance_of_shifted_clouds() -> None:
    rng = np.random.default_rng(0)
    cloud = rng.standard_normal((400, 5))
    assert measures.frechet_distance(cloud, cloud) == pytest.approx(0, abs=1e-3)
    assert measures.frechet_distance(cloud, cloud + 2.0) == pytest.approx(20, rel=0.01)


def test_evaluate_a_copied_training_clip_is_found() -> None:
    rng = np.random.default_rng(1)
    training = coarse(rng.random((4, 512, 512)) + np.arange(4)[:, None, None])
    distances = measures.nearest_distances(np.stack([training[2], training[1] + 0.1]), training)
    assert distances == pytest.approx([0.0, 0.1], abs=1e-5)


def test_evaluate_share_from_floor_to_ceiling() -> None:
    assert between(0.2, 0.2, 0.6) == 0
    assert between(0.6, 0.2, 0.6) == 1
    assert np.isnan(between(0.5, 0.3, 0.3))


def test_evaluate_keeps_held_out_pieces_apart(tiny_clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from riffcomposer_training import evaluation_clips

    monkeypatch.setattr(evaluation_clips, "held_out", lambda clip: clip["piece"] in ("1-2", "1-5"))
    clips = read_evaluation_clips(tiny_clips, 10)
    assert isinstance(clips, EvaluationClips)
    assert [entry["piece"] for entry in clips.entries] == ["1-2", "1-5"]
    assert clips.training.shape == (14, 32, 32)
    assert 0 <= clips.held.min() <= clips.held.max() <= 1


def test_evaluate_without_held_out_pieces_says_so(
    tiny_clips: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from riffcomposer_training import evaluation_clips

    monkeypatch.setattr(evaluation_clips, "held_out", lambda clip: False)
    with caplog.at_level("WARNING"):
        clips = read_evaluation_clips(tiny_clips, 3)
    assert [entry["piece"] for entry in clips.entries] == ["1-13", "1-14", "1-15"]
    assert "which the model has heard" in caplog.text


def test_evaluate_scorer_learns_which_caption_is_whose(
    tiny_clips: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    encoder, tokenizer = load_encoder(tiny_encoder)
    scorer = train_scorer(tiny_clips, encoder, tokenizer, tmp_path / "scorer.pt", 600.0, most_steps=80)
    shard = read_shard(tiny_clips / "shard_0000.npz")
    captions = [shard.clips[index]["caption"] for index in range(4)]
    table = scorer.similarity(reduced(shard.levels()[:4]), sentence_embeddings(encoder, tokenizer, captions))
    assert table.argmax(1).tolist() == [0, 1, 2, 3]
    again = train_scorer(tiny_clips, encoder, tokenizer, tmp_path / "scorer.pt", 8.0)
    assert all(
        (left == right).all() for left, right in zip(scorer.parameters(), again.parameters(), strict=True)
    )


def test_evaluate_contact_sheet_holds_every_clip(tmp_path: Path) -> None:
    from PIL import Image

    contact_sheet(
        [("one", clicks(64)), ("two", clicks(32)), ("three", clicks(16))], tmp_path / "s.png", columns=2
    )
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.size == (520, 548)
        assert np.asarray(sheet)[20:270, 5:255].std() > 10


def test_evaluate_tagger_tells_the_right_clip_from_others() -> None:
    rng = np.random.default_rng(0)
    truth = [tagger.Heard(rng.random(50), rng.standard_normal((3, 8))) for _ in range(6)]
    near = [tagger.Heard(heard.tags + 0.05 * rng.standard_normal(50), heard.features) for heard in truth]
    far = [tagger.Heard(rng.random(50), heard.features + 3) for heard in truth]
    good, bad = tagger.compare(near, truth), tagger.compare(far, truth)
    assert good["tag_agreement"] > 0.9
    assert good["tag_agreement_floor"] < 0.3
    assert good["tag_rank"] == 1
    assert abs(bad["tag_agreement"] - bad["tag_agreement_floor"]) < 0.3
    assert bad["frechet"] == pytest.approx(good["frechet"] + 8 * 9, rel=1e-3)


@pytest.mark.parametrize("seconds", [0.4, 3.1, 5.12])
def test_evaluate_tagger_input_has_its_shape(seconds: float) -> None:
    audio = np.sin(np.arange(round(44100 * seconds)) * 0.05).astype(np.float32)
    pictures = tagger.patches(audio, 44100)
    assert pictures.shape[1:] == (187, 96)
    assert len(pictures) == max(1, (round(seconds * 62.5) + 1 - 187) // 31 + 1)


def test_evaluate_tagger_wants_an_evaluation(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert tagger.main([str(tmp_path)]) == 2
    assert "riffcomposer_training.evaluate" in caplog.text
