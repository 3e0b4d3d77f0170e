"""Which class of device a song is rendered for: that of its lock, if nothing is to be rendered; else the one
that there is.

A clip's key holds the class of device and number format. A song that was rendered on a GPU can therefore be
mastered where there is none, to the same bytes, as long as the store has its clips and passages (after
`cache pull`). What it lacks cannot be rendered there, and a render that would silently replace the lock's
clips by those of another class is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from riffcomposer.device import BACKENDS
from riffcomposer.errors import UsageError
from riffcomposer.lock.lock_file import changes
from riffcomposer.render.clip_stage import clip_labels, missing_clips
from riffcomposer.render.passage_stage import missing_passages
from riffcomposer.render.prepare import PreparedSong
from riffcomposer.render.settings import RenderSettings
from riffcomposer.store.store import Store

_NAMED = 4
"""Missing clips that a message names."""


@dataclass(frozen=True)
class DeviceQuestion:
    """A song before its device is known.

    Attributes:
        store: The store.
        settings: Options of the render.
        ask: Returns the class of device of the engine; raises `UsageError` if the device is not there.
        named: Whether the user named the device, so that no other class will do.
        replaces_lock: Whether the render writes the song's lock.
    """

    store: Store
    settings: RenderSettings
    ask: Callable[[], str]
    named: bool
    replaces_lock: bool

    def settle(self, prepared: PreparedSong) -> PreparedSong:
        """Returns the song planned for the class of device that it is rendered for.

        Nobody is asked if the store has all clips of a class that the lock or the user names.

        Raises:
            UsageError: Clips are missing and cannot be rendered here; the message names them.
            SongError, BudgetError: As in `prepare_song`.
        """
        missing = missing_clips(prepared.plan, self.store, self.settings.force)
        if not missing and (prepared.from_lock or self.named):
            return prepared
        try:
            backend = self.ask()
        except UsageError as error:
            if not missing or self.settings.force:
                raise
            raise UsageError(f"{error}. {self._lacking(prepared, missing)}") from None
        if backend != prepared.backend or prepared.from_lock:
            prepared = prepared.planned_for(backend, self.store)
        if not self.named and self.replaces_lock and not self.settings.force:
            self._check_lock(prepared)
        return prepared

    def decode_device(self, prepared: PreparedSong, passages: tuple[str, ...]) -> str:
        """Returns where passages are decoded, `cpu` or `cuda`: as the clips were rendered, if that is here.

        Args:
            prepared: The song, as `settle` returned it.
            passages: Their keys, decoded where the clips were rendered.
        """
        if not prepared.backend.startswith("cuda"):
            return "cpu"
        parameters = prepared.model.profile.spectrogram
        if not missing_passages(prepared.plan, passages, self.store, parameters, self.settings.force):
            return "cuda"
        try:
            return "cuda" if self.ask().startswith("cuda") else "cpu"
        except UsageError:
            return "cpu"

    def _check_lock(self, prepared: PreparedSong) -> None:
        """Refuses to replace clips of the lock's class that are partly there, or, if locked, at all."""
        recorded = prepared.lock.backend
        if recorded in ("", prepared.backend):
            return
        there = prepared.planned_for(recorded, self.store)
        missing = missing_clips(there.plan, self.store)
        is_partly_there = recorded != BACKENDS["cpu"] and len(missing) < len(there.plan.jobs)
        is_locked = self.settings.locked and not changes(prepared.lock, there.plan)
        if missing and (is_partly_there or is_locked):
            raise UsageError(f"{self._lacking(there, missing)}; this machine has {prepared.backend}")

    def _lacking(self, prepared: PreparedSong, missing: Collection[str]) -> str:
        """Says which clips the store lacks, and what to do."""
        labels = clip_labels(prepared.plan)
        named = ", ".join(labels[key] for key in list(missing)[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        device = next(name for name, each in BACKENDS.items() if each == prepared.backend)
        ways = f"`riffcompose cache pull URL {prepared.song.path}` brings those that were pushed"
        if device == "cpu":
            ways += ", and --device cpu renders the others"
        else:
            ways += f", a machine with --device {device} renders them, or --device cpu renders all clips anew"
        return (
            f"{prepared.song.path}: {len(missing)} of {len(prepared.plan.jobs)} clips of {prepared.backend} "
            f"are not in the store at {self.store.root}: {named}{more}; {ways}"
        )
