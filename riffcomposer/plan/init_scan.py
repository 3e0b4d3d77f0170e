"""Checks the users' sounds, images and MIDI files that a plan starts from, before a model is loaded.

Only the part that is used is read, each part once; nothing is written or remembered. The catalogue's
loops are not checked, since they are known to be sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from riffcomposer.diagnostics import Diagnostic, NodePath
from riffcomposer.errors import AudioError, SpectrogramError
from riffcomposer.media.kinds import kind_of, name_fault
from riffcomposer.plan.inits import InitClip, MidiInit
from riffcomposer.plan.section_settings import predicate
from riffcomposer.plan.types import Plan
from riffcomposer.song.resolved import ResolvedSong
from riffcomposer.spectrogram_parameters import SpectrogramParameters
from riffcomposer.text import shorten

LONGEST_PART_SECONDS = 120.0
"""Part of a loop that is checked; of a longer one, only the beginning is."""

_MAX_VALUES = 1 << 28
"""Most samples in memory, of all channels together: two minutes of 32 channels at 48 kHz and a margin."""

LATEST_START_SECONDS = 3600
"""A loop that starts later is not checked, since a compressed sound is decoded from its beginning."""

_SLACK_SECONDS = 0.03
"""Encoders cut off or add a block; a loop that lacks less than this counts as whole."""


def scan_inits(plan: Plan, song: ResolvedSong, params: SpectrogramParameters) -> list[Diagnostic]:
    """Finds faults of the users' files that the plan's clips start from.

    Args:
        params: The model's spectrogram format.
    """
    places: dict[InitClip, NodePath] = {}
    played: dict[NodePath, tuple[MidiInit, list[_Range]]] = {}
    for clip in plan.clips:
        job = plan.jobs[clip.key]
        init = job.init
        where = song.sections[plan.sections[clip.section].source].render(clip.layer).where("init")
        if isinstance(init, InitClip) and init.kind != "catalogue":
            places.setdefault(init, where)
        elif isinstance(init, MidiInit):
            ranges = played.setdefault(where, (init, []))[1]
            ranges += _ranges(init, job.clip_quarters)
    scanned = [(init.name, where, list(_faults(init, params))) for init, where in places.items()]
    bar = song.meter.quarters_per_bar
    scanned += [
        (init.name, where, list(_of_midi(init, ranges, bar))) for where, (init, ranges) in played.items()
    ]
    return [
        replace(fault, message=f"{shorten(name)} {fault.message}", path=where)
        for name, where, faults in scanned
        for fault in faults
    ]


_Range = tuple[Fraction, Fraction]
"""From a place in a file to before another, in quarter notes."""


def _ranges(init: MidiInit, quarters: Fraction) -> list[_Range]:
    """The parts of a MIDI file that a clip of so many quarter notes plays, as far as the first turn."""
    first = init.start_quarters + init.at_quarters
    end = init.start_quarters + init.loop_quarters
    over = first + quarters - end
    if over <= 0:
        return [(first, first + quarters)]
    return [(first, end), (init.start_quarters, min(end, init.start_quarters + over))]


def _of_midi(init: MidiInit, ranges: list[_Range], bar: Fraction) -> Iterator[Diagnostic]:
    """Finds music that is silent in the parts that are played, or ends before them.

    Args:
        bar: Quarter notes of a bar.
    """
    from riffcomposer.midi.read import read_midi

    midi = read_midi(init.path, tracks=init.tracks)
    notes = [note for part in midi.parts for note in part.notes]
    if not any(
        note.start < end and note.start + note.length > first for first, end in ranges for note in notes
    ):
        message = "has no notes in the bars that are played"
        first = 1 + min(notes, key=lambda note: note.start).start // float(bar)
        hint = f"choose another start: the first note is in bar {first:.0f}"
        yield Diagnostic("warning", "sound-silent", message, hint=hint)
        return
    there = midi.bars[-1].end - init.start_quarters
    missing = init.loop_quarters - there
    if missing >= bar and any(end > midi.bars[-1].end for _, end in ranges):
        message = (
            f"holds {float(there / bar):.4g} bars of the {float(init.loop_quarters / bar):.4g} that are "
            "asked for, and silence follows"
        )
        hint = "state fewer bars in init: the music is played again where it ends"
        yield Diagnostic("warning", "init-short", message, hint=hint)


def _faults(init: InitClip, params: SpectrogramParameters) -> Iterator[Diagnostic]:
    try:
        named_wrong = name_fault(kind_of(init.path), init.path.name)
        if named_wrong is not None:
            yield named_wrong
        yield from _of_sound(init, params) if init.kind == "audio" else _of_image(init, params)
    except (AudioError, SpectrogramError) as problem:
        yield Diagnostic("error", "bad-file", predicate(problem, init.path, "").strip())
    except OSError as problem:
        yield Diagnostic("error", "bad-file", f"cannot be read ({problem.strerror or problem})")


def _of_sound(init: InitClip, params: SpectrogramParameters) -> Iterator[Diagnostic]:
    from riffcomposer.media.sound import read_part
    from riffcomposer.media.sound_faults import faults_of, measure

    first, length = init.read_range(params)
    if first > LATEST_START_SECONDS:
        return
    part = read_part(
        init.path,
        start_seconds=float(first),
        duration_seconds=min(float(length), LONGEST_PART_SECONDS),
        max_values=_MAX_VALUES,
    )
    yield from faults_of(measure(part.samples, part.sample_rate), mono=not params.stereo)
    there = part.samples.shape[1] / part.sample_rate - float(init.start_seconds - first)
    if part.is_to_end:
        yield from _ends_early(init, there)


def _of_image(init: InitClip, params: SpectrogramParameters) -> Iterator[Diagnostic]:
    from riffcomposer.media.picture import misfit, read_picture
    from riffcomposer.media.picture_faults import faults_of

    picture = read_picture(init.path, params)
    problem = misfit(picture.params, params)
    if problem is not None:
        message = f"does not fit the model: {problem}"
        yield Diagnostic("error", "image-misfit", message, hint="create it again in the model's format")
        return
    yield from faults_of(picture, n_mels=params.num_frequencies)
    length = picture.level.shape[2] / params.frames_per_second
    yield from _ends_early(init, float(length - init.start_seconds))


def _ends_early(init: InitClip, there: float) -> Iterator[Diagnostic]:
    """Reports a file that ends before its loop does.

    A recording that is read up to its end may die away within its last bar.

    Args:
        there: Seconds from the loop's start to the file's end.
    """
    start, loop = float(init.start_seconds), float(init.loop_seconds)
    if there <= 0:
        message = f"ends before its loop starts, at {start:g} s"
        yield Diagnostic("error", "init-after-end", message, hint="choose an earlier start")
    elif there < loop - (loop / 8 if init.is_to_end else _SLACK_SECONDS):
        message = f"holds {there:.2f} s of its loop of {loop:.2f} s, and silence follows"
        hint = "state the file's own tempo or bars, or choose an earlier start"
        yield Diagnostic("warning", "init-short", message, hint=hint)
