"""Digests of composed notes, which show whether a change to the composer changed its notes.

After `COMPOSER_VERSION` has been raised, `python tests/golden_notes.py` writes new digests.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Collection, Iterable
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

from riffcomposer.composer import COMPOSER_VERSION, bass, drums, harmony, melody
from riffcomposer.composer.arrangement import compose_band, compose_loop
from riffcomposer.composer.bells import ring_changes
from riffcomposer.composer.chord_names import parse_chord
from riffcomposer.composer.grooves import GROOVES
from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.piece import Layout, Piece
from riffcomposer.composer.section import compose_section
from riffcomposer.composer.section_score import Score
from riffcomposer.composer.solos import DRUM_SOLOS, compose_drums, compose_solo
from riffcomposer.composer.styles import STYLES
from riffcomposer.composer.theory import Note
from riffcomposer.curves import Curve

GOLDEN = Path(__file__).parent / "composer" / "golden_notes.json"
LAYOUTS = (Layout(84.0, 4.0, 1, 4, 3), Layout(140.625, 3.0, 2, 4, 2), Layout(61.0, 4.0, 1, 1, 5))
NUMERALS = ("i9", "bVI", "iih7", "V7b9", "I5", "Isus2", "IV13", "vi11")


def digest(content: Any) -> str:
    """A digest of notes and of what else is written; times count to a millionth of a beat."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _notes(notes: Iterable[Note]) -> list[list[float]]:
    return [
        [round(note.start, 6), round(note.length, 6), note.pitch, note.velocity, note.bend] for note in notes
    ]


def _piece(piece: Piece) -> list[Any]:
    return [
        piece.key,
        piece.mix,
        [
            [
                part.role,
                part.instrument.name if part.instrument else part.kit,
                part.pattern,
                part.active,
                round(part.gain_db, 6),
                _notes(part.notes),
            ]
            for part in piece.parts
        ],
    ]


def _section(asked: Score) -> list[Any]:
    composition = compose_section(asked)
    chords = [[chord.name, round(chord.end, 6)] for chord in composition.chords]
    return [composition.style, composition.beats, chords, _piece(composition.as_piece())]


def _scores(style: str) -> list[Score]:
    """Sections of a style: a plain one, one that opens in 7/8, one that closes over given chords."""
    build = Curve(((Fraction(0), 0.2), (Fraction(12), 0.9)))
    return [
        Score(Fraction(16), 90.0, style, energy=build),
        Score(Fraction(13, 2), 120.0, style, "D dorian", "7/8", theme="B", variation=1, opens=True),
        Score(
            Fraction(8), 66.0, style, "A minor", "12/8", "Am9 | Dm9 E7/G# | (Am F) x2", closes=True, seed=4
        ),
    ]


def composed(styles: Collection[str] = STYLES, instruments: Collection[str] = INSTRUMENTS) -> dict[str, str]:
    """Name to digest: pieces, sections and a loop of every style, every instrument, groove and pattern.

    Args:
        styles, instruments: Names of those that are played; grooves and patterns are played in any case.
    """
    found: dict[str, Any] = {}
    loop = Layout(93.75, 4.0, 0, 2, 2)
    for name in styles:
        style = STYLES[name]
        found[f"style {name}"] = [
            _piece(compose_band(Random(f"{name} {seed}"), name, layout, style))
            for layout in LAYOUTS
            for seed in range(4)
        ]
        cast = dict.fromkeys(("comp", "pad", "lead"), ("", "")) | (
            {"bass": ("", "")} if style.bass.instruments else {}
        )
        found[f"section {name}"] = [_section(asked) for asked in _scores(name)]
        found[f"loop {name}"] = _piece(compose_loop(Random(name), name, loop, style, cast))
    for name in instruments:
        found[f"solo {name}"] = [
            _piece(compose_solo(Random(f"{name} {seed}"), name, LAYOUTS[0], INSTRUMENTS[name]))
            for seed in range(3)
        ]
    for family in DRUM_SOLOS:
        found[f"drums {family}"] = _piece(compose_drums(Random(family), family, LAYOUTS[0], family))
    chords = [parse_chord(numeral, 9) for numeral in NUMERALS]
    for family in GROOVES:
        found[f"groove {family}"] = _notes(drums.play(family, 16, 4.0, Random(family), crash=True))
    for name in bass.STYLES:
        found[f"bass {name}"] = _notes(bass.play(name, chords, 4.0, 28, Random(name)))
    for name in harmony.PATTERNS:
        found[f"chords {name}"] = [
            _notes(harmony.play(name, harmony.Accompaniment(chords, 4.0, INSTRUMENTS[player], Random(name))))
            for player in ("piano", "acoustic guitar")
        ]
    manner = melody.Manner(ornaments=0.3, bends=0.3, chromatic=0.3)
    for name in melody.CELLS:
        line = melody.play(name, chords, 9, "dorian", 4.0, INSTRUMENTS["flute"], Random(name), manner)
        found[f"melody {name}"] = _notes(line)
    found["bells"] = _notes(ring_changes(Random("bells"), INSTRUMENTS["tubular bells"], 0, 32.0))
    return {name: digest(content) for name, content in found.items()}


def read_golden() -> dict[str, Any]:
    """What was written last: `composer_version` and `notes`."""
    content: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return content


def changed(golden: dict[str, str], now: dict[str, str]) -> list[str]:
    """Names whose notes are not what they were; new names are no change."""
    return [name for name, value in golden.items() if now.get(name) != value]


def main() -> int:
    """Writes the digests, unless notes changed and the version did not."""
    now = composed()
    if GOLDEN.is_file():
        golden = read_golden()
        if changed(golden["notes"], now) and golden["composer_version"] == COMPOSER_VERSION:
            print("notes changed: raise COMPOSER_VERSION in riffcomposer/composer/__init__.py first")
            return 1
    content = json.dumps({"composer_version": COMPOSER_VERSION, "notes": now}, indent=1)
    GOLDEN.write_text(content + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
