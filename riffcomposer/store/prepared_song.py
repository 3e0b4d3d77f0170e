"""From a song's file to a plan that has been compared with the store and the lock.

What `plan`, `check` and `render` have in common. Writes nothing and loads no weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.device import BACKENDS, guess_backend, guess_basis, named_device
from riffcomposer.errors import SongError
from riffcomposer.loops.catalogue import catalogue
from riffcomposer.plan.budget import Limits, check_budget, estimate
from riffcomposer.plan.findings import Finding
from riffcomposer.plan.init_scan import scan_inits
from riffcomposer.plan.inputs import SongFiles
from riffcomposer.plan.plan_lints import lint_plan
from riffcomposer.plan.planner import plan_song
from riffcomposer.plan.statuses import job_states
from riffcomposer.plan.types import Assessment, Plan
from riffcomposer.song.diagnostics import Diagnostic, format_text, in_order, song_error
from riffcomposer.song.lints import lint
from riffcomposer.song.reader import LoadedSong, load_song
from riffcomposer.store.lock import Lock, lock_path, read_lock
from riffcomposer.store.store import Store

CLIP_KIND = "clip"


@dataclass(frozen=True)
class PreparedSong:
    """A song that can be rendered.

    Attributes:
        assessment: What the store has of the plan, and what the rest costs.
        lock: As it is on disk; never trusted.
        warnings: What its author should know.
        backend, draft, limits, allowed_folders: What it was planned with.
    """

    song: LoadedSong
    model: LocatedModel
    plan: Plan
    assessment: Assessment
    lock: Lock
    warnings: tuple[Diagnostic, ...]
    backend: str
    draft: bool
    limits: Limits
    allowed_folders: tuple[Path, ...]

    def planned_for(self, backend: str, store: Store) -> PreparedSong:
        """The same song under the same limits, planned for another class of device.

        Raises as `prepare_song` does.
        """
        return prepare_song(
            self.song,
            store,
            backend=backend,
            draft=self.draft,
            limits=self.limits,
            allowed_folders=self.allowed_folders,
        )


def prepare_song(
    path: Path | str | LoadedSong,
    store: Store,
    *,
    device: str = "auto",
    backend: str | None = None,
    draft: bool = False,
    limits: Limits | None = None,
    allowed_folders: tuple[Path, ...] = (),
) -> PreparedSong:
    """Reads, checks and plans a song, and compares the plan with store and lock.

    Args:
        path: The song's file, or the song if it has been read.
        store: Where finished clips are looked up.
        device: What it will be rendered on, for keys: `auto`, `cpu`, `cuda` or `mps`.
        backend: Instead of what `device` is thought to be: the class that an engine really has.
        draft: Few steps.
        limits: The budget; a generous default if None.
        allowed_folders: Folders beside the song's own in which its files may lie.

    Raises:
        SongError: With a diagnostic for each fault.
        BudgetError: It asks for more than `limits`.
        ModelError: Its model is not on this disk.
        StoreError: The lock or the store refuses to be read.
    """
    song = path if isinstance(path, LoadedSong) else load_song(path)
    limits = limits or Limits()
    backend = backend or expected_compute(device, store)
    model = locate_model(song.resolved.model, song.folder)
    shipped = catalogue()
    found = lint(song, model.profile, shipped, allowed_folders=allowed_folders, model_folder=model.folder)
    if any(diagnostic.severity == "error" for diagnostic in found):
        raise song_error(song.source.file, found)
    try:
        plan = plan_song(
            song.resolved,
            song_path=song.path,
            model=model,
            catalogue=shipped,
            backend=backend,
            files=SongFiles(song.folder, allowed_folders),
            draft=draft,
            limits=limits,
        )
        found += diagnosed(song, scan_inits(plan, song.resolved, model.profile.spectrogram))
        lock = read_lock(lock_path(song.path))
        states = job_states(plan, lambda key: store.has(CLIP_KIND, key), lock.clips, lock.names)
        assessment = Assessment(states, estimate(plan, states, model.profile))
        check_budget(assessment.budget, limits)
    except SongError as error:
        diagnostics = diagnosed(song, error.diagnostics)
        raise type(error)(format_text(diagnostics), diagnostics) from None
    if any(diagnostic.severity == "error" for diagnostic in found):
        raise song_error(song.source.file, found)
    warnings = in_order([*found, *diagnosed(song, lint_plan(plan, song.resolved))])
    return PreparedSong(
        song, model, plan, assessment, lock, tuple(warnings), backend, draft, limits, tuple(allowed_folders)
    )


def expected_compute(device: str, store: Store) -> str:
    """The class of device that a render on `device` will use: what an earlier one found, else a guess.

    Raises:
        UsageError: Not a device.
    """
    if named_device(device) == "auto":
        known = store.known_compute(guess_basis())
        if known is not None and known in BACKENDS.values():
            return known
    return guess_backend(device)


def diagnosed(song: LoadedSong, findings: Iterable[Finding | Diagnostic]) -> list[Diagnostic]:
    """Findings with their place in the file."""
    return [
        finding
        if isinstance(finding, Diagnostic)
        else song.diagnostic(finding.severity, finding.code, finding.message, finding.path, finding.hint)
        for finding in findings
    ]
