"""Laws of composed sections: in range, in time, the same every time; energy, themes and wishes are heard."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from composed_sections import PITCHED, part, rounded, score, scores, styles
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.meters import METERS
from riffcomposer.composer.section import LEAD_IN, Composition, compose_section
from riffcomposer.composer.section_figures import figures
from riffcomposer.composer.section_score import Score, Wish
from riffcomposer.composer.style_manners import MANNERS
from riffcomposer.composer.styles import STYLES
from riffcomposer.curves import Curve


@pytest.mark.no_cover
@given(scores)
@settings(max_examples=60, deadline=None)
def test_any_score_is_composed_in_range_and_in_time(asked: Score) -> None:
    composition = compose_section(asked)
    assert composition == compose_section(asked)
    end = float(asked.beats)
    assert composition.beats == end
    for player in composition.parts:
        assert list(player.notes) == sorted(player.notes)
        for note in player.notes:
            assert -LEAD_IN <= note.start < end
            assert note.start >= 0 or (player.role == "lead" and note.start < -0.2 and not asked.opens)
            assert note.length > 0
            if player.role != "drums":
                assert note.start + note.length <= end + 0.011
            assert 1 <= note.velocity <= 127
            if player.instrument is not None:
                assert player.instrument.low <= note.pitch <= player.instrument.high
    assert composition.chords[0].start == 0
    assert composition.chords[-1].end == pytest.approx(end)
    for chord, following in pairwise(composition.chords):
        assert chord.end == pytest.approx(following.start)


@pytest.mark.no_cover
@given(scores, st.floats(0, 0.5), st.floats(0, 0.5))
@settings(max_examples=30, deadline=None)
def test_more_energy_takes_no_note_away(asked: Score, level: float, more: float) -> None:
    quiet = compose_section(replace(asked, energy=Curve.level(level)))
    loud = compose_section(replace(asked, energy=Curve.level(level + more)))
    for before, after in zip(quiet.parts, loud.parts, strict=True):
        places = Counter((note.start, note.pitch) for note in after.notes)
        assert not Counter((note.start, note.pitch) for note in before.notes) - places


@pytest.mark.no_cover
@pytest.mark.parametrize("style", sorted(STYLES))
def test_energy_decides_who_plays_and_how_densely(style: str) -> None:
    counts, players = [], []
    for level in (0.1, 0.5, 0.95):
        composition = compose_section(replace(score(style), energy=Curve.level(level)))
        counts.append(sum(len(each.notes) for each in composition.parts))
        players.append(sum(bool(each.notes) for each in composition.parts))
    assert counts[0] < counts[1] < counts[2]
    assert players[0] == 1
    assert players[0] <= players[1] <= players[2]
    assert players[2] == sum(each.role != "texture" for each in composition.parts)


@pytest.mark.no_cover
@given(styles, st.integers(0, 500), st.sampled_from(METERS))
@settings(max_examples=40, deadline=None)
def test_no_two_phrases_of_a_section_are_the_same(style: str, seed: int, meter: str) -> None:
    composition = compose_section(score(style, 16, seed=seed, meter=meter))
    phrases = []
    for first in range(0, 16, 4):
        phrases.append(
            tuple(
                tuple(rounded(each, composition)[first : first + 4])
                for each in composition.parts
                if each.role in PITCHED
            )
        )
    assert len(set(phrases)) == 4


@pytest.mark.no_cover
@pytest.mark.parametrize("style", sorted(STYLES))
def test_a_theme_comes_back_varied(style: str) -> None:
    first = compose_section(score(style, 8, variation=0))
    again = compose_section(score(style, 8, variation=1))
    other = compose_section(score(style, 8, theme="B"))
    same = sum(first.chord_at(bar * 4.0).name == again.chord_at(bar * 4.0).name for bar in range(8))
    assert same >= 3, "the progression of the theme is heard again"
    assert {each.role for each in first.parts} == {each.role for each in other.parts}
    assert first.key == again.key == other.key
    assert first.parts != again.parts

    def rhythm(composition: Composition) -> set[int]:
        return {round(note.start * 6) for note in part(composition, "lead").notes if note.start > -0.1}

    assert first.motifs == again.motifs
    if first.motifs:
        assert first.motifs != other.motifs
        near = len(rhythm(first) & rhythm(again)) / len(rhythm(first) | rhythm(again))
        assert near > 0.45, "the motif of the theme is heard again"


@pytest.mark.no_cover
@pytest.mark.parametrize("name", sorted(INSTRUMENTS))
def test_every_instrument_can_be_given_every_role(name: str) -> None:
    others = (("comp", "boom chick"), ("lead", "lively"), ("pad", "pad"), ("second", "travis"))
    for line in ("walking", "arpeggio"):
        wishes = tuple(Wish(role, name, pattern) for role, pattern in (("bass", line), *others))
        composition = compose_section(score("folk", 4, parts=wishes))
        instrument = INSTRUMENTS[name]
        for wish in wishes:
            found = part(composition, wish.role)
            assert found.notes
            assert all(instrument.low <= note.pitch <= instrument.high for note in found.notes)


@pytest.mark.no_cover
def test_sections_of_an_hour_do_not_repeat() -> None:
    """Forty sections of one theme, an hour at this tempo: no four bars of two of them are the same."""
    seen: Counter[tuple[tuple[int, ...], ...]] = Counter()
    for variation in range(40):
        composition = compose_section(score(bars=32, variation=variation))
        lead, comp = part(composition, "comp"), part(composition, "bass")
        bars = [*zip(rounded(lead, composition), rounded(comp, composition), strict=True)]
        for first in range(0, 32, 4):
            seen[tuple(each for bar in bars[first : first + 4] for each in bar)] += 1
    assert max(seen.values()) <= 3
    assert len(seen) > 0.85 * sum(seen.values())


def test_players_enter_one_after_another_where_a_song_opens() -> None:
    for style in ("lo-fi hip hop", "house", "rock"):
        asked = replace(score(style), energy=Curve.level(0.7))
        plain, opening = compose_section(asked), compose_section(replace(asked, opens=True))

        def playing(composition: Composition, bar: int) -> int:
            return sum(each.active[bar] for each in composition.parts if each.role != "texture")

        assert playing(opening, 0) < playing(plain, 0)
        assert playing(opening, 0) < playing(opening, 15)
        assert sum(each.notes[0].start < -0.2 for each in opening.parts if each.notes) == 0


def test_wishes_are_granted() -> None:
    asked = score(
        "jazz",
        8,
        parts=(
            Wish("drums", "brush", "brushes"),
            Wish("lead", "vibraphone", "sparse"),
            Wish("comp", silent=True),
            Wish("pad", "strings"),
        ),
    )
    composition = compose_section(asked)
    found = {
        each.role: (each.instrument.name if each.instrument else each.kit, each.pattern)
        for each in composition.parts
    }
    assert found["drums"] == ("brush", "brushes")
    assert found["lead"] == ("vibraphone", "sparse")
    assert found["pad"][0] == "strings"
    assert "comp" not in found
    quiet = compose_section(replace(asked, energy=Curve.level(0.45)))
    assert part(quiet, "pad").notes, "what is asked for plays at middle energy"


def test_cast_and_key_are_the_same_in_all_sections_of_a_song() -> None:
    def names(composition: Composition) -> list[tuple[str, str]]:
        return [
            (each.role, each.instrument.name if each.instrument else each.kit) for each in composition.parts
        ]

    first = compose_section(score(seed=3))
    other = compose_section(score(seed=3, theme="B", bars=8, variation=4, chords="F | G"))
    assert names(first) == names(other)
    assert first.key == other.key
    assert any(names(first) != names(compose_section(score(seed=seed))) for seed in range(4, 8))


def test_every_style_has_its_manners() -> None:
    assert set(MANNERS) == set(STYLES)


def test_a_section_is_a_piece_for_the_synth() -> None:
    composition = compose_section(score(bars=8, key="A minor"))
    piece = composition.as_piece()
    assert piece.layout.beats == composition.beats + 4
    assert piece.key == "A minor"
    for each in piece.parts:
        assert all(note.start >= 4 - LEAD_IN for note in each.notes)


def test_figures_count_what_is_played() -> None:
    composition = compose_section(score(bars=8))
    counted = figures(composition)
    assert set(counted.parts) == {each.role for each in composition.parts if each.notes}
    for each in composition.parts:
        if each.notes:
            found = counted.parts[each.role]
            assert found.notes == len(each.notes)
            assert found.notes_per_bar == len(each.notes) / 8
            assert (found.lowest, found.highest) == (
                min(note.pitch for note in each.notes),
                max(note.pitch for note in each.notes),
            )
            assert 0 <= found.silent_bars < 1
            assert 0 < found.distinct_bars <= 1
    assert counted.parts["drums"].distinct_bars < 1
    assert counted.distinct_chords <= counted.chords == len(composition.chords)
