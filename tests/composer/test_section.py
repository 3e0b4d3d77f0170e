"""Laws of composed sections: in range, in time, the same every time; energy, themes and chords are heard."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.composer.chord_names import parse_chord
from riffcomposer.composer.grooves import DRUMS
from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.meters import METERS, parse_meter
from riffcomposer.composer.piece import Part
from riffcomposer.composer.score import TEMPI, Score, Wish
from riffcomposer.composer.section import LEAD_IN, Composition, compose_section
from riffcomposer.composer.section_figures import figures
from riffcomposer.composer.style_manners import MANNERS
from riffcomposer.composer.styles import STYLES
from riffcomposer.curves import Curve

FULL = Curve.level(0.9)
PITCHED = ("bass", "comp", "second", "pad", "lead")

styles = st.sampled_from(sorted(STYLES))
scores = st.builds(
    Score,
    bars=st.fractions(Fraction(1, 4), 24, max_denominator=4),
    tempo=st.floats(*TEMPI),
    style=styles,
    key=st.sampled_from(["", "A minor", "F# dorian", "Bb major", "C blues", "E minor pentatonic"]),
    meter=st.sampled_from(METERS),
    chords=st.sampled_from(
        ["", "Am9 | Dm9 | G13 | Cmaj9 E7", "i | N.C. | bVI/i bVII V7/i", "C5 x3 | Fsus2 G/B Am C/E F"]
    ),
    energy=st.floats(0, 1).map(Curve.level),
    theme=st.sampled_from("AB"),
    variation=st.integers(0, 3),
    seed=st.integers(0, 10_000),
    opens=st.booleans(),
    closes=st.booleans(),
)


def part(composition: Composition, role: str) -> Part:
    return next(part for part in composition.parts if part.role == role)


def score(style: str = "lo-fi hip hop", bars: int = 16, **others: object) -> Score:
    return Score(Fraction(bars), 90.0, style=style, energy=FULL, **others)  # type: ignore[arg-type]


def bar_of(composition: Composition, start: float) -> int:
    return int((start + 0.12) // float(composition.score.measure.beats))


def rounded(part: Part, composition: Composition) -> list[tuple[int, ...]]:
    """The notes of each bar: place in the bar in 24ths of a beat, and pitch."""
    beats = float(composition.score.measure.beats)
    bars: list[list[int]] = [[] for _ in range(int(composition.score.bars))]
    for note in part.notes:
        number = bar_of(composition, note.start)
        if 0 <= number < len(bars) and note.start > -0.12:
            bars[number] += [round((note.start - number * beats) * 6), note.pitch]
    return [tuple(bar) for bar in bars]


@given(scores)
@settings(max_examples=120, deadline=None)
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


@given(scores, st.floats(0, 0.5), st.floats(0, 0.5))
@settings(max_examples=60, deadline=None)
def test_more_energy_takes_no_note_away(asked: Score, level: float, more: float) -> None:
    quiet = compose_section(replace(asked, energy=Curve.level(level)))
    loud = compose_section(replace(asked, energy=Curve.level(level + more)))
    for before, after in zip(quiet.parts, loud.parts, strict=True):
        places = Counter((note.start, note.pitch) for note in after.notes)
        assert not Counter((note.start, note.pitch) for note in before.notes) - places


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


@pytest.mark.parametrize("name", sorted(INSTRUMENTS))
def test_every_instrument_can_be_given_every_role(name: str) -> None:
    others = (("comp", "boom chick"), ("lead", "lively"), ("pad", "pad"), ("second", "travis"))
    for line in ("walking", "arpeggio"):
        wishes = tuple(Wish(role, name, pattern) for role, pattern in (("bass", line), *others))
        composition = compose_section(score("folk", 8, parts=wishes))
        instrument = INSTRUMENTS[name]
        for wish in wishes:
            found = part(composition, wish.role)
            assert found.notes
            assert all(instrument.low <= note.pitch <= instrument.high for note in found.notes)


def test_a_progression_that_comes_back_in_a_section_is_varied() -> None:
    for style in ("jazz", "classical", "rock", "blues", "world"):
        changed = 0
        for seed in range(6):
            composition = compose_section(score(style, 20, seed=seed))
            names = [composition.chord_at(beat / 2).name for beat in range(160)]
            changed += names[:32] != names[128:160]
        assert changed >= 3, style


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


CHORDS = ["Am9", "Dm9", "G13", "Cmaj9", "Fmaj7", "Bm7b5", "E7b9", "Am9"] * 3


@given(styles, st.integers(0, 23), st.integers(0, 300))
@settings(max_examples=25, deadline=None)
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


def test_bar_lines_without_chords_ask_for_none() -> None:
    assert compose_section(score(chords="| |")).parts == compose_section(score()).parts


def test_the_last_bar_of_a_song_holds_each_of_its_chords() -> None:
    composition = compose_section(
        score("jazz", 4, key="A minor", chords="Am9 | D9 | G13 | Cmaj9 E7", closes=True)
    )
    notes = part(composition, "bass").notes
    assert [note.pitch % 12 for note in notes if note.start > 11.9] == [0, 4]


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


def test_players_enter_one_after_another_where_a_song_opens() -> None:
    for style in ("lo-fi hip hop", "house", "rock"):
        asked = replace(score(style), energy=Curve.level(0.7))
        plain, opening = compose_section(asked), compose_section(replace(asked, opens=True))

        def playing(composition: Composition, bar: int) -> int:
            return sum(each.active[bar] for each in composition.parts if each.role != "texture")

        assert playing(opening, 0) < playing(plain, 0)
        assert playing(opening, 0) < playing(opening, 15)
        assert sum(each.notes[0].start < -0.2 for each in opening.parts if each.notes) == 0


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
