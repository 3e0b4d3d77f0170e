"""The composed music of a plan as files for other programs: MIDI, and the sound that clips start from.

The sound is what the synth plays before any diffusion, in stereo, at the bars of the track.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from riffcomposer.composer.section import Composition, compose_section
from riffcomposer.files import scratch_folder
from riffcomposer.plan.types import Plan, PlannedSection
from riffcomposer.render.stopping import StopFlag
from riffcomposer.units import round_half_up

LEAD_IN_BARS = 1
TAIL_SECONDS = 4.0
"""Sound that is kept after a piece's end, in which its last notes die away."""


@dataclass(frozen=True)
class ComposedPart:
    """A section of the track that is composed, or a stretch of a long one.

    Attributes:
        section: The section.
        name: Its name; a stretch has its number too.
        bar: Bar of the track at which it starts.
        composition: Its notes, those that are heard.
    """

    section: PlannedSection
    name: str
    bar: Fraction
    composition: Composition


def composed_parts(plan: Plan) -> Iterator[ComposedPart]:
    """Composes the sections of a plan that start from a score, in order."""
    for section, music in zip(plan.sections, plan.scores, strict=True):
        if music is None:
            continue
        for number, stretch in enumerate(music.stretches):
            name = section.name if len(music.stretches) == 1 else f"{section.name}, {number + 1}"
            composition = compose_section(stretch.score)
            if music.heard:
                heard = tuple(part for part in composition.parts if part.role in music.heard)
                composition = replace(composition, parts=heard)
            yield ComposedPart(section, name, section.body_bar + number * music.stretch_bars, composition)


def write_composed_midi(path: Path, plan: Plan) -> None:
    """Writes the notes of all composed sections at their bars of the track.

    Raises:
        MidiError: Nothing is composed.
        StoreError: The file cannot be written.
    """
    from riffcomposer.midi.write import write_midi

    parts = list(composed_parts(plan))
    write_midi(
        path,
        [(part.name, part.composition) for part in parts],
        tempo=plan.grid.tempo,
        title=plan.title,
        starts=[part.bar * part.composition.score.measure.beats for part in parts],
    )


def write_composed_audio(
    path: Path, plan: Plan, *, stems: bool, stop: StopFlag, tell: Callable[[str], None] = lambda name: None
) -> list[Path]:
    """Plays all composed sections at their bars of the track, and writes the sum, or stems beside it.

    The stems of the roles add up to the sum but for the mix's own effect (tape, saturation) and the noise
    floor. All files have one gain: 1, or what brings the highest peak to -1 dBFS.

    Args:
        path: The sound file; stems are called `NAME.ROLE.SUFFIX`.
        plan: The plan; it has a section that is composed.
        stems: Whether to write a file for each role.
        stop: Checked between sections.
        tell: Called with the name of each section before it is played.

    Returns:
        The files that were written.

    Raises:
        AudioError: The suffix is none of a format that can be written.
        ModelError: The sound font is missing or damaged.
        Cancelled: The flag was raised; nothing is written.
        DiskFullError, StoreError: A file cannot be written.
    """
    from riffcomposer.mix.blocks import ScratchAudio
    from riffcomposer.mix.encoding import format_of
    from riffcomposer.mix.output import write_stems
    from riffcomposer.mix.tags import Tags
    from riffcomposer.synth.piece_audio import ROLES, render_piece, render_stems
    from riffcomposer.synth.voices import SAMPLE_RATE

    format_of(path)
    seconds = Fraction(plan.total_samples, plan.grid.sample_rate) + Fraction(TAIL_SECONDS)
    samples = round_half_up(seconds * SAMPLE_RATE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(path.parent, f"{path.stem}-score") as scratch, ExitStack() as opened:
        sounds: dict[str, ScratchAudio] = {}

        def add(role: str, start: int, audio: object) -> None:
            import numpy as np

            if role not in sounds:
                sounds[role] = ScratchAudio(scratch / f"{role or 'all'}.f32", 2, samples)
                opened.callback(sounds[role].remove)
            block = np.asarray(audio, np.float32)[:, max(0, -start) :]
            first = max(0, start)
            sounds[role].add(first, block[:, : samples - first])

        for part in composed_parts(plan):
            stop.check()
            tell(part.name)
            piece = part.composition.as_piece(LEAD_IN_BARS)
            bar = part.bar - LEAD_IN_BARS
            start = round_half_up(bar * plan.grid.samples_per_bar * SAMPLE_RATE / plan.grid.sample_rate)
            length = piece.layout.duration_s + TAIL_SECONDS
            add("", start, render_piece(piece, duration_s=length, stereo=True))
            if stems:
                for role, sound in render_stems(piece, length).items():
                    add(role, start, sound)
        stop.check()
        roles = ["", *(role for role in ROLES if role in sounds)]
        paths = [path.with_name(f"{path.stem}.{role}{path.suffix}") if role else path for role in roles]
        tags = [Tags(title=f"{plan.title}: {role or 'score'}") for role in roles]
        write_stems(paths, [sounds[role] for role in roles], SAMPLE_RATE, tags)
    return paths
