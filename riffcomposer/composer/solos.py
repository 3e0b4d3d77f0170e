"""Pieces with one part: every instrument alone, drums alone, and sounds of the world."""

from __future__ import annotations

from functools import cache
from random import Random

from riffcomposer.composer import bass, drums, harmony, melody
from riffcomposer.composer.arrangement import chord_plan, draw_layout, humanise
from riffcomposer.composer.grooves import GROOVES
from riffcomposer.composer.instruments import INSTRUMENTS, Instrument
from riffcomposer.composer.piece import Part, Piece
from riffcomposer.composer.styles import STYLES
from riffcomposer.composer.theory import Note

FOLEY = (
    "rain",
    "sea waves",
    "wind",
    "vinyl crackle",
    "typing",
    "crowd",
    "applause",
    "fire",
    "birds",
    "clock",
    "heartbeat",
    "train",
    "thunder",
    "footsteps",
    "water drops",
    "engine",
    "static noise",
    "siren",
    "crickets",
    "laser",
    "telephone",
    "stream",
)

_PROGRESSIONS = {
    "major": ("I V vi IV", "I IV V I", "I vi IV V", "I I IV V", "Imaj7 vi7 ii7 V7"),
    "minor": ("i bVI bIII bVII", "i iv V i", "i bVII bVI V", "i9 iv9"),
    "dorian": ("i IV i IV", "i bVII IV i"),
    "mixolydian": ("I bVII IV I", "I I bVII IV"),
}

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


def compose_solo(
    rng: Random, seed: str, index: int, windows: int, player: Instrument, tempo: float | None = None
) -> Piece:
    """One instrument alone, in the ways it is usually played."""
    layout = draw_layout(rng, windows, None, tempo)
    tonic = rng.randrange(12)
    scale = rng.choice(["major", "minor", "dorian", "mixolydian", "major", "minor"])
    chords = chord_plan(rng.choice(_PROGRESSIONS[scale]).split(), tonic, layout, 1)
    polyphonic = player.family not in _MONOPHONIC_FAMILIES and player.name not in _MONOPHONIC
    notes: list[Note] = []
    if player.family == "bass":
        pattern = _bass_line(rng, player)
        notes = bass.play(
            pattern, chords, layout.bar_beats, player.low + rng.randrange(5), rng, high=player.high
        )
    elif player.name == "drone":
        pattern = "whole"
        notes = bass.play(pattern, chords, layout.bar_beats, 33, rng)
    else:
        how = rng.choices(["melody", "chords", "both"], [4, 3, 3] if polyphonic else [1, 0, 0])[0]
        if player.family == "pad" and how == "melody":
            how = "chords"
        pattern = "melody"
        if how != "melody":
            pattern = _chord_pattern(rng, player)
            notes += harmony.play(pattern, chords, layout.bar_beats, player, rng, rng.choice([3, 3, 4]))
        if how != "chords":
            bending = player.family in _BENDING_FAMILIES
            notes += melody.play(
                rng.choice(["singing", "lively", "sparse", "reel", "syncopated", "hymn", "running"]),
                chords,
                tonic,
                scale,
                layout.bar_beats,
                player,
                rng,
                pentatonic=rng.random() < 0.3,
                ornaments=0.15 if player.sustained else 0.0,
                bends=0.25 * rng.random() if bending else 0.0,
                leaps=rng.uniform(0.1, 0.4),
            )
    swing = rng.choice([0.0, 0.0, 0.0, 0.3])
    moved = humanise(notes, rng, layout.tempo, 0.0, rng.choice([2.0, 5.0, 8.0]), swing)
    part = Part("lead", player, "", moved, 0.0, (True,) * windows, pattern)
    rooms = ["dry", "dry", "room", "room", "plate", "hall", "cathedral"]
    mix = "none" if player.family == "chip" else rng.choice(rooms)
    return Piece(seed, index, "solo", "", layout, tonic, scale, (part,), mix)


def compose_drums(rng: Random, seed: str, index: int, windows: int, tempo: float | None = None) -> Piece:
    """Drums alone."""
    family = rng.choice(sorted(set(GROOVES) - {"waltz", "jig"}))
    if tempo is None and family in ("breaks", "metal", "swing", "son") and rng.random() < 0.6:
        tempo = 187.5
    layout = draw_layout(rng, windows, None, tempo)
    kit = rng.choice(GROOVE_KITS.get(family, ("acoustic", "room", "power", "acoustic", "electronic")))
    notes = drums.play(family, layout.bars, layout.bar_beats, rng, crash=rng.random() < 0.4)
    swing = rng.choice([0.0, 0.0, 0.15, 0.25]) if family not in ("swing", "brushes", "shuffle") else 0.0
    moved = humanise(notes, rng, layout.tempo, 0.0, 1.5, swing, 0.25)
    part = Part("drums", None, kit, moved, 0.0, (True,) * windows, family)
    mix = "none" if family == "chip" else rng.choice(["dry", "dry", "room", "plate", "lofi"])
    return Piece(seed, index, "drums", "", layout, 0, "", (part,), mix)


def compose_foley(rng: Random, seed: str, index: int, windows: int, name: str = "") -> Piece:
    """A sound of the world, alone."""
    layout = draw_layout(rng, windows, None, 93.75)
    part = Part("foley", None, name or rng.choice(FOLEY), (), 0.0, (True,) * windows)
    return Piece(seed, index, "foley", "", layout, 0, "", (part,), rng.choice(["none", "room"]), -6.0)


# What people ask for most.
_WANTED = (
    "piano",
    "acoustic guitar",
    "violin",
    "flute",
    "trumpet",
    "alto saxophone",
    "cello",
    "distorted guitar",
    "electric piano",
    "church organ",
    "tubular bells",
    "harp",
    "banjo",
    "accordion",
    "choir",
    "sitar",
    "clarinet",
    "strings",
    "upright bass",
    "harmonica",
    "bagpipes",
    "synth pluck",
    "supersaw",
    "8-bit pulse",
    "french horn",
    "nylon guitar",
    "xylophone",
    "marimba",
    "steel drums",
    "oboe",
)


@cache
def _solo_weights() -> dict[str, float]:
    """How often each instrument plays alone: the more, the less it is heard in bands.

    A word is learnt from some hundreds of clips, whichever pieces they come from.
    """
    heard = dict.fromkeys(sorted(INSTRUMENTS), 0.0)
    for style in STYLES.values():
        for choice in (style.bass, style.comp, style.second, style.pad, style.lead):
            for name in choice.instruments:
                heard[name] += choice.chance / len(choice.instruments) / len(STYLES)
    return {name: (3.0 if name in _WANTED else 1.0) / (0.012 + share) for name, share in heard.items()}


def draw_player(rng: Random) -> Instrument:
    """Draws an instrument for a solo, so that all are heard about as often in the end."""
    weights = _solo_weights()
    return INSTRUMENTS[rng.choices(list(weights), list(weights.values()))[0]]
