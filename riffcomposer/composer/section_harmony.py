"""The chords of a whole section: a theme's progressions in phrases, varied each time, with cadences.

A theme has three progressions, A, B and C, of eight bars each (two phrases). A section goes through them in
the order A B A C. Phrases that come back are varied in the way of the style: by dominants of the chord that
follows, by chords that share two tones, by inversions that make the bass move. What the user wrote is played
as written.

A chord is written as a numeral throughout, so a theme is the same music in every key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from riffcomposer.composer.chord_names import Bars, Symbol, parse_progression, parse_symbol
from riffcomposer.composer.solos import PLAIN_PROGRESSIONS
from riffcomposer.composer.style import Style
from riffcomposer.composer.theory import PITCH_NAMES, SCALES, Chord

PHRASE_BARS = 4
_PERIOD_BARS = 2 * PHRASE_BARS
_NUMERALS = ("I", "bII", "II", "bIII", "III", "IV", "#IV", "V", "bVI", "VI", "bVII", "VII")
_ORDER = "ABAC"
_SHORTEST_CHORD_S, _LONGEST_CHORD_S, _LONG_BAR_S = 1.8, 10.0, 4.0
# Ways to somewhere else, for styles that stay on one or two chords.
_BRIDGES = {
    "minor": ("bVI bVII i v", "iv v bVI bVII", "bIII bVII iv i", "iv bIII bVI bVII"),
    "major": ("IV V iii vi", "vi IV ii V", "bVII IV ii V", "ii V iii vi"),
}

_Bar = tuple[Symbol, ...]


@dataclass(frozen=True)
class Span:
    """A chord while it sounds.

    Attributes:
        start, end: In quarter notes from the section's start.
        chord: None where there is none.
        bass: Pitch class of the lowest note.
        name: As it is written, `Am9` or `C/E`.
    """

    start: float
    end: float
    chord: Chord | None
    bass: int
    name: str


@dataclass(frozen=True)
class Key:
    """A key.

    Attributes:
        tonic: Pitch class.
        scale: A key of `SCALES`.
    """

    tonic: int
    scale: str

    @property
    def minor(self) -> bool:
        """Whether its third is minor."""
        return 3 in SCALES[self.scale] and 4 not in SCALES[self.scale]

    @property
    def name(self) -> str:
        """`A minor`."""
        return f"{PITCH_NAMES[self.tonic]} {self.scale}"


def progressions_for(style: Style, key: Key) -> tuple[str, ...]:
    """Progressions for a scale: the style's own for it or for the most similar scale with the same third."""
    if key.scale in style.progressions:
        return style.progressions[key.scale]
    steps = set(SCALES[key.scale])
    similar = [scale for scale in style.progressions if Key(0, scale).minor == key.minor]
    if similar:
        return style.progressions[max(similar, key=lambda scale: len(steps & set(SCALES[scale])))]
    return PLAIN_PROGRESSIONS["minor" if key.minor else "major"]


def _root(symbol: Symbol) -> int:
    chord = symbol.chord(0)
    return chord.root if chord else 0


def _is_minor(symbol: Symbol) -> bool:
    chord = symbol.chord(0)
    return chord is not None and 3 in chord.intervals


def _numeral(root: int, quality: str, minor: bool = False) -> Symbol:
    name = _NUMERALS[root % 12]
    return parse_symbol((name.lower() if minor else name) + quality)


def _stretched(numerals: str, hold: int) -> tuple[_Bar, ...]:
    """A style's progression as eight bars."""
    chords = [parse_symbol(numeral) for numeral in numerals.split()]
    if len(set(chords)) > 1 and hold * len(chords) > _PERIOD_BARS:
        hold = max(1, _PERIOD_BARS // len(chords))
    return tuple((chords[(bar // hold) % len(chords)],) for bar in range(_PERIOD_BARS))


# Variations. Each takes a bar, the chord that follows it and the key's scale, and gives the bar in another
# way, or None where it does not apply.
_Variation = Callable[[_Bar, Symbol, Key, Random], "_Bar | None"]


def _dominant(bar: _Bar, following: Symbol, key: Key, rng: Random) -> _Bar | None:
    """The dominant of the chord that follows, in the second half of the bar."""
    if len(bar) > 1 or _root(following) == _root(bar[0]):
        return None
    root = (_root(following) + 7) % 12
    return None if root == _root(bar[0]) else (bar[0], _numeral(root, "7"))


def _dark_dominant(bar: _Bar, following: Symbol, key: Key, rng: Random) -> _Bar | None:
    """A dominant with colour, or the one a tritone away from it."""
    if len(bar) > 1 or _root(following) == _root(bar[0]):
        return None
    if rng.random() < 0.35:
        return bar[0], _numeral(_root(following) + 1, "9")
    return bar[0], _numeral(_root(following) + 7, "7b9" if _is_minor(following) else "13")


def _two_five(bar: _Bar, following: Symbol, key: Key, rng: Random) -> _Bar | None:
    """The second and the fifth degree of the chord that follows."""
    if len(bar) > 1 or _root(following) == _root(bar[0]):
        return None
    root = _root(following)
    if _is_minor(following):
        return _numeral(root + 2, "ø7", minor=True), _numeral(root + 7, "7b9")
    return _numeral(root + 2, "9", minor=True), _numeral(root + 7, "13")


def _third_away(bar: _Bar, following: Symbol, key: Key, rng: Random) -> _Bar | None:
    """A chord of the scale a third away from the bar's first, in its place; most share two tones with it."""
    symbol, chord = bar[0], bar[0].chord(0)
    if chord is None or symbol.quality in ("sus2", "sus4"):
        return None
    steps = set(SCALES[key.scale])
    if symbol.quality == "5":
        near = [(chord.root + step, False) for step in (3, 4, 8, 9)]
    elif _is_minor(symbol):
        near = [(chord.root + 3, False), (chord.root + 8, False)]
    else:
        near = [(chord.root + 9, True), (chord.root + 4, True)]
    fitting = [
        (root, small)
        for root, small in near
        if {(root + step) % 12 for step in _triad(small, symbol.quality)} <= steps
        and root % 12 != _root(following)
    ]
    if not fitting:
        return None
    root, small = rng.choice(fitting)
    quality = "5" if symbol.quality == "5" else ""
    if len(chord.intervals) > 3:
        quality = "7" if small else "maj7"
    return _numeral(root, quality, small), *bar[1:]


def _triad(small: bool, quality: str) -> tuple[int, ...]:
    if quality == "5":
        return 0, 7
    return (0, 3, 7) if small else (0, 4, 7)


def _inversion(bar: _Bar, following: Symbol, key: Key, rng: Random) -> _Bar | None:
    """The bar's chord over its third in the second half, so that the bass moves by steps."""
    chord = bar[0].chord(0)
    if len(bar) > 1 or chord is None or bar[0].bass or not {3, 4} & set(chord.intervals):
        return None
    third = (chord.root + chord.third) % 12
    if (_root(following) - third) % 12 not in (1, 2, 10, 11):
        return None
    return bar[0], replace(bar[0], bass=_NUMERALS[third])


def _suspended(bar: _Bar, following: Symbol, key: Key, rng: Random) -> _Bar | None:
    """A fourth that resolves to the third within the bar."""
    if len(bar) > 1 or bar[0].quality not in ("", "7", "9", "5"):
        return None
    return replace(bar[0], quality="7sus4" if bar[0].quality in ("7", "9") else "sus4"), bar[0]


def _borrowed(bar: _Bar, following: Symbol, key: Key, rng: Random) -> _Bar | None:
    """The minor fourth degree, or the flat seventh in minor, in the second half of the bar."""
    if len(bar) > 1 or not bar[0].root:
        return None
    if key.minor:
        return (bar[0], _numeral(10, "")) if _root(bar[0]) not in (10,) else None
    return (bar[0], _numeral(5, "", minor=True)) if _root(bar[0]) == 5 else None


def _neighbour(bar: _Bar, following: Symbol, key: Key, rng: Random) -> _Bar | None:
    """A neighbouring chord of the scale over the same bass note, in the second half of the bar."""
    if len(bar) > 1 or not bar[0].root:
        return None
    root, quality = _root(bar[0]), "5" if bar[0].quality == "5" else ""
    steps = set(SCALES[key.scale])
    roots = [root + step for step in (2, 10, 5, 1) if (root + step) % 12 in steps]
    if not roots:
        return None
    other = rng.choice(roots[:2])
    minor = (other + 4) % 12 not in steps and (other + 3) % 12 in steps and not quality
    return bar[0], replace(_numeral(other, quality, minor), bass=_NUMERALS[root])


def _coloured(bar: _Bar, following: Symbol, key: Key, rng: Random) -> _Bar | None:
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
    changed = tuple(
        replace(each, quality=rng.choice(richer.get(each.quality, (each.quality,)))) for each in bar
    )
    return changed if changed != bar else None


def _fourth(bar: _Bar, following: Symbol, key: Key, rng: Random) -> _Bar | None:
    """The fourth degree of the bar's chord in its second half, with the same seventh: blues and funk."""
    if len(bar) > 1 or not bar[0].root or bar[0].quality not in ("7", "9", "13", "m7", "m9"):
        return None
    return bar[0], _numeral(_root(bar[0]) + 5, "9")


_VARIATIONS: dict[str, tuple[_Variation, ...]] = {
    "jazz": (_two_five, _dark_dominant, _third_away, _coloured, _two_five),
    "classical": (_dominant, _inversion, _third_away, _suspended, _inversion),
    "pop": (_inversion, _third_away, _suspended, _borrowed, _third_away),
    "blues": (_fourth, _dominant, _coloured, _fourth),
    "modal": (_neighbour, _coloured, _third_away, _neighbour),
}
_TURNS: dict[str, tuple[_Variation, ...]] = {
    "jazz": (_two_five, _dark_dominant),
    "classical": (_dominant, _suspended),
    "pop": (_borrowed, _suspended, _inversion),
    "blues": (_dominant,),
    "modal": (_neighbour,),
}
"""What the last bar of a period does before the next begins."""


def _first(
    variations: Sequence[_Variation], bar: _Bar, following: Symbol, key: Key, rng: Random
) -> _Bar | None:
    """The first of the variations, in a drawn order, that applies."""
    for vary in rng.sample(variations, len(variations)):
        found = vary(bar, following, key, rng)
        if found is not None and found != bar:
            return found
    return None


@dataclass(frozen=True)
class Theme:
    """The progressions of a theme, as numerals.

    Attributes:
        periods: Letter to eight bars.
        flavour: How they are varied, a key of `_VARIATIONS`.
    """

    periods: dict[str, tuple[_Bar, ...]]
    flavour: str


def draw_theme(style: Style, flavour: str, key: Key, bar_s: float, rng: Random) -> Theme:
    """Draws the progressions of a theme.

    A is one of the style's; one that never leaves its chord does so in some bars. B is another of them, or
    one that leads elsewhere where the style's stay on one or two chords. C is B with other chords on its way.

    Args:
        style: Whose progressions are drawn from.
        flavour: How its chords are varied.
        key: The key.
        bar_s: Seconds in a bar; short bars hold a chord longer, long ones less long.
        rng: Where every draw comes from.
    """
    known = progressions_for(style, key)
    first = rng.choice(known)
    second = rng.choice([each for each in known if each != first] or [first])
    hold = rng.choice(style.bars_per_chord)
    if len(first.split()) <= 2 and bar_s < _LONG_BAR_S:
        hold = max(hold, 2)  # two chords in turn come round in four bars, not in two
    while hold * bar_s < _SHORTEST_CHORD_S:
        hold *= 2
    while hold > 1 and hold * bar_s > _LONGEST_CHORD_S:
        hold //= 2
    roots = {_root(parse_symbol(numeral)) for numeral in second.split()}
    if len(roots) <= 2:
        second = _dressed(rng.choice(_BRIDGES["minor" if key.minor else "major"]), first, flavour)
    periods = {"A": _stretched(first, hold), "B": _stretched(second, hold)}
    if len({_root(bar[0]) for bar in periods["A"]}) == 1:
        periods["A"] = _changed(periods["A"], (_neighbour, _third_away, _fourth), key, 3, rng)
    periods["C"] = _changed(periods["B"], (_third_away, *_VARIATIONS[flavour]), key, 3, rng)
    return Theme(periods, flavour)


def _dressed(numerals: str, model: str, flavour: str) -> str:
    """Plain chords with the colours of another progression."""
    qualities = [parse_symbol(numeral).quality for numeral in model.split()]
    if "5" in qualities:
        return " ".join(_NUMERALS[_root(parse_symbol(numeral))] + "5" for numeral in numerals.split())
    if all(quality in ("", "m") for quality in qualities):
        return numerals
    major = "9" if flavour == "blues" else "maj7"
    return " ".join(
        numeral + ("9" if numeral.islower() else "7" if numeral == "V" else major)
        for numeral in numerals.split()
    )


def _changed(
    bars: Sequence[_Bar], variations: Sequence[_Variation], key: Key, count: int, rng: Random
) -> tuple[_Bar, ...]:
    """Bars of which up to `count` are varied, never the first."""
    result = list(bars)
    for place in rng.sample(range(1, len(bars)), len(bars) - 1):
        if count <= 0:
            break
        following = bars[(place + 1) % len(bars)][0]
        found = _first(variations, result[place], following, key, rng)
        if found is not None:
            result[place], count = found, count - 1
    return tuple(result)


def theme_bars(theme: Theme, key: Key, bars: int, variation: int, draws: Callable[[str], Random]) -> Bars:
    """The progression of a section.

    Args:
        theme: Its progressions.
        key: Its key.
        bars: How many bars.
        variation: Which time the theme is heard; later times change more chords.
        draws: From a label to the generator of what is drawn for it.
    """
    result: list[_Bar] = []
    for period in range(-(-bars // _PERIOD_BARS)):
        letter = _ORDER[(period + 2 * (variation % 2 == 1 and period > 0)) % len(_ORDER)]
        rng = draws(f"harmony {variation} {period}")
        written = theme.periods[letter]
        plain = variation == 0 and letter == "A" and period == 0
        statement = written[:PHRASE_BARS]
        answer = _changed(written[PHRASE_BARS:], _VARIATIONS[theme.flavour], key, 2, rng)
        if not plain:
            changes = 1 + (period + variation) % 2
            statement = _changed(statement, _VARIATIONS[theme.flavour], key, changes, rng)
        following = theme.periods[_ORDER[(period + 1) % len(_ORDER)]][0][0]
        turn = _first(_TURNS[theme.flavour], answer[-1], following, key, rng)
        result += [*statement, *answer[:-1], turn or answer[-1]]
    return tuple(result[:bars])


def cadence(flavour: str, key: Key, home: Symbol) -> tuple[_Bar, _Bar]:
    """The last two bars of a song: a cadence in the way of the style, and home."""
    dominant = {
        "jazz": (_numeral(2, "ø7" if key.minor else "9", True), _numeral(7, "7b9" if key.minor else "13")),
        "classical": (_numeral(5, "", key.minor), _numeral(7, "7")),
        "pop": (_numeral(5, "", key.minor), _numeral(10 if key.minor else 7, "")),
        "blues": (_numeral(7, "7"), _numeral(5, "7")),
        "modal": (_numeral(10 if key.minor else 5, "5" if home.quality == "5" else ""),),
    }[flavour]
    return dominant, (home,)


def home_chord(style: Style, key: Key) -> Symbol:
    """The chord that a style comes home to."""
    for numerals in progressions_for(style, key):
        for text in numerals.split():
            symbol = parse_symbol(text)
            if _root(symbol) == 0:
                return symbol
    return _numeral(0, "", key.minor)


def written_bars(text: str, bars: int) -> Bars:
    """The user's progression, played again and again until the section ends."""
    written = parse_progression(text)
    return tuple(written[bar % len(written)] for bar in range(bars))


def name_of(symbol: Symbol, tonic: int) -> str:
    """The chord's name in a key."""
    chord, bass = symbol.chord(tonic), symbol.bass_class(tonic)
    if chord is None or bass is None:
        return "N.C."
    over = f"/{PITCH_NAMES[bass]}" if bass != chord.root else ""
    return PITCH_NAMES[chord.root] + symbol.quality + over
