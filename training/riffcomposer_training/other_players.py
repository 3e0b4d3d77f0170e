"""The same music with other players: pairs of clips that differ in sound and in nothing else.

A repaint starts from one sound and has to end in another, with the notes kept. Two renders of one composition
with different instruments, drum kit and effects are an example of exactly that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from riffcomposer.composer.instruments import INSTRUMENTS, Instrument
from riffcomposer.composer.piece import Part, Piece
from riffcomposer.composer.solos import GROOVE_KITS
from riffcomposer.composer.style import Style
from riffcomposer.composer.styles import STYLES
from riffcomposer_training.collection import CollectionPiece

_PITCHED = ("bass", "comp", "second", "pad", "lead")
_SPARE = {
    "bass": ("electric bass", "upright bass", "synth bass"),
    "comp": ("piano", "electric piano", "acoustic guitar", "clean electric guitar"),
    "second": ("electric piano", "strings", "acoustic guitar"),
    "pad": ("warm pad", "strings", "choir"),
    "lead": ("piano", "flute", "violin", "trumpet"),
}
"""Who plays a role that the other style does not have."""


def with_other_players(collected: CollectionPiece, rng: Random) -> CollectionPiece | None:
    """A piece with the same notes, played by others.

    A score or a band is played by the players, on the drums and through the effects of another style, whose
    name it takes; a solo by another instrument, drums alone by another kit.

    Args:
        collected: The piece.
        rng: Source of all random values.

    Returns:
        The piece with another seed and the same clips; None for everyday sounds, which have no notes.
    """
    piece = collected.piece
    if collected.kind == "foley":
        return None
    seed = f"{piece.seed} other"
    if collected.kind == "solo":
        parts = tuple(_other_soloist(part, rng) for part in piece.parts)
        played = replace(piece, seed=seed, parts=parts)
    elif collected.kind == "drums":
        kits = sorted({kit for kits in GROOVE_KITS.values() for kit in kits})
        parts = tuple(_on_another_kit(part, kits, rng) for part in piece.parts)
        played = replace(piece, seed=seed, parts=parts)
    else:
        style = STYLES[rng.choice([name for name in sorted(STYLES) if name != piece.style])]
        played = _in_style(piece, seed, style, rng)
    return replace(collected, piece=played)


def _in_style(piece: Piece, seed: str, style: Style, rng: Random) -> Piece:
    taken: set[str] = set()
    parts: list[Part] = []
    for part in piece.parts:
        if part.role == "texture":
            continue
        if part.role == "drums":
            parts.append(_on_another_kit(part, style.kits, rng))
        elif part.role in _PITCHED:
            names = getattr(style, part.role).instruments or _SPARE[part.role]
            players = [INSTRUMENTS[name] for name in names]
            free = [each for each in players if each.name not in taken] or players
            player = _closest(part, free, rng)
            taken.add(player.name)
            parts.append(replace(part, instrument=player))
    if style.texture:
        textures = [part for part in piece.parts if part.role == "texture"]
        parts += [replace(part, kit=rng.choice(style.texture)) for part in textures]
    return replace(
        piece, seed=seed, style=style.name, parts=tuple(parts), mix=style.mix, loudness_db=style.loudness_db
    )


def _other_soloist(part: Part, rng: Random) -> Part:
    if part.instrument is None:
        return part
    others = [
        each for each in INSTRUMENTS.values() if each.family != "effect" and each.name != part.instrument.name
    ]
    return replace(part, instrument=_closest(part, others, rng))


def _closest(part: Part, players: Sequence[Instrument], rng: Random) -> Instrument:
    """Draws one of the players whose range holds the most of a part's notes."""

    def outside(player: Instrument) -> int:
        return sum(not player.low <= note.pitch <= player.high for note in part.notes)

    fewest = min(outside(player) for player in players)
    slack = len(part.notes) // 10
    return rng.choice([player for player in players if outside(player) <= fewest + slack])


def _on_another_kit(part: Part, kits: Sequence[str], rng: Random) -> Part:
    if part.role != "drums":
        return part
    return replace(part, kit=rng.choice([kit for kit in kits if kit != part.kit] or list(kits)))
