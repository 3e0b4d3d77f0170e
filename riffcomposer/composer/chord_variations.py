"""Other ways to play the bars of a progression: dominants, substitutes, inversions, suspensions.

A bar is the chords that share it, as numerals. Each variation keeps what the bar means in its phrase.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from riffcomposer.composer.chord_names import Symbol, parse_symbol
from riffcomposer.composer.theory import SCALES, Key

Bar = tuple[Symbol, ...]
"""The chords that share a bar."""

NUMERALS = ("I", "bII", "II", "bIII", "III", "IV", "#IV", "V", "bVI", "VI", "bVII", "VII")
"""The major numeral of each semitone above the tonic."""


def root_of(symbol: Symbol) -> int:
    chord = symbol.chord(0)
    return chord.root if chord else 0


def is_minor(symbol: Symbol) -> bool:
    chord = symbol.chord(0)
    return chord is not None and 3 in chord.intervals


def numeral(root: int, quality: str, minor: bool = False) -> Symbol:
    name = NUMERALS[root % 12]
    return parse_symbol((name.lower() if minor else name) + quality)


# Variations. Each takes a bar, the chord that follows it and the key's scale, and gives the bar in another
# way, or None where it does not apply.
_Variation = Callable[[Bar, Symbol, Key, Random], "Bar | None"]


def _dominant(bar: Bar, following: Symbol, _key: Key, _rng: Random) -> Bar | None:
    """The dominant of the chord that follows, in the second half of the bar."""
    if len(bar) > 1 or root_of(following) == root_of(bar[0]):
        return None
    root = (root_of(following) + 7) % 12
    return None if root == root_of(bar[0]) else (bar[0], numeral(root, "7"))


def _dark_dominant(bar: Bar, following: Symbol, _key: Key, rng: Random) -> Bar | None:
    """A dominant with colour, or the one a tritone away from it."""
    if len(bar) > 1 or root_of(following) == root_of(bar[0]):
        return None
    if rng.random() < 0.35:
        return bar[0], numeral(root_of(following) + 1, "9")
    return bar[0], numeral(root_of(following) + 7, "7b9" if is_minor(following) else "13")


def _two_five(bar: Bar, following: Symbol, _key: Key, _rng: Random) -> Bar | None:
    """The second and the fifth degree of the chord that follows."""
    if len(bar) > 1 or root_of(following) == root_of(bar[0]):
        return None
    root = root_of(following)
    if is_minor(following):
        return numeral(root + 2, "ø7", minor=True), numeral(root + 7, "7b9")
    return numeral(root + 2, "9", minor=True), numeral(root + 7, "13")


def third_away(bar: Bar, following: Symbol, key: Key, rng: Random) -> Bar | None:
    """A chord of the scale a third away from the bar's first, in its place; most share two tones with it."""
    symbol, chord = bar[0], bar[0].chord(0)
    if chord is None or symbol.quality in ("sus2", "sus4"):
        return None
    steps = set(SCALES[key.scale])
    if symbol.quality == "5":
        near = [(chord.root + step, False) for step in (3, 4, 8, 9)]
    elif is_minor(symbol):
        near = [(chord.root + 3, False), (chord.root + 8, False)]
    else:
        near = [(chord.root + 9, True), (chord.root + 4, True)]
    fitting = [
        (root, small)
        for root, small in near
        if {(root + step) % 12 for step in _triad(small, symbol.quality)} <= steps
        and root % 12 != root_of(following)
    ]
    if not fitting:
        return None
    root, small = rng.choice(fitting)
    quality = "5" if symbol.quality == "5" else ""
    if len(chord.intervals) > 3:
        quality = "7" if small else "maj7"
    return numeral(root, quality, small), *bar[1:]


def _triad(small: bool, quality: str) -> tuple[int, ...]:
    if quality == "5":
        return 0, 7
    return (0, 3, 7) if small else (0, 4, 7)


def _inversion(bar: Bar, following: Symbol, _key: Key, _rng: Random) -> Bar | None:
    """The bar's chord over its third in the second half, so that the bass moves by steps."""
    chord = bar[0].chord(0)
    if len(bar) > 1 or chord is None or bar[0].bass or not {3, 4} & set(chord.intervals):
        return None
    third = (chord.root + chord.third) % 12
    if (root_of(following) - third) % 12 not in (1, 2, 10, 11):
        return None
    return bar[0], replace(bar[0], bass=NUMERALS[third])


def _suspended(bar: Bar, _following: Symbol, _key: Key, _rng: Random) -> Bar | None:
    """A fourth that resolves to the third within the bar."""
    if len(bar) > 1 or bar[0].quality not in ("", "7", "9", "5"):
        return None
    return replace(bar[0], quality="7sus4" if bar[0].quality in ("7", "9") else "sus4"), bar[0]


def _borrowed(bar: Bar, _following: Symbol, key: Key, _rng: Random) -> Bar | None:
    """The minor fourth degree, or the flat seventh in minor, in the second half of the bar."""
    if len(bar) > 1 or not bar[0].root:
        return None
    if key.minor:
        return (bar[0], numeral(10, "")) if root_of(bar[0]) not in (10,) else None
    return (bar[0], numeral(5, "", minor=True)) if root_of(bar[0]) == 5 else None


def neighbour(bar: Bar, _following: Symbol, key: Key, rng: Random) -> Bar | None:
    """A neighbouring chord of the scale over the same bass note, in the second half of the bar."""
    if len(bar) > 1 or not bar[0].root:
        return None
    root, quality = root_of(bar[0]), "5" if bar[0].quality == "5" else ""
    steps = set(SCALES[key.scale])
    roots = [root + step for step in (2, 10, 5, 1) if (root + step) % 12 in steps]
    if not roots:
        return None
    other = rng.choice(roots[:2])
    minor = (other + 4) % 12 not in steps and (other + 3) % 12 in steps and not quality
    return bar[0], replace(numeral(other, quality, minor), bass=NUMERALS[root])


def _coloured(bar: Bar, _following: Symbol, _key: Key, rng: Random) -> Bar | None:
    """Richer chords on the same roots."""
    richer = {
        "": ("add9", "6"),
        "m": ("m7", "madd9"),
        "7": ("9", "13"),
        "m7": ("m9", "m11"),
        "maj7": ("maj9", "6/9"),
        "9": ("13",),
        "m9": ("m11", "m7"),
        "maj9": ("6/9", "maj7"),
        "5": ("sus2",),
        "add9": ("maj7",),
        "sus2": ("sus4",),
        "13": ("9",),
    }
    richly = tuple(
        replace(each, quality=rng.choice(richer.get(each.quality, (each.quality,)))) for each in bar
    )
    return richly if richly != bar else None


def fourth(bar: Bar, _following: Symbol, _key: Key, _rng: Random) -> Bar | None:
    """The fourth degree of the bar's chord in its second half, with the same seventh: blues and funk."""
    if len(bar) > 1 or not bar[0].root or bar[0].quality not in ("7", "9", "13", "m7", "m9"):
        return None
    return bar[0], numeral(root_of(bar[0]) + 5, "9")


VARIATIONS: dict[str, tuple[_Variation, ...]] = {
    "jazz": (_two_five, _dark_dominant, third_away, _coloured, _two_five),
    "classical": (_dominant, _inversion, third_away, _suspended, _inversion),
    "pop": (_inversion, third_away, _suspended, _borrowed, third_away),
    "blues": (fourth, _dominant, _coloured, fourth),
    "modal": (neighbour, _coloured, third_away, neighbour),
}
TURNS: dict[str, tuple[_Variation, ...]] = {
    "jazz": (_two_five, _dark_dominant),
    "classical": (_dominant, _suspended),
    "pop": (_borrowed, _suspended, _inversion),
    "blues": (_dominant,),
    "modal": (neighbour,),
}
"""What the last bar of a period does before the next begins."""


def first_of(
    variations: Sequence[_Variation], bar: Bar, following: Symbol, key: Key, rng: Random
) -> Bar | None:
    """The first of the variations, in a drawn order, that applies."""
    for vary in rng.sample(variations, len(variations)):
        found = vary(bar, following, key, rng)
        if found is not None and found != bar:
            return found
    return None


def changed(
    bars: Sequence[Bar], variations: Sequence[_Variation], key: Key, count: int, rng: Random
) -> tuple[Bar, ...]:
    """Bars of which up to `count` are varied, never the first."""
    result = list(bars)
    for place in rng.sample(range(1, len(bars)), len(bars) - 1):
        if count <= 0:
            break
        following = bars[(place + 1) % len(bars)][0]
        found = first_of(variations, result[place], following, key, rng)
        if found is not None:
            result[place], count = found, count - 1
    return tuple(result)
