"""Turns a song into a plan, by pure arithmetic that is the same on every machine.

1. The grid: bars in a clip, frames in an image.
2. The arrangement: sections on bars, `length` and `loop` expanded.
3. Clips: bridges and bodies on the grid, each with the canonical job of its place on a walk.
4. Passages: sections joined by bridges are decoded as one, each layer of a section by itself; between
   passages, tails for the fades.

**Bridges** lead from the end of one section to the start of the next. If that end is between two
key points, the bridge leaves from the nearer one, at the strength and guidance that were last
heard. Clips of the first half take loop, mask, LoRAs, steps, scheduler and negative prompt from
the section they leave, the others from the section they enter; a side without a loop takes the
other's.

**Tails**: a section that is faded out under the next one continues for the length of the fade, by
the surplus of its last image if that is enough, else by further clips of its walk.

**Loops**: the first section's transition joins the end to the start. Where it is a bridge and the
whole track is one passage, the spectrogram wraps; where it is a bridge and there are several
passages, its first clip is crossfaded in over the clips' usual overlap.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.errors import SongError
from riffcomposer.loops.catalogue import Catalogue
from riffcomposer.plan.budget import Limits
from riffcomposer.plan.grid import make_grid, sample_at, section_bars, slots, timebase
from riffcomposer.plan.inits import InitClip, MidiInit
from riffcomposer.plan.keys import canonical, fields_key, job_fields
from riffcomposer.plan.placements import arrange
from riffcomposer.plan.planned_layers import check_bridges, planned_layers
from riffcomposer.plan.renders import SectionRender, renders_of
from riffcomposer.plan.scores import score_sections
from riffcomposer.plan.section_settings import InputFiles, SectionSettings, SectionSettingsMaker, between
from riffcomposer.plan.types import (
    ClipJob,
    Passage,
    Place,
    Plan,
    PlannedClip,
    PlannedSection,
    Point,
    Transition,
)
from riffcomposer.plan.walks import bridge
from riffcomposer.song.resolved import ResolvedSection, ResolvedSong
from riffcomposer.units import cut_samples

_Kind = Literal["bridge", "body", "tail"]


def plan_song(
    song: ResolvedSong,
    *,
    song_path: Path,
    model: LocatedModel,
    catalogue: Catalogue,
    backend: str,
    files: InputFiles,
    sound: str = "",
    draft: bool = False,
    limits: Limits | None = None,
) -> Plan:
    """Plans a song. Nothing is rendered, compared or written.

    Args:
        song: The song with everything filled in.
        song_path: The song's file, for messages.
        model: The checkpoint that the song names.
        catalogue: The loops and masks that the song may name.
        backend: Class of device and number format, `cpu-float32` for instance.
        files: A function that looks up the song's own files.
        sound: Version of the synth and digest of its sound font, for clips that start from a score.
        draft: Whether to plan about half the steps, with the same grid, prompts and seeds.
        limits: Most minutes and clips; a generous default if None.

    Raises:
        SongError: The song does not fit the model; it carries findings.
        BudgetError: The track needs more minutes or clips than allowed.
    """
    return _Planner(
        song, song_path, model, catalogue, backend, files, sound, draft, limits or Limits()
    ).plan()


class _Planner:
    """The state of one run of `plan_song`."""

    def __init__(
        self,
        song: ResolvedSong,
        song_path: Path,
        model: LocatedModel,
        catalogue: Catalogue,
        backend: str,
        files: InputFiles,
        sound: str,
        draft: bool,
        limits: Limits,
    ) -> None:
        self.song = song
        self.song_path = song_path
        self.model = model
        self.backend = backend
        self.grid = make_grid(song.whole or song, model.profile)
        self.time = timebase(song, model.profile)
        self.placements = arrange(song, self.grid, limits)
        check_bridges(song, self.placements)
        self.own_bars = [section_bars(section, song, self.grid) for section in song.sections]
        maker = SectionSettingsMaker(song, self.grid, model.profile, catalogue, files, sound, draft)
        self.renders = [
            renders_of(section, slots(bars, self.grid), maker)
            for section, bars in zip(song.sections, self.own_bars, strict=True)
        ]
        self.scores = score_sections(song, self.placements, self.grid, sound)
        self.frames_per_quarter = model.profile.spectrogram.frames_per_second * 60 / song.tempo
        self.clip_quarters = self.grid.clip_bars * song.meter.quarters_per_bar
        width_quarters = self.grid.width_frames / self.frames_per_quarter
        self.width_bars = width_quarters / song.meter.quarters_per_bar
        self.jobs: dict[str, ClipJob] = {}

    def plan(self) -> Plan:
        total_samples = sample_at(self.grid, self.placements[-1].end_bar)
        groups = self._groups()
        wraps = self.song.loop and len(groups) == 1 and self._is_bridged(0)
        sections = [self._section(index, wraps) for index in range(len(self.placements))]
        clips: list[PlannedClip] = []
        passages: list[Passage] = []
        for number, group in enumerate(groups):
            start = sections[group[0]].start_sample
            end = sections[group[-1]].end_sample
            follower = groups[number + 1][0] if number + 1 < len(groups) else 0
            for each, leading in enumerate(self._renders(group[0])):
                first_clip, tail = len(clips), 0
                for index in group:
                    clips += self._clips(index, self._renders(index)[each])
                if number + 1 < len(groups) or (self.song.loop and not wraps):
                    last = self._renders(group[-1])[each]
                    tail, more = self._tail(group[-1], last, sections[follower], clips[-1], end)
                    clips += more
                    transition = replace(sections[follower].transition, length_samples=tail)
                    sections[follower] = replace(sections[follower], transition=transition)
                span, whole = (first_clip, len(clips)), (group[0], group[-1] + 1)
                passages.append(Passage(whole, span, start, end - start, tail, wraps, leading.layer))
        return Plan(
            song_path=self.song_path,
            title=self.song.title,
            model=self.model.reference,
            grid=self.grid,
            total_samples=total_samples,
            loop=self.song.loop,
            sections=tuple(sections),
            scores=tuple(self.scores),
            clips=tuple(clips),
            passages=tuple(passages),
            jobs=MappingProxyType(self.jobs),
        )

    # Sections -----------------------------------------------------------------------------

    def _is_bridged(self, index: int) -> bool:
        placement = self.placements[index]
        return placement.is_entered and self._source(index).transition.type == "bridge"

    def _source(self, index: int) -> ResolvedSection:
        return self.song.sections[self.placements[index].source]

    def _renders(self, index: int) -> tuple[SectionRender, ...]:
        return self.renders[self.placements[index].source]

    def _groups(self) -> list[list[int]]:
        """Returns the indices of the placements of each passage."""
        groups: list[list[int]] = []
        for index in range(len(self.placements)):
            if index and self._is_bridged(index):
                groups[-1].append(index)
            else:
                groups.append([index])
        return groups

    def _section(self, index: int, wraps: bool) -> PlannedSection:
        placement, section = self.placements[index], self._source(index)
        start = sample_at(self.grid, placement.bar)
        end = sample_at(self.grid, placement.end_bar)
        return PlannedSection(
            name=placement.name,
            source=placement.source,
            start_sample=start,
            body_start_sample=sample_at(self.grid, placement.body_bar),
            end_sample=end,
            bar=placement.bar,
            bars=placement.end_bar - placement.bar,
            body_bar=placement.body_bar,
            transition=self._transition(index, end - start, wraps),
            gain_db=section.gain_db.mapped(lambda bar: sample_at(self.grid, placement.body_bar + bar)),
            fade_in_samples=self.time.fade(section.fade_in, end - start),
            fade_out_samples=self.time.fade(section.fade_out, end - start),
            layers=planned_layers(section, placement, self.scores[index], self.grid, self.time),
        )

    def _transition(self, index: int, section_samples: int, wraps: bool) -> Transition:
        """Returns how the section is entered; the length is not yet limited by the previous section."""
        spec = self._source(index).transition
        if not self.placements[index].is_entered:
            return Transition("cut", 0)
        if spec.type == "bridge":
            if index or wraps:
                return Transition("bridge", 0)
            return Transition(
                "crossfade", min(self.grid.overlap_frames * self.grid.hop_length, section_samples)
            )
        if spec.type == "cut" or spec.length is None:
            return Transition("cut", min(cut_samples(self.grid.sample_rate), section_samples))
        samples = self.time.samples(spec.length)
        own_samples = sample_at(self.grid, self.own_bars[self.placements[index].source])
        if samples > own_samples and "transition" in self._source(index).origins:
            raise SongError.fault(
                "crossfade-too-long",
                f"a crossfade of {spec.length} is longer than the section it leads into",
                self._source(index).where("transition"),
                "shorten the crossfade or lengthen the section",
            )
        return Transition("crossfade", min(samples, section_samples))

    # Clips --------------------------------------------------------------------------------

    def _clips(self, index: int, render: SectionRender) -> list[PlannedClip]:
        """Returns the clips of a section's or a layer's bridge and body on the grid."""
        placement = self.placements[index]
        body_bar = placement.body_bar
        clips: list[PlannedClip] = []
        if placement.bridge_bars:
            places = bridge(self._exit(index - 1), self._entry(index), self._bridge_clips(index))
            spans = self._spans(placement.bar, body_bar)
            for k, (span, place) in enumerate(zip(spans, places, strict=False)):
                settings = self._bridge_settings(index, k, place.alpha)
                clips.append(self._clip(index, k, "bridge", span, settings, place))
        for j, span in enumerate(self._spans(body_bar, placement.end_bar)):
            bar = Fraction(j * self.grid.clip_bars)
            settings = self._settings_at(index, render, bar)
            place = render.place(j, placement.round, bar)
            clips.append(self._clip(index, len(clips), "body", span, settings, place))
        return [replace(clip, layer=render.layer) for clip in clips]

    def _settings_at(self, index: int, render: SectionRender, bar: Fraction) -> SectionSettings:
        """Returns the settings of a clip that starts at a bar of a section's body; before and after the body
        the music of its init turns round."""
        placement = self.placements[index]
        settings, score = render.settings, self.scores[index]
        if score is not None and render.section.is_composed:
            turns = not 0 <= bar < placement.body_bars or self._goes_on(index)
            heard = render.section.score.heard
            return replace(settings, init=score.at(bar, self.width_bars, heard=heard, turns=turns))
        if isinstance(settings.init, InitClip | MidiInit):
            return replace(settings, init=settings.init.at(bar * self.song.meter.quarters_per_bar))
        return settings

    def _goes_on(self, index: int) -> bool:
        """Whether further clips of the section's music are heard after its end: a bridge's or a tail's."""
        last = index + 1 == len(self.placements)
        follower = 0 if last else index + 1
        if last and not self.song.loop:
            return False
        spec = self._source(follower).transition
        if spec.type == "bridge" or spec.length is None:
            return spec.type == "bridge"
        return self.time.samples(spec.length) > self.grid.overlap_frames * self.grid.hop_length

    def _bridge_settings(self, index: int, clip: int, alpha: float) -> SectionSettings:
        """Returns the settings of a bridge's clip: the nearer section's, with an init if either has one."""
        clip_bars = self.grid.clip_bars
        before = index - 1 if index else len(self.placements) - 1
        left, entered = self._renders(before)[0], self._renders(index)[0]
        leaving = self._settings_at(before, left, self.placements[before].body_bars + clip * clip_bars)
        entering = self._settings_at(index, entered, clip * clip_bars - self.placements[index].bridge_bars)
        return between(leaving, entering, alpha)

    def _bridge_clips(self, index: int) -> int:
        """Returns how many clips the whole bridge has, even where `length` cuts it short."""
        return self._source(index).transition.clips or 0

    def _spans(self, start: Fraction, end: Fraction) -> list[tuple[int, int]]:
        """Returns first and one-past-last sample of each slot between two bars; the last may be cut short."""
        count = slots(end - start, self.grid)
        edges = [sample_at(self.grid, start + k * self.grid.clip_bars) for k in range(count)]
        return list(pairwise([*edges, sample_at(self.grid, end)]))

    def _tail(
        self, index: int, render: SectionRender, follower: PlannedSection, last: PlannedClip, end: int
    ) -> tuple[int, list[PlannedClip]]:
        """Returns how long a render of section `index` continues under the next one, and the clips for it.

        For a cut, the surplus of the last image is enough.
        """
        wanted = follower.transition.length_samples
        width_samples = self.grid.width_frames * self.grid.hop_length
        covered = last.start_sample + width_samples - end
        if follower.transition.type == "cut":
            return max(0, min(wanted, covered)), []
        placement = self.placements[index]
        bar, done = placement.end_bar, slots(placement.body_bars, self.grid)
        clips: list[PlannedClip] = []
        while covered < wanted:
            (span,) = self._spans(bar, bar + self.grid.clip_bars)
            own_bar = placement.body_bars + len(clips) * self.grid.clip_bars
            number = last.index + 1 + len(clips)
            place = render.place(done + len(clips), placement.round, own_bar)
            settings = self._settings_at(index, render, own_bar)
            clips.append(
                replace(self._clip(index, number, "tail", span, settings, place), layer=render.layer)
            )
            covered = span[0] + width_samples - end
            bar += self.grid.clip_bars
        return wanted, clips

    def _clip(
        self,
        section: int,
        index: int,
        kind: _Kind,
        span: tuple[int, int],
        settings: SectionSettings,
        place: Place,
    ) -> PlannedClip:
        start, end = span
        return PlannedClip(section, index, kind, start, end - start, self._key(settings, place), place.label)

    def _entry(self, index: int) -> Point:
        return self._renders(index)[0].place(0, self.placements[index].round, Fraction(0)).nearest()

    def _exit(self, index: int) -> Point:
        placement = self.placements[index]
        last = max(0, slots(placement.body_bars, self.grid) - 1)
        bar = Fraction(last * self.grid.clip_bars)
        return self._renders(index)[0].place(last, placement.round, bar).nearest()

    # Jobs ---------------------------------------------------------------------------------

    def _key(self, settings: SectionSettings, place: Place) -> str:
        """Adds the job of a place to the plan and returns its key."""
        job = canonical(
            ClipJob(
                model_digest=self.model.digest,
                backend=self.backend,
                width_frames=self.grid.width_frames,
                frames_per_quarter=self.frames_per_quarter,
                clip_quarters=self.clip_quarters,
                place=place,
                negative_prompt=settings.negative_prompt,
                num_inference_steps=settings.num_inference_steps,
                scheduler=settings.scheduler,
                init=settings.init,
                mask=settings.mask,
                loras=settings.loras,
            )
        )
        key = fields_key(job_fields(job))
        self.jobs.setdefault(key, job)
        return key
