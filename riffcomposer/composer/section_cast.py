"""Who plays in a section: a style's players, what a score asks for, and the order in which they enter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from riffcomposer.composer.instruments import INSTRUMENTS, Instrument
from riffcomposer.composer.section_score import Score, Wish
from riffcomposer.composer.style import Choice, Style
from riffcomposer.composer.style_manners import ASKED_LEVEL, ENTRY_LEVELS, MANNERS
from riffcomposer.composer.styles import STYLES

# What a role that a style does not have plays when a score asks for it.
_SPARE = {
    "bass": Choice(("electric bass",), ("root fifth",)),
    "lead": Choice(("piano",), ("singing",)),
    "comp": Choice(("piano",), ("half",)),
    "second": Choice(("electric piano",), ("half",)),
    "pad": Choice(("warm pad",), ("pad",)),
}
_SPARE_GROOVE = "folk"
_USUAL = 0.35
"""From this chance on a player of the style belongs to every song's cast; energy decides when it is heard."""

_DRAWN = ("drums", "bass", "comp", "lead", "second", "pad")


@dataclass(frozen=True)
class Player:
    """Who plays a role, and what.

    Attributes:
        role: One of `score.ROLES`.
        instrument: None for drums and texture.
        kit: The drum kit or the texture; empty for the others.
        pattern: What is played.
        level: The energy at which the role enters.
    """

    role: str
    instrument: Instrument | None
    kit: str
    pattern: str
    level: float = 0.0


def draw_style(score: Score) -> Style:
    """The style of a score; one is drawn from the seed where it names none."""
    return STYLES[score.style or Random(f"{score.seed} style").choice(list(STYLES))]


def draw_cast(score: Score, style: Style) -> tuple[Player, ...]:
    """Who plays in a song, in the order in which they enter; the texture last.

    The same for all sections of a song that share style, seed and wishes.
    """
    asked = {wish.role: wish for wish in score.parts}
    found: list[Player] = []
    taken = {wish.sound for wish in score.parts}
    for role in _DRAWN:
        wish = asked.get(role)
        if wish is not None and wish.silent:
            continue
        rng = Random(f"{score.seed} {style.name} cast {role}")
        player = _drummer(wish, style, rng) if role == "drums" else _player(role, wish, style, rng, taken)
        if player is not None:
            found.append(player)
    if not found and not any(wish.silent for wish in score.parts):
        found = [_chosen("comp", Wish("comp"), style.comp, Random(score.seed), set())]
    order = MANNERS[style.name].entries
    found.sort(key=lambda player: order.index(player.role))
    placed = []
    for place, player in enumerate(found):
        level = ENTRY_LEVELS[place]
        placed.append(replace(player, level=min(level, ASKED_LEVEL) if player.role in asked else level))
    return (*placed, *_texture(asked.get("texture"), style, score.seed))


def _joins(chance: float, rng: Random) -> bool:
    return rng.random() < chance or chance >= _USUAL


def _drummer(wish: Wish | None, style: Style, rng: Random) -> Player | None:
    drawn = bool(style.drums) and _joins(style.drum_chance, rng)
    kit, family = rng.choice(style.kits), rng.choice(style.drums or (_SPARE_GROOVE,))
    if wish is None and not drawn:
        return None
    wish = wish or Wish("drums")
    return Player("drums", None, wish.sound or kit, wish.pattern or family)


def _player(role: str, wish: Wish | None, style: Style, rng: Random, taken: set[str]) -> Player | None:
    choice: Choice = getattr(style, role)
    drawn = bool(choice.instruments) and _joins(choice.chance, rng)
    if wish is None and not drawn:
        return None
    choice = choice if choice.instruments else _SPARE[role]
    return _chosen(role, wish or Wish(role), choice, rng, taken)


def _chosen(role: str, wish: Wish, choice: Choice, rng: Random, taken: set[str]) -> Player:
    """Draws instrument and pattern, an instrument that nobody else plays if there is one."""
    free = [name for name in choice.instruments if name not in taken] or list(choice.instruments)
    name, pattern = rng.choice(free), rng.choice(choice.patterns)
    if role != "bass":
        taken.add(wish.sound or name)
    return Player(role, INSTRUMENTS[wish.sound or name], "", wish.pattern or pattern)


def _texture(wish: Wish | None, style: Style, seed: int) -> tuple[Player, ...]:
    """Record noise where the style has it, or what is asked for."""
    if wish is not None:
        kinds = style.texture or ("air",)
        return () if wish.silent else (Player("texture", None, wish.sound or kinds[0], ""),)
    rng = Random(f"{seed} {style.name} texture")
    plays = "vinyl" in style.texture and rng.random() < 0.8
    return (Player("texture", None, "vinyl", ""),) if plays else ()
