"""Checks of several values together: keys that exclude one another, names, keys that do not apply.

They work on the plain tree, so that a song with other faults is still checked. Each check looks
only at values of the right type; pydantic reports wrong types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from riffcomposer.diagnostics import Diagnostic, NodePath
from riffcomposer.media.kinds import IMAGE_SUFFIXES, INIT_SUFFIXES, MIDI_SUFFIXES
from riffcomposer.song.effects import EFFECTS
from riffcomposer.song.faults import fault
from riffcomposer.song.layer_rules import check_layers
from riffcomposer.song.merge import (
    EXCLUSIVE,
    MAX_USE_DEPTH,
    Merged,
    by_name,
    merge_layers,
    merge_section,
    use_chain,
    use_circle,
)
from riffcomposer.song.paths import is_path, path_fault
from riffcomposer.text import cut, did_you_mean, printable, shorten

Plain = Mapping[str, Any]

_LORA_SUFFIXES = (".safetensors",)
_PICKLES = ("pt", "pth", "ckpt", "bin", "pkl")
_SUFFIX = re.compile(r"\.\w{1,11}$")
_OTHER_LORA = re.compile(
    r"<(?:lora|lyco):(?P<tag>[^:<>{},]+)(?::(?P<tag_weight>-?[\d.]+))?[^<>]*>"
    r"|(?P<file>[^:<>{},]+\.safetensors):(?P<weight>-?[\d.]+)"
)

_NO_INIT_HINT = "write init: score, or name a loop"

MAX_HINTS = 20
"""Unknown names for which a similar one is searched; the search is slow among many names."""


def _as(kind: type, value: object) -> Any:
    """Returns the value, or an empty one if it has another type."""
    return value if isinstance(value, kind) else kind()


def _exclusive(section: Plain, path: NodePath) -> Iterator[Diagnostic]:
    for group in EXCLUSIVE:
        stated = [key for key in section if key in group]
        for key in stated[1:]:
            message = f"{key} and {stated[0]} cannot be used together"
            yield fault((*path, key), "exclusive-keys", message, "keep one of them", at_key=True)


def _chain(chain: object, path: NodePath) -> Iterator[Diagnostic]:
    if not isinstance(chain, list):
        return
    for index, entry in enumerate(chain):
        if isinstance(entry, dict) and len(entry) != 1 and all(name in EFFECTS for name in entry):
            names = ", ".join(entry) or "none"
            message = f"each item of a chain names one effect (got {names})"
            yield fault((*path, index), "one-effect", message, "put each effect into an item of its own")


def _transition(transition: object, path: NodePath) -> Iterator[Diagnostic]:
    if not isinstance(transition, dict):
        return
    kind = transition.get("type", "crossfade")
    for key, belongs in (("length", "crossfade"), ("clips", "bridge")):
        if key in transition and kind in ("cut", "crossfade", "bridge") and kind != belongs:
            message = f"{key} does not apply to a {kind}, only to a {belongs}"
            yield fault((*path, key), "does-not-apply", message, at_key=True)


def _file(
    value: object, path: NodePath, suffixes: Sequence[str], *, catalogue: bool = True
) -> Iterator[Diagnostic]:
    """Checks the form and suffix of a path; nothing is opened."""
    if not isinstance(value, str) or not value or (catalogue and not is_path(value)):
        return
    message = path_fault(value)
    if message is None and not value.lower().endswith(tuple(suffixes)):
        message = f"{shorten(value)} is not a file of the right kind ({' '.join(suffixes)})"
    if message is not None:
        yield fault(path, "bad-path", message)


def _lora(value: object, path: NodePath) -> Iterator[Diagnostic]:
    """Checks the form and suffix of a LoRA's path, and reads what other programs write there."""
    found = list(_file(value, path, _LORA_SUFFIXES, catalogue=False))
    if found and isinstance(value, str):
        name, _, suffix = value.rpartition(".")
        message, hint = found[0].message, ""
        if other := _OTHER_LORA.fullmatch(value):
            file = (other["tag"] or other["file"]).removesuffix(".safetensors") + ".safetensors"
            weight = other["tag_weight"] or other["weight"]
            message = f"{shorten(value)} is another program's notation"
            hint = f"write {{path: {file}, weight: {weight}}}" if weight else f"write {file}"
        elif suffix.lower() in _PICKLES and name:
            message = f"{shorten(value)} is a pickle, which can run code and is never opened"
            hint = "get it as .safetensors"
        elif path_fault(value) is None and not _SUFFIX.search(value):
            hint = f"name the file itself, as in {cut(printable(value.rstrip('/')), 40)}.safetensors"
        found = [replace(found[0], message=message, hint=hint)]
    yield from found


def _other_init(merged: Merged) -> str:
    """What a section starts from, as written; empty if nothing is stated, or a score."""
    init = merged.values.get("init")
    name = init.get("path") if isinstance(init, dict) else init
    return name if isinstance(name, str) and name != "score" else ""


def _score(section: Plain, merged: Merged, path: NodePath, what: str) -> Iterator[Diagnostic]:
    """Checks that a stated score is heard: its section, or layer, starts from it."""
    if "score" in section and (name := _other_init(merged)):
        message = f"score does not apply: this {what} starts from {shorten(name)}"
        hint = "write init: score, or take one of the two out"
        yield fault((*path, "score"), "does-not-apply", message, hint, at_key=True)


def _keys_of_init(init: Plain, text: str, path: NodePath) -> Iterator[Diagnostic]:
    """Checks that the keys of an `init` apply to what it names."""
    unfit: tuple[str, ...]
    is_midi = text.lower().endswith(MIDI_SUFFIXES)
    if not is_path(text):
        unfit, kind = (
            ("start", "tempo", "bars", "tracks"),
            "a loop of the catalogue, a score or none, only to a file",
        )
    elif is_midi:
        unfit, kind = ("tempo",), "a MIDI file, whose notes are played at the song's tempo"
    else:
        unfit, kind = ("tracks",), "a sound or an image, only to a MIDI file"
    for key in unfit:
        if key in init:
            yield fault((*path, key), "does-not-apply", f"{key} does not apply to {kind}", at_key=True)


def _files(settings: Plain, path: NodePath) -> Iterator[Diagnostic]:
    init = settings.get("init")
    if isinstance(init, dict):
        text = init.get("path")
        yield from _file(text, (*path, "init", "path"), INIT_SUFFIXES)
        if isinstance(text, str):
            yield from _keys_of_init(init, text, (*path, "init"))
    else:
        yield from _file(init, (*path, "init"), INIT_SUFFIXES)
    yield from _file(settings.get("mask"), (*path, "mask"), IMAGE_SUFFIXES)
    loras = settings.get("lora")
    for index, lora in enumerate(loras if isinstance(loras, list) else []):
        where = (*path, "lora", index)
        if isinstance(lora, dict):
            yield from _lora(lora.get("path"), (*where, "path"))
        else:
            yield from _lora(lora, where)


def _settings(settings: Plain, path: NodePath) -> Iterator[Diagnostic]:
    """Checks the keys that `defaults` and sections have in common."""
    yield from _exclusive(settings, path)
    yield from _transition(settings.get("transition"), (*path, "transition"))
    yield from _files(settings, path)


def _names(sections: Sequence[Plain], names: Mapping[str, int]) -> Iterator[Diagnostic]:
    unknown = 0
    for index, section in enumerate(sections):
        name, used = section.get("name"), section.get("use")
        if isinstance(name, str) and names[name] != index:
            message = f"the name {shorten(name)} is already taken by section {names[name] + 1}"
            yield fault(
                ("sections", index, "name"), "duplicate-name", message, "give each section a name of its own"
            )
        if not isinstance(used, str):
            continue
        where = ("sections", index, "use")
        if used not in names:
            unknown += 1
            near = did_you_mean(used, names) if unknown <= MAX_HINTS else ""
            hint = near or ("" if names else "give the section a name first")
            yield fault(where, "unknown-section", f"there is no section named {shorten(used)}", hint)
        else:
            circle = use_circle(sections, index, names)
            if len(use_chain(sections, index, names)) > MAX_USE_DEPTH:
                message = f"more than {MAX_USE_DEPTH} sections build on one another"
                yield fault(where, "use-too-deep", message, "use a section nearer to the start of the chain")
            elif circle and index == min(circle):
                message = f"{shorten(used)} builds on this section, so this section cannot use it"
                yield fault(where, "use-circle", message)


def _walk(section: Plain, merged: Merged, path: NodePath, what: str) -> Iterator[Diagnostic]:
    """Checks that there is a prompt or a walk, and that every stated prompt and seed has an effect."""
    walk = merged.values.get("walk")
    has_prompt = "prompt" in merged.values
    own_walk = "walk" in section
    if isinstance(walk, list):
        points = [point for point in walk if isinstance(point, dict)]
        if len(points) != len(walk) or not points:
            return
        for key in ("prompt", "seed", "strength", "denoising", "guidance_scale"):
            point_key = "strength" if key == "denoising" else key
            if key in section and all(point_key in point for point in points):
                message = f"{key} does not apply: every point of the walk has its own"
                hint = "" if own_walk else "state the walk again with other points"
                yield fault((*path, key), "does-not-apply", message, hint, at_key=True)
        if own_walk and not has_prompt:
            for index, point in enumerate(points):
                if "prompt" not in point and point.get("strength", merged.strength) != 0:
                    hint = f"give the {what} a prompt, or each point its own"
                    where = (*path, "walk", index)
                    yield fault(
                        where,
                        "missing-key",
                        f"point {index + 1} of the walk has no prompt",
                        hint,
                        keys=("prompt",),
                    )
    elif "walk" not in merged.values and not has_prompt and merged.strength != 0:
        hint = "write prompt:, or walk: with several, or strength: 0 to play the loop itself"
        keys = ("prompt", "walk", "use")
        yield fault(path, "missing-key", f"this {what} has no prompt", hint, keys=keys)


def _has_init(merged: Merged, model: object) -> bool:
    """Whether a section starts from something; where nothing is said, the default model does from a score."""
    init = merged.values.get("init")
    if init is None:
        return "score" in merged.values or model == "default"
    return init not in ("none", {"path": "none"})


def _length(merged: Merged, path: NodePath) -> Iterator[Diagnostic]:
    if not any(key in merged.values for key in ("bars", "clips", "duration", "walk")):
        message = "this section has no length"
        yield fault(
            path,
            "missing-key",
            message,
            "write bars: 8, or clips: 4, or duration: 20s",
            keys=(*EXCLUSIVE[0], "walk", "use"),
        )


def _rendered(
    section: Plain, merged: Merged, model: object, path: NodePath, what: str
) -> Iterator[Diagnostic]:
    """Checks the keys that say how a section without layers, or a layer, is rendered."""
    yield from _walk(section, merged, path, what)
    yield from _score(section, merged, path, what)
    yield from _alpha(section, merged.values.get("alpha_curve"), path)
    if not _has_init(merged, model):
        for key in ("strength", "denoising", "mask"):
            if key in section and section[key] != "none":
                message = f"{key} does not apply to a {what} without init"
                yield fault(
                    (*path, key), "does-not-apply", message, "write init: score, or name a loop", at_key=True
                )
        walk = section.get("walk")
        for index, point in enumerate(walk if isinstance(walk, list) else []):
            if isinstance(point, dict) and "strength" in point:
                message = f"strength does not apply to a {what} without init"
                where = (*path, "walk", index, "strength")
                yield fault(
                    where, "does-not-apply", message, "write init: score, or name a loop", at_key=True
                )


def _alpha(settings: Plain, curve: object, path: NodePath) -> Iterator[Diagnostic]:
    if "alpha_power" in settings and curve in (None, "linear", "ease"):
        message = "alpha_power applies to alpha_curve: power only"
        yield fault((*path, "alpha_power"), "does-not-apply", message, "add alpha_curve: power", at_key=True)


def _first_transition(song: Plain, sections: Sequence[Plain]) -> Iterator[Diagnostic]:
    if "transition" in sections[0] and song.get("loop") is not True and "length" not in song:
        message = "transition does not apply to the first section of a song that neither loops nor repeats"
        yield fault(
            ("sections", 0, "transition"),
            "does-not-apply",
            message,
            "take it out, or add loop: true",
            at_key=True,
        )


def check(song: object) -> list[Diagnostic]:
    """Finds every fault of these kinds in a plain song without `x-` keys."""
    if not isinstance(song, dict):
        return []
    faults: list[Diagnostic] = []
    listed: list[Any] = _as(list, song.get("sections"))
    sections: list[Plain] = [_as(dict, item) for item in listed]
    defaults: Plain = _as(dict, song.get("defaults"))
    names = by_name(sections)
    model = song.get("model", "default")
    faults += _settings(defaults, ("defaults",))
    faults += _alpha(defaults, defaults.get("alpha_curve"), ("defaults",))
    faults += _names(sections, names)
    for index, section in enumerate(sections):
        path: NodePath = ("sections", index)
        faults += _settings(section, path)
        faults += _chain(section.get("chain"), (*path, "chain"))
        # A section that builds on a missing one, or on itself, is already reported.
        base = sections[use_chain(sections, index, names)[0]]
        if isinstance(listed[index], dict) and "use" not in base:
            merged = merge_section(defaults, sections, index, names)
            layers = merge_layers(merged, sections, index, names)
            faults += _length(merged, path)
            if layers:
                faults += check_layers(section, layers, path)
            else:
                faults += _rendered(section, merged, model, path, "section")
            for layer in layers:
                if layer.path[:2] == path:
                    own = section["layers"][layer.path[-1]]
                    faults += [*_settings(own, layer.path), *_chain(own.get("chain"), (*layer.path, "chain"))]
                    faults += _rendered(own, layer.merged, model, layer.path, "layer")
    if sections:
        faults += _first_transition(song, sections)
    faults += _chain(_as(dict, song.get("master")).get("chain"), ("master", "chain"))
    formats = _as(list, _as(dict, song.get("output")).get("formats"))
    for index, name in enumerate(formats[:8]):
        if name in formats[:index]:
            message = f"the format {shorten(name)} is listed twice"
            faults.append(fault(("output", "formats", index), "duplicate-item", message))
    return faults
