"""Bass lines: each follows the chords, most lock with the kick, and walking lines aim at the next root."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from riffcomposer.composer.theory import Chord, Note, at_or_above, nearest

Step = tuple[float, float, int]
"""Start in the bar and length, both in quarter notes, and pitch."""


@dataclass(frozen=True)
class _Bar:
    """What a style is given to write one bar.

    Attributes:
        beats: Quarter notes in the bar.
        chord: Its chord.
        following: The next bar's chord.
        low: Lowest pitch that a root may have.
        kicks: Where the kick drum falls, in quarter notes.
        rng: Where every draw comes from.
    """

    beats: float
    chord: Chord
    following: Chord
    low: int
    kicks: Sequence[float]
    rng: Random

    @property
    def root(self) -> int:
        return at_or_above(self.chord.root, self.low)

    @property
    def third(self) -> int:
        return self.root + self.chord.third

    @property
    def fifth(self) -> int:
        """The fifth above the root, or the one below where that is too high for a bass."""
        above = self.root + self.chord.fifth
        return above if above <= self.low + 14 else above - 12

    @property
    def target(self) -> int:
        """The root of the next bar."""
        return at_or_above(self.following.root, self.low)


def _root_fifth(bar: _Bar) -> list[Step]:
    half = bar.beats / 2
    pickup = [(bar.beats - 0.5, 0.4, bar.root)] if bar.rng.random() < 0.4 else []
    return [(0, half * 0.9, bar.root), (half, half * 0.7, bar.fifth), *pickup]


def _whole(bar: _Bar) -> list[Step]:
    return [(0, bar.beats * 0.97, bar.root)]


def _off_beat(bar: _Bar) -> list[Step]:
    root, rng = bar.root, bar.rng
    return [(beat + 0.5, 0.38, root if rng.random() < 0.85 else root + 12) for beat in range(int(bar.beats))]


def _acid(bar: _Bar) -> list[Step]:
    root, rng = bar.root, bar.rng
    pool = [root, root, root, root + 12, bar.third, root + bar.chord.fifth, root + 10]
    return [
        (place * 0.25, rng.choice([0.15, 0.22, 0.3]), rng.choice(pool))
        for place in range(int(bar.beats * 4))
        if rng.random() < 0.78
    ]


def _sixteenths(bar: _Bar) -> list[Step]:
    return [
        (place * 0.25, 0.2, bar.root + (12 if bar.rng.random() < 0.12 else 0))
        for place in range(int(bar.beats * 4))
        if place % 4
    ]


def _octaves(bar: _Bar) -> list[Step]:
    return [(place * 0.5, 0.42, bar.root + 12 * (place % 2)) for place in range(int(bar.beats * 2))]


def _eighths(bar: _Bar) -> list[Step]:
    line = [(place * 0.5, 0.44, bar.root) for place in range(int(bar.beats * 2))]
    if bar.rng.random() < 0.5:
        line[-1] = (bar.beats - 0.5, 0.44, bar.target + bar.rng.choice([-2, -1, 2]))
    return line


def _walking(bar: _Bar) -> list[Step]:
    """A quarter note on every beat; the last is a step away from the next root."""
    root, rng = bar.root, bar.rng
    scale_steps = [root, bar.third, root + bar.chord.fifth, root + 12, root + 2, root + 9, root + 10]
    line: list[Step] = [(0.0, 0.92, root)]
    pitch = root
    for beat in range(1, int(bar.beats) - 1):
        choices = [each for each in scale_steps if each != pitch and abs(each - pitch) <= 7]
        pitch = rng.choice(choices or scale_steps)
        line.append((float(beat), 0.92, pitch))
    goal = nearest(pitch, [bar.target, bar.target + 12])
    step = rng.choice([-1, 1, -1, 2, -2])
    line.append((bar.beats - 1.0, 0.92, goal + step if goal + step >= bar.low else goal - step))
    if rng.random() < 0.2:
        beat = rng.randrange(1, int(bar.beats))
        line.append((beat - 1 / 3, 0.3, line[beat - 1][2]))
    return line


def _slap(bar: _Bar) -> list[Step]:
    root, rng = bar.root, bar.rng
    line: list[Step] = [(at, 0.3, root) for at in bar.kicks if at < bar.beats - 0.3] or [(0, 0.4, root)]
    line += [
        (at, 0.16, root + 12)
        for at in (0.75, 1.75, 2.25, 2.75, 3.25)
        if at < bar.beats and rng.random() < 0.4
    ]
    if rng.random() < 0.5:
        line += [(bar.beats - 0.5, 0.2, root + 10), (bar.beats - 0.25, 0.2, bar.target - 1)]
    return line


def _dub(bar: _Bar) -> list[Step]:
    root, third, fifth = bar.root, bar.third, bar.fifth
    shapes: list[list[Step]] = [
        [(0.5, 0.4, root), (1, 0.4, root), (1.5, 0.9, fifth), (3, 0.9, root)],
        [(0, 0.7, root), (0.75, 0.7, third), (2, 0.4, fifth), (2.5, 0.9, root)],
        [(1, 0.45, root), (1.5, 0.45, root), (2, 0.9, third), (3, 0.45, fifth), (3.5, 0.4, root + 10)],
        [(0, 1.2, root), (1.5, 0.5, root), (2.5, 0.5, fifth), (3, 0.9, third)],
    ]
    return [step for step in bar.rng.choice(shapes) if step[0] < bar.beats]


def _reese(bar: _Bar) -> list[Step]:
    root = bar.root
    seventh_below = root - 2 if root - 2 >= bar.low - 3 else root
    answer = bar.rng.choice([root, root, bar.fifth, seventh_below])
    return [(0, bar.beats * 0.55, root), (bar.beats * 0.625, bar.beats * 0.35, answer)]


def _tumbao(bar: _Bar) -> list[Step]:
    if bar.rng.random() < 0.7:
        return [(1.5, 1.3, bar.fifth), (3.0, 0.9, bar.target)]
    return [(0, 1.4, bar.root), (1.5, 0.45, bar.fifth), (2, 1.4, bar.root), (3.5, 0.45, bar.fifth)]


def _bossa(bar: _Bar) -> list[Step]:
    return [(0, 1.4, bar.root), (1.5, 0.45, bar.fifth), (2, 1.4, bar.fifth), (3.5, 0.45, bar.target)]


def _locked(bar: _Bar) -> list[Step]:
    """A note on every kick, and now and then one that leads on."""
    line: list[Step] = [(at, 0.4, bar.root) for at in bar.kicks if at < bar.beats] or [(0, 0.9, bar.root)]
    if bar.rng.random() < 0.45:
        pitch = bar.rng.choice([bar.fifth, bar.target - 1, bar.root + 12])
        line.append((bar.beats - 0.5, 0.4, pitch))
    return line


def _sub(bar: _Bar) -> list[Step]:
    return [(at, 1.1, bar.root) for at in bar.kicks if at in (0, 2.5, 1.75)] or [(0, 1.8, bar.root)]


def _waltz(bar: _Bar) -> list[Step]:
    return [(0, bar.beats * 0.5, bar.root if bar.rng.random() < 0.65 else bar.fifth)]


def _arpeggio(bar: _Bar) -> list[Step]:
    root, fifth = bar.root, bar.root + bar.chord.fifth
    tones = [root, fifth, root + 12, bar.third + 12, root + 12, fifth]
    return [(place * 0.5, 0.45, tones[place % len(tones)]) for place in range(int(bar.beats * 2))]


STYLES: dict[str, Callable[[_Bar], list[Step]]] = {
    "root fifth": _root_fifth,
    "whole": _whole,
    "off-beat": _off_beat,
    "acid": _acid,
    "sixteenths": _sixteenths,
    "octaves": _octaves,
    "eighths": _eighths,
    "walking": _walking,
    "slap": _slap,
    "dub": _dub,
    "reese": _reese,
    "tumbao": _tumbao,
    "bossa": _bossa,
    "locked": _locked,
    "sub": _sub,
    "waltz": _waltz,
    "arpeggio": _arpeggio,
}


def play(
    style: str,
    chords: Sequence[Chord],
    bar_beats: float,
    low: int,
    rng: Random,
    kicks: Callable[[int], Sequence[float]] = lambda bar: (0.0, 2.0),
    high: int = 67,
) -> list[Note]:
    """Plays a bass line, one chord per bar.

    Args:
        style: A key of `STYLES`.
        chords: The chord of each bar.
        bar_beats: Quarter notes in a bar.
        low: Lowest pitch that a root may have.
        rng: Where every draw comes from.
        kicks: Where the kick drum falls in a bar, in quarter notes; some styles follow it.
        high: Notes above this sound an octave lower.

    Raises:
        ValueError: There is no such style.
    """
    if style not in STYLES:
        raise ValueError(f"{style!r} is not a bass style: choose one of {', '.join(STYLES)}")
    notes: list[Note] = []
    memory: dict[tuple[int, int], list[Step]] = {}
    repeats = style != "walking" and rng.random() < 0.75
    for number, chord in enumerate(chords):
        # A riff that comes back: bars at the same place of a two-bar phrase over the same root match.
        key = (number % 2, chord.root)
        if not repeats or key not in memory:
            following = chords[(number + 1) % len(chords)]
            memory[key] = STYLES[style](_Bar(bar_beats, chord, following, low, kicks(number), rng))
        for start, length, pitch in memory[key]:
            velocity = int(min(124, max(50, rng.gauss(104 if start == 0 else 96, 6))))
            if start < bar_beats:
                sounding = pitch - 12 if pitch > high else pitch
                notes.append(Note(number * bar_beats + start, min(length, bar_beats), sounding, velocity))
    return sorted(_monophonic(notes))


def _monophonic(notes: list[Note]) -> list[Note]:
    """Shortens notes that run into the next one; of two that start together the first stays."""
    ordered = sorted(notes)
    kept: list[Note] = []
    for note in ordered:
        if kept and note.start - kept[-1].start < 1e-6:
            continue
        if kept and kept[-1].start + kept[-1].length > note.start:
            kept[-1] = kept[-1]._replace(length=note.start - kept[-1].start)
        kept.append(note)
    return kept
