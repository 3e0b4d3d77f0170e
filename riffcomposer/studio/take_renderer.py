"""Renders takes of a section, each alone, and measures what speaks for or against them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from riffcomposer.errors import StoreError
from riffcomposer.mix.encoding import SoundFileReader
from riffcomposer.mix.movement import measure_steps
from riffcomposer.render.clip_stage import load_level
from riffcomposer.render.prepare import PreparedSong
from riffcomposer.render.session import Session
from riffcomposer.render.settings import RenderSettings
from riffcomposer.render.track import Track
from riffcomposer.song.edit import edited
from riffcomposer.song.reader import parse_song
from riffcomposer.studio.engines import KeptEngines, SharedEngine
from riffcomposer.studio.section_takes import Candidate, Take

NEARNESS_VERSION = 1
"""Version of the nearness to a prompt; raising it measures every clip again."""


class TakeRenderer:
    """Renders takes of one section of one song.

    Args:
        session: Plans and renders.
        engines: What the session renders with; it judges the clips too.
        path: The song's file.
        content: The song's text.
        section: The section's name.
    """

    def __init__(
        self, session: Session, engines: KeptEngines, path: Path, content: bytes, section: str
    ) -> None:
        self._session, self._engines = session, engines
        self._path, self._content, self._section = path, content, section

    def render(self, candidate: Candidate, settings: RenderSettings) -> Take:
        """Renders the section alone, with the edits of one take.

        Args:
            settings: `draft`, and in `out` the folder for takes.

        Raises:
            SongError, UsageError: The edit is not possible.
            The errors of `Session.render`.
        """
        text = self._content
        if candidate.number > 1:
            text = edited(self._content, self._path, candidate.edits)
        out = (settings.out or self._path.parent / "renders" / "takes") / f"take-{candidate.number}"
        alone = replace(settings, only=self._section, out=out, formats=("flac",))
        track = self._session.render(self._session.plan(parse_song(text, self._path), alone), alone)
        # The render may have found another kind of device than was planned for, under other keys.
        prepared = self._session.plan(parse_song(text, self._path), alone)
        figures = self._figures(track, prepared)
        return Take(candidate, track.files[0], figures, track.report["samples"])

    def _figures(self, track: Track, prepared: PreparedSong) -> dict[str, Any]:
        """What speaks for or against a take.

        Returns:
            `integrated_lufs`; `joins_worst_db`, the largest step of level in a join; `new_harmony` and
            `texture_db`, how much it moves from bar to bar; `nearness`, how near its clips are to their
            prompts; `distinct_clips`; each None where it could not be measured, and `why`, by figure, the
            reason for it.
        """
        report, grid = track.report, prepared.plan.grid
        with SoundFileReader(track.files[0]) as audio:
            movement = measure_steps(audio, audio.sample_rate, grid.samples_per_bar)
        figures = {
            "integrated_lufs": report["outputs"][0]["integrated_lufs"],
            "joins_worst_db": report["joins"].get("level_step_db_worst"),
            "new_harmony": None if movement is None else round(movement.new_harmony, 3),
            "texture_db": None if movement is None else round(movement.texture_db, 3),
            "nearness": self._nearness(prepared),
            "distinct_clips": report["repetition"]["distinct"],
        }
        reasons = {
            "integrated_lufs": "silence has no loudness",
            "joins_worst_db": "there is one clip, and so no join",
            "new_harmony": "there is one bar only",
            "texture_db": "there is one bar only",
            "nearness": "the engine that renders does not judge clips",
        }
        missing = {name: reason for name, reason in reasons.items() if figures[name] is None}
        return {**figures, "why": missing}

    def _nearness(self, prepared: PreparedSong) -> float | None:
        """The mean over the section's clips, each judged once and noted in the store."""
        plan, notes = prepared.plan, self._session.store.notes
        engine: SharedEngine | None = None
        found: list[float] = []
        for key in dict.fromkeys(clip.key for clip in plan.clips):
            basis = f"{NEARNESS_VERSION} {key}"
            known = notes.known("nearness", basis)
            if known is None:
                if engine is None:
                    engine = self._engines.open(self._session.device)
                    engine.load(prepared.model)
                self._session.stop.check()
                near = engine.nearness(plan.jobs[key], load_level(self._session.store, key))
                if near is None:
                    return None
                known = f"{near:.6f}"
                with suppress(StoreError):  # a read-only store goes without
                    notes.remember("nearness", basis, known)
            found.append(float(known))
        return round(sum(found) / len(found), 4)
