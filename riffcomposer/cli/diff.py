"""`riffcompose diff`: what changed between two git revisions of a song, in musical terms."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from riffcomposer.cli.console import print_json, print_line
from riffcomposer.errors import ModelError, SongError, UsageError

if TYPE_CHECKING:
    from riffcomposer.plan.model import Plan
    from riffcomposer.plan.song_diff import FieldChange, SongDiff
    from riffcomposer.plan.voices import InputFile
    from riffcomposer.song.reader import LoadedSong
    from riffcomposer.song.resolved import NodePath

WORKING_TREE = "working tree"
_MAX_SONG_BYTES = 1 << 20
_TIMEOUT_S = 60


@dataclass(frozen=True)
class GitFolder:
    """The folder of a song in a git repository. Only blobs are read: no filters, hooks or pagers run."""

    folder: Path

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        command = ["git", "-c", "core.fsmonitor=false", "-C", str(self.folder), *arguments]
        try:
            return subprocess.run(
                command,
                capture_output=True,
                check=False,
                timeout=_TIMEOUT_S,
                env=environment,
                stdin=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            raise UsageError("git is not installed, and `diff` reads revisions with it") from None
        except subprocess.TimeoutExpired:
            raise UsageError(f"git did not answer within {_TIMEOUT_S} s") from None

    def commit(self, revision: str) -> str:
        """The full name of a commit.

        Raises:
            UsageError: There is no such revision, or the folder is in no repository.
        """
        found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        name = found.stdout.decode("ascii", "replace").strip()
        if found.returncode or not name.isalnum():
            if self._git("rev-parse", "--git-dir").returncode:
                raise UsageError(
                    f"{self.folder} is in no git repository, so there are no revisions to compare"
                )
            raise UsageError(f"there is no revision {revision!r} in the repository of {self.folder}")
        return name

    def blob(self, commit: str, name: str, max_bytes: int) -> bytes | None:
        """The content of a file below the folder at a commit; None if it is not there or too large."""
        reference = f"{commit}:./{name}"
        size = self._git("cat-file", "-s", reference)
        if size.returncode or not size.stdout.strip().isdigit() or int(size.stdout) > max_bytes:
            return None
        content = self._git("cat-file", "blob", reference)
        return None if content.returncode else content.stdout


@dataclass(frozen=True)
class _FilesAt:
    """A song's files as they were at a commit, by digest."""

    git: GitFolder
    commit: str

    def __call__(self, name: str, purpose: Literal["init", "mask", "lora"], where: NodePath) -> InputFile:
        from riffcomposer.plan.findings import fault
        from riffcomposer.plan.inputs import MAX_BYTES
        from riffcomposer.plan.voices import InputFile
        from riffcomposer.song.paths import path_fault

        problem = path_fault(name)
        content = None if problem else self.git.blob(self.commit, name, MAX_BYTES[purpose])
        if content is None:
            raise fault("bad-file", problem or f"{name} is not in that revision", where)
        return InputFile(self.git.folder / name, hashlib.sha256(content).hexdigest())


def _song_at(git: GitFolder, revision: str, name: str) -> tuple[LoadedSong, str]:
    from riffcomposer.song.reader import parse_song

    commit = git.commit(revision)
    content = git.blob(commit, name, _MAX_SONG_BYTES)
    if content is None:
        raise UsageError(f"{name} is not in revision {revision!r}, or is too large there")
    return parse_song(content, git.folder / name, f"{revision}:{name}"), commit


def _plan(song: LoadedSong, files: Any) -> Plan:
    from riffcomposer.models.device import guess_compute
    from riffcomposer.models.locate import locate_model
    from riffcomposer.plan.planner import plan_song
    from riffcomposer.seeds.catalogue import catalogue

    return plan_song(
        song.resolved,
        song_path=song.path,
        model=locate_model(song.resolved.model, song.folder),
        catalogue=catalogue(),
        compute=guess_compute(),
        files=files,
    )


def clips_to_render(old: Plan, new: Plan) -> dict[str, list[int]]:
    """section -> [clips that the old version did not have, clips in all], in the order of the new one."""
    counts: dict[str, list[int]] = {}
    for clip in new.clips:
        count = counts.setdefault(new.sections[clip.section].name, [0, 0])
        count[0] += clip.key not in old.jobs
        count[1] += 1
    return counts


def _change_lines(changes: tuple[FieldChange, ...], indent: str) -> list[str]:
    return [f"{indent}{change.field}: {change.old} -> {change.new}" for change in changes]


def _lines(diff: SongDiff) -> list[str]:
    lines = _change_lines(diff.changes, "")
    marks = {"added": "+", "removed": "-"}
    for section in diff.sections:
        words = []
        for kind in section.kinds:
            if kind == "renamed":
                words.append(f"renamed from {section.old_name}")
            elif kind == "moved":
                words.append(f"moved from place {section.old_place} to {section.new_place}")
            elif kind != "changed" or len(section.kinds) == 1:
                words.append(kind)
        lines.append(f"{marks.get(section.kinds[0], '~')} section {section.name}: {', '.join(words)}")
        lines += _change_lines(section.changes, "    ")
    return lines


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command()
    def diff(
        arguments: Annotated[
            list[str],
            typer.Argument(
                metavar="REV [REV] SONG",
                help="A git revision (or two; the second is the working tree if left out) and the song file.",
            ),
        ],
        as_json: Annotated[bool, typer.Option("--json", help="Print the changes as JSON.")] = False,
    ) -> None:
        """Show what changed between two revisions of a song: sections, fields, clips to render again."""
        from riffcomposer.plan.inputs import SongFiles
        from riffcomposer.plan.song_diff import diff_songs
        from riffcomposer.song.diagnostics import printable
        from riffcomposer.song.reader import load_song

        if len(arguments) not in (2, 3):
            raise UsageError("diff takes one or two revisions and a song: riffcompose diff HEAD~1 song.yaml")
        *revisions, song_text = arguments
        path = Path(song_text)
        git = GitFolder(path.parent)
        old, old_commit = _song_at(git, revisions[0], path.name)
        old_files: Any = _FilesAt(git, old_commit)
        new_files: Any
        if len(revisions) == 2:
            new, new_commit = _song_at(git, revisions[1], path.name)
            new_files = _FilesAt(git, new_commit)
        else:
            new, new_files = load_song(path), SongFiles(path.parent)
        changes = diff_songs(old.resolved, new.resolved)
        counts: dict[str, list[int]] | None = None
        why_not = ""
        try:
            old_plan, new_plan = _plan(old, old_files), _plan(new, new_files)
            counts = clips_to_render(old_plan, new_plan)
        except (SongError, ModelError) as error:
            why_not = str(error).splitlines()[0]
        names = (revisions[0], revisions[1] if len(revisions) == 2 else WORKING_TREE)
        if as_json:
            print_json(_as_json(song_text, names, changes, counts, why_not))
            return
        lines = _lines(changes) or ["no change that is heard"]
        if counts is None:
            lines.append(f"clips to render again cannot be told: {why_not}")
        else:
            again = {name: count for name, count in counts.items() if count[0]}
            rendered = len(new_plan.jobs.keys() - old_plan.jobs.keys())
            lines.append(f"clips to render again: {rendered} of {len(new_plan.jobs)}")
            lines += [f"    {name}: {count} of {whole}" for name, (count, whole) in again.items()]
        for line in lines:
            print_line(printable(line), {"+": "green", "-": "red", "~": "yellow"}.get(line[:1], ""))


def _as_json(
    song: str,
    names: tuple[str, str],
    changes: SongDiff,
    counts: dict[str, list[int]] | None,
    why_not: str,
) -> dict[str, Any]:
    def listed(entries: tuple[FieldChange, ...]) -> list[dict[str, str]]:
        return [{"field": entry.field, "old": entry.old, "new": entry.new} for entry in entries]

    clips = [
        {"section": name, "to_render": count, "clips": whole}
        for name, (count, whole) in (counts or {}).items()
    ]
    return {
        "song": song,
        "old": names[0],
        "new": names[1],
        "changes": listed(changes.changes),
        "sections": [
            {
                "name": section.name,
                "kinds": section.kinds,
                "old_name": section.old_name,
                "old_place": section.old_place,
                "new_place": section.new_place,
                "changes": listed(section.changes),
            }
            for section in changes.sections
        ],
        "clips": None if counts is None else clips,
        "clips_unknown": why_not,
    }
