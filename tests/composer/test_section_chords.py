"""Chords of composed sections: those that are asked for sound, endings come home, melodies fit."""

from __future__ import annotations

import pytest
from composed_sections import bar_of, part, rounded, score, styles
from hypothesis import example, given, settings
from hypothesis import strategies as st

from riffcomposer.composer.chord_names import parse_chord
from riffcomposer.composer.meters import METERS, parse_meter
from riffcomposer.composer.section import compose_section
from riffcomposer.composer.section_score import Wish
from riffcomposer.composer.styles import STYLES


def test_a_progression_that_comes_back_in_a_section_is_varied() -> None:
    for style in ("jazz", "classical", "rock", "blues", "world"):
        changed = 0
        for seed in range(6):
            composition = compose_section(score(style, 20, seed=seed))
            names = [composition.chord_at(beat / 2).name for beat in range(160)]
            changed += names[:32] != names[128:160]
        assert changed >= 3, style


CHORDS = ["Am9", "Dm9", "G13", "Cmaj9", "Fmaj7", "Bm7b5", "E7b9", "Am9"] * 3


@pytest.mark.no_cover
@given(styles, st.integers(0, 23), st.integers(0, 300))
@settings(max_examples=12, deadline=None)
def test_a_changed_chord_changes_only_the_bars_near_it(style: str, place: int, seed: int) -> None:
    changed = [*CHORDS[:place], "Abmaj7", *CHORDS[place + 1 :]]
    before, after = (
        compose_section(score(style, 24, seed=seed, key="A minor", chords=" | ".join(chords)))
        for chords in (CHORDS, changed)
    )
    phrase = place // 4 * 4
    # The section's end leads back to its first chord.
    near = [-1, 0, 1, 2, 3, 23] if place == 0 else list(range(phrase - 1, phrase + 4))
    for old, new in zip(before.parts, after.parts, strict=True):
        bars_before, bars_after = rounded(old, before), rounded(new, after)
        different = [bar for bar in range(24) if bars_before[bar] != bars_after[bar]]
        assert set(different) <= set(near), (old.role, place, different)
    if all(each.pattern != "changes" for each in before.parts):
        assert before.parts != after.parts


@given(styles, st.integers(0, 300), st.sampled_from(METERS))
@settings(max_examples=30, deadline=None)
@example(style="folk", seed=240, meter="3/4")  # an accordion, whose lowest note is above the octave below
def test_the_chords_that_are_asked_for_are_the_chords_that_sound(style: str, seed: int, meter: str) -> None:
    written = ["Am9", "Dm9", "G13", "Cmaj9"]
    composition = compose_section(
        score(style, 8, seed=seed, meter=meter, key="A minor", chords=" | ".join(written))
    )
    beats = float(parse_meter(meter).beats)
    assert [chord.name for chord in composition.chords] == written * 2
    for each in composition.parts:
        if each.role not in ("comp", "pad") or each.pattern == "changes":
            continue
        for note in each.notes:
            bar = bar_of(composition, note.start)
            allowed = {
                tone for near in (bar, bar + 1) for tone in parse_chord(written[near % 4], 0).pitch_classes
            }
            assert note.pitch % 12 in allowed
            if (note.start + 0.1) % beats < 0.3:
                tones = parse_chord(written[bar % 4], 0)
                fifth = (tones.root + 7) % 12
                assert note.pitch % 12 in {*tones.pitch_classes, fifth}


def test_bar_lines_without_chords_ask_for_none() -> None:
    assert compose_section(score(chords="| |")).parts == compose_section(score()).parts


def test_the_last_bar_of_a_song_holds_each_of_its_chords() -> None:
    composition = compose_section(
        score("jazz", 4, key="A minor", chords="Am9 | D9 | G13 | Cmaj9 E7", closes=True)
    )
    notes = part(composition, "bass").notes
    assert [note.pitch % 12 for note in notes if note.start > 11.9] == [0, 4]


@pytest.mark.parametrize("style", sorted(STYLES))
@pytest.mark.parametrize("meter", ["4/4", "7/8"])
def test_a_song_that_closes_comes_home_and_holds(style: str, meter: str) -> None:
    composition = compose_section(score(style, 8, meter=meter, key="A minor", closes=True))
    last = composition.beats - float(composition.score.measure.beats)
    home = composition.chord_at(last + 0.1)
    assert home.pitch_classes[0] == 9
    for each in composition.parts:
        if each.pattern == "changes":
            continue
        late = [note for note in each.notes if note.start > last + 0.3]
        assert not late, each.role


def test_the_end_leads_to_the_chord_that_follows() -> None:
    ends = set()
    for chord in ("F", "B7"):
        composition = compose_section(
            score("jazz", 4, key="A minor", chords="Am9 | D9 | G13 | C6", next_chord=chord)
        )
        bass = part(composition, "bass").notes[-1]
        root = parse_chord(chord, 0).root
        assert min((bass.pitch - root) % 12, (root - bass.pitch) % 12) <= 2
        ends.add(bass.pitch)
    assert len(ends) == 2


@pytest.mark.no_cover
@pytest.mark.parametrize("style", sorted(set(STYLES) - {"bells"}))
def test_melodies_hardly_ever_rub_against_the_chords(style: str) -> None:
    """On accented beats the lead is hardly ever a semitone from a chord's note, octaves aside."""
    heard = rubbing = 0
    for seed in range(3):
        composition = compose_section(score(style, 16, seed=seed, parts=(Wish("lead"),)))
        chords = [note for each in composition.parts if each.role in ("comp", "pad") for note in each.notes]
        lead = part(composition, "lead").notes
        for at in (bar * 4 + place for bar in range(16) for place in composition.score.measure.strong):
            for note in lead:
                if note.start <= at + 0.1 and note.start + note.length > at + 0.15:
                    tones = {
                        other.pitch
                        for other in chords
                        if other.start <= at + 0.1 and other.start + other.length > at + 0.15
                    }
                    heard += 1
                    apart = [note.pitch - tone for tone in tones]
                    rubbing += any(steps % 12 == 1 or steps == -1 for steps in apart)
    assert heard > 15
    assert rubbing <= 0.1 * heard
