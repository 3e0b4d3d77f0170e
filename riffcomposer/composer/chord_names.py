"""Chords as musicians write them: names (`Am9`, `C/E`), roman numerals (`ii7`, `V7/V`), whole progressions.

A numeral is relative to the major scale of the tonic, whatever the mode: a minor key's usual chords are
`i bVI bIII bVII`. Lower case numerals are minor. After a slash, a numeral of the fifth or seventh degree is a
chord borrowed from another key (`V7/ii`), and any other a bass note (`IV/V`). `N.C.` is no chord.

In a progression `|` separates bars and the chords of a bar share it; without any `|` each chord has a bar.
`%` repeats the bar before, `x3` after a bar plays it three times, `( ... ) x2` plays bars twice.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from riffcomposer.composer.theory import Chord

MAX_BARS = 1024
"""Most bars that a progression may have, its repeats written out."""

MAX_CHORDS_PER_BAR = 8

MAX_LENGTH = 4000
"""Most characters of a progression."""

# name as it is printed: intervals, and other spellings
_TABLE = """
: 0 4 7: M maj major ma
m: 0 3 7: min minor - mi
5: 0 7: (no3) no3
6: 0 4 7 9: M6 maj6
m6: 0 3 7 9: min6 -6
7: 0 4 7 10: dom7 dom
m7: 0 3 7 10: min7 -7 mi7
maj7: 0 4 7 11: M7 Δ Δ7 ^7 ^ ma7 j7 major7
m(maj7): 0 3 7 11: mmaj7 mM7 minmaj7 minMaj7 mΔ7 -Δ7 mMaj7 -M7
9: 0 4 7 10 14: dom9
m9: 0 3 7 10 14: min9 -9 mi9
maj9: 0 4 7 11 14: M9 Δ9 ^9 ma9 major9
m(maj9): 0 3 7 11 14: mmaj9 mM9 minmaj9
11: 0 7 10 14 17:
m11: 0 3 7 10 17: min11 -11
maj11: 0 4 7 11 17: M11
13: 0 4 10 14 21:
m13: 0 3 10 14 21: min13 -13
maj13: 0 4 11 14 21: M13 Δ13 ma13
add9: 0 4 7 14: add2 (add9)
madd9: 0 3 7 14: m(add9) madd2 minadd9 min(add9)
add11: 0 4 7 17: add4 (add11)
madd11: 0 3 7 17: m(add11) madd4
6/9: 0 4 7 9 14: 69 6add9 6(9)
m6/9: 0 3 7 9 14: m69 min6/9
sus2: 0 2 7: 2
sus4: 0 5 7: sus 4
7sus4: 0 5 7 10: 7sus sus7
7sus2: 0 2 7 10:
9sus4: 0 5 7 10 14: 9sus sus9
13sus4: 0 5 10 14 21: 13sus sus13
dim: 0 3 6: o ° mb5 m(b5) mdim
dim7: 0 3 6 9: o7 °7
m7b5: 0 3 6 10: h7 h ø ø7 min7b5 -7b5 m7(b5) min7(b5) 7ø
m9b5: 0 3 6 10 14: ø9 m9(b5)
aug: 0 4 8: + #5 (#5)
aug7: 0 4 8 10: +7 7#5 7(#5) 7+5 7+
maj7#5: 0 4 8 11: +M7 augmaj7 M7#5 maj7+5
maj7b5: 0 4 6 11: M7b5
7b5: 0 4 6 10: 7(b5) 7-5
7b9: 0 4 7 10 13: 7(b9) 7-9
7#9: 0 4 7 10 15: 7(#9) 7+9
7#11: 0 4 7 10 18: 7(#11)
7b13: 0 4 7 10 20: 7(b13)
7alt: 0 4 8 10 13: alt
7b5b9: 0 4 6 10 13: 7b9b5
7b9#5: 0 4 8 10 13 20: 7#5b9
7#5#9: 0 4 8 10 15: 7#9#5
7b9b13: 0 4 10 13 20:
9b5: 0 4 6 10 14:
9#5: 0 4 8 10 14: +9 aug9
9#11: 0 4 7 10 14 18:
13b9: 0 4 10 13 21: 13(b9)
13#11: 0 4 10 14 18 21:
maj7#11: 0 4 7 11 18: M7#11 maj7(#11) Δ#11 maj#11
maj9#11: 0 4 7 11 14 18: M9#11 maj9(#11)
"""


def _read_table() -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    qualities: dict[str, tuple[int, ...]] = {}
    spellings: dict[str, str] = {}
    for line in _TABLE.strip().splitlines():
        name, steps, others = line.split(":")
        qualities[name] = tuple(int(step) for step in steps.split())
        for spelling in (name, *others.split()):
            spellings[spelling] = name
    return qualities, spellings


QUALITIES, _SPELLINGS = _read_table()
"""Kinds of chords: what is written after the root, and the intervals above it in semitones."""

_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_DEGREES = {"i": 0, "ii": 2, "iii": 4, "iv": 5, "v": 7, "vi": 9, "vii": 11}
_ROOT = re.compile(r"[A-G][#b]?")
_ROMAN = re.compile(r"([b#]?)(vii|iii|vi|iv|ii|v|i|VII|III|VI|IV|II|V|I)")
# How some kinds are written after a small numeral.
_SMALL = {"m7b5": "ø7", "m9b5": "ø9", "dim": "o", "dim7": "o7", "m(maj7)": "maj7", "m(maj9)": "maj9"}
_BORROWED = ("v", "vii")
_TOKEN = re.compile(r"[|%()]|[^\s|%]+")
_TIMES = re.compile(r"[x×](\d{1,4})(?=\)|$)")
_NO_CHORD = ("N.C.", "N.C", "NC", "n.c.")


class ChordError(ValueError):
    """What was written is not a chord or not a progression.

    Attributes:
        text: The part that is not understood.
        at: Its first character in what was given, counted from 0.
    """

    def __init__(self, text: str, at: int, problem: str) -> None:
        super().__init__(f"{problem} (character {at + 1})")
        self.text, self.at = text, at


@dataclass(frozen=True)
class Symbol:
    """A chord as it is written, before it is known in which key.

    Attributes:
        root: `C#`, a numeral such as `bVII`, or empty for no chord.
        quality: A key of `QUALITIES`.
        bass: The note or numeral after the slash, or empty.
        borrowed: Whether `bass` is a numeral that names the key which the chord is borrowed from.
    """

    root: str
    quality: str = ""
    bass: str = ""
    borrowed: bool = False

    def __str__(self) -> str:
        if not self.root:
            return "N.C."
        return self.root + self._suffix + (f"/{self.bass}" if self.bass else "")

    @property
    def _suffix(self) -> str:
        """The quality as it is written after the root; the minor third of a small numeral is not written."""
        if not self.numeral or not self.root.islower():
            return self.quality
        if self.quality in _SMALL:
            return _SMALL[self.quality]
        minor = self.quality.startswith("m") and not self.quality.startswith("maj")
        return self.quality[1:] if minor else self.quality

    @property
    def numeral(self) -> bool:
        """Whether it is relative to a key."""
        return bool(self.root) and self.root[-1] in "iIvV"

    def chord(self, tonic: int) -> Chord | None:
        """The chord in the key of a tonic (pitch class), or None for no chord."""
        if not self.root:
            return None
        return Chord((self._root_class + (tonic if self.numeral else 0)) % 12, QUALITIES[self.quality])

    def bass_class(self, tonic: int) -> int | None:
        """Pitch class of the lowest note, or None for no chord."""
        if not self.root:
            return None
        if self.bass and not self.borrowed:
            return (_pitch_class(self.bass) + (tonic if self.bass[-1] in "iIvV" else 0)) % 12
        return (self._root_class + (tonic if self.numeral else 0)) % 12

    @cached_property
    def _root_class(self) -> int:
        return (_pitch_class(self.root) + (_pitch_class(self.bass) if self.borrowed else 0)) % 12


def _pitch_class(root: str) -> int:
    """Semitones of a note above C or of a numeral above the tonic."""
    if root[0] in _NATURALS:
        return (_NATURALS[root[0]] + root.count("#") - root[1:].count("b")) % 12
    return (_DEGREES[root.lstrip("b#").lower()] + root.count("#") - root.count("b")) % 12


@lru_cache(maxsize=4096)
def parse_symbol(text: str) -> Symbol:
    """Reads one chord.

    Raises:
        ChordError: It is none; says what is meant where that can be guessed.
    """
    if text in _NO_CHORD:
        return Symbol("")
    plain = text.replace("♭", "b").replace("♯", "#")
    match = _ROOT.match(plain) or _ROMAN.match(plain)
    if match is None:
        raise ChordError(text, 0, f"{text!r} is not a chord: {_root_hint(plain)}")
    root, rest = match[0], plain[match.end() :]
    numeral = root[-1] in "iIvV"
    small = numeral and root.islower()
    if (quality := _quality(rest, small)) is not None:
        return Symbol(root, quality)
    colour, slash, bass = rest.rpartition("/")
    quality = _quality(colour, small)
    if slash and quality is not None:
        bass_match = (_ROMAN if numeral else _ROOT).fullmatch(bass)
        if bass_match is not None:
            degree = root.lstrip("b#").lower()
            return Symbol(
                root, quality, bass, borrowed=numeral and degree in _BORROWED and root[0] not in "b#"
            )
        kind = "a numeral, as in V7/ii" if numeral else "a note, as in C/E"
        raise ChordError(text, len(text) - len(bass), f"{text!r}: after the slash there must be {kind}")
    close = difflib.get_close_matches(colour if slash else rest, _SPELLINGS, 1, 0.5)
    meant = f"did you mean {root}{close[0]}?" if close else "usual ones are m7, maj7, 9, 13, sus4, dim"
    raise ChordError(text, len(root), f"{text!r}: {rest!r} is not a kind of chord; {meant}")


def _quality(suffix: str, small: bool) -> str | None:
    """The key of `QUALITIES` for what is written after a root; a small numeral has a minor third anyway."""
    if small and "m" + suffix in _SPELLINGS:
        return _SPELLINGS["m" + suffix]
    return _SPELLINGS.get(suffix)


def _root_hint(text: str) -> str:
    for guess in (text[:1].upper() + text[1:], "B" + text[1:] if text[:1] in "Hh" else ""):
        if guess and guess != text and _ROOT.match(guess):
            return f"did you mean {guess}?"
    return "a chord begins with a note from A to G or with a numeral from i to vii"


def parse_chord(text: str, tonic: int) -> Chord:
    """Reads one chord in the key of `tonic` (pitch class).

    Raises:
        ChordError: It is not a chord, or `N.C.`.
    """
    chord = parse_symbol(text).chord(tonic)
    if chord is None:
        raise ChordError(text, 0, f"{text!r} is no chord")
    return chord


Bars = tuple[tuple[Symbol, ...], ...]
"""A progression: the chords of each bar."""


def print_bars(bars: Bars) -> str:
    """Writes a progression so that `parse_progression` reads the same; empty for no bars."""
    text = " | ".join(" ".join(map(str, bar)) for bar in bars)
    return f"{text} |" if bars else ""


@lru_cache(maxsize=256)
def parse_progression(text: str) -> Bars:
    """Reads a progression; an empty text has no bars.

    Raises:
        ChordError: Something in it is not understood, or it has too many bars.
    """
    if len(text) > MAX_LENGTH:
        raise ChordError("", MAX_LENGTH, f"a progression may have {MAX_LENGTH} characters")
    return _Reader(text, one_each="|" not in text).read()


class _Reader:
    """Reads a progression from left to right.

    Attributes:
        one_each: Whether each chord has a bar of its own, since there are no bar lines.
        groups: The bars so far of each bracket that is open, the outermost first.
        opened: Where each open bracket is.
        bar: The bar that is being read.
    """

    def __init__(self, text: str, one_each: bool) -> None:
        self.text, self.one_each = text, one_each
        self.groups: list[list[tuple[Symbol, ...]]] = [[]]
        self.opened: list[int] = []
        self.bar: list[Symbol] = []
        self.last = 0  # how many bars `x2` repeats: those of a bracket, or one

    def read(self) -> Bars:
        at = 0
        while (match := _TOKEN.search(self.text, at)) is not None:
            at = self._take(match)
        if self.opened:
            raise ChordError("(", self.opened[-1], "this bracket is not closed")
        self._close_bar()
        return tuple(self.groups[0])

    def _take(self, match: re.Match[str]) -> int:
        """Takes one token; returns where the next may begin."""
        token, at = match[0], match.start()
        if token == "|":
            self._close_bar()
        elif token == "(":
            self._close_bar()
            self.groups.append([])
            self.opened.append(at)
        elif token == ")":
            self._close_group(at)
        elif token == "%":
            self._close_bar()
            self._repeat(1, 2, at, token)
        elif (times := _TIMES.match(token)) is not None:
            self._close_bar()
            if not 1 <= int(times[1]) <= MAX_BARS:
                raise ChordError(token, at, f"{times[0]} is no number of times: write x2 or more")
            self._repeat(max(1, self.last), int(times[1]), at, token)
            return at + len(times[0])
        else:
            return self._take_chord(token, at)
        return match.end()

    def _take_chord(self, token: str, at: int) -> int:
        open_brackets = 0
        for place, character in enumerate(token):
            open_brackets += (character == "(") - (character == ")")
            if open_brackets < 0:
                token = token[:place]  # this bracket closes a group, and is no part of the chord
                break
        try:
            symbol = parse_symbol(token)
        except ChordError as error:
            raise ChordError(error.text, at + error.at, str(error).rpartition(" (character")[0]) from None
        if len(self.bar) >= MAX_CHORDS_PER_BAR:
            raise ChordError(token, at, f"a bar may have {MAX_CHORDS_PER_BAR} chords")
        self.bar.append(symbol)
        if self.one_each:
            self._close_bar()
        return at + len(token)

    def _close_bar(self) -> None:
        if self.bar:
            self.groups[-1].append(tuple(self.bar))
            self.bar, self.last = [], 1

    def _close_group(self, at: int) -> None:
        self._close_bar()
        if not self.opened:
            raise ChordError(")", at, "this bracket is not opened")
        self.opened.pop()
        bars = self.groups.pop()
        self.groups[-1] += bars
        self.last = len(bars)
        self._check(at)

    def _repeat(self, count: int, times: int, at: int, token: str) -> None:
        """Plays the last `count` bars `times` times altogether."""
        bars = self.groups[-1]
        if not bars:
            raise ChordError(token, at, f"{token!r} repeats what is before it, and there is nothing")
        if len(bars) + count * (times - 1) > MAX_BARS:
            raise ChordError(token, at, f"this makes more than {MAX_BARS} bars")
        bars += bars[-count:] * (times - 1)
        self.last = 1

    def _check(self, at: int) -> None:
        if sum(map(len, self.groups)) > MAX_BARS:
            raise ChordError(")", at, f"this makes more than {MAX_BARS} bars")
