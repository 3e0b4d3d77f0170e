"""Several songs at once: the clips of all of them first, those that they share once; then each track.

    1. clips     one queue for each checkpoint, song after song, batched across songs
    2. passages  of a song whose clips are there: by the engine's workers, or in this process
    3. tracks    one after the other, in a thread beside the engine's work

An engine in this process is freed before passages are decoded. While an engine with workers still renders
clips, songs that are complete are decoded and mastered here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue

from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.errors import Cancelled, RiffcomposerError
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.clip_stage import ClipWork, clip_labels, missing_clips, render_clips, slot_seconds
from riffcomposer.render.engines.lease import EngineLease
from riffcomposer.render.events import Observer, RenderEvent
from riffcomposer.render.render_job import RenderJob
from riffcomposer.render.renderer import RenderResult, Stopwatch, decode, finish, load_model
from riffcomposer.render.stopping import StopFlag
from riffcomposer.render.track import Track
from riffcomposer.store.store import Store

Outcome = RenderResult | RiffcomposerError

_LOOK_S = 0.1


@dataclass(frozen=True)
class AlbumEntry:
    """What became of one song of an album.

    Attributes:
        path: The song's file.
        track: The finished track; None if the song failed.
        error: Why it failed; None for a finished track.
    """

    path: Path
    track: Track | None
    error: RiffcomposerError | None


@dataclass(eq=False)
class AlbumSong:
    """A song on its way.

    Attributes:
        job: Its render.
        watch: Its stopwatch.
        settle: Called once with its result or its error.
        missing: Its clips that the store did not have.
        own: Those of them that are rendered for it; the others are rendered for a song before it.
        waiting: Keys of its missing clips that are still not there.
        future: Its track, once it is being made.
    """

    job: RenderJob
    watch: Stopwatch
    settle: Callable[[Outcome], None]
    missing: dict[str, ClipJob] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    future: Future[RenderResult] | None = None
    settled: bool = False

    @property
    def rendered(self) -> tuple[str, ...]:
        """Keys of the clips that were rendered for it."""
        return tuple(key for key in self.missing if key in self.own and key not in self.waiting)

    def end(self, outcome: Outcome) -> None:
        """Says what became of it; only the first time counts."""
        if not self.settled:
            self.settled = True
            self.settle(outcome)


class _Finisher:
    """Makes tracks one after the other in a thread, and brings their events to the caller's thread."""

    def __init__(self, store: Store, observer: Observer, stop: StopFlag) -> None:
        self._store, self._observer, self._stop = store, observer, stop
        self._halt = StopFlag()
        stop.on_raise(self._halt.raise_flag)
        self._pool = ThreadPoolExecutor(1, "tracks")
        self._events: SimpleQueue[RenderEvent] = SimpleQueue()
        self._songs: list[AlbumSong] = []

    def add(self, song: AlbumSong, decoded: int | None) -> None:
        """Queues a song whose clips are there.

        Args:
            song: The song.
            decoded: How many passages were decoded for it; None if that is still to be done.
        """
        self._songs.append(song)
        song.future = self._pool.submit(self._make, song, decoded)

    def observe(self, event: RenderEvent) -> None:
        """Passes on an event of the caller's thread, and those of the other thread that have come."""
        self.look()
        self._observer(event)

    def look(self) -> bool:
        """Passes on events and settles songs that are done. Returns whether any is still being made."""
        while True:
            try:
                event = self._events.get_nowait()
            except Empty:
                break
            self._observer(event)
        for song in [song for song in self._songs if song.future is not None and song.future.done()]:
            self._songs.remove(song)
            assert song.future is not None
            error = song.future.exception()
            if error is None:
                song.end(song.future.result())
            elif isinstance(error, RiffcomposerError) and not isinstance(error, Cancelled):
                song.end(error)
            else:
                self._stop.check()
                raise error
        return bool(self._songs)

    def wait(self) -> None:
        """Waits for all tracks."""
        while self.look():
            time.sleep(_LOOK_S)

    def close(self) -> None:
        """Drops what is not begun, and stops the track at work at its next step."""
        self._halt.raise_flag()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._stop.forget(self._halt.raise_flag)

    def _make(self, song: AlbumSong, decoded: int | None) -> RenderResult:
        def tell(event: RenderEvent) -> None:
            self._events.put(replace(event, song=song.job.plan.title))

        if decoded is None:
            decoded = decode(song.job, self._store, None, tell, self._halt)
            song.watch.lap("decode")
        return finish(
            song.job,
            self._store,
            song.rendered,
            decoded,
            watch=song.watch,
            observer=tell,
            stop=self._halt,
        )


def render_songs(
    songs: list[AlbumSong], store: Store, lease: EngineLease, observer: Observer, stop: StopFlag
) -> None:
    """Renders songs; each is settled with its result or its error.

    Args:
        songs: Songs that are not finished yet.
        store: The store.
        lease: Lends the engine.
        observer: Called with each event of progress, on this thread.
        stop: Checked between steps.

    Raises:
        Cancelled: The flag was raised; finished work is kept.
    """
    # 1. Who needs what: a clip that several songs lack is rendered for the first of them.
    wanted: set[str] = set()
    models: dict[str, LocatedModel] = {}
    for song in songs:
        song.missing = missing_clips(song.job.plan, store, song.job.force)
        song.own = song.missing.keys() - wanted
        song.waiting = set(song.missing)
        wanted |= song.own
        if song.missing:
            models.setdefault(song.job.model.digest, song.job.model)
        song.watch.lap("plan")
    finisher = _Finisher(store, observer, stop)
    try:
        for digest, model in models.items():
            group = [song for song in songs if song.missing and song.job.model.digest == digest]
            _render_group(group, model, store, lease, finisher, stop)
            _finish(group, store, lease, finisher, stop)
        _finish([song for song in songs if not song.missing], store, lease, finisher, stop)
        finisher.wait()
    finally:
        finisher.close()


def _render_group(
    group: list[AlbumSong],
    model: LocatedModel,
    store: Store,
    lease: EngineLease,
    finisher: _Finisher,
    stop: StopFlag,
) -> None:
    """Renders the missing clips of songs with one checkpoint; settles those that cannot be finished."""
    jobs: dict[str, ClipJob] = {}
    labels: dict[str, str] = {}
    for song in group:
        jobs |= {key: job for key, job in song.missing.items() if key in song.own}
        title = song.job.plan.title
        for key, label in clip_labels(song.job.plan).items():
            labels.setdefault(key, f"{title}: {label}")

    def on_stored(key: str) -> None:
        for song in group:
            song.waiting.discard(key)
            if not in_driver and not song.waiting and song.future is None:
                song.watch.lap("clips")
                finisher.add(song, None)

    try:
        in_driver = lease.started().in_driver
        load_model(model, lease, finisher.observe)
        for song in group:
            song.watch.lap("load")
        work = ClipWork(jobs, labels, slot_seconds(group[0].job.plan))
        outcome = render_clips(work, store, lease.engine, finisher.observe, stop, on_stored)
    except Cancelled:
        stop.check()
        raise
    except RiffcomposerError as error:
        for song in group:
            if song.waiting:
                song.end(error)
        return
    finally:
        lease.free_for_decoding()
    for song in group:
        song.watch.lap("clips")
        try:
            outcome.check(song.missing.keys(), labels)
        except RiffcomposerError as error:
            song.end(error)


def _finish(
    songs: Iterable[AlbumSong], store: Store, lease: EngineLease, finisher: _Finisher, stop: StopFlag
) -> None:
    """Decodes songs whose clips are there, and hands each to the finisher."""
    for song in songs:
        if song.settled or song.future is not None:
            continue
        try:
            decoded = decode(song.job, store, lease, finisher.observe, stop)
        except Cancelled:
            stop.check()
            raise
        except RiffcomposerError as error:
            song.end(error)
            continue
        song.watch.lap("decode")
        finisher.add(song, decoded)
