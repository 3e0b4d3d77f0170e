"""From a song's file to a plan that has been compared with the store and the lock.

`plan`, `check` and `render` share it. It writes nothing and loads no weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from riffcomposer.checkpoints.locate import locate_model
from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.checkpoints.verify import verify_model
from riffcomposer.device import BACKENDS, guess_backend, guess_basis, named_device
from riffcomposer.diagnostics import Diagnostic, Severity, in_order
from riffcomposer.errors import BudgetError, ModelError, SongError
from riffcomposer.lock.lock_file import Lock, lock_path, read_lock
from riffcomposer.loops.catalogue import catalogue
from riffcomposer.plan.budget import Limits, check_budget, estimate
from riffcomposer.plan.init_scan import scan_inits
from riffcomposer.plan.inputs import SongFiles
from riffcomposer.plan.plan_lints import lint_plan
from riffcomposer.plan.planner import plan_song
from riffcomposer.plan.section_settings import medium_of
from riffcomposer.plan.statuses import job_states
from riffcomposer.plan.types import Assessment, Plan
from riffcomposer.render.measured_sounds import MeasuredSound
from riffcomposer.song.default_init import with_default_init
from riffcomposer.song.lints import lint
from riffcomposer.song.reader import LoadedSong, load_song, parse_song
from riffcomposer.song.resolved import ResolvedSong
from riffcomposer.store.store import Store
from riffcomposer.synth.soundfont_choice import font_digest
from riffcomposer.versions import SYNTH_VERSION

Policy = Literal["collect", "refuse"]
"""What happens at a fault: `collect` notes it and goes on as far as possible, `refuse` raises it."""


@dataclass(frozen=True)
class PlanOptions:
    """What a song is planned for.

    Attributes:
        device: What it will be rendered on: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        backend: The class of device that an engine really has; None for what `device` is thought to be.
        draft: Whether to take about half the steps.
        limits: The budget.
        allowed_folders: Folders besides the song's own that its files may be in.
    """

    device: str = "auto"
    backend: str | None = None
    draft: bool = False
    limits: Limits = field(default_factory=Limits)
    allowed_folders: tuple[Path, ...] = ()

    def backend_for(self, store: Store) -> str:
        """Returns the class of device that the render will use."""
        return self.backend or expected_backend(self.device, store)

    @property
    def follows_lock(self) -> bool:
        """Whether the class of device may be the one in the song's lock: nobody has named another one."""
        return self.backend is None and not self.draft and named_device(self.device) == "auto"


@dataclass(frozen=True)
class PreparedSong:
    """A song that can be rendered.

    Attributes:
        assessment: Which clips the store has, and what the others cost.
        lock: The lock file's content; it explains changes and decides nothing.
        warnings: The warnings about the song, by position.
        options: What it was planned for; `options.backend` is set.
        from_lock: Whether it is planned for the class of device in its lock, all of whose clips the store
            has, and not for the one that this machine is thought to have.
    """

    song: LoadedSong
    model: LocatedModel
    plan: Plan
    assessment: Assessment
    lock: Lock
    warnings: tuple[Diagnostic, ...]
    options: PlanOptions
    from_lock: bool = False

    @property
    def backend(self) -> str:
        """Class of device that the plan's keys are made for."""
        assert self.options.backend is not None, "prepare_song sets it"
        return self.options.backend

    def planned_for(self, backend: str, store: Store) -> PreparedSong:
        """Returns the same song under the same limits, planned for another class of device.

        Raises as `prepare_song` does.
        """
        return prepare_song(self.song, store, replace(self.options, backend=backend))


def prepare_song(
    song: Path | str | LoadedSong, store: Store, options: PlanOptions | None = None
) -> PreparedSong:
    """Reads, checks and plans a song, and compares the plan with store and lock.

    Without a device or class of device in the options, a song whose clips were all rendered on another class,
    as its lock says, and are in the store, is planned for that class: nothing is rendered again.

    Args:
        song: The song, or its file.
        store: Where finished clips are looked up.
        options: What it is planned for; the defaults if None.

    Raises:
        SongError: The song has faults; one diagnostic for each.
        BudgetError: It asks for more than the limits.
        ModelError: Its model is not on this disk.
        StoreError: The lock or the store refuses to be read.
    """
    loaded = song if isinstance(song, LoadedSong) else load_song(song)
    options = options or PlanOptions()
    lock = read_lock(lock_path(loaded.path))
    own = options.backend_for(store)
    if options.follows_lock and lock.backend in BACKENDS.values() and lock.backend != own:
        recorded = _prepared(loaded, store, replace(options, backend=lock.backend), lock)
        if all(state.status == "cached" for state in recorded.assessment.states.values()):
            return replace(recorded, from_lock=True)
    return _prepared(loaded, store, replace(options, backend=own), lock)


def _prepared(song: LoadedSong, store: Store, options: PlanOptions, lock: Lock) -> PreparedSong:
    """Plans a song for the class of device in `options`. Raises as `prepare_song`."""
    planned, found = examine(song, store, options, "refuse")
    assert planned is not None, "under `refuse`, whatever prevents a plan is raised"
    loaded, model, plan = planned
    states = job_states(plan, lambda key: store.has("clip", key), lock.clips, lock.names)
    assessment = Assessment(states, estimate(plan, states, model.profile))
    try:
        check_budget(assessment.budget, options.limits)
    except BudgetError as error:
        raise BudgetError.of(map(loaded.source.located, error.diagnostics)) from None
    return PreparedSong(loaded, model, plan, assessment, lock, tuple(found), options)


def check_song(
    path: Path, store: Store, options: PlanOptions | None = None, content: bytes | None = None
) -> list[Diagnostic]:
    """Returns everything there is to say about one song, by position: what `check` prints.

    Args:
        content: The song's text, if it is not the file's.
    """
    try:
        song = load_song(path) if content is None else parse_song(content, path)
        return examine(song, store, options or PlanOptions(), "collect")[1]
    except SongError as error:
        return list(error.diagnostics)


def examine(
    song: LoadedSong, store: Store, options: PlanOptions, policy: Policy
) -> tuple[tuple[LoadedSong, LocatedModel, Plan] | None, list[Diagnostic]]:
    """Checks and plans a song, in the one order that all commands share.

    1. The model is located; under `collect` its files are verified by their headers too, which a render
       does when it loads them.
    2. Lints that need no plan. If any is an error, there is no plan.
    3. The plan, the samples of the song's own files, and lints of the plan.

    Returns:
        The song with its model's defaults, the model and the plan (None if there could be none, under
        `collect` only), and errors and warnings by position.

    Raises:
        SongError, BudgetError, ModelError: Under `refuse`, at the end of the first stage with an error.
    """
    model, found = _model(song, policy)
    if model is not None:
        song = with_model(song, model)
    found += lint(
        song,
        None if model is None else model.profile,
        catalogue(),
        allowed_folders=options.allowed_folders,
        model_folder=None if model is None else model.folder,
    )
    planned = None
    if model is not None and not _has_errors(found):
        try:
            plan = plan_song(
                song.resolved,
                song_path=song.path,
                model=model,
                catalogue=catalogue(),
                backend=options.backend_for(store),
                files=song_files(song, store, options.allowed_folders),
                sound=score_sound(song.resolved),
                draft=options.draft,
                limits=options.limits,
            )
            planned = song, model, plan
            scanned = scan_inits(plan, song.resolved, model.profile.spectrogram)
            found += map(song.source.located, [*scanned, *lint_plan(plan, song.resolved)])
        except SongError as error:
            located = [song.source.located(each) for each in error.diagnostics]
            if policy == "refuse":
                raise type(error).of(located) from None
            found += located
    if policy == "refuse" and _has_errors(found):
        raise SongError.of(found)
    return planned, in_order(found)


def with_model(song: LoadedSong, model: LocatedModel) -> LoadedSong:
    """The song with what its model decides where it states nothing."""
    return replace(song, resolved=with_default_init(song.resolved, model.profile.default_init))


def song_files(song: LoadedSong, store: Store, allowed: tuple[Path, ...]) -> SongFiles:
    """Looks up the song's own files; what is found out about its recordings is noted in the store."""
    return SongFiles(song.folder, allowed, lambda path, digest: MeasuredSound(path, digest, store))


def score_sound(song: ResolvedSong) -> str:
    """What decides how scores and MIDI sound, for keys: the synth's version and the digest of its sound font.

    Empty for a song without them, which needs no sound font.

    Raises:
        ModelError: `RIFFCOMPOSER_SOUNDFONT` names no sound font.
    """
    inits = [render.init for section in song.sections for render in section.renders]
    if not any(each and (each.kind == "score" or medium_of(Path(each.name)) == "midi") for each in inits):
        return ""
    return f"synth {SYNTH_VERSION}, font {font_digest()}"


def _has_errors(found: Iterable[Diagnostic]) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in found)


def _model(song: LoadedSong, policy: Policy) -> tuple[LocatedModel | None, list[Diagnostic]]:
    """Returns a song's checkpoint, if there is one, and under `collect` what is wrong with it.

    Raises:
        ModelError: Under `refuse`, the checkpoint is not on this disk.
    """
    if policy == "refuse":
        return locate_model(song.resolved.model, song.folder), []
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
    """Returns the class of device of a render on `device`: what an earlier one found, else a guess.

    Raises:
        UsageError: Not a device.
    """
    if named_device(device) == "auto":
        known = store.notes.known("devices", guess_basis())
        if known is not None and known in BACKENDS.values():
            return known
    return guess_backend(device)
