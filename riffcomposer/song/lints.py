"""Errors and warnings that need the model's profile, the catalogue or the song's files.

An error means that the song cannot be rendered; a warning, that it can, but is probably not what
was meant. Lints that need the plan are in `riffcomposer.plan.plan_lints`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from fractions import Fraction
from pathlib import Path

from riffcomposer.checkpoints.profile import ModelProfile
from riffcomposer.composer.meters import METERS
from riffcomposer.diagnostics import Diagnostic, NodePath, in_order
from riffcomposer.errors import SongError
from riffcomposer.loops.catalogue import Catalogue
from riffcomposer.song.default_init import composed_meter
from riffcomposer.song.nodes import Mapping, Node, Scalar, Sequence
from riffcomposer.song.paths import MAX_FILE_BYTES, MAX_LORA_BYTES, check_name, is_path, song_file
from riffcomposer.song.prompt_lints import lint_prompts
from riffcomposer.song.reader import LoadedSong
from riffcomposer.song.resolved import ResolvedLayer, ResolvedSection
from riffcomposer.strength import effective_steps
from riffcomposer.text import did_you_mean, shorten
from riffcomposer.units import Timebase, exact

SILENT_DB = -60
MAX_STEPS = 1000
TEMPO_RATIO = 1.5
"""Stretch from which a loop sounds smeared."""
FEW_STEPS = 10
"""A model whose default is below this many steps is made for few: with it one effective step is enough."""

_CURLY = re.compile(
    "[\u2018\u201a][^\u2018\u201a]*[\u2018\u2019]|[\u201c\u201e\u00ab][^\u201c\u201e\u00ab]*[\u201c\u201d\u00bb]"
)

_Lint = Iterator[Diagnostic]


def _point_path(section: ResolvedSection, index: int, key: str) -> NodePath:
    """Returns where `key` of a key point is written: at the point, at the section, or at what it inherits."""
    if section.is_seed_walk or "walk" not in section.origins:
        return _origin(section, key)
    return (*section.origins["walk"], index, key)


def _origin(section: ResolvedSection, key: str) -> NodePath:
    if key == "strength" and "denoising" in section.origins:
        return section.origins["denoising"]
    return section.where(key)


def _written(song: LoadedSong, section: ResolvedSection, index: int, key: str) -> NodePath:
    """Returns the same as `_point_path`, but the section's own value where the point does not state it."""
    path = _point_path(section, index, key)
    if song.position(path) == song.position(path[:-1]):
        return _origin(section, key)
    return path


def _steps(song: LoadedSong, section: ResolvedSection, profile: ModelProfile) -> _Lint:
    if section.init is None:
        return
    steps = section.num_inference_steps or profile.num_inference_steps
    for index, point in enumerate(section.points):
        path = _written(song, section, index, "strength")
        if path == section.path:
            path = section.where("num_inference_steps")
        stated = point.strength.values if point.strength is not None else (profile.strength,)
        least, most = min(stated), max(stated)
        effective = effective_steps(steps, least)
        if least > 0 and effective == 0:
            message = f"strength {least:g} of {steps} steps leaves no step to run"
            enough = -(-1 // exact(least))
            more = f"write num_inference_steps: {enough}, " if enough <= MAX_STEPS else "write "
            hint = f"{more}a higher strength, or strength: 0 for the loop"
            yield song.diagnostic("error", "no-steps", message, path, hint)
        elif effective == 1 and (section.num_inference_steps is not None or steps >= FEW_STEPS):
            message = f"strength {least:g} of {steps} steps runs a single step"
            yield song.diagnostic(
                "warning", "one-step", message, path, "raise num_inference_steps or strength"
            )
        if most > profile.beat_keeping_strength:
            message = (
                f"strength {most:g} may leave the beat of the loop "
                f"({profile.name} keeps it up to {profile.beat_keeping_strength:g})"
            )
            yield song.diagnostic("warning", "off-beat", message, path)
    if all(point.is_init_alone for point in section.points):
        for key in ("prompt", "mask"):
            if section.where(key) == (*section.path, key):
                message = f"{key} has no effect at strength 0, which plays the loop itself"
                yield song.diagnostic("warning", "no-effect", message, section.where(key), key=True)


def _walk(song: LoadedSong, section: ResolvedSection) -> _Lint:
    for index, (left, right) in enumerate(zip(section.points, section.points[1:], strict=False)):
        path = (*section.where("walk"), index + 1)
        if left.prompt != right.prompt and left.seed != right.seed:
            message = "prompt and seed both change over this leg, so the music may lose its thread"
            yield song.diagnostic("warning", "wandering-leg", message, path, "change one of them at a time")
        elif left == right:
            message = "this point is the same as the one before: nothing changes over the leg"
            yield song.diagnostic("warning", "idle-leg", message, path)


def _prompts(song: LoadedSong, section: ResolvedSection) -> list[tuple[str, NodePath]]:
    """Yields the texts that a model reads, and where they are written."""
    prompts = [
        (point.prompt, _written(song, section, index, "prompt")) for index, point in enumerate(section.points)
    ]
    return [*prompts, (section.negative_prompt, section.where("negative_prompt"))]


def _settings(song: LoadedSong, section: ResolvedSection, profile: ModelProfile) -> _Lint:
    if section.scheduler is not None and section.scheduler not in profile.schedulers:
        message = f"{profile.name} has no scheduler {shorten(section.scheduler)}"
        hint = (
            did_you_mean(section.scheduler, profile.schedulers) or f"it has {', '.join(profile.schedulers)}"
        )
        yield song.diagnostic("error", "unknown-scheduler", message, section.where("scheduler"), hint)
    if section.negative_prompt and not profile.supports_negative_prompt:
        message = f"negative_prompt does not apply: {profile.name} cannot use one"
        path = section.where("negative_prompt")
        yield song.diagnostic(
            "error", "does-not-apply", message, path, "take it out, or choose another model", key=True
        )


def _gain(song: LoadedSong, section: ResolvedSection) -> _Lint:
    if max(section.gain_db.values) <= SILENT_DB:
        what = "layer" if isinstance(section, ResolvedLayer) else "section"
        message = f"at {max(section.gain_db.values):g} dB this {what} is silent"
        yield song.diagnostic("warning", "silent-section", message, section.where("gain_db"))


def _fades(song: LoadedSong, section: ResolvedSection) -> _Lint:
    timebase = Timebase(song.resolved.tempo, song.resolved.meter)
    if section.bars is not None:
        bars = section.bars
    elif section.duration is not None:
        bars = timebase.bars(section.duration)
    else:
        return
    fades = [(key, fade) for key in ("fade_in", "fade_out") if (fade := getattr(section, key)) is not None]
    if fades and sum(timebase.bars(fade) for _, fade in fades) > bars:
        names = " and ".join(key for key, _ in fades)
        verb = "is" if len(fades) == 1 else "are together"
        message = f"{names} {verb} longer than the section"
        yield song.diagnostic("error", "fade-too-long", message, section.where(fades[-1][0]))


def _formats(song: LoadedSong) -> _Lint:
    """Warns of a loop that is written as MP3 alone: MP3 has silence before and after the music."""
    if song.resolved.loop and set(song.resolved.output.formats) == {"mp3"}:
        message = "most players leave a gap where an MP3 repeats, so this loop is not seamless"
        hint = "add wav, flac or ogg to the formats"
        yield song.diagnostic("warning", "loop-as-mp3", message, ("output", "formats"), hint)


def _named(
    song: LoadedSong, name: str, known: Collection[str], path: NodePath, kind: str, folders: tuple[Path, ...]
) -> _Lint:
    """Reports a catalogue name or a file that does not exist."""
    try:
        if is_path(name):
            most = MAX_LORA_BYTES if kind == "LoRA" else MAX_FILE_BYTES
            song_file(song.folder, name, path, max_bytes=most, allowed=folders)
        else:
            check_name(name, known, kind, path)
    except SongError as error:
        yield from map(song.source.located, error.diagnostics)


def _files(
    song: LoadedSong, section: ResolvedSection, catalogue: Catalogue, folders: tuple[Path, ...]
) -> _Lint:
    if section.init is not None and section.init.kind == "score":
        if not composed_meter(song.resolved):
            message = f"nothing can be composed in {song.resolved.meter}"
            hint = f"choose one of {', '.join(METERS)}, or write init: none"
            yield song.diagnostic("error", "meter-of-score", message, section.where("init"), hint)
    elif section.init is not None:
        path = section.where("init")
        yield from _named(song, section.init.name, catalogue.clips, (*path, "path"), "loop", folders)
        clip = catalogue.clips.get(section.init.name) if section.init.kind == "catalogue" else None
        tempo = clip.tempo if clip is not None else section.init.tempo
        if isinstance(tempo, Fraction):
            ratio = song.resolved.tempo / tempo
            if max(ratio, 1 / ratio) > TEMPO_RATIO:
                message = (
                    f"{shorten(section.init.name)} is at {float(tempo):g} BPM; at "
                    f"{float(song.resolved.tempo):g} "
                    f"it is stretched to {float(1 / ratio):.2f} of its length and will sound smeared"
                )
                yield song.diagnostic("warning", "far-tempo", message, path)
        if clip is not None and clip.meter != str(song.resolved.meter):
            message = f"{shorten(clip.name)} is in {clip.meter}, the song in {song.resolved.meter}"
            yield song.diagnostic("warning", "other-meter", message, path)
    if section.mask is not None:
        yield from _named(song, section.mask, catalogue.masks, section.where("mask"), "mask", folders)
    for index, lora in enumerate(section.loras):
        yield from _named(song, lora.path, (), (*section.where("lora"), index, "path"), "LoRA", folders)


def _curly_quotes(song: LoadedSong) -> _Lint:
    """Warns of curly quotes, which YAML reads as a part of the text."""
    waiting: list[tuple[Node, NodePath]] = [(song.source.root, ())]
    while waiting:
        node, path = waiting.pop()
        if isinstance(node, Mapping):
            waiting += [
                (value, (*path, key)) for key, (_, value) in node.entries.items() if not key.startswith("x-")
            ]
        elif isinstance(node, Sequence):
            waiting += [(item, (*path, index)) for index, item in enumerate(node.items)]
        elif isinstance(node, Scalar) and isinstance(node.value, str) and _CURLY.fullmatch(node.value):
            line = song.source.lines[node.span.line - 1]
            if line[node.span.column - 1 : node.span.column] == node.value[0]:
                message = f"the curly quotes ({node.value[0]}{node.value[-1]}) are a part of this text"
                hint = "write \" or ' around it, or put the whole in such quotes if they are meant"
                yield song.diagnostic("warning", "curly-quotes", message, path, hint)


def lint(
    song: LoadedSong,
    profile: ModelProfile | None,
    catalogue: Catalogue,
    *,
    allowed_folders: tuple[Path, ...] = (),
    model_folder: Path | None = None,
) -> list[Diagnostic]:
    """Finds errors and warnings that need no plan.

    Args:
        song: A song without faults of its own.
        profile: The model's profile. None if the model is not on this disk; lints that need it are
            then left out.
        catalogue: The loops and masks that the song may name.
        allowed_folders: Folders besides the song's own that its files may be in.
        model_folder: The checkpoint's folder; LoRA files are compared with its headers.

    Returns:
        Errors and warnings by position. What several sections inherit is reported once.
    """
    found: list[Diagnostic] = [*_formats(song), *_curly_quotes(song)]
    if any(render.loras for section in song.resolved.sections for render in section.renders):
        from riffcomposer.song.lora_lints import lint_loras  # looks into files; most songs name none

        found += lint_loras(song, model_folder, allowed_folders)
    checks: list[Callable[[ResolvedSection], _Lint]] = [
        lambda section: _walk(song, section),
        lambda section: lint_prompts(song, _prompts(song, section)),
        lambda section: _files(song, section, catalogue, allowed_folders),
    ]
    if profile is not None:
        checks.append(lambda section: _steps(song, section, profile))
        checks.append(lambda section: _settings(song, section, profile))
    for section in song.resolved.sections:
        for mixed in (section, *section.layers):
            found += [*_fades(song, mixed), *_gain(song, mixed)]
        for render in section.renders:
            for check in checks:
                found += check(render)
    return in_order(found)
