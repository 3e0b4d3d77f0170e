"""Sections, windows, transitions, tails and loops in the mix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_signals import SAMPLE_RATE, Effect, mix, noise, plucks

from riffcomposer.errors import AudioError
from riffcomposer.mix.mixdown import MixPassage, MixSection

SECOND = SAMPLE_RATE


def click(audio: np.ndarray, at: int) -> float:
    """The jump in curvature around a sample, in relation to what is usual elsewhere (loops: rolled)."""
    second = np.abs(np.diff(np.roll(audio, 2000 - at, axis=1)[:, :4000], 2, axis=1)).max(axis=0)
    return float(second[1990:2010].max() / np.percentile(second, 99.5))


def two_passages(tail: int = 0, **second: object) -> list[MixPassage]:
    first = MixPassage(
        noise(2)[:, : SECOND + tail], 0, SECOND, (MixSection("a", 0, SECOND),), tail_samples=tail
    )
    section = MixSection("b", SECOND, 2 * SECOND, **second)  # type: ignore[arg-type]
    return [first, MixPassage(noise(1, seed=2), SECOND, SECOND, (section,))]


def test_plain_sections_in_a_passage_leave_it_untouched(tmp_path: Path) -> None:
    audio = noise(2)
    sections = (MixSection("a", 0, 30000), MixSection("b", 30000, 2 * SECOND, 10000))
    result, _ = mix(tmp_path, [MixPassage(audio, 0, 2 * SECOND, sections)])
    middle = slice(200, 2 * SECOND - 400)
    np.testing.assert_allclose(result[:, middle], np.repeat(audio, 2, 0)[:, middle], atol=1e-7)


def test_the_edges_of_a_track_are_faded(tmp_path: Path) -> None:
    ones = np.ones((1, SECOND), np.float32)
    result, _ = mix(tmp_path, [MixPassage(ones, 0, SECOND, (MixSection("a", 0, SECOND),))])
    assert abs(result[0, 0]) < 0.01
    assert abs(result[0, -1]) < 0.01
    np.testing.assert_array_equal(result[:, 100:-300], 1)


def test_gain_changes_over_a_bridge(tmp_path: Path) -> None:
    ones = np.ones((1, 2 * SECOND), np.float32)
    sections = (
        MixSection("a", 0, SECOND),
        MixSection("b", SECOND, 2 * SECOND, SECOND // 2, gain_db=-6),
    )
    result, _ = mix(tmp_path, [MixPassage(ones, 0, 2 * SECOND, sections)])
    quieter = 10 ** (-6 / 20)
    np.testing.assert_allclose(result[0, 500 : SECOND - 1], 1, atol=1e-6)
    np.testing.assert_allclose(result[0, SECOND + SECOND // 4], (1 + quieter) / 2, atol=1e-3)
    np.testing.assert_allclose(result[0, SECOND + SECOND // 2 + 1 : -500], quieter, atol=1e-6)


def test_a_crossfade_of_unrelated_sounds_keeps_the_power(tmp_path: Path) -> None:
    tail = SECOND // 2
    result, _ = mix(tmp_path, two_passages(tail, entry_samples=tail))
    inside = np.square(result[:, SECOND : SECOND + tail]).reshape(2, 6, -1).mean(axis=(0, 2))
    assert np.abs(10 * np.log10(inside / 0.01)).max() < 0.35


def test_a_cut_does_not_click(tmp_path: Path) -> None:
    t = np.arange(2 * SECOND) / SAMPLE_RATE
    sine = (0.5 * np.sin(2 * np.pi * 220 * t + 1.3))[None].astype(np.float32)
    cut = 220
    passages = [
        MixPassage(sine[:, : SECOND + cut], 0, SECOND, (MixSection("a", 0, SECOND),), tail_samples=cut),
        MixPassage(-sine[:, :SECOND], SECOND, SECOND, (MixSection("b", SECOND, 2 * SECOND, cut),)),
    ]
    result, _ = mix(tmp_path, passages)
    step = np.abs(np.diff(result[0, SECOND - 100 : SECOND + 500])).max()
    assert step < 2 * np.abs(np.diff(sine)).max()


def test_a_fade_longer_than_the_tail_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="sounds on for 100"):
        mix(tmp_path, two_passages(100, entry_samples=101))


def test_fades_reach_silence(tmp_path: Path) -> None:
    section = MixSection("a", 0, 2 * SECOND, fade_in_samples=SECOND, fade_out_samples=SECOND)
    ones = np.ones((1, 2 * SECOND), np.float32)
    result, _ = mix(tmp_path, [MixPassage(ones, 0, 2 * SECOND, (section,))])
    assert result[0, 0] < 1e-5
    assert result[0, -1] < 1e-5
    assert result[0, SECOND] == pytest.approx(1, abs=1e-3)
    assert np.all(np.diff(result[0, :SECOND]) >= -1e-6)


def test_a_reverb_rings_on_over_the_next_section(tmp_path: Path) -> None:
    reverb = Effect("reverb", {"room_size": 0.7, "wet_level": 0.5, "dry_level": 0.3})
    silent = np.zeros((1, SECOND), np.float32)
    passages = [
        MixPassage(
            noise(1.1)[:, : SECOND + 220],
            0,
            SECOND,
            (MixSection("a", 0, SECOND, chain=(reverb,)),),
            tail_samples=220,
        ),
        MixPassage(silent, SECOND, SECOND, (MixSection("b", SECOND, 2 * SECOND, 220),)),
    ]
    result, _ = mix(tmp_path, passages)
    assert np.abs(result[:, SECOND + 2000 : SECOND + 4000]).max() > 0.01


def test_a_chain_works_on_its_own_section_only(tmp_path: Path) -> None:
    sections = (
        MixSection("a", 0, SECOND),
        MixSection("b", SECOND, 2 * SECOND, 1000, chain=(Effect("gain", {"gain_db": -20}),)),
    )
    audio = np.ones((1, 2 * SECOND), np.float32)
    result, _ = mix(tmp_path, [MixPassage(audio, 0, 2 * SECOND, sections)])
    np.testing.assert_allclose(result[:, 500 : SECOND - 1], 1, atol=1e-6)
    np.testing.assert_allclose(result[:, SECOND + 2000 : -500], 0.1, atol=1e-4)


def test_the_tail_of_a_loop_runs_into_its_start(tmp_path: Path) -> None:
    delay = Effect("delay", {"delay_seconds": 0.5, "feedback": 0.0, "mix": 0.5})
    audio = np.zeros((1, SECOND), np.float32)
    audio[0, 40000] = 1.0
    for wraps in (True, False):
        section = MixSection("a", 0, SECOND, chain=(delay,))
        result, _ = mix(tmp_path, [MixPassage(audio, 0, SECOND, (section,), wraps=wraps)], loop=True)
        echo = 40000 + SECOND // 2 - SECOND
        assert result[0, echo] == pytest.approx(0.5, abs=0.05), f"wraps={wraps}"


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_a_loop_of_one_passage_has_no_seam(tmp_path: Path, names: list[str]) -> None:
    # A sine with a whole number of cycles, through a compressor: the seam must not show.
    t = np.arange(SECOND) / SAMPLE_RATE
    sine = (0.5 * np.sin(2 * np.pi * 200 * t + 1))[None].astype(np.float32)
    chain = (Effect("compressor", {"threshold_db": -20, "ratio": 4.0, "release_ms": 300}),)
    step = SECOND // len(names)
    sections = tuple(
        MixSection(name, n * step, (n + 1) * step, 2000, chain=chain) for n, name in enumerate(names)
    )
    result, _ = mix(tmp_path, [MixPassage(sine, 0, SECOND, sections, wraps=True)], loop=True, width=0.6)
    assert click(result, 0) < 1.5
    if len(names) == 1:
        around = np.roll(result, 10000, axis=1)[0, :20000].reshape(20, -1)
        assert np.ptp(around.max(axis=1)) < 1e-3, "the level steps"


def test_an_untouched_loop_is_its_passage(tmp_path: Path) -> None:
    audio = noise(1, channels=2)
    passage = MixPassage(audio, 0, SECOND, (MixSection("a", 0, SECOND),), wraps=True)
    result, _ = mix(tmp_path, [passage], loop=True)
    np.testing.assert_array_equal(result, audio)


def test_a_loop_of_passages_fades_its_last_into_its_first(tmp_path: Path) -> None:
    tail = 4410
    first = MixPassage(
        np.zeros((1, SECOND + tail), np.float32),
        0,
        SECOND,
        (MixSection("a", 0, SECOND, tail),),
        tail_samples=tail,
    )
    second = MixPassage(
        np.ones((1, SECOND + tail), np.float32),
        SECOND,
        SECOND,
        (MixSection("b", SECOND, 2 * SECOND, tail),),
        tail_samples=tail,
    )
    result, _ = mix(tmp_path, [first, second], loop=True)
    assert result[0, -1] == 1
    assert result[0, 0] == pytest.approx(1, abs=0.01)
    assert result[0, tail // 2] == pytest.approx(np.sqrt(0.5), abs=0.01)
    assert result[0, tail + 1] == 0


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(3000, 9000), min_size=1, max_size=4),
    loop=st.booleans(),
    gain=st.floats(-12, 6),
)
def test_stems_add_up_to_the_mix(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], loop: bool, gain: float
) -> None:
    passages, position = [], 0
    for number, length in enumerate(lengths):
        tail = 300 if loop or number + 1 < len(lengths) else 0
        audio = noise(0.25, seed=number)[:, : length + tail]
        section = MixSection(str(number), position, position + length, 300, gain_db=gain)
        passages.append(MixPassage(audio, position, length, (section,), tail_samples=tail))
        position += length
    folder = tmp_path_factory.mktemp("stems")
    result, stems = mix(
        folder,
        passages,
        loop=loop,
        stems=sum(len(each.sections) for each in passages),
        width=0.3,
    )
    np.testing.assert_allclose(np.sum(stems, axis=0), result, atol=1e-6)


def test_the_same_mix_twice_is_the_same(tmp_path: Path) -> None:
    chain = (Effect("chorus"), Effect("reverb"))
    passages = two_passages(500, entry_samples=500, chain=chain)
    first, _ = mix(tmp_path / "1", passages, width=0.5)
    second, _ = mix(tmp_path / "2", passages, width=0.5)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("passage", "words"),
    [
        (MixPassage(noise(0.1), 5, 100, (MixSection("a", 5, 105),)), "starts at sample 5"),
        (MixPassage(noise(0.1), 0, 9999, (MixSection("a", 0, 9999),)), "needs 9999"),
        (MixPassage(noise(0.1), 0, 100, (MixSection("a", 1, 100),)), "section 'a' starts"),
        (MixPassage(noise(0.1), 0, 100, (MixSection("a", 0, 99),)), "not where its body"),
        (MixPassage(noise(0.1)[0], 0, 100, (MixSection("a", 0, 100),)), "channels, samples"),
    ],
)
def test_positions_that_do_not_fit(tmp_path: Path, passage: MixPassage, words: str) -> None:
    with pytest.raises(AudioError, match=words):
        mix(tmp_path, [passage])


def test_plucks_through_every_stage_keep_the_length(tmp_path: Path) -> None:
    audio = plucks(1.234)
    length = audio.shape[1]
    chain = (Effect("highpass"), Effect("compressor", {"threshold_db": -20, "ratio": 2.0}), Effect("phaser"))
    result, _ = mix(tmp_path, [MixPassage(audio, 0, length, (MixSection("a", 0, length, chain=chain),))])
    assert result.shape == (2, length)
