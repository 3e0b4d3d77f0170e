"""Drums of a whole section: a groove in any meter, fills at the ends of phrases, cymbals where they begin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from riffcomposer.composer.grooves import DRUMS, GROOVES, Groove
from riffcomposer.composer.section_ground import Draft, Ground, Measure

_VELOCITY = {"X": 112, "x": 96, "o": 74, "g": 42, "?": 62}
_QUIETER = {"hat": 0.85, "open": 0.85, "pedal": 0.8, "ride": 0.8, "china": 0.7, "shaker": 0.75, "tamb": 0.8}
_TIMEKEEPERS = ("hat", "ride", "shaker", "tamb", "cabasa")
_CORE = ("kick", "snare", "clap", "rim")
# From which energy on a drum plays, and what a mark adds to that.
_NEED = {
    "kick": 0.0,
    "snare": 0.12,
    "clap": 0.2,
    "rim": 0.1,
    "hat": 0.1,
    "ride": 0.1,
    "open": 0.35,
    "tamb": 0.45,
    "shaker": 0.3,
    "china": 0.4,
}
_MARK_NEED = {"X": 0.0, "x": 0.08, "o": 0.2, "g": 0.4, "?": 0.45}
_OTHER_NEED = 0.2
# Grooves that give way to others in meters which they are not made for, and to others in 3/4.
_WALTZING = ("folk", "jig", "brushes", "orchestral")
_JIGS = ("6/8", "12/8")

# Fills: for each kind the ways to play one, as drums that share the length of the fill between them.
_FILLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "kit": (
        ("snare", "tom1", "tom2", "tom3"),
        ("snare", "snare"),
        ("tom1", "tom2", "tom3"),
        ("snare", "tom3"),
        ("snare", "kick", "tom2", "tom3"),
    ),
    "swing": (("snare", "tom2"), ("snare",), ("tom1", "snare", "tom3"), ("snare", "ride")),
    "machine": (("snare",), ("clap",), ("snare", "clap"), ("hat", "snare"), ("hat",)),
    "hand": (("conga_hi", "conga_lo"), ("timbale_hi", "timbale_lo"), ("conga_lo", "conga_hi", "conga_lo")),
    "roll": (("snare",), ("tom3",)),
    "chip": (("snare",), ("snare", "tom3"), ("tom1", "tom2", "tom3")),
}


def _steps(groove: Groove, drum: str, template_bar: int) -> str:
    strings = groove[drum]
    return strings if isinstance(strings, str) else strings[template_bar % len(strings)]


def _written(groove: Groove, drum: str, template_bar: int, rng: Random) -> list[tuple[float, str]]:
    """The hits of a drum in a bar of 4/4: place in quarter notes, and mark."""
    steps = _steps(groove, drum, template_bar)
    step = 4 / len(steps)
    return [
        (place * step, mark)
        for place, mark in enumerate(steps)
        if mark != "." and (mark != "?" or rng.random() < 0.4)
    ]


class _Drummer:
    """Plays one groove through a section.

    Attributes:
        groove, other: The grooves of the odd and of the even periods of eight bars.
        direct: Whether a step string covers a bar of this meter, instead of one of 4/4.
    """

    def __init__(self, ground: Ground, family: str) -> None:
        self.ground, self.meter = ground, ground.meter
        if self.meter.name == "3/4" and family in _WALTZING:
            family = "waltz"
        elif family == "waltz" and self.meter.name != "3/4":
            family = "brushes"
        elif family == "jig" and self.meter.name not in _JIGS:
            family = "folk"
        self.direct = family == "waltz"
        known = GROOVES[family]
        rng = ground.theme("groove")
        self.groove: Groove = rng.choice(known)
        self.other: Groove = rng.choice(known) if rng.random() < 0.6 else self.groove
        self.loose = rng.uniform(2, 6)
        self.handed = family in ("brushes", "swing")
        self.fast = ground.score.tempo > 150

    def play(self) -> list[Draft]:
        drafts: list[Draft] = []
        for bar in self.ground.bars:
            if bar.holds:
                drafts += self._ending(bar)
                continue
            rng = self.ground.section(f"drums {bar.number}")
            fill = self._fill(bar, rng)
            begins = min((draft.start for draft in fill), default=bar.start + bar.length)
            for draft in self._beat(bar, rng):
                if draft.start < begins - 1e-6 or (draft.pitch == DRUMS["kick"] and not self._drops()):
                    drafts.append(draft)
            drafts += fill
            drafts += self._cymbal(bar, rng)
        return sorted(drafts)

    def _drops(self) -> bool:
        """Whether the kick pauses in a fill, as machines do before a new part."""
        return self.ground.manners.fill == "machine"

    def _beat(self, bar: Measure, rng: Random) -> Iterator[Draft]:
        groove = self.other if bar.number // 8 % 2 else self.groove
        kinds = len(self.meter.bars)
        template_bar = bar.number // kinds
        for drum in groove:
            hits = _written(groove, drum, template_bar, rng)
            quiet = _QUIETER.get(drum, 1.0)
            for at, mark, filler in self._placed(hits, drum, bar.number):
                if at >= bar.length - 1e-6 or (filler and drum in _CORE):
                    continue
                need = _NEED.get(drum, _OTHER_NEED) + _MARK_NEED[mark] + 0.15 * filler
                if self.meter.weight(at) >= 2 and drum not in ("open", "tamb"):
                    need -= 0.08
                velocity = round(rng.gauss(_VELOCITY[mark] * quiet, self.loose))
                yield Draft(bar.start + at, 0.1, DRUMS[drum], velocity, need)

    def _placed(
        self, hits: Sequence[tuple[float, str]], drum: str, number: int
    ) -> Iterator[tuple[float, str, bool]]:
        """The hits in this meter; time is kept in thirds of a beat where beats have three eighths."""
        if self.direct:
            for at, mark in hits:
                yield at * 0.75, mark, False
            return
        taken: set[float] = set()
        for carried in self.meter.carry([(at, 0.1) for at, _ in hits], number):
            if (place := round(carried.start, 3)) not in taken:
                taken.add(place)
                yield carried.start, hits[carried.index][1], carried.filler
        if self.meter.compound and drum in _TIMEKEEPERS and len(hits) >= 6:
            for pulse in self.meter.pulses(number):
                for third in range(3):
                    if round(pulse.start + third * 0.5, 3) not in taken:
                        yield pulse.start + third * 0.5, "o", False

    def _fill(self, bar: Measure, rng: Random) -> list[Draft]:
        """A fill at the end of a phrase: longer at the end of eight bars, longest at the section's."""
        if not bar.ends_phrase or bar.length < float(self.meter.beats) - 1e-6 or len(self.ground.bars) < 2:
            return []
        final = bar.ends_section
        if not final and rng.random() < (0.1 if bar.phrase % 2 else 0.3):
            return []
        pulses = self.meter.pulses(bar.number)
        whole = [pulse for pulse in pulses if pulse.weight > 0]
        longer = final or (bar.phrase % 2 == 1 and rng.random() < 0.5)
        begin = self.meter.half if longer else whole[-1].start
        kind = self.ground.manners.fill
        drums = rng.choice(_FILLS[kind])
        step = 0.25
        if self.meter.compound:
            step = 0.5 if self.fast or kind == "swing" or rng.random() < 0.4 else 0.25
        elif kind == "swing" or self.handed:
            step = 1 / 3
        elif self.fast or (kind != "roll" and rng.random() < 0.3):
            step = 0.5
        count = round((bar.length - begin) / step)
        drafts: list[Draft] = []
        for place in range(count):
            at = begin + place * step
            strong = self.meter.weight(at) > 0
            if not strong and kind != "roll" and rng.random() < 0.2:
                continue
            drum = drums[min(len(drums) - 1, place * len(drums) // count)]
            velocity = round(66 + 42 * (place + 1) / count + (8 if strong else 0))
            need = 0.2 if strong else 0.3 if place % 2 == 0 else 0.45
            drafts.append(Draft(bar.start + at, step, DRUMS[drum], velocity, need))
        return drafts

    def _cymbal(self, bar: Measure, rng: Random) -> list[Draft]:
        """A cymbal where a phrase begins, most of all where eight bars do."""
        soft = self.handed or self.ground.manners.fill in ("hand", "swing")
        if bar.place or self.ground.style.mix == "none":
            return []
        need = (0.5 if bar.phrase % 2 == 0 else 0.68) + 0.2 * soft
        return [Draft(bar.start, 1.0, DRUMS["crash"], rng.randint(80, 100) - 12 * soft, need)]

    def _ending(self, bar: Measure) -> list[Draft]:
        """One stroke that ends the song."""
        return [
            Draft(bar.start, 0.1, DRUMS["kick"], 104),
            Draft(bar.start, 1.0, DRUMS["crash"], 92, 0.35),
        ]


def play(ground: Ground, family: str) -> list[Draft]:
    """Plays a family of `GROOVES` through a section; pitches are those of the General MIDI drum map."""
    return _Drummer(ground, family).play()


def kicks(drafts: Sequence[Draft], bar: Measure) -> list[float]:
    """Where the kick falls in a bar, in quarter notes from its start."""
    end = bar.start + bar.length
    return [
        draft.start - bar.start
        for draft in drafts
        if draft.pitch == DRUMS["kick"] and bar.start - 1e-6 <= draft.start < end - 1e-6
    ]
