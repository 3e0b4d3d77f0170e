"""A score: what is asked of the composer for one section of a song, and what decides its notes.

Everything may be left open: what the score does not say is drawn from its seed, the same for all sections of
a song that share style, key and seed. Sections with one theme share their progression and their motif.

Conventions: bars and meters are exact fractions; energy is 0 (one player, few notes) to 1 (everybody).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from riffcomposer.composer import COMPOSER_VERSION, bass, harmony, melody
from riffcomposer.composer.chord_names import Bars, parse_progression, parse_symbol, print_bars
from riffcomposer.composer.grooves import GROOVES
from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.meters import Meter, parse_meter
from riffcomposer.composer.styles import STYLES
from riffcomposer.composer.theory import SCALES
from riffcomposer.composer.words import KIT_WORDS, TEXTURE_WORDS
from riffcomposer.curves import Curve

ROLES = ("drums", "bass", "comp", "second", "pad", "lead", "texture")
"""Who may play in a section."""

MAX_BARS = 512
"""Most bars of a section."""

TEMPI = (20.0, 400.0)
"""Lowest and highest tempo, in BPM."""

USUAL_ENERGY = 0.5
"""Energy of a score that does not state it."""

_LISTED = 30
"""Most names that an error lists."""

_NOTES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_KEY = re.compile(r"([A-G])([#b♯♭]?)\s*(.*)")


@dataclass(frozen=True)
class Wish:
    """What is asked of one role.

    Attributes:
        role: One of `ROLES`.
        sound: An instrument, for drums a kit, for the texture a sound; empty leaves it to the style.
        pattern: What is played: a groove, a bass style, a chord pattern, a kind of melody; empty leaves it to
            the style.
        silent: Whether nobody plays the role.
    """

    role: str
    sound: str = ""
    pattern: str = ""
    silent: bool = False


@dataclass(frozen=True)
class Score:
    """What one section is composed from.

    Attributes:
        bars: Length of the section; may end inside a bar.
        tempo: BPM in quarter notes. It decides the few milliseconds by which players are early or late, which
            subdivisions are too fast to be played, and for how many bars a style's chord lasts.
        style: A key of `STYLES`, or empty.
        key: `A minor`, `F# dorian`, or empty; a note alone is major.
        meter: One of `METERS`.
        chords: A progression (see `chord_names`), or empty for one of the style's.
        parts: What is asked of single roles; the others are the style's.
        energy: Who plays, and how densely, 0 to 1.
        theme: Sections with the same theme have the same motif and progression.
        variation: Which time the theme is heard, counted from 0; each time it is varied.
        seed: Other numbers give other music.
        opens: Whether the section is the song's first: players enter one after another.
        closes: Whether it is the last: it comes home, and its last bar is held.
        next_chord: The chord that the next section begins with, to which the end leads; empty for the chord
            that this section begins with.

    Raises:
        ValueError: Something is not known or out of range; says what, and what there is.
    """

    bars: Fraction
    tempo: float
    style: str = ""
    key: str = ""
    meter: str = "4/4"
    chords: str = ""
    parts: tuple[Wish, ...] = ()
    energy: Curve = field(default_factory=lambda: Curve.level(USUAL_ENERGY))
    theme: str = "A"
    variation: int = 0
    seed: int = 0
    opens: bool = False
    closes: bool = False
    next_chord: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.bars <= MAX_BARS:
            raise ValueError(f"a section has more than 0 and at most {MAX_BARS} bars, not {self.bars}")
        if not TEMPI[0] <= self.tempo <= TEMPI[1]:
            raise ValueError(f"a tempo is {TEMPI[0]:g} to {TEMPI[1]:g} BPM, not {self.tempo:g}")
        if self.style:
            _known(self.style, STYLES, "a style")
        if self.key:
            parse_key(self.key)
        parse_meter(self.meter)
        parse_progression(self.chords)
        if self.next_chord:
            parse_symbol(self.next_chord)
        for bar, value in self.energy.points:
            if not 0 <= value <= 1:
                raise ValueError(f"energy at bar {bar} is {value}: it is 0 to 1")
        if self.variation < 0:
            raise ValueError(f"the first time of a theme is variation 0, not {self.variation}")
        roles = [wish.role for wish in self.parts]
        for wish in self.parts:
            _check_wish(wish)
            if roles.count(wish.role) > 1:
                raise ValueError(f"{wish.role} is asked for twice: name each role once")

    @property
    def measure(self) -> Meter:
        """The meter."""
        return parse_meter(self.meter)

    @property
    def progression(self) -> Bars:
        """The chords that are asked for, bar by bar; empty where the style's are played."""
        return parse_progression(self.chords)

    @property
    def beats(self) -> Fraction:
        """Length of the section in quarter notes."""
        return self.bars * self.measure.beats

    def wish(self, role: str) -> Wish:
        """What is asked of a role; an empty wish where nothing is."""
        return next((wish for wish in self.parts if wish.role == role), Wish(role))


def parse_key(text: str) -> tuple[int, str]:
    """Reads a key such as `A minor`, `Bb` or `F# dorian`.

    Returns:
        Pitch class of the tonic, and a key of `SCALES`.

    Raises:
        ValueError: It is none.
    """
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a key: write a note from A to G and a scale, such as A minor")
    scale = {"": "major", "m": "minor", "maj": "major", "min": "minor"}.get(match[3], match[3].lower())
    if scale not in SCALES:
        raise ValueError(f"{match[3]!r} is not a scale: choose one of {', '.join(SCALES)}")
    shift = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}[match[2]]
    return (_NOTES[match[1]] + shift) % 12, scale


def sounds_of(role: str) -> tuple[str, Iterable[str]]:
    """What may play a role: what that is called, and all names."""
    if role == "drums":
        return "a kit", KIT_WORDS
    return ("a texture", TEXTURE_WORDS) if role == "texture" else ("an instrument", INSTRUMENTS)


def patterns_of(role: str) -> Iterable[str]:
    """The names of what may be played in a role."""
    known: dict[str, Iterable[str]] = {
        "drums": GROOVES,
        "bass": bass.STYLES,
        "lead": melody.CELLS,
        "texture": (),
    }
    return known.get(role, harmony.PATTERNS)


def unknown(name: str, known: Iterable[str], kind: str) -> ValueError:
    """The error for a name that is not known: says which one is meant, or which there are."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, 1, 0.6)
    if close:
        return ValueError(f"{name!r} is not {kind}: did you mean {close[0]!r}?")
    others = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
    return ValueError(f"{name!r} is not {kind}: choose one of {others}")


def _known(name: str, known: Iterable[str], kind: str) -> None:
    if name not in known:
        raise unknown(name, known, kind)


def _check_wish(wish: Wish) -> None:
    _known(wish.role, ROLES, "a role")
    kind, sounds = sounds_of(wish.role)
    if wish.sound:
        _known(wish.sound, sounds, kind)
    if wish.pattern:
        _known(wish.pattern, patterns_of(wish.role), f"a pattern of {wish.role}")


def digest_fields(score: Score) -> dict[str, Any]:
    """Everything that decides a score's notes, as plain values for JSON; spelling does not count."""
    tonic, scale = parse_key(score.key) if score.key else (None, "")
    energy = [[str(bar), round(value, 6)] for bar, value in score.energy.points]
    return {
        "composer": COMPOSER_VERSION,
        "bars": str(score.bars),
        "tempo": round(score.tempo, 6),
        "style": score.style,
        "key": [tonic, scale],
        "meter": score.measure.name,
        "chords": print_bars(score.progression),
        "parts": sorted([wish.role, wish.sound, wish.pattern, wish.silent] for wish in score.parts),
        "energy": energy,
        "ease": score.energy.ease if len(energy) > 1 else "linear",
        "theme": score.theme,
        "variation": score.variation,
        "seed": score.seed,
        "opens": score.opens,
        "closes": score.closes,
        "next_chord": str(parse_symbol(score.next_chord)) if score.next_chord else "",
    }
