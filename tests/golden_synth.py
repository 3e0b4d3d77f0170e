"""Golden outputs of the synth: fixed pieces, and every program, kit, drum machine and voice."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from fingerprints import Fingerprint, figures, fingerprint

from riffcomposer.composer.instruments import INSTRUMENTS
from riffcomposer.composer.piece import Layout, Part, Piece
from riffcomposer.composer.theory import Note
from riffcomposer.synth.drum_machines import KITS
from riffcomposer.synth.piece_audio import loudness_db, render_piece, render_stems
from riffcomposer.synth.soundfont_choice import SHIPPED
from riffcomposer.synth.soundfont_player import KIT_PROGRAMS, SoundFontPlayer

LAYOUT = Layout(120.0, 4.0, 1, 1, 1)
_DRUMS = (36, 42, 38, 46, 36, 42, 45, 49)


def _line(pitch: int, step: float = 0.5, bend: float = 0.0) -> tuple[Note, ...]:
    """Seven rising notes of rising strength; every third one is bent."""
    return tuple(
        Note(
            4 + step * number,
            0.9 * step,
            pitch + 2 * number,
            50 + 9 * number,
            bend if number % 3 == 2 else 0.0,
        )
        for number in range(7)
    )


def _drums() -> tuple[Note, ...]:
    return tuple(
        Note(4 + float(Fraction(number, 2)), 0.1, drum, 60 + 6 * number) for number, drum in enumerate(_DRUMS)
    )


def _part(role: str, name: str, pitch: int, bend: float = 0.0) -> Part:
    return Part(role, INSTRUMENTS[name], "", _line(pitch, bend=bend), 0.0, (True, True))


def _piece(mix: str, *parts: Part) -> Piece:
    return Piece(f"golden {mix}", "", LAYOUT, 9, "minor", parts, mix)


def pieces() -> dict[str, Piece]:
    """Name to piece: each effect on the mix, and sampled beside synthesised parts."""

    def kit(name: str) -> Part:
        return Part("drums", None, name, _drums(), 0.0, (True, True))

    return {
        "band": _piece(
            "room",
            kit("acoustic"),
            _part("bass", "electric bass", 33),
            _part("comp", "piano", 52),
            _part("lead", "alto saxophone", 64, bend=-1.5),
        ),
        "rock": _piece(
            "rock", kit("power"), _part("comp", "distorted guitar", 45), _part("bass", "picked bass", 33)
        ),
        "tape": _piece(
            "lofi",
            kit("808"),
            _part("comp", "electric piano", 52),
            Part("texture", None, "vinyl", (), -26.0, (True, True)),
        ),
        "strings": _piece("hall", _part("pad", "strings", 55), _part("second", "harp", 60)),
        "machines": _piece("pump", kit("909"), _part("bass", "saw bass", 33), _part("lead", "saw lead", 64)),
    }


def layer() -> np.ndarray:
    """The bent line of the band by itself, at its level in the band."""
    player = SoundFontPlayer([SHIPPED])
    return render_piece(pieces()["band"], duration_s=LAYOUT.duration_s, roles=("lead",), player=player)


def compute(_folder: Path) -> dict[str, Fingerprint]:
    """Case to fingerprint."""
    player = SoundFontPlayer([SHIPPED])
    duration_s = LAYOUT.duration_s
    found = {}
    for name, piece in pieces().items():
        stereo = render_piece(piece, duration_s=duration_s, stereo=True, player=player)
        found[f"piece {name}"] = fingerprint(stereo)
    whole = pieces()["band"]
    found["layer of band"] = fingerprint(layer())
    stems = render_stems(whole, duration_s, player)
    found["loudness of stems"] = figures(**{role: loudness_db(stem[0]) for role, stem in stems.items()})
    voices = [
        _piece("none", Part("lead", each, "", _line(48), 0.0, (True,)))
        for each in INSTRUMENTS.values()
        if each.voice
    ]
    kits = [
        _piece("none", Part("drums", None, kit, _drums(), 0.0, (True,))) for kit in (*KITS, *KIT_PROGRAMS)
    ]
    for name, group in (("voices", voices), ("kits", kits)):
        mono = [render_piece(piece, duration_s=duration_s, player=player) for piece in group]
        found[f"all {name}"] = fingerprint(np.concatenate(mono))
    programs = [player.render(program, _line(57), 0.25, 66150) for program in range(128)]
    found["all programs"] = fingerprint(np.concatenate(programs))
    return found
