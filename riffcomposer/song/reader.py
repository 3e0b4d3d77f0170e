"""Reads a song file: bytes -> bounded YAML -> plain values -> models -> resolved song.

One run finds every fault that can be found; the `SongError` carries one diagnostic for each, in
the order of the file.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from riffcomposer.diagnostics import Diagnostic, NodePath, Severity, Span
from riffcomposer.errors import SongError
from riffcomposer.song import language, nodes, rules
from riffcomposer.song.faults import fault, faults_of, label, without_echoes
from riffcomposer.song.nodes import Mapping, Node, Scalar, Sequence
from riffcomposer.song.paths import existing
from riffcomposer.song.resolve import resolve
from riffcomposer.song.resolved import ResolvedSong
from riffcomposer.song.source import Source
from riffcomposer.song.yaml_events import compose
from riffcomposer.song.yaml_syntax import key_in_text
from riffcomposer.song.yaml_text import MAX_BYTES, UnreadableYaml, decode, split_lines


@dataclass(frozen=True)
class LoadedSong:
    """A song without faults, and the position of everything in it.

    Attributes:
        path: The song's file.
        resolved: The song with everything filled in, as a planner reads it.
        source: The file's text and tree.
    """

    path: Path
    resolved: ResolvedSong
    source: Source

    @property
    def folder(self) -> Path:
        """The folder of the song's own files."""
        return self.path.parent

    @property
    def content(self) -> object:
        """Returns the song as plain values, as its author wrote it, without comments and `x-` keys."""
        return _plain(self.source.root, (), [])

    def position(self, path: NodePath, *, key: bool = False) -> Span:
        """Returns the position of a value or its key: `song.position(("sections", 2, "strength"))`."""
        return self.source.position(path, key=key)

    def diagnostic(
        self,
        severity: Severity,
        code: str,
        message: str,
        path: NodePath,
        hint: str = "",
        *,
        key: bool = False,
    ) -> Diagnostic:
        """Makes a diagnostic at the value (or the key) at `path`."""
        return self.source.diagnostic(severity, code, message, path, hint, key=key)


def _plain(node: Node, path: NodePath, faults: list[Diagnostic]) -> object:
    """Returns the tree as plain values without `x-` keys; a key without a value is a fault."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        items = [_plain(item, (*path, index), faults) for index, item in enumerate(node.items)]
        for index, item in enumerate(node.items):
            if items[index] is None and not item.invalid:
                item.invalid = True
                faults.append(fault((*path, index), "missing-value", f"{label((*path, index))} has no value"))
        return items
    assert isinstance(node, Mapping)
    values: dict[str, object] = {}
    for key, (_, value) in node.entries.items():
        if key.startswith("x-"):
            continue
        values[key] = _plain(value, (*path, key), faults)
        if values[key] is None and not value.invalid:
            value.invalid = True
            word = key_in_text(key)
            hint = f"write a space after {word}:" if word else "write one, or take the line out"
            faults.append(fault((*path, key), "missing-value", f"{key} has no value", hint, at_key=True))
    return values


def _validated(root: Node, faults: list[Diagnostic]) -> language.Song | None:
    """Runs every check of values; returns the song if none finds a fault."""
    plain = _plain(root, (), faults)
    song = None
    if not isinstance(plain, dict):
        faults.append(fault((), "not-a-song", "a song is a mapping (title: ..., sections: ...) at the top"))
        return None
    found: list[Diagnostic] = []
    try:
        song = language.Song.model_validate(plain)
    except ValidationError as error:
        found = faults_of(error)
    said = {each.path for each in found if not each.at_key}
    found += [each for each in rules.check(plain) if each.at_key or each.path not in said]
    faults += [each for each in without_echoes(found) if not nodes.is_invalid(root, each.path)]
    return song


def parse_song(content: bytes, path: Path, file: str | None = None) -> LoadedSong:
    """Reads a song from its bytes.

    Args:
        content: The file's content.
        path: The song's file, which need not exist; the song's own files are in its folder.
        file: The name of the file in messages; `path` by default.

    Raises:
        SongError: The song has faults; one diagnostic for each.
    """
    source = Source(file or str(path))
    diagnostics: list[Diagnostic] = []

    def report(span: Span, code: str, message: str, hint: str) -> None:
        diagnostics.append(source.at(span, "error", code, message, hint))

    try:
        text = decode(content)
        source.lines = split_lines(text)
        root = compose(text, report)
    except UnreadableYaml as problem:
        if not source.lines and problem.span.line:
            source.lines = split_lines(content.decode("utf-8-sig", errors="replace"))
        report(problem.span, problem.code, problem.message, problem.hint)
        raise SongError.of(diagnostics) from None
    if any(diagnostic.code == "odd-blank" for diagnostic in diagnostics):
        # Keys with such a character in them are other keys, so further faults would mislead.
        raise SongError.of(diagnostics)
    if root is None or (isinstance(root, Scalar) and root.value is None and not root.invalid):
        report(Span(1, 1, 2), "empty", "the song is empty", "`riffcompose new` writes one to start from")
        raise SongError.of(diagnostics)
    source.root = root
    faults: list[Diagnostic] = []
    song = _validated(root, faults)
    diagnostics += map(source.located, faults)
    if diagnostics or song is None:
        raise SongError.of(diagnostics)
    return LoadedSong(path, resolve(song), source)


def load_song(path: Path | str) -> LoadedSong:
    """Reads a song file.

    Raises:
        SongError: The file does not exist, cannot be read, or has faults; one diagnostic for each.
    """
    path = existing(Path(path))
    name = str(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _unreadable(name, "is not a file")
        with open(path, "rb") as handle:
            content = handle.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(name, "there is no such file") from None
    except (OSError, ValueError) as error:
        raise _unreadable(name, f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return parse_song(content, path, name)


def _unreadable(name: str, message: str) -> SongError:
    return SongError.of([Diagnostic("error", "unreadable", message, file=name)])
