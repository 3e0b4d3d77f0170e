"""Time in composed sections: accents, fills, swing, and players near the grid."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from composed_sections import bar_of, part, score, styles
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.composer.grooves import DRUMS
from riffcomposer.composer.meters import METERS, parse_meter
from riffcomposer.composer.section import compose_section
from riffcomposer.composer.section_score import Wish
from riffcomposer.composer.styles import STYLES


@pytest.mark.no_cover
@pytest.mark.parametrize("meter", METERS)
@pytest.mark.parametrize("style", ["rock", "house", "jazz", "lo-fi hip hop", "latin"])
def test_drums_accent_the_downbeats_of_the_meter(style: str, meter: str) -> None:
    composition = compose_section(score(style, 16, meter=meter, parts=(Wish("drums"),)))
    measure = parse_meter(meter)
    beats, strong = float(measure.beats), set(measure.strong)
    weights: dict[bool, list[int]] = {True: [], False: []}
    for note in part(composition, "drums").notes:
        at = (note.start + 0.06) % beats - 0.06
        weights[any(abs(at - place) < 0.1 for place in strong)].append(note.velocity)
    bars_with_downbeat = {
        bar_of(composition, note.start)
        for note in part(composition, "drums").notes
        if (note.start + 0.06) % beats < 0.12
    }
    assert len(bars_with_downbeat) >= 15
    mean = {key: sum(values) / len(values) for key, values in weights.items()}
    assert mean[True] > mean[False]
    per_place = len(weights[True]) / len(strong)
    places = {round((note.start % beats) * 4) for note in part(composition, "drums").notes}
    assert per_place > len(weights[False]) / max(1, len(places) - len(strong)), (
        "accents are where most drums are"
    )


def test_fills_are_at_the_ends_of_phrases() -> None:
    toms = {DRUMS[name] for name in ("tom1", "tom2", "tom3")}
    places: Counter[int] = Counter()
    for seed in range(12):
        composition = compose_section(score("funk", 16, seed=seed))
        bars = {
            bar_of(composition, note.start) for note in part(composition, "drums").notes if note.pitch in toms
        }
        places.update(bar % 4 for bar in bars)
    assert set(places) == {3}
    assert places[3] >= 12


def test_every_player_is_within_some_milliseconds_of_the_grid() -> None:
    for style in sorted(STYLES):
        slow, fast = (compose_section(replace(score(style, 4), tempo=tempo)) for tempo in (60.0, 120.0))
        for each in (*slow.parts, *fast.parts):
            if each.role != "drums" or STYLES[style].swing[1] or STYLES[style].snare_late_ms[1]:
                continue
            tempo = slow.score.tempo if each in slow.parts else fast.score.tempo
            for note in each.notes:
                off = min(abs(note.start * step - round(note.start * step)) / step for step in (12, 16))
                assert off * 60000 / tempo <= 5.0


@given(styles, st.sampled_from(METERS), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_at_a_fast_tempo_nobody_plays_sixteenths(style: str, meter: str, seed: int) -> None:
    composition = compose_section(replace(score(style, 8, meter=meter, seed=seed), tempo=240.0))
    for each in composition.parts:
        if each.role == "drums" or each.pattern == "changes":
            continue
        starts: list[float] = []
        for note in each.notes:
            if not starts or note.start - starts[-1] > 0.15:  # strummed and human chords count once
                starts.append(note.start)
        gaps = [after - before for before, after in pairwise(starts)]
        close = sum(gap < 0.28 for gap in gaps)
        assert close <= 0.1 * len(gaps), (each.role, each.pattern)


def test_swing_delays_what_is_off_the_beat_in_simple_meters_only() -> None:
    def offs(meter: str) -> set[int]:
        composition = compose_section(
            score("jazz", 8, meter=meter, parts=(Wish("comp", "piano", "eighths"),))
        )
        return {round(note.start % 1 * 12) for note in part(composition, "comp").notes}

    assert 8 in offs("4/4")
    assert 6 not in offs("4/4")
    assert 6 in offs("7/8")


def test_the_strings_of_a_chord_swing_together() -> None:
    wish = Wish("comp", "clean electric guitar", "eighths")
    composition = compose_section(score("blues", 8, parts=(wish,)))
    starts = [note.start for note in part(composition, "comp").notes]
    chords = 1 + sum(after - before > 0.2 for before, after in pairwise(starts))
    assert chords <= 8 * 8
    assert not any(0.11 < after - before < 0.2 for before, after in pairwise(starts))
