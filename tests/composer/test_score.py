"""Scores: what they refuse, how energy runs, and what decides their notes."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from riffcomposer.composer.section_score import Score, Wish, digest_fields, parse_key
from riffcomposer.curves import Curve

PLAIN = Score(Fraction(8), 90.0, style="jazz", key="A minor", chords="Am9 | D7", next_chord="E7")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bars": Fraction(0)}, "bars"),
        ({"bars": Fraction(10_000)}, "bars"),
        ({"tempo": 1000.0}, "BPM"),
        ({"style": "polka"}, "'polka'"),
        ({"key": "H major"}, "H major"),
        ({"key": "A polka"}, "polka"),
        ({"meter": "9/16"}, "9/16"),
        ({"chords": "Am9 | Xy"}, "Xy"),
        ({"next_chord": "Q"}, "Q"),
        ({"variation": -1}, "variation"),
        ({"parts": (Wish("singer"),)}, "singer"),
        ({"parts": (Wish("lead", "kazoo"),)}, "kazoo"),
        ({"parts": (Wish("drums", "piano"),)}, "kit"),
        ({"parts": (Wish("bass", pattern="montuno"),)}, "montuno"),
        ({"parts": (Wish("bass"), Wish("bass", silent=True))}, "twice"),
    ],
)
def test_what_is_not_known_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(PLAIN, **change)


def test_energy_is_0_to_1() -> None:
    with pytest.raises(ValueError, match=r"energy at bar 0 is 1\.5: it is 0 to 1"):
        Score(Fraction(4), 90.0, energy=Curve.level(1.5))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("A minor", (9, "minor")),
        ("F# dorian", (6, "dorian")),
        ("Bb", (10, "major")),
        ("Am", (9, "minor")),
        ("Cb major", (11, "major")),
        ("D harmonic minor", (2, "harmonic minor")),
    ],
)
def test_keys(text: str, key: tuple[int, str]) -> None:
    assert parse_key(text) == key


CHANGES: dict[str, dict[str, Any]] = {
    "bars": {"bars": Fraction(17, 2)},
    "tempo": {"tempo": 91.0},
    "style": {"style": "funk"},
    "key": {"key": "A dorian"},
    "meter": {"meter": "7/8"},
    "chords": {"chords": "Am9 | D9"},
    "parts": {"parts": (Wish("lead", silent=True),)},
    "energy": {"energy": Curve.level(0.6)},
    "ease": {"energy": Curve(((Fraction(0), 0.5), (Fraction(2), 0.5)), "ease")},
    "theme": {"theme": "B"},
    "variation": {"variation": 1},
    "seed": {"seed": 5},
    "opens": {"opens": True},
    "closes": {"closes": True},
    "next_chord": {"next_chord": "F"},
}


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_every_field_is_in_the_digest(field: str) -> None:
    before, after = digest_fields(PLAIN), digest_fields(replace(PLAIN, **CHANGES[field]))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == ({"energy", "ease"} if field == "ease" else {field})
    assert json.loads(json.dumps(after)) == after
    assert set(CHANGES) == set(before) - {"composer"}


def test_spelling_is_not_in_the_digest() -> None:
    spelt = replace(PLAIN, key="Am", chords="| Amin9|D7 |", next_chord="Edom7")
    assert digest_fields(spelt) == digest_fields(PLAIN)
