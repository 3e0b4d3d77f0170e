"""Chords and progressions as musicians write them: every usual name is read, printed back and explained."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riffcomposer.composer.chord_names import (
    MAX_BARS,
    MAX_LENGTH,
    QUALITIES,
    ChordError,
    Symbol,
    parse_chord,
    parse_progression,
    parse_symbol,
    print_bars,
)

# Name, and its pitch classes in semitones above C.
COMMON = """
C 0 4 7 | Cm 0 3 7 | C- 0 3 7 | Cmin 0 3 7 | CM 0 4 7 | C5 0 7 | C6 0 4 7 9 | Cm6 0 3 7 9 | C7 0 4 7 10
Cm7 0 3 7 10 | C-7 0 3 7 10 | Cmin7 0 3 7 10 | Cmaj7 0 4 7 11 | CM7 0 4 7 11 | CΔ7 0 4 7 11 | C^7 0 4 7 11
Cm(maj7) 0 3 7 11 | CmM7 0 3 7 11 | C9 0 2 4 7 10 | Cm9 0 2 3 7 10 | Cmaj9 0 2 4 7 11 | Cm11 0 3 5 7 10
C11 0 2 5 7 10 | C13 0 2 4 9 10 | Cm13 0 2 3 9 10 | Cmaj13 0 2 4 9 11 | Cadd9 0 2 4 7 | Cmadd9 0 2 3 7
C6/9 0 2 4 7 9 | C69 0 2 4 7 9 | Csus2 0 2 7 | Csus4 0 5 7 | Csus 0 5 7 | C7sus4 0 5 7 10 | C9sus4 0 2 5 7 10
C13sus4 0 2 5 9 10 | Cdim 0 3 6 | Co 0 3 6 | C° 0 3 6 | Cdim7 0 3 6 9 | Co7 0 3 6 9 | Cm7b5 0 3 6 10
Cø 0 3 6 10 | Cø7 0 3 6 10 | Ch7 0 3 6 10 | Caug 0 4 8 | C+ 0 4 8 | C7#5 0 4 8 10 | C+7 0 4 8 10
Cmaj7#5 0 4 8 11 | C7b5 0 4 6 10 | C7b9 0 1 4 7 10 | C7#9 0 3 4 7 10 | C7#11 0 4 6 7 10 | C7b13 0 4 7 8 10
C7alt 0 1 4 8 10 | C9#11 0 2 4 6 7 10 | C13b9 0 1 4 9 10 | C13#11 0 2 4 6 9 10 | Cmaj7#11 0 4 6 7 11
Cmaj9#11 0 2 4 6 7 11 | Cadd11 0 4 5 7 | Cm9b5 0 2 3 6 10 | C7b9#5 0 1 4 8 10 | C9#5 0 2 4 8 10
"""
TABLE = [
    (entry.split()[0], set(map(int, entry.split()[1:])))
    for entry in COMMON.replace("\n", "|").split("|")
    if entry.strip()
]

roots = st.sampled_from([letter + sign for letter in "ABCDEFG" for sign in ("", "#", "b")])
numerals = st.sampled_from(
    [
        sign + each
        for sign in ("", "b", "#")
        for each in ("I", "ii", "III", "iv", "V", "vi", "VII", "vii", "i")
    ]
)
qualities = st.sampled_from(sorted(QUALITIES))
names = st.builds(
    lambda root, quality, bass: f"{root}{quality}{'/' + bass if bass else ''}",
    roots,
    qualities,
    st.one_of(st.just(""), roots),
)
small = st.builds(lambda root, quality: str(Symbol(root, quality)), numerals, qualities)
symbols = st.one_of(names, small, st.just("N.C."), st.sampled_from(["V7/ii", "viio7/V", "IV/V", "i/bVII"]))


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 60


@pytest.mark.parametrize(("name", "classes"), TABLE, ids=[name for name, _ in TABLE])
def test_common_names_are_read(name: str, classes: set[int]) -> None:
    assert set(parse_chord(name, 5).pitch_classes) == classes
    transposed = "F#" + name[1:]
    assert set(parse_chord(transposed, 0).pitch_classes) == {(each + 6) % 12 for each in classes}


@given(symbols)
def test_what_is_printed_is_read_as_the_same_chord(text: str) -> None:
    symbol = parse_symbol(text)
    again = parse_symbol(str(symbol))
    assert (again.chord(4), again.bass_class(4)) == (symbol.chord(4), symbol.bass_class(4))
    assert str(again) == str(symbol)


@given(st.lists(st.lists(symbols, min_size=1, max_size=4), max_size=8))
def test_a_progression_is_printed_and_read_back(bars: list[list[str]]) -> None:
    written = " | ".join(" ".join(bar) for bar in bars) + (" |" if bars else "")
    read = parse_progression(written)
    assert [len(bar) for bar in read] == [len(bar) for bar in bars]
    assert parse_progression(print_bars(read)) == read


@pytest.mark.parametrize(
    "text", ["viio7", "viio", "iiø7", "imaj7", "i9", "bVII13", "I6/9", "C/E", "F#m7b5", "N.C."]
)
def test_usual_spellings_are_printed_as_they_are_written(text: str) -> None:
    assert str(parse_symbol(text)) == text


def test_slashes_name_the_bass_or_the_key_that_a_chord_is_borrowed_from() -> None:
    assert parse_symbol("C/E").bass_class(0) == 4
    assert parse_symbol("Am7/G").bass_class(3) == 7
    assert parse_chord("V7/ii", 0).root == 9  # the dominant of D is A
    assert parse_symbol("V7/ii").bass_class(0) == 9
    assert parse_symbol("IV/V").bass_class(0) == 7  # the fourth degree over the fifth
    assert parse_symbol("N.C.").chord(0) is None


@pytest.mark.parametrize(
    ("text", "bars"),
    [
        ("Am9 | Dm9 | G13 | Cmaj9 E7", ["Am9", "Dm9", "G13", "Cmaj9 E7"]),
        ("| Am | F |", ["Am", "F"]),
        ("i9 iv9 bVII", ["i9", "iv9", "bVII"]),
        ("Am | % | F", ["Am", "Am", "F"]),
        ("Am | %", ["Am", "Am"]),
        ("Am x3 | F", ["Am", "Am", "Am", "F"]),
        ("(Am | F) x2 | G", ["Am", "F", "Am", "F", "G"]),
        ("(C | (D | E)x2)x2", ["C", "D", "E", "D", "E", "C", "D", "E", "D", "E"]),
        ("Cm(maj7) | Fm(add9)", ["Cm(maj7)", "Fmadd9"]),
        ("", []),
    ],
)
def test_progressions(text: str, bars: list[str]) -> None:
    assert [" ".join(map(str, bar)) for bar in parse_progression(text)] == bars


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("Am9 | Dm9x | G", 7, "Dm9"),
        ("Hm7 | C", 0, "Bm7"),
        ("C | am7", 4, "Am7"),
        ("C/X", 2, "note"),
        ("C | V/G", 6, "numeral"),
        ("(C | D", 0, "not closed"),
        ("C) | D", 1, "not opened"),
        ("x2 | C", 0, "nothing"),
        ("C x0", 2, "x2"),
        ("C | Zebra", 4, "A to G"),
    ],
)
def test_an_error_says_which_chord_where_and_what_is_meant(text: str, at: int, says: str) -> None:
    with pytest.raises(ChordError) as caught:
        parse_progression(text)
    assert caught.value.at == at
    assert says in str(caught.value)
    assert f"character {at + 1}" in str(caught.value)


@pytest.mark.parametrize("text", ["((((A x99) x99) x99) x99) x99", "A x9999", "A " * MAX_LENGTH])
def test_progressions_that_would_grow_too_large_are_refused(text: str) -> None:
    with pytest.raises(ChordError):
        parse_progression(text)
    assert len(parse_progression(f"A x{MAX_BARS}")) == MAX_BARS


@given(st.text("AmCd7()|%x29/#bIVi .", max_size=40))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    place, bars = -1, None
    try:
        bars = parse_progression(text)
    except ChordError as error:
        place = error.at
    assert bars is not None or 0 <= place <= len(text)
    if bars is not None:
        assert parse_progression(print_bars(bars)) == bars
