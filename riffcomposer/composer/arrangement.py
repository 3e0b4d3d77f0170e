"""Puts a band's piece together: key, chords and parts, who enters and leaves when, the feel of the timing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from riffcomposer.composer import bass, drums, harmony, melody
from riffcomposer.composer.grooves import DRUMS
from riffcomposer.composer.instruments import INSTRUMENTS, Instrument
from riffcomposer.composer.piece import WINDOW_S, Layout, Part, Piece
from riffcomposer.composer.style import Choice, Style
from riffcomposer.composer.theory import Chord, Note, parse_chord

GRID_SHARE = 0.85
GRID_TEMPI = (46.875, 93.75, 140.625, 187.5)
"""Tempi at which 5.12 s is a whole number of bars (140.625 in bars of three)."""

_TRIPLE_GROOVES = ("swing", "brushes", "shuffle", "jig")
_THREE_FOUR_PATTERNS = ("pad", "chorale", "arp 8", "alberti", "waltz arp", "ripple", "arp 16", "arp triplet")

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


def draw_layout(rng: Random, windows: int, style: Style | None, tempo: float | None) -> Layout:
    """Draws tempo and meter: mostly on the grid on which 5.12 s is a whole number of bars."""
    if tempo is None:
        if rng.random() < GRID_SHARE:
            tempo = rng.choice(style.grid) if style else 93.75
        else:
            low, high = style.tempo if style else (65.0, 150.0)
            tempo = float(round(rng.uniform(low, high)))
    bar_beats = rng.choice(style.meters) if style else 4.0
    if tempo in GRID_TEMPI:
        bar_beats = 3.0 if tempo == 140.625 else 4.0
    bar_s = bar_beats * 60 / tempo
    return Layout(tempo, bar_beats, max(1, math.ceil(1.9 / bar_s)), max(1, round(WINDOW_S / bar_s)), windows)


def chord_plan(numerals: Sequence[str], tonic: int, layout: Layout, hold: int) -> list[Chord]:
    """The chord of each bar, each held for `hold` bars; the progression starts with the first window."""
    chords = [parse_chord(numeral, tonic) for numeral in numerals]
    return [chords[((bar - layout.lead_in_bars) // hold) % len(chords)] for bar in range(layout.bars)]


def humanise(
    notes: Sequence[Note],
    rng: Random,
    tempo: float,
    late_ms: float = 0.0,
    spread_ms: float = 2.0,
    swing: float = 0.0,
    unit: float = 0.5,
) -> tuple[Note, ...]:
    """Swings off-beats and moves every note by a few milliseconds.

    Args:
        notes: In any order.
        rng: Where every draw comes from.
        tempo: BPM.
        late_ms: How late all notes come.
        spread_ms: Standard deviation around that.
        swing: By what share of `unit` every second unit comes late (a third makes triplets).
        unit: The swung note value, in quarter notes.
    """
    beat_ms = 60000 / tempo
    moved = []
    for note in notes:
        start = note.start
        place = round(start / unit)
        if swing and place % 2 == 1 and abs(start / unit - place) < 0.02:
            start += swing * unit
        start += (late_ms + rng.gauss(0, spread_ms)) / beat_ms
        moved.append(note._replace(start=max(0.0, start)))
    return tuple(sorted(moved))


def schedule(rng: Random, roles: Sequence[str], windows: int) -> dict[str, tuple[bool, ...]]:
    """Draws who plays in which window: everyone, a build-up, a breakdown, turns, or one alone."""
    plan = {role: [True] * windows for role in roles}
    shape = rng.choices(["all", "build", "breakdown", "turns", "alone"], [30, 25, 15, 20, 10])[0]
    if len(plan) > 1 and windows > 1 and shape != "all":
        order = list(plan)
        rng.shuffle(order)
        if shape == "build":
            for place, role in enumerate(order[1:], 1):
                entry = min(windows - 1, (place * windows) // len(order))
                plan[role][:entry] = [False] * entry
        elif shape == "breakdown":
            middle = rng.randrange(windows)
            for role in order[: max(1, len(order) // 2)]:
                plan[role][middle] = False
        elif shape == "turns":
            for window in range(windows):
                plan[order[window % len(order)]][window] = False
        else:
            window = rng.randrange(windows)
            for role in order[1:]:
                plan[role][window] = False
    return {role: tuple(flags) for role, flags in plan.items()}


def only_active(notes: Sequence[Note], active: Sequence[bool], layout: Layout) -> tuple[Note, ...]:
    """Drops the notes that start in windows where the part is silent; the lead-in goes with the first."""
    lead_in = layout.lead_in_bars * layout.bar_beats
    beats = layout.bars_per_window * layout.bar_beats

    def plays(note: Note) -> bool:
        window = math.floor((note.start - lead_in) / beats + 0.02)
        return active[min(max(window, 0), len(active) - 1)]

    return tuple(note for note in notes if plays(note))


class _Band:
    """The parts of one piece, drafted in an order in which each can listen to those before it."""

    def __init__(
        self, rng: Random, style: Style, layout: Layout, tonic: int, scale: str, numerals: Sequence[str]
    ) -> None:
        self.rng, self.style, self.layout, self.tonic, self.scale = rng, style, layout, tonic, scale
        # A whole bar of 5.12 s would be one chord for a clip; such slow tempi change every bar.
        hold = 1 if layout.bars_per_window == 1 else rng.choice(style.bars_per_chord)
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
        backbeat = (DRUMS["snare"], DRUMS["rim"], DRUMS["clap"])
        notes = [note._replace(start=note.start + late) if note.pitch in backbeat else note for note in notes]
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
        if layout.bar_beats == 3 and pattern not in _THREE_FOUR_PATTERNS:
            pattern = rng.choice(["oom pah", "waltz arp", "arp 8"])
        elif pattern == "waltz arp" and layout.bar_beats != 3:
            pattern = "arp 8"
        if pattern.startswith("power") and player.family != "guitar":
            pattern = "eighths"
        if player.family in ("strings", "brass", "choir") and player.sustained and pattern.startswith("arp"):
            pattern = rng.choice(["chorale", "staccato", "pad"])
        if pattern == "changes":
            notes = ring_changes(rng, player, self.tonic, layout.bars * layout.bar_beats)
        else:
            voices = 4 if role == "pad" else rng.choice(style.voices)
            notes = harmony.play(pattern, self.chords, layout.bar_beats, player, rng, voices, style.rootless)
        gain = {
            "comp": rng.uniform(-5.0, -1.0),
            "second": rng.uniform(-8.0, -4.0),
            "pad": rng.uniform(-9.0, -5.0),
        }
        self.drafts.append(_Draft(role, player, "", notes, gain[role], pattern))

    def add_lead(self, player: Instrument, cells: str) -> None:
        """Adds a melody in the style's taste."""
        rng, taste = self.rng, self.style.melody
        if self.layout.bar_beats == 3:
            cells = rng.choice(["three", "jig"])
        rigid = player.family in ("keys", "mallets", "bells", "organ")
        notes = melody.play(
            cells,
            self.chords,
            self.tonic,
            "blues" if taste.get("blues") else self.scale,
            self.layout.bar_beats,
            player,
            rng,
            pentatonic=rng.random() < taste.get("pentatonic", 0.0),
            ornaments=taste.get("ornaments", 0.0),
            bends=0.0 if rigid else taste.get("bends", 0.0),
            chromatic=taste.get("chromatic", 0.0),
            leaps=taste.get("leaps", 0.2),
        )
        self.drafts.append(_Draft("lead", player, "", notes, rng.uniform(-3.0, 1.5), cells))

    def pick(self, choice: Choice) -> Instrument | None:
        """Draws an instrument that no other part has, or None by the role's chance."""
        if not choice.instruments or self.rng.random() > choice.chance:
            return None
        names = [name for name in choice.instruments if name not in self.taken] or list(choice.instruments)
        name = self.rng.choice(names)
        self.taken.add(name)
        return INSTRUMENTS[name]

    def finish(self, plan: Mapping[str, tuple[bool, ...]]) -> list[Part]:
        """Humanises the drafts and silences them where the plan says so."""
        style, rng, layout = self.style, self.rng, self.layout
        swing = rng.uniform(*style.swing)
        tight = style.mix in ("pump", "pump light", "none", "synthwave")
        parts = []
        for draft in self.drafts:
            rhythmic = draft.role in ("drums", "bass")
            straight = draft.role == "pad" or draft.pattern in _TRIPLE_GROOVES
            spread = (0.5 if tight else 2.0) if rhythmic else (1.5 if tight else 5.0)
            late = rng.uniform(0, 6) if draft.role == "lead" else 0.0
            moved = humanise(
                draft.notes, rng, layout.tempo, late, spread, 0.0 if straight else swing, style.swing_unit
            )
            active = plan[draft.role]
            kept = only_active(moved, active, layout)
            parts.append(
                Part(draft.role, draft.player, draft.kit, kept, draft.gain_db, active, draft.pattern)
            )
        return parts


def compose_band(
    rng: Random, seed: str, index: int, windows: int, style: Style, tempo: float | None = None
) -> Piece:
    """Composes a piece for several players in a style."""
    layout = draw_layout(rng, windows, style, tempo)
    tonic, scale = rng.randrange(12), rng.choice(style.scales)
    band = _Band(rng, style, layout, tonic, scale, rng.choice(style.progressions[scale]).split())
    if style.drums and rng.random() < style.drum_chance:
        band.add_drums(rng.choice(style.kits), rng.choice(style.drums), fills=True)
    if (player := band.pick(style.bass)) is not None:
        band.add_bass(player, rng.choice(style.bass.patterns))
        band.taken.clear()
    for role, choice in (("comp", style.comp), ("second", style.second), ("pad", style.pad)):
        if (player := band.pick(choice)) is not None:
            band.add_chords(role, player, rng.choice(choice.patterns))
    if (player := band.pick(style.lead)) is not None:
        band.add_lead(player, rng.choice(style.lead.patterns))
    if not band.drafts:
        player = INSTRUMENTS[rng.choice(style.comp.instruments)]
        band.add_chords("comp", player, rng.choice(style.comp.patterns))
    parts = band.finish(schedule(rng, [draft.role for draft in band.drafts], windows))
    if style.texture and rng.random() < (0.8 if "vinyl" in style.texture else 0.3):
        texture = rng.choice(style.texture)
        gain = rng.uniform(-30, -22) if texture == "vinyl" else rng.uniform(-22, -14)
        parts.append(Part("texture", None, texture, (), gain, (True,) * windows))
    return Piece(
        seed, index, "band", style.name, layout, tonic, scale, tuple(parts), style.mix, style.loudness_db
    )


def compose_loop(
    seed: str,
    style: Style,
    cast: Cast,
    *,
    tempo: float = 93.75,
    tonic: int = 9,
    scale: str = "",
    progression: str = "",
    repeats: int = 3,
) -> Piece:
    """Composes 5.12 s for a chosen cast and repeats them exactly, so that the middle one loops.

    Args:
        seed: Any text; every draw follows from it.
        style: Whose patterns and mix are used.
        cast: Who plays: roles `drums`, `bass`, `comp`, `second`, `pad`, `lead`.
        tempo: One of `GRID_TEMPI`.
        tonic, scale: The key; an empty scale takes the style's first.
        progression: Roman numerals, one a bar; an empty one takes one of the style's.
        repeats: How often the loop is played; each repeat is one window.
    """
    rng = Random(seed)
    grid = draw_layout(rng, 1, style, tempo)
    layout = Layout(grid.tempo, grid.bar_beats, 0, grid.bars_per_window, 1)
    scale = scale or style.scales[0]
    numerals = (progression or rng.choice(style.progressions[scale])).split()
    band = _Band(rng, style, layout, tonic, scale, numerals)
    if "drums" in cast:
        kit, family = cast["drums"]
        band.add_drums(kit or rng.choice(style.kits), family or rng.choice(style.drums), fills=False)
    if "bass" in cast:
        name, pattern = cast["bass"]
        band.add_bass(
            INSTRUMENTS[name or rng.choice(style.bass.instruments)],
            pattern or rng.choice(style.bass.patterns),
        )
    for role, choice in (("comp", style.comp), ("second", style.second), ("pad", style.pad)):
        if role in cast:
            name, pattern = cast[role]
            choice = choice if choice.instruments else style.comp
            band.add_chords(
                role,
                INSTRUMENTS[name or rng.choice(choice.instruments)],
                pattern or rng.choice(choice.patterns),
            )
    if "lead" in cast:
        name, cells = cast["lead"]
        band.add_lead(
            INSTRUMENTS[name or rng.choice(style.lead.instruments)], cells or rng.choice(style.lead.patterns)
        )
    once = band.finish({draft.role: (True,) for draft in band.drafts})
    length = layout.bars * layout.bar_beats
    parts = [
        Part(
            part.role,
            part.instrument,
            part.kit,
            tuple(
                note._replace(start=note.start + turn * length)
                for turn in range(repeats)
                for note in part.notes
            ),
            part.gain_db,
            (True,) * repeats,
            part.pattern,
        )
        for part in once
    ]
    repeated = Layout(layout.tempo, layout.bar_beats, 0, layout.bars_per_window, repeats)
    pitched = any(role != "drums" for role in cast)
    return Piece(
        seed, 0, "band", style.name, repeated, tonic, scale if pitched else "", tuple(parts), style.mix
    )


def ring_changes(rng: Random, player: Instrument, tonic: int, beats: float) -> list[Note]:
    """Change ringing: rows of bells in which neighbours swap places (plain hunt)."""
    count = rng.choice([4, 5, 6, 8])
    base = max(player.low, 60 + (tonic - 60) % 12 - (12 if player.high < 80 else 0))
    ring = [min(player.high, base + step) for step in reversed((0, 2, 4, 5, 7, 9, 11, 12)[:count])]
    step = rng.choice([0.5, 0.5, 1.0])
    order, notes, at, row = list(range(count)), [], 0.0, 0
    while at < beats - 1e-6:
        for bell in order:
            if at < beats - 1e-6:
                notes.append(Note(at, step * 3, ring[bell], rng.randint(82, 104)))
            at += step
        for place in range(row % 2, count - 1, 2):
            order[place], order[place + 1] = order[place + 1], order[place]
        row += 1
    return notes
