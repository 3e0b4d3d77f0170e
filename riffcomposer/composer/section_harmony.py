"""The chords of a whole section: a theme's progressions in phrases, varied each time, with cadences.

A theme has three progressions, A, B and C, of eight bars each (two phrases). A section goes through them in
the order A B A C. Phrases that come back are varied in the way of the style: by dominants of the chord that
follows, by chords that share two tones, by inversions that make the bass move. What the user wrote is played
as written.

A chord is written as a numeral throughout, so a theme is the same music in every key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from riffcomposer.composer.chord_names import Bars, Symbol, parse_symbol
from riffcomposer.composer.chord_variations import (
    NUMERALS,
    TURNS,
    VARIATIONS,
    Bar,
    changed,
    first_of,
    fourth,
    neighbour,
    numeral,
    root_of,
    third_away,
)
from riffcomposer.composer.solos import PLAIN_PROGRESSIONS
from riffcomposer.composer.style import Style
from riffcomposer.composer.theory import PITCH_NAMES, SCALES, Chord, Key

PHRASE_BARS = 4
_PERIOD_BARS = 2 * PHRASE_BARS
_ORDER = "ABAC"
_SHORTEST_CHORD_S, _LONGEST_CHORD_S, _LONG_BAR_S = 1.8, 10.0, 4.0
# Ways to somewhere else, for styles that stay on one or two chords.
_BRIDGES = {
    "minor": ("bVI bVII i v", "iv v bVI bVII", "bIII bVII iv i", "iv bIII bVI bVII"),
    "major": ("IV V iii vi", "vi IV ii V", "bVII IV ii V", "ii V iii vi"),
}


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


def progressions_for(style: Style, key: Key) -> tuple[str, ...]:
    """Progressions for a scale: the style's own for it or for the most similar scale with the same third."""
    if key.scale in style.progressions:
        return style.progressions[key.scale]
    steps = set(SCALES[key.scale])
    similar = [scale for scale in style.progressions if Key(0, scale).minor == key.minor]
    if similar:
        return style.progressions[max(similar, key=lambda scale: len(steps & set(SCALES[scale])))]
    return PLAIN_PROGRESSIONS["minor" if key.minor else "major"]


def _stretched(numerals: str, hold: int) -> tuple[Bar, ...]:
    """A style's progression as eight bars."""
    chords = [parse_symbol(text) for text in numerals.split()]
    if len(set(chords)) > 1 and hold * len(chords) > _PERIOD_BARS:
        hold = max(1, _PERIOD_BARS // len(chords))
    return tuple((chords[(bar // hold) % len(chords)],) for bar in range(_PERIOD_BARS))


@dataclass(frozen=True)
class Theme:
    """The progressions of a theme, as numerals.

    Attributes:
        periods: Letter to eight bars.
        flavour: How they are varied, a key of `VARIATIONS`.
    """

    periods: dict[str, tuple[Bar, ...]]
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
    roots = {root_of(parse_symbol(text)) for text in second.split()}
    if len(roots) <= 2:
        second = _dressed(rng.choice(_BRIDGES["minor" if key.minor else "major"]), first, flavour)
    periods = {"A": _stretched(first, hold), "B": _stretched(second, hold)}
    if len({root_of(bar[0]) for bar in periods["A"]}) == 1:
        periods["A"] = changed(periods["A"], (neighbour, third_away, fourth), key, 3, rng)
    periods["C"] = changed(periods["B"], (third_away, *VARIATIONS[flavour]), key, 3, rng)
    return Theme(periods, flavour)


def _dressed(numerals: str, model: str, flavour: str) -> str:
    """Plain chords with the colours of another progression."""
    qualities = [parse_symbol(text).quality for text in model.split()]
    if "5" in qualities:
        return " ".join(NUMERALS[root_of(parse_symbol(text))] + "5" for text in numerals.split())
    if all(quality in ("", "m") for quality in qualities):
        return numerals
    major = "9" if flavour == "blues" else "maj7"
    return " ".join(
        text + ("9" if text.islower() else "7" if text == "V" else major) for text in numerals.split()
    )


def _letter(period: int, variation: int) -> str:
    """Which progression a period of eight bars has; every second time the later ones change places."""
    return _ORDER[(period + 2 * (variation % 2 == 1 and period > 0)) % len(_ORDER)]


def theme_bars(
    theme: Theme, key: Key, bars: int, variation: int, after: Symbol, draws: Callable[[str], Random]
) -> Bars:
    """The progression of a section.

    Args:
        theme: Its progressions.
        key: Its key.
        bars: How many bars.
        variation: Which time the theme is heard; later times change more chords.
        after: The chord that the section leads to.
        draws: From a label to the generator of what is drawn for it.
    """
    result: list[Bar] = []
    periods = -(-bars // _PERIOD_BARS)
    for period in range(periods):
        letter = _letter(period, variation)
        rng = draws(f"harmony {variation} {period}")
        written = theme.periods[letter]
        plain = variation == 0 and letter == "A" and period == 0
        statement = written[:PHRASE_BARS]
        answer = changed(written[PHRASE_BARS:], VARIATIONS[theme.flavour], key, 2, rng)
        if not plain:
            changes = 1 + (period + variation) % 2
            statement = changed(statement, VARIATIONS[theme.flavour], key, changes, rng)
        following = theme.periods[_letter(period + 1, variation)][0][0] if period + 1 < periods else after
        turn = first_of(TURNS[theme.flavour], answer[-1], following, key, rng)
        result += [*statement, *answer[:-1], turn or answer[-1]]
    return tuple(result[:bars])


def cadence(flavour: str, key: Key, home: Symbol) -> tuple[Bar, Bar]:
    """The last two bars of a song: a cadence in the way of the style, and home."""
    dominant = {
        "jazz": (numeral(2, "ø7" if key.minor else "9", True), numeral(7, "7b9" if key.minor else "13")),
        "classical": (numeral(5, "", key.minor), numeral(7, "7")),
        "pop": (numeral(5, "", key.minor), numeral(10 if key.minor else 7, "")),
        "blues": (numeral(7, "7"), numeral(5, "7")),
        "modal": (numeral(10 if key.minor else 5, "5" if home.quality == "5" else ""),),
    }[flavour]
    return dominant, (home,)


def home_chord(style: Style, key: Key) -> Symbol:
    """The chord that a style comes home to."""
    for numerals in progressions_for(style, key):
        for text in numerals.split():
            symbol = parse_symbol(text)
            if root_of(symbol) == 0:
                return symbol
    return numeral(0, "", key.minor)


def written_bars(written: Bars, bars: int) -> Bars:
    """The user's progression, played again and again until the section ends."""
    return tuple(written[bar % len(written)] for bar in range(bars))


def name_of(symbol: Symbol, tonic: int) -> str:
    """The chord's name in a key."""
    chord, bass = symbol.chord(tonic), symbol.bass_class(tonic)
    if chord is None or bass is None:
        return "N.C."
    over = f"/{PITCH_NAMES[bass]}" if bass != chord.root else ""
    return PITCH_NAMES[chord.root] + symbol.quality + over
