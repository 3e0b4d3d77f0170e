"""The lock: `NAME.lock` beside `NAME.yaml`, a record of what each clip of a song was made from.

It is text that git can merge: one item a line, everything that belongs to a section stands under
its `section` line, nothing is counted over the whole file. It is a record to compare with and
never trusted: keys are computed again, and a line whose fields do not give its key is ignored.

    # riffcompose lock 1
    model "default" 5f3a...

    section "verse"
    file "lofi-keys" 91c0...
    with compute "cpu-float32"
    with negative_prompt "harsh noise"
    body 0 27ab... {"alpha":0.0,"seed_a":7,"seed_b":7}
    body 1 c901... {"alpha":0.25,"seed_a":7,"seed_b":8}
    passage 77de...

A section with layers has such a block for each of them, which begins with `section "verse" layer "drums"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from riffcomposer.errors import StoreError
from riffcomposer.files import write_text
from riffcomposer.plan.keys import fields_key, job_fields
from riffcomposer.plan.statuses import Position, Recorded, positions
from riffcomposer.plan.types import Plan

MAX_BYTES = 64 << 20
_HEAD = "# riffcompose lock 1"
_NOTE = "# What each clip of the song was made from. Written by render; commit it with the song, do not edit."
_CLIP = re.compile(r"(bridge|body|tail) ([0-9]{1,9}) ([0-9a-f]{64}) (\{.*\})")
_NAMED = re.compile(r'(model|file) (".*") ([0-9a-f]{1,64})')
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(frozen=True)
class Lock:
    """A lock as read.

    Attributes:
        exists: There is a file.
        clips: Key and fields by position, of lines that are true to themselves.
        names: Digest -> the name of the model or file.
        damage: Why the file, or a line of it, was not used; empty if all is well.
    """

    exists: bool = False
    clips: Mapping[Position, Recorded] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    damage: str = ""

    @property
    def backend(self) -> str:
        """The class of device that all its clips were rendered on; empty if there is none, or several."""
        found = {str(clip.fields.get("compute", "")) for clip in self.clips.values()}
        return found.pop() if len(found) == 1 else ""


def lock_path(song_path: Path) -> Path:
    """Where the lock of a song is: `NAME.lock` beside `NAME.yaml`.

    That of `NAME.yml` is the same, unless there is a `NAME.yaml`, too: then it is `NAME.yml.lock`.
    """
    if song_path.suffix != ".yaml" and song_path.with_suffix(".yaml").exists():
        return song_path.with_name(song_path.name + ".lock")
    return song_path.with_suffix(".lock")


def lock_text(plan: Plan, passages: Sequence[str] = ()) -> str:
    """The lock of a plan.

    Args:
        plan: What is rendered.
        passages: Keys of its passages' audio, in order, so that `gc` keeps them.
    """
    lines = [_HEAD, _NOTE]
    for digest in sorted({job.model_digest for job in plan.jobs.values()}):
        lines.append(f"model {_json(plan.model)} {digest}")
    starts = {
        (passage.sections[0], passage.layer): key
        for passage, key in zip(plan.passages, passages, strict=False)
    }
    blocks: dict[tuple[int, str], list[tuple[Position, str]]] = {
        (index, layer): []
        for index, section in enumerate(plan.sections)
        for layer in [each.name for each in section.layers] or [""]
    }
    for position, clip in positions(plan):
        blocks[clip.section, clip.layer].append((position, clip.key))
    fields = {key: job_fields(job) for key, job in plan.jobs.items()}
    for (index, layer), clips in blocks.items():
        files = {(file.name, file.sha256) for _, key in clips for file in plan.jobs[key].files}
        shared = _shared([fields[key] for _, key in clips])
        name = _json(plan.sections[index].name)
        lines += ["", f"section {name} layer {_json(layer)}" if layer else f"section {name}"]
        lines += [f"file {_json(name)} {digest}" for name, digest in sorted(files)]
        lines += [f"with {name} {_json(value)}" for name, value in sorted(shared.items())]
        for position, key in clips:
            own = {name: value for name, value in fields[key].items() if name not in shared}
            lines.append(f"{position.kind} {position.number} {key} {_json(own)}")
        if (index, layer) in starts:
            lines.append(f"passage {starts[index, layer]}")
    return "\n".join(lines) + "\n"


def write_lock(path: Path, plan: Plan, passages: Sequence[str] = ()) -> bool:
    """Writes the lock of a plan. Returns whether that changed the file.

    Raises:
        StoreError: It cannot be written.
    """
    text = lock_text(plan, passages)
    try:
        if path.is_file() and path.read_bytes() == text.encode():
            return False
    except OSError:
        pass
    write_text(path, text)
    return True


def read_lock(path: Path) -> Lock:
    """Reads a lock; one that is damaged, half merged or absent says little or nothing.

    Raises:
        StoreError: It is there and cannot be read.
    """
    content = _content(path)
    if content is None:
        return Lock()
    try:
        return _parse(content.decode())
    except (ValueError, RecursionError) as problem:
        return Lock(exists=True, damage=f"{path}: not a lock that can be read ({problem}); it is ignored")


def digests_in(path: Path) -> frozenset[str]:
    """Every digest that a lock names, even a damaged or half merged one: what `gc` keeps for it.

    Raises:
        StoreError: It is there and cannot be read.
    """
    content = _content(path)
    return frozenset() if content is None else frozenset(_DIGEST.findall(content.decode(errors="replace")))


def changes(lock: Lock, plan: Plan) -> list[str]:
    """What writing the plan's lock would change, a sentence for each clip; empty if nothing."""
    wanted = {position: clip.key for position, clip in positions(plan)}
    sentences = [] if not lock.damage else [lock.damage]
    for position, key in wanted.items():
        recorded = lock.clips.get(position)
        if recorded is None:
            sentences.append(f"{_words(position)}: not in the lock")
        elif recorded.key != key:
            sentences.append(f"{_words(position)}: another clip than in the lock")
    sentences += [
        f"{_words(position)}: in the lock only" for position in lock.clips if position not in wanted
    ]
    return sentences


def _words(position: Position) -> str:
    layer = f", layer {position.layer}" if position.layer else ""
    kind = "clip" if position.kind == "body" else f"{position.kind} clip"
    return f"section {position.section}{layer}, {kind} {position.number + 1}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _shared(fields: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields that all have in common."""
    if not fields:
        return {}
    first, *others = fields
    return {
        name: value
        for name, value in first.items()
        if all(name in other and other[name] == value for other in others)
    }


def _content(path: Path) -> bytes | None:
    try:
        if not path.is_file():
            return None
        with open(path, "rb") as handle:
            return handle.read(MAX_BYTES)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror or error})") from error


def _parse(text: str) -> Lock:
    lines = text.split("\n")
    if lines[0].rstrip() != _HEAD:
        raise ValueError("its first line is not that of a lock this version writes")
    clips: dict[Position, Recorded] = {}
    names: dict[str, str] = {}
    untrue = 0
    block: tuple[str, str] | None = None
    shared: dict[str, Any] = {}
    for number, ended in enumerate(lines[1:], start=2):
        line = ended.rstrip("\r")
        word = line.partition(" ")[0]
        if not line or word in ("#", "passage"):
            continue
        if word == "section":
            block, shared = _block(line[8:], number), {}
        elif word == "with":
            name, _, value = line[5:].partition(" ")
            shared[name] = json.loads(value)
        elif match := _NAMED.fullmatch(line):
            names[match[3]] = _decoded(match[2], str, number)
        elif (match := _CLIP.fullmatch(line)) and block is not None:
            recorded = Recorded(match[3], {**shared, **_decoded(match[4], dict, number)})
            if fields_key(recorded.fields) == recorded.key:
                clips[Position(*block, match[1], int(match[2]))] = recorded
            else:
                untrue += 1
        else:
            raise ValueError(f"line {number} is no line of a lock")
    damage = f"{untrue} clips of the lock do not match their own keys and are ignored" if untrue else ""
    return Lock(True, clips, names, damage)


def _block(text: str, number: int) -> tuple[str, str]:
    """The names of the section and the layer that a `section` line begins."""
    section, end = json.JSONDecoder().raw_decode(text)
    layer = _decoded(text[end + 7 :], str, number) if text[end:].startswith(" layer ") else ""
    if not isinstance(section, str) or (text[end:].strip() and not layer):
        raise ValueError(f"line {number} holds another kind of value")
    return section, layer


def _decoded(text: str, kind: type, number: int) -> Any:
    value = json.loads(text)
    if not isinstance(value, kind):
        raise ValueError(f"line {number} holds another kind of value")
    return value
