"""A jam: music without end that is steered while it plays.

Its clips are on one grid and are decoded as one spectrogram, chunk by chunk, as a song's passage is, so there
is no seam between them. The sound is cut into pieces of one clip, each from bar line to bar line. No more
than a few pieces are made ahead of the listener, so that a new prompt is heard soon.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from riffcomposer.errors import Cancelled, RiffcomposerError
from riffcomposer.mix.blocks import Audio
from riffcomposer.mix.fades import db_to_gain
from riffcomposer.mix.loudness import LoudnessMeter
from riffcomposer.mix.mel_timeline import MelClip, MelTimeline
from riffcomposer.plan.types import ClipJob, Grid
from riffcomposer.render.clip_stage import load_level
from riffcomposer.render.passage_work import DecodeSettings, decoder_for
from riffcomposer.render.renderer import PHASE_SEED
from riffcomposer.render.session import Session
from riffcomposer.render.stopping import StopFlag
from riffcomposer.song.reader import parse_song
from riffcomposer.studio.engines import KeptEngines, level_of
from riffcomposer.studio.jam_walk import JamWalk
from riffcomposer.studio.live_sound import wav_bytes
from riffcomposer.versions import DECODER_VERSION

MOST_CLIPS = 2000
"""Nearly three hours of clips of five seconds; then the jam ends."""

AHEAD = 3
"""Pieces that are made before they are asked for."""

KEPT_PIECES = 24
"""Pieces that stay in memory behind the listener, about two minutes."""

IDLE_S = 120.0
"""Seconds without a request after which a jam ends: its page is closed."""

TARGET_LUFS = -16.0
HEADROOM = 0.84


class Jam:
    """One jam, made on a thread of its own.

    Args:
        id: Its name in requests.
        walk: Where it begins.
        session: Plans; its store keeps the clips.
        engines: Renders.
        path: A song's path in the folder whose files the jam may use; need not exist.
    """

    def __init__(self, id: str, walk: JamWalk, session: Session, engines: KeptEngines, path: Path) -> None:
        self.id, self.walk, self.path = id, walk, path
        self.problem = ""
        self.made = 0
        self.render_seconds: list[float] = []
        self._session, self._engines, self._store = session, engines, session.store
        self._stop = StopFlag()
        self._changed = threading.Condition()
        self._pieces: OrderedDict[int, Audio] = OrderedDict()
        self._keys: dict[int, str] = {}
        self._planned: tuple[bytes, list[list[str]], dict[str, ClipJob]] | None = None
        self._asked = 0
        self._last_request = time.monotonic()
        self._gain: float | None = None
        prepared = session.plan(parse_song(walk.song(), path))
        self.grid: Grid = prepared.plan.grid
        self._model = prepared.model
        self._thread = threading.Thread(target=self._run, name=f"studio-jam-{id}", daemon=True)
        self._thread.start()

    # The listener's side ----------------------------------------------------------------------

    def border(self, clip: int) -> int:
        """The sample at which a clip begins."""
        return round(Fraction(clip * self.grid.clip_bars) * self.grid.samples_per_bar)

    def piece(self, number: int) -> bytes | None:
        """One clip's sound as a WAV file; None if it is not made yet, or no longer kept."""
        with self._changed:
            self._last_request = time.monotonic()
            self._asked = max(self._asked, number)
            self._changed.notify_all()
            audio = self._pieces.get(number)
        return None if audio is None else wav_bytes(audio, self.grid.sample_rate)

    def touch(self) -> None:
        """Notes that the listener is there, though nothing is asked for."""
        self._last_request = time.monotonic()

    def steer(self, prompt: str, strength: float, steps: int, seed: int | None) -> int:
        """Sets out for another prompt. Returns the number of the clip at which it is reached."""
        with self._changed:
            return self.walk.steer(prompt, strength, steps, seed)

    def state(self) -> dict[str, Any]:
        """The jam for JSON: what is made, and where it goes."""
        with self._changed:
            clip = min(self.made, self.walk.fixed)
            section = self.walk.sections[self.walk.section_at(clip)]
            ahead = [
                {"clip": section.first + index * section.steps, "prompt": point.prompt, "seed": point.seed}
                for index, point in enumerate(section.points)
                if section.first + index * section.steps >= clip
            ]
            recent = self.render_seconds[-8:]
        slot = self.border(1) / self.grid.sample_rate
        return {
            "id": self.id,
            "made": self.made,
            "fixed": self.walk.fixed,
            "over": self._stop() or bool(self.problem),
            "problem": self.problem,
            "clip_seconds": slot,
            "clip_bars": self.grid.clip_bars,
            "sample_rate": self.grid.sample_rate,
            "realtime_factor": slot / (sum(recent) / len(recent)) if recent else None,
            "ahead": ahead[:4],
        }

    def kept(
        self, first: int, last: int, name: str, *, opens: bool
    ) -> tuple[list[dict[str, Any]], list[str]]:
        """The sections of what was heard, and the keys of its clips. See `JamWalk.kept`."""
        with self._changed:
            last = min(last, self.made)
            sections = self.walk.kept(first, last, name, opens=opens)
            return sections, [self._keys[clip] for clip in range(first, last)]

    def close(self) -> None:
        """Ends the jam."""
        self._stop.raise_flag()
        with self._changed:
            self._changed.notify_all()
        self._thread.join()

    # The thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            for number, audio in enumerate(self._cut(self._blocks())):
                with self._changed:
                    self._pieces[number] = audio
                    self.made = number + 1
                    while len(self._pieces) > KEPT_PIECES:
                        self._pieces.popitem(last=False)
                    self._changed.notify_all()
        except Cancelled:
            self._stop.raise_flag()
        except RiffcomposerError as error:
            self.problem = str(error)

    def _blocks(self) -> Iterator[Audio]:
        parameters = self._model.profile.spectrogram
        settings = DecodeSettings("default", DECODER_VERSION, PHASE_SEED)
        decoder = decoder_for(parameters, settings, 2)
        clips = [
            MelClip(self.border(clip), self.border(clip + 1) - self.border(clip), self._loader(clip), clip)
            for clip in range(MOST_CLIPS)
        ]
        timeline = MelTimeline(
            clips,
            start_sample=0,
            body_samples=self.border(MOST_CLIPS),
            tail_samples=0,
            params=parameters,
            join_samples=self.grid.join_samples,
        )
        yield from decoder.decode_stream(
            lambda first, count: timeline.read(first, first + count), timeline.frames, timeline.samples
        )

    def _cut(self, blocks: Iterator[Audio]) -> Iterator[Audio]:
        """Cuts the stream at the clips' borders, both channels, at the jam's loudness."""
        waiting: list[Audio] = []
        begin, number = 0, 0
        for block in blocks:
            waiting.append(np.repeat(block, 2, axis=0) if len(block) == 1 else block)
            while begin + sum(part.shape[1] for part in waiting) >= self.border(number + 1):
                whole = np.concatenate(waiting, axis=1)
                count = self.border(number + 1) - begin
                yield whole[:, :count] * np.float32(self._level_gain(whole[:, :count]))
                waiting = [whole[:, count:]]
                begin, number = self.border(number + 1), number + 1

    def _level_gain(self, audio: Audio) -> float:
        """One gain for the whole jam, from its first clip that is not silent."""
        if self._gain is None:
            meter = LoudnessMeter(2, self.grid.sample_rate, true_peak=False)
            meter.push(audio)
            lufs, peak = meter.result().integrated_lufs, float(np.abs(audio).max(initial=1e-4))
            if not np.isfinite(lufs):
                return 1.0
            self._gain = min(db_to_gain(TARGET_LUFS - lufs), HEADROOM / peak)
        return self._gain

    def _loader(self, clip: int) -> Any:
        return lambda: self._level(clip)

    def _level(self, clip: int) -> np.ndarray:
        """A clip's level, rendered if the store lacks it; waits while enough is made ahead."""
        with self._changed:
            # A chunk of the decoder needs up to three clips more than it gives.
            while clip > self._asked + AHEAD + 2 and not self._stop():
                if time.monotonic() - self._last_request > IDLE_S:
                    raise Cancelled
                self._changed.wait(1.0)
            self._stop.check()
            if clip not in self._keys:
                self._keys[clip] = self._key(clip)
            self.walk.fixed = max(self.walk.fixed, clip + 1)
            key = self._keys[clip]
            job = self._planned[2][key] if self._planned is not None and key in self._planned[2] else None
        if self._store.has("clip", key) or job is None:
            return load_level(self._store, key)
        began = time.monotonic()
        engine = self._engines.open(self._session.device)
        level = level_of(key, job, self._model, engine, self._store, self._stop)
        self.render_seconds.append(time.monotonic() - began)
        return level

    def _key(self, clip: int) -> str:
        """The key of a clip, by planning the song that the walk is now."""
        number = self.walk.section_at(clip)
        text = self.walk.song()
        if self._planned is None or self._planned[0] != text:
            plan = self._session.plan(parse_song(text, self.path)).plan
            keys: list[list[str]] = [[] for _ in plan.sections]
            for planned in plan.clips:
                if planned.kind == "body":
                    keys[planned.section].append(planned.key)
            self._planned = text, keys, dict(plan.jobs)
        return self._planned[1][number][clip - self.walk.sections[number].first]
