"""Voices for the chords of a whole section: each voice moves as little as it can, and registers stay put.

Voicings are chosen phrase by phrase. The first of a phrase is the one nearest the middle of the register and
the others follow from it, so a changed chord changes the voicings of its own phrase only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from riffcomposer.composer.theory import Chord, at_or_above, voicings

Voicing = tuple[int, ...]
"""Pitches, rising."""


@dataclass(frozen=True)
class Register:
    """Where and how densely one player voices chords.

    Attributes:
        low, high: Lowest and highest pitch.
        voices: Most notes in a chord.
        rootless: Whether the root of chords of four and more notes is left to the bass.
        centre: Pitch around which the voicings stay.
    """

    low: int
    high: int
    voices: int
    rootless: bool
    centre: float


@lru_cache(maxsize=4096)
def _options(chord: Chord, register: Register) -> tuple[Voicing, ...]:
    found = voicings(chord, register.low, register.high, register.voices, register.rootless)
    if not found:
        classes = chord.pitch_classes[: register.voices]
        found = [tuple(sorted(at_or_above(each, register.low) for each in classes))]
    # Those far from the middle are never chosen; without them the search is three times as fast.
    return tuple(sorted(found, key=lambda voicing: _off_centre(voicing, register))[:14])


def _off_centre(voicing: Voicing, register: Register) -> float:
    return abs(sum(voicing) / len(voicing) - register.centre)


def _motion(before: Voicing, after: Voicing) -> float:
    """Semitones that the voices move; the top voice, which is heard best, counts twice."""
    if len(before) == len(after):
        return sum(map(abs, map(int.__sub__, after, before))) + abs(after[-1] - before[-1])
    near = sum(min(abs(pitch - other) for other in before) for pitch in after)
    return near + abs(after[-1] - before[-1]) + abs(after[0] - before[0])


@lru_cache(maxsize=8192)
def _follow(before: Voicing | None, basses: tuple[int, int], chord: Chord, register: Register) -> Voicing:
    """The best voicing after another one.

    Args:
        before: The voicing before, None at the start of a phrase.
        basses: Pitch classes of the bass before and now.
        chord: The chord.
        register: Of the player.
    """

    def cost(voicing: Voicing) -> tuple[float, Voicing]:
        pull = _off_centre(voicing, register)
        if before is None:
            return pull, voicing
        total = _motion(before, voicing) + 0.5 * pull
        if basses[0] != basses[1] and voicing[-1] != before[-1]:
            interval = (voicing[-1] - basses[1]) % 12
            if interval in (0, 7) and interval == (before[-1] - basses[0]) % 12:
                total += 6  # parallel octaves or fifths between bass and top voice
        if voicing == before:
            total += 1
        return total, voicing

    return min(_options(chord, register), key=cost)


def lead(
    chords: Sequence[Chord], basses: Sequence[int], starts: Sequence[bool], register: Register
) -> list[Voicing]:
    """Voices a progression.

    Args:
        chords: One after another.
        basses: The pitch class of each chord's lowest note.
        starts: For each chord, whether a phrase starts with it.
        register: Of the player.
    """
    result: list[Voicing] = []
    for place, (chord, bass) in enumerate(zip(chords, basses, strict=True)):
        first = starts[place] or not result
        before = None if first else result[-1]
        result.append(_follow(before, (bass if first else basses[place - 1], bass), chord, register))
    return result
