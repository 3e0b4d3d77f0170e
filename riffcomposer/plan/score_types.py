"""The value objects of composed music: what is composed for a section, and what a clip takes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from riffcomposer.composer.section_score import Score, Wish
from riffcomposer.curves import Curve


@dataclass(frozen=True)
class ComposedStretch:
    """Music that is composed as one piece: a section, or a part of a long one.

    Attributes:
        score: What it is composed from.
        fields: Everything that decides its notes, as pairs of name and text.
        digest: SHA-256 of `fields`.
    """

    score: Score
    fields: tuple[tuple[str, str], ...] = field(compare=False)
    digest: str


@dataclass(frozen=True)
class ScoreInit:
    """Composed music that a render starts from.

    Attributes:
        stretch: The music.
        following: What is played after the stretch where the clip reaches over its end; None for silence
            in which the last notes die away.
        at_quarters: Where in the stretch the clip starts.
        heard: The roles that are heard; all of them if empty.
        sound: Version of the synth and digest of its sound font.
    """

    stretch: ComposedStretch
    following: ComposedStretch | None
    at_quarters: Fraction
    heard: tuple[str, ...]
    sound: str


@dataclass(frozen=True)
class ScoreWords:
    """What the song and the prompt's words say of a section's music.

    Attributes:
        style: A key of `riffcomposer.composer.styles.STYLES`.
        key: `A minor`, or empty.
        parts: What is asked of single roles.
        energy: By bar of the section.
        note: Where style and players come from, for people: `jazz, piano, brushes: from the prompt`.
    """

    style: str
    key: str
    parts: tuple[Wish, ...]
    energy: Curve
    note: str


@dataclass(frozen=True)
class SectionScore:
    """The music of one section on the track.

    Attributes:
        stretches: In order; all but the last have `stretch_bars` bars.
        bars: Length of the section without its bridge.
        words: What it is composed from, and where that comes from.
        heard: The roles that are heard; all of them if empty.
        sound: Version of the synth and digest of its sound font.
    """

    stretches: tuple[ComposedStretch, ...]
    stretch_bars: int
    bars: Fraction
    words: ScoreWords
    heard: tuple[str, ...]
    sound: str

    def at(
        self, bar: Fraction, width_bars: Fraction, *, turns: bool, heard: tuple[str, ...] | None = None
    ) -> ScoreInit:
        """What a clip starts from.

        Args:
            bar: Where the clip starts, counted from the section's first bar; beyond the section's ends the
                music turns round.
            width_bars: Width of the render.
            turns: Whether the music goes on at the section's beginning after its end.
            heard: The roles that a layer hears; the section's own if None.
        """
        bar %= self.bars
        number = min(bar // self.stretch_bars, len(self.stretches) - 1)
        stretch = self.stretches[number]
        at = bar - number * self.stretch_bars
        following = None
        if at + width_bars > stretch.score.bars:
            if number + 1 < len(self.stretches):
                following = self.stretches[number + 1]
            elif turns:
                following = self.stretches[0]
        heard = self.heard if heard is None else heard
        return ScoreInit(stretch, following, at * stretch.score.measure.beats, heard, self.sound)
