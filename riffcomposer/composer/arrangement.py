"""Puts a piece for several players together: key, chords, parts, who plays when, and the timing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from riffcomposer.composer import bass, drums, harmony, melody
from riffcomposer.composer.bells import ring_changes
from riffcomposer.composer.chord_names import parse_chord
from riffcomposer.composer.grooves import BACKBEAT, DRUMS, TRIPLE_GROOVES
from riffcomposer.composer.instruments import INSTRUMENTS, Instrument
from riffcomposer.composer.part_entrances import only_active, schedule
from riffcomposer.composer.piece import Layout, Part, Piece
from riffcomposer.composer.style import Choice, Style
from riffcomposer.composer.theory import Chord, Note
from riffcomposer.composer.timing import TIGHT_MIXES, humanise

_THREE_FOUR_PATTERNS = ("pad", "chorale", "arp 8", "alberti", "waltz arp", "ripple", "arp 16", "arp triplet")
_CHORD_GAIN_DB = {"comp": (-5.0, -1.0), "second": (-8.0, -4.0), "pad": (-9.0, -5.0)}

Cast = Mapping[str, tuple[str, str]]
"""Role to (instrument or kit, pattern); an empty string leaves that to the style."""


@dataclass(frozen=True)
class _Draft:
    """A part before it is humanised and scheduled."""

    role: str
    player: Instrument | None
    kit: str
    notes: list[Note]
    gain_db: float
    pattern: str


def chord_plan(numerals: Sequence[str], tonic: int, layout: Layout, hold: int) -> list[Chord]:
    """The chord of each bar, each held for `hold` bars; the progression starts with the first phrase."""
    chords = [parse_chord(numeral, tonic) for numeral in numerals]
    return [chords[((bar - layout.lead_in_bars) // hold) % len(chords)] for bar in range(layout.bars)]


class Band:
    """The parts of one piece, drafted in an order in which each can listen to those before it.

    Attributes:
        chords: The chord of each bar.
        drafts: The parts so far.
        taken: Names of the instruments that already play.
    """

    def __init__(
        self, rng: Random, style: Style, layout: Layout, tonic: int, scale: str, numerals: Sequence[str]
    ) -> None:
        self.rng, self.style, self.layout, self.tonic, self.scale = rng, style, layout, tonic, scale
        # Phrases of one bar change chord with every bar: a chord held longer would fill whole phrases.
        hold = 1 if layout.phrase_bars == 1 else rng.choice(style.bars_per_chord)
        self.chords = chord_plan(numerals, tonic, layout, hold)
        self.taken: set[str] = set()
        self.drafts: list[_Draft] = []
        self._kicks: dict[int, list[float]] = {}

    def add_drums(self, kit: str, family: str, fills: bool) -> None:
        """Adds drums; the snare may lag behind, as some styles have it."""
        rng, layout = self.rng, self.layout
        if layout.bar_beats == 3:
            family = "waltz"
        elif family == "jig":
            family = "folk"
        crash = fills and (self.style.mix == "rock" or family == "orchestral")
        notes = drums.play(family, layout.bars, layout.bar_beats, rng, fills=fills, crash=crash)
        for note in notes:
            if note.pitch == DRUMS["kick"]:
                bar, at = divmod(note.start + 1e-6, layout.bar_beats)
                self._kicks.setdefault(int(bar), []).append(at - 1e-6)
        late = rng.uniform(*self.style.snare_late_ms) * layout.tempo / 60000
        notes = [note._replace(start=note.start + late) if note.pitch in BACKBEAT else note for note in notes]
        self.drafts.append(_Draft("drums", None, kit, notes, rng.uniform(-3.0, 1.0), family))

    def add_bass(self, player: Instrument, pattern: str) -> None:
        """Adds a bass line that follows the kick where its style does."""
        layout, rng = self.layout, self.rng
        if layout.bar_beats == 3 and pattern in ("walking", "root fifth", "octaves", "arpeggio"):
            pattern = "waltz"
        low = max(player.low, rng.choice([28, 31, 33])) if player.low < 40 else player.low
        default = [0.0, layout.bar_beats / 2]
        line = bass.play(
            pattern,
            self.chords,
            layout.bar_beats,
            low,
            rng,
            lambda bar: self._kicks.get(bar, default),
            player.high,
        )
        self.drafts.append(_Draft("bass", player, "", line, rng.uniform(-3.5, 0.5), pattern))

    def add_chords(self, role: str, player: Instrument, pattern: str) -> None:
        """Adds accompaniment; patterns that an instrument cannot play give way to ones it can."""
        layout, rng, style = self.layout, self.rng, self.style
        pattern = self._playable(pattern, player)
        if pattern == "changes":
            notes = ring_changes(rng, player, self.tonic, layout.beats)
        else:
            voices = 4 if role == "pad" else rng.choice(style.voices)
            music = harmony.Accompaniment(self.chords, layout.bar_beats, player, rng, voices, style.rootless)
            notes = harmony.play(pattern, music)
        # One draw for each role, so that the draws that follow are the same whichever role this is.
        gain_db = {name: rng.uniform(*bounds) for name, bounds in _CHORD_GAIN_DB.items()}
        self.drafts.append(_Draft(role, player, "", notes, gain_db[role], pattern))

    def _playable(self, pattern: str, player: Instrument) -> str:
        """A pattern that the meter and the player allow: the one asked for, or one in its place."""
        if self.layout.bar_beats == 3 and pattern not in _THREE_FOUR_PATTERNS:
            pattern = self.rng.choice(["oom pah", "waltz arp", "arp 8"])
        elif pattern == "waltz arp" and self.layout.bar_beats != 3:
            pattern = "arp 8"
        if pattern.startswith("power") and player.family != "guitar":
            pattern = "eighths"
        if player.family in ("strings", "brass", "choir") and player.sustained and pattern.startswith("arp"):
            pattern = self.rng.choice(["chorale", "staccato", "pad"])
        return pattern

    def add_lead(self, player: Instrument, cells: str) -> None:
        """Adds a melody in the style's taste."""
        rng, taste = self.rng, self.style.melody
        if self.layout.bar_beats == 3:
            cells = rng.choice(["three", "jig"])
        rigid = player.family in ("keys", "mallets", "bells", "organ")
        manner = melody.Manner(
            pentatonic=rng.random() < taste.pentatonic,
            ornaments=taste.ornaments,
            bends=0.0 if rigid else taste.bends,
            chromatic=taste.chromatic,
            leaps=taste.leaps,
        )
        scale = "blues" if taste.blues else self.scale
        notes = melody.play(cells, self.chords, self.tonic, scale, self.layout.bar_beats, player, rng, manner)
        self.drafts.append(_Draft("lead", player, "", notes, rng.uniform(-3.0, 1.5), cells))

    def pick(self, choice: Choice) -> Instrument | None:
        """Draws an instrument that no other part has, or None by the role's chance."""
        if not choice.instruments or self.rng.random() > choice.chance:
            return None
        names = [name for name in choice.instruments if name not in self.taken] or list(choice.instruments)
        name = self.rng.choice(names)
        self.taken.add(name)
        return INSTRUMENTS[name]

    def finish(self, presence: Mapping[str, tuple[bool, ...]]) -> list[Part]:
        """Humanises the drafts and silences them where their role does not play.

        Args:
            presence: For each role one flag for each phrase.
        """
        style, rng, layout = self.style, self.rng, self.layout
        swing = rng.uniform(*style.swing)
        tight = style.mix in TIGHT_MIXES
        parts = []
        for draft in self.drafts:
            rhythmic = draft.role in ("drums", "bass")
            straight = draft.role == "pad" or draft.pattern in TRIPLE_GROOVES
            spread = (0.5 if tight else 2.0) if rhythmic else (1.5 if tight else 5.0)
            late = rng.uniform(0, 6) if draft.role == "lead" else 0.0
            moved = humanise(
                draft.notes, rng, layout.tempo, late, spread, 0.0 if straight else swing, style.swing_unit
            )
            active = presence[draft.role]
            kept = only_active(moved, active, layout)
            parts.append(
                Part(draft.role, draft.player, draft.kit, kept, draft.gain_db, active, draft.pattern)
            )
        return parts


def _chord_choices(style: Style) -> tuple[tuple[str, Choice], ...]:
    """The roles that play chords, in the order in which they are drafted."""
    return ("comp", style.comp), ("second", style.second), ("pad", style.pad)


def compose_band(rng: Random, seed: str, layout: Layout, style: Style) -> Piece:
    """Composes a piece for several players: key, progression, cast and entries are drawn from the style.

    Args:
        rng: Where every draw comes from.
        seed: Names the piece; the synth's noise follows from it.
        layout: Tempo, meter and length.
        style: What is drawn from.
    """
    tonic, scale = rng.randrange(12), rng.choice(style.scales)
    band = Band(rng, style, layout, tonic, scale, rng.choice(style.progressions[scale]).split())
    if style.drums and rng.random() < style.drum_chance:
        band.add_drums(rng.choice(style.kits), rng.choice(style.drums), fills=True)
    if (player := band.pick(style.bass)) is not None:
        band.add_bass(player, rng.choice(style.bass.patterns))
        band.taken.clear()
    for role, choice in _chord_choices(style):
        if (player := band.pick(choice)) is not None:
            band.add_chords(role, player, rng.choice(choice.patterns))
    if (player := band.pick(style.lead)) is not None:
        band.add_lead(player, rng.choice(style.lead.patterns))
    if not band.drafts:
        player = INSTRUMENTS[rng.choice(style.comp.instruments)]
        band.add_chords("comp", player, rng.choice(style.comp.patterns))
    parts = band.finish(schedule(rng, [draft.role for draft in band.drafts], layout.phrases))
    if style.texture and rng.random() < (0.8 if "vinyl" in style.texture else 0.3):
        texture = rng.choice(style.texture)
        gain = rng.uniform(-30, -22) if texture == "vinyl" else rng.uniform(-22, -14)
        parts.append(Part("texture", None, texture, (), gain, (True,) * layout.phrases))
    return Piece(seed, style.name, layout, tonic, scale, tuple(parts), style.mix, style.loudness_db)


def compose_loop(
    rng: Random,
    seed: str,
    layout: Layout,
    style: Style,
    cast: Cast,
    *,
    tonic: int = 9,
    scale: str = "",
    progression: str = "",
) -> Piece:
    """Composes one phrase for a chosen cast and repeats it exactly, so that each repeat but the first loops.

    Args:
        rng: Where every draw comes from.
        seed: Names the piece; the synth's noise follows from it.
        layout: Its phrases are the repeats; it has no lead-in.
        style: Whose patterns and mix are used.
        cast: Who plays: roles `drums`, `bass`, `comp`, `second`, `pad`, `lead`.
        tonic, scale: The key; an empty scale takes the style's first.
        progression: Roman numerals, one per bar; an empty one takes one of the style's.

    Raises:
        ValueError: The layout has a lead-in.
    """
    if layout.lead_in_bars:
        raise ValueError("a loop has no lead-in: give a layout with lead_in_bars=0")
    once = replace(layout, phrases=1)
    scale = scale or style.scales[0]
    numerals = (progression or rng.choice(style.progressions[scale])).split()
    band = Band(rng, style, once, tonic, scale, numerals)
    _add_cast(band, cast)
    everyone = {draft.role: (True,) for draft in band.drafts}
    parts = [
        replace(
            part,
            notes=tuple(
                note._replace(start=note.start + turn * once.beats)
                for turn in range(layout.phrases)
                for note in part.notes
            ),
            active=(True,) * layout.phrases,
        )
        for part in band.finish(everyone)
    ]
    pitched = any(role != "drums" for role in cast)
    return Piece(seed, style.name, layout, tonic, scale if pitched else "", tuple(parts), style.mix)


def _add_cast(band: Band, cast: Cast) -> None:
    """Adds the players of a cast; what it leaves open is drawn from the style."""
    rng, style = band.rng, band.style
    if "drums" in cast:
        kit, family = cast["drums"]
        band.add_drums(kit or rng.choice(style.kits), family or rng.choice(style.drums), fills=False)
    if "bass" in cast:
        band.add_bass(*_player(rng, cast["bass"], style.bass))
    for role, choice in _chord_choices(style):
        if role in cast:
            band.add_chords(role, *_player(rng, cast[role], choice if choice.instruments else style.comp))
    if "lead" in cast:
        band.add_lead(*_player(rng, cast["lead"], style.lead))


def _player(rng: Random, wanted: tuple[str, str], choice: Choice) -> tuple[Instrument, str]:
    """The instrument and the pattern that are asked for; what is empty is drawn from the choice."""
    name, pattern = wanted
    player = INSTRUMENTS[name or rng.choice(choice.instruments)]
    return player, pattern or rng.choice(choice.patterns)
