"""Bass lines: each follows the chords, most lock with the kick, and walking lines aim at the next root."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from riffcomposer.composer.theory import Chord, Note, at_or_above, nearest


def _line(
    bar_beats: float,
    chord: Chord,
    following: Chord,
    low: int,
    style: str,
    rng: Random,
    kicks: Sequence[float],
) -> list[tuple[float, float, int]]:
    """One bar of a style as (start, length, pitch)."""
    root = at_or_above(chord.root, low)
    fifth = root + chord.fifth if root + chord.fifth <= low + 14 else root + chord.fifth - 12
    target = at_or_above(following.root, low)
    if style == "root fifth":
        half = bar_beats / 2
        return [(0, half * 0.9, root), (half, half * 0.7, fifth)] + (
            [(bar_beats - 0.5, 0.4, root)] if rng.random() < 0.4 else []
        )
    if style == "whole":
        return [(0, bar_beats * 0.97, root)]
    if style == "off-beat":
        return [
            (beat + 0.5, 0.38, root if rng.random() < 0.85 else root + 12) for beat in range(int(bar_beats))
        ]
    if style == "acid":
        pool = [root, root, root, root + 12, root + chord.third, root + chord.fifth, root + 10]
        return [
            (place * 0.25, rng.choice([0.15, 0.22, 0.3]), rng.choice(pool))
            for place in range(int(bar_beats * 4))
            if rng.random() < 0.78
        ]
    if style == "sixteenths":
        return [
            (i * 0.25, 0.2, root + (12 if rng.random() < 0.12 else 0))
            for i in range(int(bar_beats * 4))
            if i % 4
        ]
    if style == "octaves":
        return [(i * 0.5, 0.42, root + 12 * (i % 2)) for i in range(int(bar_beats * 2))]
    if style == "eighths":
        line = [(i * 0.5, 0.44, root) for i in range(int(bar_beats * 2))]
        if rng.random() < 0.5:
            line[-1] = (bar_beats - 0.5, 0.44, target + rng.choice([-2, -1, 2]))
        return line
    if style == "walking":
        scale_steps = [root, root + chord.third, root + chord.fifth, root + 12, root + 2, root + 9, root + 10]
        line = [(0.0, 0.92, root)]
        pitch = root
        for beat in range(1, int(bar_beats) - 1):
            choices = [each for each in scale_steps if each != pitch and abs(each - pitch) <= 7]
            pitch = rng.choice(choices or scale_steps)
            line.append((float(beat), 0.92, pitch))
        goal = nearest(pitch, [target, target + 12])
        line.append((bar_beats - 1.0, 0.92, goal + rng.choice([-1, 1, -1, 2, -2])))
        if rng.random() < 0.2:
            beat = rng.randrange(1, int(bar_beats))
            line.append((beat - 1 / 3, 0.3, line[beat - 1][2]))
        return line
    if style == "slap":
        line = [(at, 0.3, root) for at in kicks if at < bar_beats - 0.3] or [(0, 0.4, root)]
        for at in (0.75, 1.75, 2.25, 2.75, 3.25):
            if at < bar_beats and rng.random() < 0.4:
                line.append((at, 0.16, root + 12))
        if rng.random() < 0.5:
            line += [(bar_beats - 0.5, 0.2, root + 10), (bar_beats - 0.25, 0.2, target - 1)]
        return line
    if style == "dub":
        shapes = [
            [(0.5, 0.4, root), (1, 0.4, root), (1.5, 0.9, fifth), (3, 0.9, root)],
            [(0, 0.7, root), (0.75, 0.7, root + chord.third), (2, 0.4, fifth), (2.5, 0.9, root)],
            [
                (1, 0.45, root),
                (1.5, 0.45, root),
                (2, 0.9, root + chord.third),
                (3, 0.45, fifth),
                (3.5, 0.4, root + 10),
            ],
            [(0, 1.2, root), (1.5, 0.5, root), (2.5, 0.5, fifth), (3, 0.9, root + chord.third)],
        ]
        return [note for note in rng.choice(shapes) if note[0] < bar_beats]
    if style == "reese":
        return [
            (0, bar_beats * 0.55, root),
            (
                bar_beats * 0.625,
                bar_beats * 0.35,
                rng.choice([root, root, fifth, root + 10 - 12 if root + 10 - 12 >= low - 3 else root]),
            ),
        ]
    if style == "tumbao":
        return (
            [(1.5, 1.3, fifth), (3.0, 0.9, target)]
            if rng.random() < 0.7
            else [(0, 1.4, root), (1.5, 0.45, fifth), (2, 1.4, root), (3.5, 0.45, fifth)]
        )
    if style == "bossa":
        return [(0, 1.4, root), (1.5, 0.45, fifth), (2, 1.4, fifth), (3.5, 0.45, target)]
    if style == "locked":
        line = [(at, 0.4, root) for at in kicks if at < bar_beats] or [(0, 0.9, root)]
        if rng.random() < 0.45:
            line.append((bar_beats - 0.5, 0.4, rng.choice([fifth, target - 1, root + 12])))
        return line
    if style == "sub":
        line = [(at, 1.1, root) for at in kicks if at in (0, 2.5, 1.75)] or [(0, 1.8, root)]
        return line
    if style == "waltz":
        return [(0, bar_beats * 0.5, root if rng.random() < 0.65 else fifth)]
    if style == "arpeggio":
        tones = [root, root + chord.fifth, root + 12, root + 12 + chord.third, root + 12, root + chord.fifth]
        return [(i * 0.5, 0.45, tones[i % len(tones)]) for i in range(int(bar_beats * 2))]
    raise ValueError(f"{style!r} is not a bass style")


STYLES = (
    "root fifth", "whole", "off-beat", "acid", "sixteenths", "octaves", "eighths", "walking", "slap", "dub",
    "reese", "tumbao", "bossa", "locked", "sub", "waltz", "arpeggio",
)  # fmt: skip


def play(
    style: str,
    chords: Sequence[Chord],
    bar_beats: float,
    low: int,
    rng: Random,
    kicks: Callable[[int], Sequence[float]] = lambda bar: (0.0, 2.0),
    high: int = 67,
) -> list[Note]:
    """Plays a bass line, one chord a bar.

    Args:
        style: One of `STYLES`.
        chords: The chord of each bar.
        bar_beats: Quarter notes in a bar.
        low: Lowest pitch that a root may have.
        rng: Where every draw comes from.
        kicks: Where the kick drum falls in a bar, in quarter notes; some styles follow it.
        high: Notes above this sound an octave lower.
    """
    notes: list[Note] = []
    memory: dict[tuple[int, int], list[tuple[float, float, int]]] = {}
    repeats = style not in ("walking",) and rng.random() < 0.75
    for bar, chord in enumerate(chords):
        following = chords[(bar + 1) % len(chords)]
        # A riff that comes back: bars at the same place of a two-bar phrase over the same root match.
        key = (bar % 2, chord.root)
        if not repeats or key not in memory:
            memory[key] = _line(bar_beats, chord, following, low, style, rng, kicks(bar))
        for start, length, pitch in memory[key]:
            velocity = int(min(124, max(50, rng.gauss(104 if start == 0 else 96, 6))))
            if pitch > high:
                pitch -= 12
            if start < bar_beats:
                notes.append(Note(bar * bar_beats + start, min(length, bar_beats), pitch, velocity))
    return sorted(_monophonic(notes))


def _monophonic(notes: list[Note]) -> list[Note]:
    """Shortens notes that run into the next one; of two on one place the first stays."""
    ordered = sorted(notes)
    kept: list[Note] = []
    for note in ordered:
        if kept and note.start - kept[-1].start < 1e-6:
            continue
        if kept and kept[-1].start + kept[-1].length > note.start:
            kept[-1] = kept[-1]._replace(length=note.start - kept[-1].start)
        kept.append(note)
    return kept
