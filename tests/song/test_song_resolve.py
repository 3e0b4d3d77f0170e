"""What a planner gets: defaults and `use` applied, and where each field was written."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from riffcomposer.curves import Curve
from riffcomposer.song.reader import LoadedSong
from riffcomposer.song.resolved import InitSpec, KeyPoint, LoraSpec, ResolvedSection, TransitionSpec
from riffcomposer.units import Length, Meter

Load = Callable[[str], LoadedSong]

SONG = """\
title: T
tempo: 97.3
meter: 6/8
seed: 5
defaults: {init: lofi-keys, denoising: 0.5, guidance_scale: 6, transition: {type: bridge}}
sections:
  - {name: verse, prompt: jazz, bars: 8, gain_db: -2, x-note: mine}
  - {use: verse, seed: 21, strength: 0.25, clips: 3, init: {path: a.wav, start: 1.5s, tempo: 120, bars: 2}}
  - name: solo
    prompt: bells
    walk: [{seed: 3, strength: 0.1}, {prompt: jazz}]
    interpolation_steps: 6
    transition: cut
    chain: [{reverb: {room_size: 0.2}}]
  - {use: verse}
  - prompt: jazz
    duration: 20s
    init: none
    transition: {length: 3 beats}
    lora: [a.safetensors, {path: b.safetensors, weight: -1}]
"""


@pytest.fixture
def sections(load: Load) -> tuple[ResolvedSection, ...]:
    return load(SONG).resolved.sections


def _point(prompt: str, seed: int, strength: float, guidance_scale: float) -> KeyPoint:
    return KeyPoint(prompt, seed, Curve.level(strength), Curve.level(guidance_scale))


def test_the_song(load: Load) -> None:
    song = load(SONG).resolved
    assert (song.title, song.tempo, song.meter, song.seed) == ("T", Fraction(973, 10), Meter(6, 8), 5)
    assert (song.model, song.loop, song.length) == ("default", False, None)
    assert (song.master.integrated_lufs, song.master.true_peak_dbtp, song.master.chain) == (-14.0, -1.0, ())
    assert song.output.decoder == "default"


def test_defaults(sections: tuple[ResolvedSection, ...]) -> None:
    verse = sections[0]
    assert verse.points == (_point("jazz", 5, 0.5, 6.0),)
    assert verse.is_seed_walk
    assert verse.init == InitSpec("catalogue", "lofi-keys")
    assert verse.transition == TransitionSpec("bridge", clips=4)
    assert (verse.bars, verse.clips, verse.duration, verse.interpolation_steps) == (8, None, None, 4)
    assert verse.overlap == Length.parse("0.5 beats")
    assert verse.num_inference_steps is None


def test_use_and_overrides(sections: tuple[ResolvedSection, ...]) -> None:
    again = sections[1]
    assert again.points == (_point("jazz", 21, 0.25, 6.0),)
    assert (again.bars, again.clips, again.gain_db) == (None, 3, Curve.level(-2.0))
    assert again.init == InitSpec("file", "a.wav", Length.parse("1.5s"), Fraction(120), Fraction(2))


def test_walk(sections: tuple[ResolvedSection, ...]) -> None:
    solo = sections[2]
    assert solo.points == (_point("bells", 3, 0.1, 6.0), _point("jazz", 5, 0.5, 6.0))
    assert not solo.is_seed_walk
    assert (solo.clips, solo.bars) == (7, None)
    assert solo.transition == TransitionSpec("cut")
    assert solo.chain[0].name == "reverb"
    assert dict(solo.chain[0].parameters)["room_size"] == 0.2
    assert dict(solo.chain[0].parameters)["dry_level"] == 0.4


def test_without_init(sections: tuple[ResolvedSection, ...]) -> None:
    last = sections[4]
    assert last.init is None
    assert last.duration == Length.parse("20s")
    assert last.transition == TransitionSpec("crossfade", Length.parse("3 beats"))
    assert last.loras == (LoraSpec("a.safetensors", 1.0), LoraSpec("b.safetensors", -1.0))


def test_names_are_unique(sections: tuple[ResolvedSection, ...]) -> None:
    assert [section.name for section in sections] == ["verse", "verse (2)", "solo", "verse (3)", "section 5"]


def test_a_made_up_name_does_not_take_a_stated_one(load: Load) -> None:
    text = "sections:\n  - {prompt: a, bars: 1}\n  - {name: section 1, prompt: a, bars: 1}\n"
    assert [section.name for section in load(text).resolved.sections] == ["section 2", "section 1"]


def test_origins(load: Load) -> None:
    song = load(SONG)
    first, second = song.resolved.sections[:2]
    assert first.where("init") == ("defaults", "init")
    assert second.where("gain_db") == ("sections", 0, "gain_db")
    assert second.where("strength") == ("sections", 1, "strength")
    assert second.where("scheduler") == ("sections", 1)
    assert "denoising" not in second.origins


def test_positions(load: Load) -> None:
    song = load(SONG)
    span = song.position(("sections", 2, "interpolation_steps"))
    assert (span.line, span.column, span.end_column) == (12, 26, 27)
    span = song.position(("sections", 2, "interpolation_steps"), key=True)
    assert (span.line, span.column) == (12, 5)
    assert song.position(("sections", 2, "scheduler")).line == 9
    assert song.position(("sections", 2, "walk", 1, "prompt")).column == 47
    assert song.position(("nothing",)).line == 1


def test_formatting_does_not_matter(load: Load) -> None:
    """Comments, key order, quotes and flow style change nothing that a planner reads."""
    left = load("title: T\nsections:\n  - prompt: jazz\n    bars: 8\n    seed: 3\n")
    right = load("# note\nsections: [{seed: 0x3, 'bars': 8.0, prompt: \"jazz\", x-a: 1}]\n\n'title': T # t\n")
    assert left.resolved == right.resolved
