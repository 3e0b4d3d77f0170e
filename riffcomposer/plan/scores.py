"""What is composed for the sections of a song.

A section is composed as one piece; one that is longer than `MAX_STRETCH_BARS` bars or `MAX_STRETCH_SECONDS`
is composed as several *stretches*, each a further variation of its theme, so that memory is bounded and an
hour of music does not repeat itself.

A section is composed once for all of its layers; each hears some of its roles.

What the song does not state comes from the words of the section's prompt (of its layers' prompts where it has
none); the style of a prompt without such
words comes from the first section that has some.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from riffcomposer.composer.part_names import parse_wish
from riffcomposer.composer.prompt_words import Reading, from_prompt
from riffcomposer.composer.section_score import USUAL_ENERGY, Score, digest_fields
from riffcomposer.curves import Curve
from riffcomposer.plan.budget import Limits
from riffcomposer.plan.keys import digest
from riffcomposer.plan.placements import Placement, arrange
from riffcomposer.plan.score_types import ComposedStretch, ScoreWords, SectionScore
from riffcomposer.plan.types import Grid
from riffcomposer.song.default_init import composed_meter
from riffcomposer.song.resolved import ResolvedSection, ResolvedSong

MAX_STRETCH_BARS = 64
MAX_STRETCH_SECONDS = 240
_PHRASE_BARS = 8
"""Stretches begin at multiples of so many bars."""
_NO_LIMIT = 1 << 40


def read_words(song: ResolvedSong) -> list[ScoreWords | None]:
    """Returns what is composed for each section of the song's list; None where nothing is."""
    prompts = [section.score_prompt for section in song.sections]
    composed = [section.is_composed for section in song.sections]
    readings = {
        prompt: from_prompt(prompt)
        for prompt, is_composed in zip(prompts, composed, strict=True)
        if is_composed
    }
    telling = next((reading for reading in readings.values() if reading.style_from != "default"), None)
    return [
        _words(section, readings[prompt], telling) if is_composed else None
        for section, prompt, is_composed in zip(song.sections, prompts, composed, strict=True)
    ]


def _words(section: ResolvedSection, reading: Reading, telling: Reading | None) -> ScoreWords:
    spec = section.score
    style, note = reading.style, reading.explained()
    if reading.style_from == "default" and telling is not None:
        style, note = telling.style, f"{telling.style}: from another section's prompt"
    if spec.style:
        style, note = spec.style, f"{spec.style}: from the song"
    stated = {role: parse_wish(role, text) for role, text in spec.parts}
    parts = {wish.role: wish for wish in reading.parts} | stated
    usual = USUAL_ENERGY if reading.energy is None else reading.energy
    return ScoreWords(
        style,
        spec.key or reading.key,
        tuple(parts[role] for role in sorted(parts)),
        spec.energy or Curve.level(usual),
        note,
    )


def score_sections(
    song: ResolvedSong, placements: Sequence[Placement], grid: Grid, sound: str
) -> list[SectionScore | None]:
    """Returns the music of each section on the track; None for sections that start from something else.

    Args:
        sound: Version of the synth and digest of its sound font.
    """
    if song.whole is not None:
        return _in_the_whole(song, song.whole, placements, grid, sound)
    words = read_words(song)
    times: dict[str, int] = {}
    found: list[SectionScore | None] = []
    for index, placement in enumerate(placements):
        section, said = song.sections[placement.source], words[placement.source]
        if said is None or not placement.body_bars:
            found.append(None)
            continue
        sizes = _stretches(placement.body_bars, grid)
        stretches = []
        for number, bars in enumerate(sizes):
            score = Score(
                bars=bars,
                tempo=float(song.tempo),
                style=said.style,
                key=said.key,
                meter=composed_meter(song),
                chords=section.score.chords,
                parts=said.parts,
                energy=said.energy.shifted(number * sizes[0]),
                theme=section.score.theme,
                variation=times.get(section.score.theme, 0),
                seed=song.seed if section.score.seed is None else section.score.seed,
                opens=not song.loop and index == 0 and number == 0,
                closes=not song.loop and index == len(placements) - 1 and number == len(sizes) - 1,
            )
            times[section.score.theme] = score.variation + 1
            stretches.append(_stretch(score))
        found.append(
            SectionScore(
                tuple(stretches), math.ceil(sizes[0]), placement.body_bars, said, section.score.heard, sound
            )
        )
    return found


def _in_the_whole(
    song: ResolvedSong, whole: ResolvedSong, placements: Sequence[Placement], grid: Grid, sound: str
) -> list[SectionScore | None]:
    """The music of a song's one section where it is first heard in the whole song.

    A section that the whole song's `length` cuts or leaves out is composed by itself.
    """
    name = song.sections[0].name
    everywhere = arrange(whole, grid, Limits(jobs=_NO_LIMIT, minutes=_NO_LIMIT))
    scores = score_sections(whole, everywhere, grid, sound)
    for there, score in zip(everywhere, scores, strict=True):
        if whole.sections[there.source].name == name and there.body_bars == placements[0].body_bars:
            return [score]
    return score_sections(replace(song, whole=None), placements, grid, sound)


def _stretch(score: Score) -> ComposedStretch:
    fields = digest_fields(score)
    texts = tuple(
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in sorted(fields.items())
    )
    return ComposedStretch(score, texts, digest(texts))


def _stretches(bars: Fraction, grid: Grid) -> list[Fraction]:
    """The lengths of the stretches of a section, equal but for the last."""
    bar_seconds = grid.samples_per_bar / grid.sample_rate
    unit = math.lcm(grid.clip_bars, _PHRASE_BARS)
    most_bars = min(Fraction(MAX_STRETCH_BARS), MAX_STRETCH_SECONDS / bar_seconds)
    most = max(unit, math.floor(most_bars / unit) * unit)
    if bars <= most:
        return [bars]
    size = Fraction(math.ceil(bars / math.ceil(bars / most) / unit) * unit)
    count = math.ceil(bars / size)
    return [*[size] * (count - 1), bars - size * (count - 1)]
