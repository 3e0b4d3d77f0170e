"""Pieces with one part: an instrument alone, in the ways it is usually played, or drums alone."""

from __future__ import annotations

from random import Random

from riffcomposer.composer import bass, drums, harmony, melody
from riffcomposer.composer.arrangement import chord_plan
from riffcomposer.composer.grooves import GROOVES
from riffcomposer.composer.instruments import Instrument
from riffcomposer.composer.piece import Layout, Part, Piece
from riffcomposer.composer.theory import Chord, Note
from riffcomposer.composer.timing import humanise

DRUM_SOLOS = tuple(sorted(set(GROOVES) - {"waltz", "jig"}))
"""The families of grooves that drums play alone."""

PLAIN_PROGRESSIONS = {
    "major": ("I V vi IV", "I IV V I", "I vi IV V", "I I IV V", "Imaj7 vi7 ii7 V7"),
    "minor": ("i bVI bIII bVII", "i iv V i", "i bVII bVI V", "i9 iv9"),
    "dorian": ("i IV i IV", "i bVII IV i"),
    "mixolydian": ("I bVII IV I", "I I bVII IV"),
}
"""Progressions that belong to no style, by scale."""

GROOVE_KITS = {
    "house": ("909", "909", "electronic", "808"),
    "techno": ("909", "909", "808"),
    "trap": ("808",),
    "gated": ("gated", "electronic"),
    "swing": ("jazz", "brush", "acoustic"),
    "brushes": ("brush", "jazz"),
    "orchestral": ("orchestra",),
    "chip": ("chip",),
    "metal": ("power",),
    "boom bap": ("acoustic", "808", "room"),
    "breaks": ("acoustic", "909", "electronic"),
}

_MONOPHONIC_FAMILIES = ("bass", "brass", "reeds", "winds")
_MONOPHONIC = ("violin", "viola", "cello", "country fiddle", "gliding synth lead")
_BENDING_FAMILIES = ("strings", "reeds", "winds", "brass", "world", "guitar", "synth lead")


def _bass_line(rng: Random, player: Instrument) -> str:
    if player.name == "acid bass":
        return "acid"
    if player.name in ("reese bass", "sub bass"):
        return rng.choice(["reese", "whole", "root fifth", "octaves"])
    return rng.choice(
        [
            "root fifth",
            "walking",
            "octaves",
            "sixteenths",
            "dub",
            "slap",
            "eighths",
            "tumbao",
            "arpeggio",
            "locked",
        ]
    )


def _chord_pattern(rng: Random, player: Instrument) -> str:
    if player.family == "pad":
        return rng.choice(["pad", "pad", "half"])
    if player.family == "guitar" and player.sustained:
        return rng.choice(["power", "power eighths", "power mutes", "half", "arp 8"])
    if player.sustained:
        return rng.choice(["half", "whole", "quarters", "chorale", "arp 8", "staccato"])
    options = [
        "arp 8",
        "arp 16",
        "half",
        "quarters",
        "alberti",
        "ripple",
        "tresillo",
        "charleston",
        "arp triplet",
    ]
    if player.family == "guitar":
        options += ["travis", "travis", "strum", "strum", "boom chick"]
    return rng.choice(options)


def _melody_alone(
    rng: Random, layout: Layout, player: Instrument, chords: list[Chord], tonic: int, scale: str
) -> list[Note]:
    cells = rng.choice(["singing", "lively", "sparse", "reel", "syncopated", "hymn", "running"])
    manner = melody.Manner(
        pentatonic=rng.random() < 0.3,
        ornaments=0.15 if player.sustained else 0.0,
        bends=0.25 * rng.random() if player.family in _BENDING_FAMILIES else 0.0,
        leaps=rng.uniform(0.1, 0.4),
    )
    return melody.play(cells, chords, tonic, scale, layout.bar_beats, player, rng, manner)


def _player_alone(
    rng: Random, layout: Layout, player: Instrument, chords: list[Chord], tonic: int, scale: str
) -> tuple[str, list[Note]]:
    """What an instrument plays: a bass line, a melody, chords, or a melody over chords; and its notes."""
    if player.family == "bass":
        pattern, low = _bass_line(rng, player), player.low + rng.randrange(5)
        return pattern, bass.play(pattern, chords, layout.bar_beats, low, rng, high=player.high)
    if player.name == "drone":
        return "whole", bass.play("whole", chords, layout.bar_beats, 33, rng)
    polyphonic = player.family not in _MONOPHONIC_FAMILIES and player.name not in _MONOPHONIC
    how = rng.choices(["melody", "chords", "both"], [4, 3, 3] if polyphonic else [1, 0, 0])[0]
    if player.family == "pad" and how == "melody":
        how = "chords"
    pattern, notes = "melody", []
    if how != "melody":
        pattern = _chord_pattern(rng, player)
        notes = _chords_alone(rng, layout, player, chords, pattern)
    if how != "chords":
        notes += _melody_alone(rng, layout, player, chords, tonic, scale)
    return pattern, notes


def _chords_alone(
    rng: Random, layout: Layout, player: Instrument, chords: list[Chord], pattern: str
) -> list[Note]:
    voices = rng.choice([3, 3, 4])
    return harmony.play(pattern, harmony.Accompaniment(chords, layout.bar_beats, player, rng, voices))


def compose_solo(rng: Random, seed: str, layout: Layout, player: Instrument) -> Piece:
    """Composes a piece for one instrument; key, chords, manner and room are drawn.

    Args:
        rng: Where every draw comes from.
        seed: Names the piece; the synth's noise follows from it.
        layout: Tempo, meter and length.
        player: Who plays.
    """
    tonic = rng.randrange(12)
    scale = rng.choice(["major", "minor", "dorian", "mixolydian", "major", "minor"])
    chords = chord_plan(rng.choice(PLAIN_PROGRESSIONS[scale]).split(), tonic, layout, 1)
    pattern, notes = _player_alone(rng, layout, player, chords, tonic, scale)
    swing = rng.choice([0.0, 0.0, 0.0, 0.3])
    moved = humanise(notes, rng, layout.tempo, 0.0, rng.choice([2.0, 5.0, 8.0]), swing)
    part = Part("lead", player, "", moved, 0.0, (True,) * layout.phrases, pattern)
    rooms = ["dry", "dry", "room", "room", "plate", "hall", "cathedral"]
    mix = "none" if player.family == "chip" else rng.choice(rooms)
    return Piece(seed, "", layout, tonic, scale, (part,), mix)


def compose_drums(rng: Random, seed: str, layout: Layout, family: str) -> Piece:
    """Composes a piece for drums alone; kit and room are drawn.

    Args:
        rng: Where every draw comes from.
        seed: Names the piece; the synth's noise follows from it.
        layout: Tempo, meter and length.
        family: One of `DRUM_SOLOS`.
    """
    kit = rng.choice(GROOVE_KITS.get(family, ("acoustic", "room", "power", "acoustic", "electronic")))
    notes = drums.play(family, layout.bars, layout.bar_beats, rng, crash=rng.random() < 0.4)
    swing = rng.choice([0.0, 0.0, 0.15, 0.25]) if family not in ("swing", "brushes", "shuffle") else 0.0
    moved = humanise(notes, rng, layout.tempo, 0.0, 1.5, swing, 0.25)
    part = Part("drums", None, kit, moved, 0.0, (True,) * layout.phrases, family)
    mix = "none" if family == "chip" else rng.choice(["dry", "dry", "room", "plate", "lofi"])
    return Piece(seed, "", layout, 0, "", (part,), mix)
