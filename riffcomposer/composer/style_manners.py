"""How the players of a style behave over a whole section: who enters when, where chords go, how drums fill.

A `Style` says what is played in one bar; a `Manners` says how that develops.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Manners:
    """How a style develops.

    Attributes:
        entries: The roles in the order in which they enter as energy rises.
        harmony: How progressions are varied: `jazz`, `classical`, `pop`, `blues` or `modal`.
        fill: What drums fill with: `kit`, `swing`, `machine`, `hand`, `roll` or `chip`.
        pushes: How often a chord comes half a beat before its bar, 0 to 1.
        walks: How often the bass leads into the next chord, 0 to 1.
        chatter: How often the lead answers itself at the end of a phrase instead of resting, 0 to 1.
    """

    entries: tuple[str, ...]
    harmony: str
    fill: str = "kit"
    pushes: float = 0.0
    walks: float = 0.4
    chatter: float = 0.3


_BAND = ("comp", "bass", "drums", "lead", "pad", "second")
_CLUB = ("comp", "pad", "drums", "bass", "lead", "second")
_STILL = ("comp", "pad", "second", "bass", "lead", "drums")
_CHAMBER = ("comp", "lead", "bass", "second", "pad", "drums")

MANNERS: dict[str, Manners] = {
    "ambient": Manners(_STILL, "modal", "roll", walks=0.1),
    "house": Manners(_CLUB, "pop", "machine", pushes=0.25, walks=0.25),
    "techno": Manners(_CLUB, "modal", "machine", walks=0.15),
    "synthwave": Manners(("comp", "drums", "bass", "lead", "second", "pad"), "pop", "kit", walks=0.35),
    "drum and bass": Manners(_CLUB, "pop", "machine", walks=0.2),
    "chiptune": Manners(("comp", "bass", "lead", "drums", "second", "pad"), "pop", "chip", chatter=0.6),
    "lo-fi hip hop": Manners(("comp", "drums", "bass", "lead", "pad", "second"), "jazz", "kit", 0.2, 0.5),
    "hip hop": Manners(("comp", "drums", "bass", "lead", "pad", "second"), "modal", "machine", walks=0.2),
    "jazz": Manners(_BAND, "jazz", "swing", pushes=0.5, walks=1.0, chatter=0.5),
    "funk": Manners(("drums", "bass", "comp", "lead", "second", "pad"), "blues", "kit", 0.3, 0.6),
    "reggae": Manners(("bass", "drums", "comp", "second", "lead", "pad"), "pop", "kit", walks=0.3),
    "rock": Manners(("comp", "drums", "bass", "lead", "second", "pad"), "pop", "kit", pushes=0.3),
    "metal": Manners(("comp", "drums", "bass", "lead", "second", "pad"), "modal", "kit", walks=0.2),
    "blues": Manners(_BAND, "blues", "swing", walks=0.7, chatter=0.5),
    "latin": Manners(
        ("comp", "drums", "bass", "lead", "second", "pad"), "pop", "hand", pushes=0.4, walks=0.5
    ),
    "bossa nova": Manners(_BAND, "jazz", "kit", pushes=0.5, walks=0.5),
    "afrobeat": Manners(("drums", "comp", "bass", "lead", "second", "pad"), "pop", "hand", walks=0.4),
    "folk": Manners(_CHAMBER, "classical", "hand", walks=0.6),
    "orchestral": Manners(("comp", "bass", "second", "lead", "drums", "pad"), "classical", "roll", walks=0.5),
    "classical": Manners(_CHAMBER, "classical", "roll", walks=0.6),
    "church organ": Manners(_CHAMBER, "classical", "roll", walks=0.6),
    "bells": Manners(_CHAMBER, "modal", "roll", walks=0.1),
    "music box": Manners(_CHAMBER, "classical", "roll", walks=0.3),
    "world": Manners(("comp", "lead", "bass", "drums", "second", "pad"), "modal", "hand", walks=0.2),
}
"""Every style's manners, by the style's name."""

ENTRY_LEVELS = (0.0, 0.18, 0.32, 0.44, 0.58, 0.72)
"""The energy at which the first, second, ... role of a style's order enters."""

ASKED_LEVEL = 0.44
"""At this energy a role plays at the latest if the score asks for it."""
