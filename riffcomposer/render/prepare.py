"""From a song's file to a plan that has been compared with the store and the lock.

What `plan`, `check` and `render` have in common. Writes nothing and loads no weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.checkpoints.verify import verify_model
from riffcomposer.device import BACKENDS, guess_backend, guess_basis, named_device
from riffcomposer.diagnostics import Diagnostic, Severity, in_order
from riffcomposer.errors import ModelError, SongError
from riffcomposer.lock.lock_file import Lock, lock_path, read_lock
from riffcomposer.loops.catalogue import catalogue
from riffcomposer.plan.budget import Limits, check_budget, estimate
from riffcomposer.plan.init_scan import scan_inits
from riffcomposer.plan.inputs import SongFiles
from riffcomposer.plan.plan_lints import lint_plan
from riffcomposer.plan.planner import plan_song
from riffcomposer.plan.statuses import job_states
from riffcomposer.plan.types import Assessment, Plan
from riffcomposer.song.default_init import with_default_init
from riffcomposer.song.lints import lint
from riffcomposer.song.reader import LoadedSong, load_song
from riffcomposer.song.resolved import ResolvedSong
from riffcomposer.store.store import Store
from riffcomposer.synth.soundfont_choice import font_digest
from riffcomposer.versions import SYNTH_VERSION

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
    backend = backend or expected_backend(device, store)
    model = locate_model(song.resolved.model, song.folder)
    song = with_model(song, model)
    shipped = catalogue()
    found = lint(song, model.profile, shipped, allowed_folders=allowed_folders, model_folder=model.folder)
    if any(diagnostic.severity == "error" for diagnostic in found):
        raise SongError.of(found)
    try:
        plan = plan_song(
            song.resolved,
            song_path=song.path,
            model=model,
            catalogue=shipped,
            backend=backend,
            files=SongFiles(song.folder, allowed_folders),
            sound=score_sound(song.resolved),
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
        raise type(error).of(diagnostics) from None
    if any(diagnostic.severity == "error" for diagnostic in found):
        raise SongError.of(found)
    warnings = in_order([*found, *diagnosed(song, lint_plan(plan, song.resolved))])
    return PreparedSong(
        song, model, plan, assessment, lock, tuple(warnings), backend, draft, limits, tuple(allowed_folders)
    )


def with_model(song: LoadedSong, model: LocatedModel) -> LoadedSong:
    """The song with what its model decides where it states nothing."""
    return replace(song, resolved=with_default_init(song.resolved, model.profile.default_init))


def score_sound(song: ResolvedSong) -> str:
    """What decides how scores sound, for keys: the synth's version and the digest of its sound font.

    Empty for a song without scores, which needs no sound font.

    Raises:
        ModelError: `RIFFCOMPOSER_SOUNDFONT` names no sound font.
    """
    if not any(section.is_composed for section in song.sections):
        return ""
    return f"synth {SYNTH_VERSION}, font {font_digest()}"


def examine(
    path: Path, store: Store, *, device: str = "auto", allowed_folders: tuple[Path, ...] = ()
) -> list[Diagnostic]:
    """Everything there is to say about one song, by position: what `check` prints.

    Unlike `prepare_song` it goes on after a fault as far as it can, verifies the model's files by their
    headers, and has no limits.
    """
    try:
        song = load_song(path)
    except SongError as error:
        return list(error.diagnostics)
    model, found = _examined_model(song)
    if model is not None:
        song = with_model(song, model)
    found += lint(
        song,
        None if model is None else model.profile,
        catalogue(),
        allowed_folders=allowed_folders,
        model_folder=None if model is None else model.folder,
    )
    if model is not None and not any(diagnostic.severity == "error" for diagnostic in found):
        try:
            plan = plan_song(
                song.resolved,
                song_path=song.path,
                model=model,
                catalogue=catalogue(),
                backend=expected_backend(device, store),
                files=SongFiles(song.folder, allowed_folders),
                sound=score_sound(song.resolved),
            )
            scanned = scan_inits(plan, song.resolved, model.profile.spectrogram)
            found += diagnosed(song, [*lint_plan(plan, song.resolved), *scanned])
        except SongError as error:
            found += diagnosed(song, error.diagnostics)
    return in_order(found)


def _examined_model(song: LoadedSong) -> tuple[LocatedModel | None, list[Diagnostic]]:
    """The checkpoint of a song, if there is one, and what is wrong with it."""
    found: list[Diagnostic] = []
    try:
        model = locate_model(song.resolved.model, song.folder)
    except ModelError as error:
        # A folder beside the song is part of it; another model may well be on the machine that renders.
        severity: Severity = "error" if song.resolved.model.startswith(".") else "warning"
        hint = "checks that depend on it are left out"
        return None, [song.diagnostic(severity, "no-model", str(error), ("model",), hint)]
    if model.derived:
        message = "the model has no riffcomposer.json: its profile is a guess from its configuration"
        found.append(song.diagnostic("warning", "guessed-profile", message, ("model",)))
    try:
        verify_model(model, hashes=False)
    except ModelError as error:
        found.append(song.diagnostic("error", "bad-model", str(error), ("model",)))
    return model, found


def expected_backend(device: str, store: Store) -> str:
    """The class of device that a render on `device` will use: what an earlier one found, else a guess.

    Raises:
        UsageError: Not a device.
    """
    if named_device(device) == "auto":
        known = store.known_backend(guess_basis())
        if known is not None and known in BACKENDS.values():
            return known
    return guess_backend(device)


def diagnosed(song: LoadedSong, findings: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Adds each diagnostic's place in the song's file."""
    return [song.source.located(finding) for finding in findings]
