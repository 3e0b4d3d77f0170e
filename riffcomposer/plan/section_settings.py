"""The settings that all clips of a section share: everything but their place on its walk.

The caller's `InputFiles` looks up files, so that planning itself reads none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.diagnostics import NodePath
from riffcomposer.errors import MidiError, SongError
from riffcomposer.loops.catalogue import Catalogue
from riffcomposer.media.kinds import IMAGE_SUFFIXES, MIDI_SUFFIXES
from riffcomposer.plan.grid import timebase
from riffcomposer.plan.inits import Init, InitClip, MidiInit
from riffcomposer.plan.types import Grid, LoraFile, MaskImage
from riffcomposer.plan.walks import Walk
from riffcomposer.song.paths import catalogue_entry, is_path
from riffcomposer.song.resolved import InitSpec, ResolvedSection, ResolvedSong
from riffcomposer.strength import effective_steps, rounded
from riffcomposer.text import shorten
from riffcomposer.units import Meter, round_up

InitMedium = Literal["audio", "image", "midi"]


def medium_of(path: Path) -> InitMedium:
    """What a file holds by its name's suffix."""
    suffix = path.suffix.lower()
    return "midi" if suffix in MIDI_SUFFIXES else "image" if suffix in IMAGE_SUFFIXES else "audio"


def predicate(problem: Exception, path: Path, shown: str) -> str:
    """Returns a message about a file, with the song's name for it instead of its path."""
    return f"{shown} {str(problem).removeprefix(f'{path}: ')}"


class Measured(Protocol):
    """What is found out about a recording when it is needed."""

    def seconds(self) -> Fraction:
        """Its length in seconds."""

    def tempo(self, meter: Meter, near: Fraction) -> MeasuredTempo:
        """Its tempo in quarter notes per minute.

        Args:
            meter: Its time signature.
            near: A tempo; it decides which note value a pulse is, where the meter leaves a choice.
        """


@dataclass(frozen=True)
class MeasuredTempo:
    """The tempo of a recording.

    Attributes:
        bpm: In quarter notes per minute.
        certainty: 0 to 1.
        is_certain: Whether that is enough to use it.
        first_beat: Seconds to the first beat.
    """

    bpm: Fraction
    certainty: float
    is_certain: bool
    first_beat: Fraction


@dataclass(frozen=True)
class InputFile:
    """A file that a song names.

    Attributes:
        path: Where it is.
        sha256: Digest of its bytes.
        medium: What it holds; None if its bytes were not examined: its suffix decides.
        measured: What can be found out about a sound; None if nothing can.
        seconds: Length of an image; None for others.
    """

    path: Path
    sha256: str
    medium: InitMedium | None = None
    measured: Measured | None = None
    seconds: Fraction | None = None


class InputFiles(Protocol):
    """Looks a song's files up (see `riffcomposer.plan.inputs`)."""

    def __call__(self, name: str, purpose: Literal["init", "mask", "lora"], where: NodePath) -> InputFile: ...


@dataclass(frozen=True)
class SectionSettings:
    """The settings that all clips of a section share; the planner moves `init` along the section.

    Attributes:
        init: None where clips start from noise, and before a score is composed.
    """

    negative_prompt: str
    num_inference_steps: int
    scheduler: str
    init: Init | None
    mask: MaskImage | None
    loras: tuple[LoraFile, ...]


@dataclass(frozen=True)
class SectionSettingsMaker:
    """Makes the settings of a song's sections.

    Attributes:
        sound: Version of the synth and digest of its sound font.
        draft: Whether to take about half the steps.
    """

    song: ResolvedSong
    grid: Grid
    profile: ModelProfile
    catalogue: Catalogue
    files: InputFiles
    sound: str
    draft: bool

    def of(self, section: ResolvedSection, walk: Walk) -> SectionSettings:
        """Returns the settings of a section.

        Raises:
            SongError: The section names a loop, mask or file that does not exist.
        """
        steps = section.num_inference_steps or self.profile.num_inference_steps
        loras = [(lora, self.files(lora.path, "lora", section.where("lora"))) for lora in section.loras]
        return SectionSettings(
            negative_prompt=section.negative_prompt,
            num_inference_steps=draft_steps(steps, walk, section) if self.draft else steps,
            scheduler=section.scheduler or self.profile.scheduler,
            init=self._init(section),
            mask=self._mask(section),
            loras=tuple(LoraFile(lora.path, found.path, found.sha256, lora.weight) for lora, found in loras),
        )

    def _init(self, section: ResolvedSection) -> InitClip | MidiInit | None:
        spec = section.init
        if spec is None or spec.kind == "score":
            return None
        where = section.where("init")
        if spec.kind == "catalogue":
            seed = catalogue_entry(spec.name, self.catalogue.clips, "loop", where)
            quarters = seed.bars * Meter.parse(seed.meter).quarters_per_bar
            return InitClip("catalogue", spec.name, seed.path, seed.sha256, seed.tempo, quarters)
        found = self.files(spec.name, "init", where)
        medium = found.medium or medium_of(found.path)
        if medium == "midi":
            return self._midi(section, spec, found)
        tempo, start, certainty = self._own_tempo(section, spec, found)
        own_time = replace(timebase(self.song, self.profile), tempo=tempo)
        if spec.start is not None:
            start = own_time.seconds(spec.start)
        bars, is_to_end = spec.bars, False
        if bars is None:
            if medium == "image":
                bars = self._bars_of_image(found, start, own_time.seconds_per_bar)
            else:
                length = None if found.measured is None else found.measured.seconds()
                bars, is_to_end = self._bars_to_the_end(length, start, own_time.seconds_per_bar)
        return InitClip(
            kind=medium,
            name=spec.name,
            path=found.path,
            sha256=found.sha256,
            tempo=tempo,
            loop_quarters=bars * self.song.meter.quarters_per_bar,
            start_seconds=start,
            is_to_end=is_to_end,
            certainty=certainty,
        )

    def _midi(self, section: ResolvedSection, spec: InitSpec, found: InputFile) -> MidiInit:
        """The notes of a MIDI file, which keep their musical positions.

        Raises:
            SongError: The file cannot be read, or lacks one of the tracks.
        """
        from riffcomposer.midi.read import read_midi  # needs numpy, and few songs start from MIDI
        from riffcomposer.midi.song import tempo_of

        where = section.where("init")
        try:
            midi = read_midi(found.path, tracks=spec.tracks)
        except MidiError as problem:
            raise SongError.fault(
                "bad-file", predicate(problem, found.path, shorten(spec.name)), where
            ) from None
        bar = self.song.meter.quarters_per_bar
        start = Fraction(0)
        if spec.start is not None:
            own_time = replace(timebase(self.song, self.profile), tempo=tempo_of(midi))
            start = own_time.bars(spec.start) * bar
        end = midi.bars[-1].end
        if start >= end:
            message = f"{shorten(spec.name)} ends before its music starts, at {spec.start}"
            raise SongError.fault("init-after-end", message, where, "choose an earlier start")
        quarters = spec.bars * bar if spec.bars is not None else Fraction(round_up((end - start) / bar)) * bar
        return MidiInit(spec.name, found.path, found.sha256, spec.tracks, start, quarters, self.sound)

    def _bars_of_image(self, found: InputFile, start: Fraction, bar: Fraction) -> Fraction:
        """The whole bars of an image that is wider than a clip; else one clip's bars."""
        there = Fraction(0) if found.seconds is None else (found.seconds - start) // bar
        return Fraction(max(self.grid.clip_bars, there))

    def _bars_to_the_end(
        self, length: Fraction | None, start: Fraction, bar: Fraction
    ) -> tuple[Fraction, bool]:
        """All bars up to a file's end, and whether the file ends there; the last bar counts if an eighth
        of it is there.

        One clip's bars where the length is not known, or the file is shorter than a bar.
        """
        whole, rest = (0, 0) if length is None else divmod(length - start, bar)
        if whole < 1:
            return Fraction(self.grid.clip_bars), False
        return Fraction(whole + (rest >= bar / 8)), True

    def _own_tempo(
        self, section: ResolvedSection, spec: InitSpec, found: InputFile
    ) -> tuple[Fraction, Fraction, float | None]:
        """The tempo of a file; where its first beat is and how sure that is, if it had to be measured.

        Raises:
            SongError: The tempo cannot be measured with certainty.
        """
        if spec.tempo != "auto":
            return spec.tempo or self.song.tempo, Fraction(0), None
        where = (*section.where("init"), "tempo")
        if found.measured is None or found.medium == "image":
            message = f"the tempo of {shorten(spec.name)} cannot be measured: it is not a sound"
            raise SongError.fault("no-tempo", message, where, "write its tempo in BPM")
        tempo = found.measured.tempo(self.song.meter, self.song.tempo)
        if not tempo.is_certain:
            message = (
                f"the tempo of {shorten(spec.name)} is uncertain: about {float(tempo.bpm):.1f} BPM, "
                f"{100 * tempo.certainty:.0f} % sure"
            )
            about = f"{float(tempo.bpm):.1f}"
            hint = f"listen, and write what it is: {about}, half of it, twice as much, or another"
            raise SongError.fault("no-tempo", message, where, hint)
        return tempo.bpm, tempo.first_beat, tempo.certainty

    def _mask(self, section: ResolvedSection) -> MaskImage | None:
        name, where = section.mask, section.where("mask")
        if name is None:
            return None
        if is_path(name):
            found = self.files(name, "mask", where)
            return MaskImage(name, found.path, found.sha256)
        mask = catalogue_entry(name, self.catalogue.masks, "mask", where)
        return MaskImage(name, mask.path, mask.sha256)


def between(leaving: SectionSettings, entering: SectionSettings, alpha: float) -> SectionSettings:
    """Returns the settings of a bridge's clip: the nearer section's, with an init if either has one."""
    near, far = (leaving, entering) if alpha < 0.5 else (entering, leaving)
    return near if near.init is not None or far.init is None else replace(near, init=far.init)


def draft_steps(steps: int, walk: Walk, section: ResolvedSection) -> int:
    """Returns about half the steps, so that every point that runs any step still runs at least two."""
    fewer = (steps + 1) // 2
    strengths = [rounded(point.strength) for point in walk.points]
    if section.init is not None:
        curves = [point.strength for point in section.points if point.strength is not None]
        strengths += [rounded(value) for curve in curves for value in curve.values]
    while fewer < steps and any(
        effective_steps(fewer, strength) < min(2, effective_steps(steps, strength)) for strength in strengths
    ):
        fewer += 1
    return fewer
