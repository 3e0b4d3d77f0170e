"""The composer: what it writes is in key, in range, in time, and the same every time."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riffcomposer.composer import bass, drums, harmony, melody
from riffcomposer.composer.arrangement import compose_band, compose_loop
from riffcomposer.composer.chord_names import parse_chord
from riffcomposer.composer.grooves import DRUMS, GROOVES
from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.part_entrances import schedule
from riffcomposer.composer.piece import Layout
from riffcomposer.composer.solos import compose_solo
from riffcomposer.composer.styles import STYLES
from riffcomposer.composer.theory import (
    SCALES,
    Chord,
    Note,
    lead_voices,
    nearest,
    scale_pitches,
    voicings,
)
from riffcomposer.composer.timing import humanise
from riffcomposer.synth.foley import SOUNDS
from riffcomposer.synth.voices import VOICES

ROLES = ("drums", "bass", "comp", "second", "pad", "lead")


def test_numerals_name_the_chords_of_the_key() -> None:
    assert parse_chord("ii7", 0).pitch_classes == (2, 5, 9, 0)
    assert parse_chord("V7", 0).pitch_classes == (7, 11, 2, 5)
    assert parse_chord("bVI", 9).pitch_classes == (5, 9, 0)  # F major in A minor
    assert parse_chord("i5", 4).pitch_classes == (4, 11)
    assert parse_chord("iih7", 0).fifth == 6
    with pytest.raises(ValueError, match="not a chord"):
        parse_chord("H7", 0)


@pytest.mark.parametrize("style", sorted(STYLES))
def test_every_style_can_be_played_as_written(style: str) -> None:
    written = STYLES[style]
    assert set(written.scales) == set(written.progressions) <= set(SCALES)
    for progressions in written.progressions.values():
        for numeral in " ".join(progressions).split():
            parse_chord(numeral, 0)
    for choice in (written.bass, written.comp, written.lead, written.pad, written.second):
        assert set(choice.instruments) <= set(INSTRUMENTS)
    assert set(written.bass.patterns) <= set(bass.STYLES)
    assert set(written.lead.patterns) <= set(melody.CELLS)
    known = {*harmony.PATTERNS, "changes"}
    for choice in (written.comp, written.second, written.pad):
        assert set(choice.patterns) <= known
    assert set(written.drums) <= set(GROOVES)
    low, high = written.tempo
    assert low < high
    assert set(written.texture) <= set(SOUNDS)


def test_every_voice_has_an_instrument() -> None:
    assert len(STYLES) >= 15
    assert {each.voice for each in INSTRUMENTS.values() if each.voice} == set(VOICES)


def test_grooves_are_well_formed() -> None:
    for family, patterns in GROOVES.items():
        for pattern in patterns:
            for drum, strings in pattern.items():
                assert drum in DRUMS, (family, drum)
                for steps in (strings,) if isinstance(strings, str) else strings:
                    assert len(steps) in (12, 16, 24, 32), (family, drum, steps)
                    assert set(steps) <= set("Xxog?."), (family, drum, steps)


@given(
    st.lists(
        st.sampled_from(["I", "IV", "V7", "vi", "ii9", "Imaj7", "bVII", "i9", "iv7"]), min_size=2, max_size=8
    ),
    st.integers(0, 11),
)
@settings(max_examples=40, deadline=None)
def test_voices_are_led_by_small_steps(numerals: list[str], tonic: int) -> None:
    chords = [parse_chord(numeral, tonic) for numeral in numerals]
    voiced = lead_voices(chords, 52, 76, 4)
    for chord, voicing in zip(chords, voiced, strict=True):
        assert {pitch % 12 for pitch in voicing} <= set(chord.pitch_classes)
        assert list(voicing) == sorted(voicing)
        assert min(voicing) >= 52
        assert max(voicing) <= 76
    for (before, after), chord in zip(pairwise(voiced), chords[1:], strict=True):
        moved = sum(min(abs(pitch - other) for other in before) for pitch in after)
        options = [sum(min(abs(p - o) for o in before) for p in v) for v in voicings(chord, 52, 76, 4)]
        assert moved <= min(options) + 8, "far from the smoothest way"


@given(st.integers(0, 11), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_walking_bass_aims_at_the_next_root(tonic: int, seed: int) -> None:
    chords = [parse_chord(numeral, tonic) for numeral in ("ii7", "V7", "Imaj7", "vi7")]
    line = bass.play("walking", chords, 4.0, 28, Random(seed))
    for bar, chord in enumerate([*chords[1:], chords[0]]):
        last = [note for note in line if bar * 4 <= note.start < bar * 4 + 4][-1]
        roots = [pitch for pitch in range(20, 80) if pitch % 12 == chord.root]
        if last.start % 1 < 0.01:
            assert abs(nearest(last.pitch, roots) - last.pitch) <= 2
    assert all(after.start >= note.start + note.length - 1e-6 for note, after in pairwise(line))


def test_a_walking_bass_does_not_leave_its_instrument() -> None:
    """A step below the next root turns round where the root is the lowest note."""
    lowest = 28
    chords = [Chord(lowest % 12, (0, 4, 7, 11))] * 2
    lines = [bass.play("walking", chords, 5.0, lowest, Random(seed)) for seed in range(200)]
    assert min(note.pitch for line in lines for note in line) == lowest


def test_a_locked_bass_plays_with_the_kick() -> None:
    line = bass.play("locked", [parse_chord("i", 0)] * 4, 4.0, 28, Random(1), lambda bar: (0.0, 1.75, 2.5))
    starts = {note.start % 4 for note in line}
    assert {0.0, 1.75, 2.5} <= starts <= {0.0, 1.75, 2.5, 3.5}


@given(
    st.sampled_from(sorted(melody.CELLS)),
    st.sampled_from(["violin", "flute", "piano", "8-bit pulse"]),
    st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_a_melody_keeps_to_scale_and_range(cells: str, name: str, seed: int) -> None:
    player = INSTRUMENTS[name]
    chords = [parse_chord(numeral, 2) for numeral in ("I", "IV", "V", "I")]
    line = melody.play(cells, chords, 2, "major", 4.0, player, Random(seed))
    allowed = set(scale_pitches(2, "major", player.low, player.high))
    assert line
    assert {note.pitch for note in line} <= allowed
    assert all(0 <= note.start < 16 and 1 <= note.velocity <= 127 for note in line)
    home = max(line, key=lambda note: note.start)
    if home.start >= 12:
        assert home.pitch % 12 in (2,), "the phrase ends on the tonic, which is the last chord's root"


def test_motifs_repeat() -> None:
    chords = [parse_chord("I", 0)] * 4
    repeated = 0
    for seed in range(20):
        line = melody.play("lively", chords, 0, "major", 4.0, INSTRUMENTS["flute"], Random(seed))
        bars: dict[int, list[float]] = {}
        for note in line:
            bars.setdefault(int(note.start // 4), []).append(note.start % 4)
        repeated += len({tuple(starts) for starts in bars.values()}) < 4
    assert repeated == 20


def test_swing_moves_only_the_off_beats() -> None:
    straight = [Note(step / 2, 0.4, 60, 90) for step in range(16)]
    swung = humanise(straight, Random(0), 120.0, spread_ms=0.0, swing=1 / 3)
    for before, after in zip(straight, swung, strict=True):
        late = after.start - before.start
        assert late == pytest.approx(1 / 6 if before.start % 1 else 0.0, abs=1e-9)


@given(st.sets(st.sampled_from(ROLES), min_size=1), st.integers(1, 6), st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_somebody_plays_in_every_phrase(roles: set[str], phrases: int, seed: int) -> None:
    plan = schedule(Random(seed), sorted(roles), phrases)
    assert set(plan) == roles
    for phrase in range(phrases):
        assert any(plan[role][phrase] for role in roles)


def test_drums_have_fills_and_ghost_notes() -> None:
    plain = drums.play("funk", 16, 4.0, Random(3), fills=False)
    ghosts = [note for note in plain if note.pitch == DRUMS["snare"] and note.velocity < 60]
    assert ghosts
    toms = {DRUMS["tom1"], DRUMS["tom2"], DRUMS["tom3"]}
    assert not any(note.pitch in toms for note in plain)
    filled = [note for seed in range(5) for note in drums.play("funk", 16, 4.0, Random(seed))]
    places = {int(note.start // 4) % 4 for note in filled if note.pitch in toms}
    assert places == {3}, "fills end a phrase of four bars"


def test_a_loop_repeats_exactly() -> None:
    cast = {"drums": ("808", "trap"), "bass": ("sub bass", "sub"), "comp": ("piano", "half")}
    layout = Layout(93.75, 4.0, 0, 2, 3)
    piece = compose_loop(Random("x"), "x", layout, STYLES["hip hop"], cast, tonic=0, progression="i bVI")
    assert piece.layout.phrase_start_s(1) == pytest.approx(5.12)
    for part in piece.parts:
        once = [note for note in part.notes if note.start < 8 - 0.2]
        for note in once:
            again = note._replace(start=note.start + 8)
            assert any(
                abs(other.start - again.start) < 1e-9 and other[1:] == again[1:] for other in part.notes
            )
    assert {part.role for part in piece.parts} == set(cast)


def test_a_loop_has_no_lead_in() -> None:
    with pytest.raises(ValueError, match="lead_in_bars=0"):
        compose_loop(Random(0), "x", Layout(93.75, 4.0, 1, 2, 3), STYLES["jazz"], {"drums": ("", "")})


@given(
    st.sampled_from(sorted(STYLES)),
    st.floats(45, 200),
    st.sampled_from([2.0, 3.0, 4.0, 5.0, 6.0]),
    st.tuples(st.integers(0, 2), st.integers(1, 8), st.integers(1, 4)),
    st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_a_band_plays_any_tempo_meter_and_length(
    style: str, tempo: float, bar_beats: float, bars: tuple[int, int, int], seed: int
) -> None:
    layout = Layout(tempo, bar_beats, *bars)
    piece = compose_band(Random(seed), str(seed), layout, STYLES[style])
    assert piece == compose_band(Random(seed), str(seed), layout, STYLES[style])
    for part in piece.parts:
        assert len(part.active) == layout.phrases
        assert list(part.notes) == sorted(part.notes)
        for note in part.notes:
            assert 0 <= note.start < layout.beats + 0.5
            assert note.length > 0
            assert 1 <= note.velocity <= 127
            if part.instrument is not None:
                assert part.instrument.low - 1 <= note.pitch <= part.instrument.high + 1


@pytest.mark.parametrize("name", sorted(INSTRUMENTS))
def test_every_instrument_can_play_alone(name: str) -> None:
    piece = compose_solo(Random(3), "3", Layout(93.75, 4.0, 1, 2, 3), INSTRUMENTS[name])
    assert [part.instrument for part in piece.parts] == [INSTRUMENTS[name]]
    assert piece.parts[0].notes


def test_unknown_patterns_are_named() -> None:
    chords, flute = [parse_chord("I", 0)], INSTRUMENTS["flute"]
    with pytest.raises(ValueError, match="'polka' is not a bass style"):
        bass.play("polka", chords, 4.0, 28, Random(0))
    with pytest.raises(ValueError, match="'polka' is not a chord pattern"):
        harmony.play("polka", harmony.Accompaniment(chords, 4.0, flute, Random(0)))
    with pytest.raises(ValueError, match="'polka' is not a kind of melody"):
        melody.play("polka", chords, 0, "major", 4.0, flute, Random(0))
