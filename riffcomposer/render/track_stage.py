"""The last stage: passages are mixed, mastered and written as files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from riffcomposer.errors import Cancelled, RenderError
from riffcomposer.files import scratch_folder
from riffcomposer.plan.grid import sample_at
from riffcomposer.plan.types import Passage, Plan
from riffcomposer.render.events import Observer, StageClock
from riffcomposer.render.output_names import LAYER_BYTES, TrackFiles, slug
from riffcomposer.render.stopping import StopFlag
from riffcomposer.song.effects import Effect
from riffcomposer.song.resolved import ResolvedSong
from riffcomposer.store.store import Store

if TYPE_CHECKING:
    from riffcomposer.mix.blocks import AudioReader, PlanarReader
    from riffcomposer.mix.loudness import Loudness
    from riffcomposer.mix.markers import Marker
    from riffcomposer.mix.master import Master, Mastering
    from riffcomposer.mix.mixdown import MixPassage
    from riffcomposer.mix.mixed_layers import MixLayer
    from riffcomposer.mix.movement import Movement
    from riffcomposer.mix.output import OutputFile
    from riffcomposer.mix.tags import Tags

WRITERS = 2
"""Number of formats encoded at once; two keep two cores busy until the slowest one is done."""


@dataclass(frozen=True)
class FinishedTrack:
    """The files that the stage wrote, and what was measured on them.

    Attributes:
        outputs: The finished files.
        extra: Stems and section files.
        sections: Loudness of each section, measured on the first output, in order.
        layers: Name and loudness of each layer of each section, in the mix before mastering.
        mix_loudness: Loudness of the mix before mastering.
        movement: How much the music of the master moves.
    """

    outputs: tuple[OutputFile, ...]
    extra: tuple[Path, ...]
    sections: tuple[Loudness, ...]
    layers: tuple[tuple[tuple[str, Loudness], ...], ...]
    mix_loudness: Loudness
    movement: Movement


def mix_passages(plan: Plan, song: ResolvedSong, keys: Sequence[str], store: Store) -> list[MixPassage]:
    """Returns the plan's passages as the mix sees them, their audio read from the store block by block.

    Raises:
        RenderError: A passage's audio is no longer in the store.
    """
    from riffcomposer.mix.blocks import npy_reader
    from riffcomposer.mix.mixdown import MixPassage, MixSection

    passages: list[MixPassage] = []
    for key, passage in zip(keys, plan.passages, strict=True):
        path = store.path("passage", key)
        if path is None:
            raise RenderError(
                f"decoded audio vanished from the store at {store.root}; run the same command again"
            )
        sound = _heard(npy_reader(path), plan, song, wraps=passage.wraps)
        audio: AudioReader | tuple[MixLayer, ...] = sound
        if passage.layer:
            audio = (_layer(plan, song, passage, sound),)
            if passages and passages[-1].start_sample == passage.start_sample:
                others = passages.pop().audio
                audio = (*others, *audio) if isinstance(others, tuple) else audio
        sections = tuple(
            MixSection(
                name=section.name,
                start_sample=section.start_sample,
                end_sample=section.end_sample,
                entry_samples=section.entry_samples,
                gain_db=section.gain_db,
                fade_in_samples=section.fade_in_samples,
                fade_out_samples=section.fade_out_samples,
                chain=_mapped(song.sections[section.source].chain, plan, section.body_bar),
            )
            for section in plan.sections[slice(*passage.sections)]
        )
        passages.append(
            MixPassage(
                audio=audio,
                start_sample=passage.start_sample,
                body_samples=passage.body_samples,
                sections=sections,
                tail_samples=passage.tail_samples,
                wraps=passage.wraps,
            )
        )
    return passages


def _heard(audio: PlanarReader, plan: Plan, song: ResolvedSong, *, wraps: bool) -> AudioReader:
    """A passage's audio, its band extended where the song asks for it and the sample rate has room."""
    from riffcomposer.mix.band_extension import ExtendedReader, can_extend

    top_hz, rate = plan.grid.top_hz, plan.grid.sample_rate
    if song.output.bandwidth == "image" or not can_extend(top_hz, rate):
        return audio
    return ExtendedReader(audio, top_hz, rate, wraps=wraps)


def _mapped(chain: Sequence[Effect], plan: Plan, bar: Fraction) -> tuple[Effect, ...]:
    """A chain whose curves are over samples; they start at a bar of the track."""
    return tuple(effect.mapped(lambda own: sample_at(plan.grid, bar + own)) for effect in chain)


def _layer(plan: Plan, song: ResolvedSong, passage: Passage, audio: AudioReader) -> MixLayer:
    """A layer as the mix sees it, with a meter of its own."""
    from riffcomposer.mix.loudness import LoudnessMeter
    from riffcomposer.mix.mixed_layers import MixLayer

    section = plan.sections[passage.sections[0]]
    planned = next(layer for layer in section.layers if layer.name == passage.layer)
    return MixLayer(
        name=planned.name,
        audio=audio,
        gain_db=planned.gain_db,
        pan=planned.pan,
        fade_in_samples=planned.fade_in_samples,
        fade_out_samples=planned.fade_out_samples,
        gate=planned.gate,
        chain=_mapped(song.sections[section.source].render(planned.name).chain, plan, section.body_bar),
        meter=LoudnessMeter(2, plan.grid.sample_rate, true_peak=False),
    )


def _layer_levels(passages: Sequence[MixPassage]) -> tuple[tuple[tuple[str, Loudness], ...], ...]:
    """The loudness of each layer of each section, after the mix; nothing for sections without layers."""
    levels: list[tuple[tuple[str, Loudness], ...]] = []
    for passage in passages:
        layers = passage.audio if isinstance(passage.audio, tuple) else ()
        measured = tuple((layer.name, layer.meter.result()) for layer in layers if layer.meter is not None)
        levels += [measured for _ in passage.sections]
    return tuple(levels)


@dataclass(frozen=True)
class TrackWork:
    """What a track is made from.

    Attributes:
        plan: The plan that was rendered.
        song: The song, for chains and targets.
        keys: Key of each passage's audio.
        store: The store that has the audio.
        files: Names and formats of the files.
        tags: Tags of the files.
    """

    plan: Plan
    song: ResolvedSong
    keys: Sequence[str]
    store: Store
    files: TrackFiles
    tags: Tags


def finish_track(work: TrackWork, observer: Observer, stop: StopFlag) -> FinishedTrack:
    """Mixes, masters and writes the files of a track.

    Args:
        work: What it is made from.
        observer: Called with each event of progress.
        stop: Checked between blocks.

    Raises:
        Cancelled: The flag was raised; every output is either unchanged or complete.
        DiskFullError, StoreError: A file cannot be written.
    """
    from riffcomposer.mix.markers import Marker, write_labels
    from riffcomposer.mix.master import Mastering, MasterSettings
    from riffcomposer.mix.mixdown import mixdown
    from riffcomposer.mix.movement import measure_movement

    plan, song, files = work.plan, work.song, work.files
    rate = plan.grid.sample_rate
    markers = [Marker(section.name, section.start_sample) for section in plan.sections]
    with scratch_folder(files.folder, f"{files.name}-mix") as scratch:
        # 1. One dry mix, and with stems one file for each section or layer of it.
        names = [f"stem-{index}.f32" for index in range(len(_stem_labels(plan)))] if files.stems else []
        passages = mix_passages(plan, song, work.keys, work.store)
        mix, stems = mixdown(
            passages,
            total_samples=plan.total_samples,
            sample_rate=rate,
            stereo_width=song.output.stereo_width,
            loop=plan.loop,
            path=scratch / "mix.f32",
            stem_paths=[scratch / name for name in names],
            progress=_progress(observer, "mix", plan, stop),
        )
        # 2. One gain and one ceiling for the whole track.
        mastering = Mastering(
            mix,
            MasterSettings(
                _mapped(song.master.chain, plan, Fraction(0)),
                song.master.integrated_lufs,
                song.master.true_peak_dbtp,
            ),
            sample_rate=rate,
            loop=plan.loop,
            folder=scratch,
            progress=_progress(observer, "master", plan, stop),
        )
        master = mastering.render()
        # 3. Files, each measured after encoding.
        clock = StageClock(observer, "write", len(files.formats), "files")
        outputs = _write_outputs(work, mastering, master, markers, clock, stop)
        write_labels(files.beside("labels.txt"), markers, plan.total_samples, rate)
        # 4. How much it moves: the master is read here, without the cost of decoding a file.
        movement = measure_movement(
            master.audio,
            rate,
            samples_per_bar=plan.grid.samples_per_bar,
            clip_bars=plan.grid.clip_bars,
            check=stop.check,
        )
        extra: list[Path] = []
        if files.stems:
            extra += _write_parts(work, master.audio, stems, stop)
    return FinishedTrack(
        outputs, tuple(extra), outputs[0].parts, _layer_levels(passages), mastering.unlimited, movement
    )


def _write_outputs(
    work: TrackWork,
    mastering: Mastering,
    master: Master,
    markers: Sequence[Marker],
    clock: StageClock,
    stop: StopFlag,
) -> tuple[OutputFile, ...]:
    """Writes one file for each format, two at a time: an encoder keeps one core busy for seconds."""
    from riffcomposer.mix.encoding import LOSSY
    from riffcomposer.mix.output import write_track

    files = work.files
    parts = [(section.start_sample, section.end_sample) for section in work.plan.sections]
    failed = StopFlag()

    def look(done: int, total: int) -> None:
        del done, total
        stop.check()
        failed.check()

    def write(format: str) -> OutputFile:
        try:
            return write_track(
                files.track(format), mastering, master, work.tags, markers, parts=parts, progress=look
            )
        except BaseException:
            failed.raise_flag()
            raise

    # The slow encoders start first.
    order = sorted(files.formats, key=lambda format: format not in LOSSY)
    with ThreadPoolExecutor(WRITERS, "write") as pool:
        written = {format: pool.submit(write, format) for format in order}
        try:
            for number, future in enumerate(as_completed(written.values()), 1):
                if future.exception() is None:
                    clock.tell(number, future.result().path.name)
        except BaseException:
            failed.raise_flag()
            raise
    # The error that stopped the others comes first; they only say that they were stopped.
    errors = [error for future in written.values() if (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, Cancelled)):
        raise error
    return tuple(written[format].result() for format in files.formats)


def _write_parts(
    work: TrackWork, master: AudioReader, stems: Sequence[AudioReader], stop: StopFlag
) -> list[Path]:
    """Writes each section, mastered and as its (or its layers') share of the dry mix, as files."""
    from riffcomposer.mix.blocks import Part
    from riffcomposer.mix.output import write_part, write_stems

    plan, files, tags = work.plan, work.files, work.tags
    format = next((name for name in files.formats if name in ("wav", "flac")), "flac")
    rate = plan.grid.sample_rate
    labels = [f"{index:02d}-{slug(section.name)}" for index, section in enumerate(plan.sections, 1)]
    wholes = [files.beside(f"section-{label}.{format}") for label in labels]
    for path, section in zip(wholes, plan.sections, strict=True):
        stop.check()
        named = replace(tags, title=f"{tags.title}: {section.name}")
        write_part(path, Part(master, section.start_sample, section.end_sample), rate, named)
    stop.check()
    named_stems = _stem_labels(plan)
    stem_paths = [files.beside(f"stem-{label}.{format}") for label, _ in named_stems]
    stem_tags = [replace(tags, title=f"{tags.title}: {name}, stem") for _, name in named_stems]
    write_stems(stem_paths, stems, rate, stem_tags, loop=plan.loop)
    return [*wholes, *stem_paths]


def _stem_labels(plan: Plan) -> list[tuple[str, str]]:
    """A part of a file's name, and a name for people, of each section and each layer of one."""
    stems = []
    for index, section in enumerate(plan.sections, 1):
        label = f"{index:02d}-{slug(section.name)}"
        stems += [
            (f"{label}.{number}-{slug(layer.name, LAYER_BYTES)}", f"{section.name}, {layer.name}")
            for number, layer in enumerate(section.layers, 1)
        ] or [(label, section.name)]
    return stems


def _progress(
    observer: Observer, stage: Literal["mix", "master"], plan: Plan, stop: StopFlag
) -> Callable[[int, int], None]:
    rate = plan.grid.sample_rate
    clock = StageClock(observer, stage, plan.total_samples / rate, "seconds", 1.0)
    one_at_a_time = threading.Lock()  # two lossy files may be mastered anew side by side

    def tell(done: int, total: int) -> None:
        del total
        stop.check()
        with one_at_a_time:
            clock.tell(done / rate)

    return tell
