"""Requests about jams: begin, listen, steer, keep, end. There is one jam at a time."""

from __future__ import annotations

import itertools
import threading
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from riffcomposer.errors import UsageError
from riffcomposer.song.edit import sections_text, with_sections
from riffcomposer.song.reader import parse_song
from riffcomposer.studio.jam import Jam
from riffcomposer.studio.jam_walk import JamPoint, JamStart, JamWalk
from riffcomposer.studio.request_bodies import JamRequest, KeepRequest, SteerRequest
from riffcomposer.studio.service import Studio
from riffcomposer.studio.uploads import keep_upload
from riffcomposer.studio.workspace import Conflict, NotFound, digest_of


class JamHouse:
    """Holds the jam that plays."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._jam: Jam | None = None

    def begin(self, wanted: JamRequest) -> Jam:
        """Ends the jam that plays, and begins another. Raises `SongError` if a value is not possible."""
        start = JamStart(
            wanted.start, wanted.name, wanted.tempo, wanted.song_seed, negative_prompt=wanted.negative_prompt
        )
        point = JamPoint(wanted.prompt, wanted.seed, wanted.strength)
        walk = JamWalk.of(start, point, wanted.clips)
        path = self.studio.workspace.root / "jam.yaml"
        with self._lock:
            self._end()
            jam = Jam(str(next(self._numbers)), walk, self.studio.session(), self.studio.engines, path)
            self._jam = jam
        return jam

    def get(self, id: str) -> Jam:
        """Returns the jam that plays. Raises `NotFound` if it is another one."""
        jam = self._jam
        if jam is None or jam.id != id:
            raise NotFound("this jam is over")
        return jam

    def end(self, id: str) -> None:
        """Ends a jam, if it is the one that plays."""
        with self._lock:
            if self._jam is not None and self._jam.id == id:
                self._end()

    def close(self) -> None:
        """Ends the jam that plays."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._jam is not None:
            self._jam.close()
            self._jam = None

    def keep(self, jam: Jam, wanted: KeepRequest) -> dict[str, Any]:
        """Writes what was heard of a jam into a song, and brings along the file it starts from.

        Returns:
            The song's digest and text; how many clips were kept, and how many of them are the very same clips
            in the song. Of composed music they differ: it is composed for its place in the song.
        """
        workspace = self.studio.workspace
        path = workspace.song(wanted.path, new=True)
        before = path.read_bytes() if path.exists() else None
        sections, keys = jam.kept(wanted.first, wanted.last, wanted.name, opens=before is None)
        if (digest_of(before) if before is not None else None) != wanted.digest:
            raise Conflict(f"{wanted.path} is another version than the page shows")
        if before is None:
            content = _new_song(jam, sections)
        else:
            tempo, other = float(jam.grid.tempo), float(parse_song(before, path).resolved.tempo)
            if tempo != other:
                raise UsageError(
                    f"{wanted.path} is at {other:g} BPM and the jam at {tempo:g}: keep it in a new song, or "
                    "jam at the song's tempo"
                )
            content = with_sections(before, path, sections)
        start = jam.walk.sections[0].start
        if start.kind == "file":
            workspace.copy_beside(start.name, path)
        plan = self.studio.session().plan(parse_song(content, path)).plan
        digest = workspace.write(wanted.path, content, wanted.digest)
        same = len(set(keys) & set(plan.jobs))
        return {"digest": digest, "text": content.decode(), "clips": len(set(keys)), "same": same}


def _new_song(jam: Jam, sections: list[dict[str, Any]]) -> bytes:
    start = jam.walk.sections[0].start
    head = (
        "# Kept from a jam; each point of a walk is a prompt and a seed that were heard.\n"
        "title: Kept from a jam\n"
        f"tempo: {start.tempo:g}\n"
        f"seed: {start.song_seed}\n"
        f"model: {start.model}\n"
        "sections:\n"
    )
    return (head + sections_text(sections)).encode()


def upload_routes(studio: Studio) -> APIRouter:
    """The route for files to start a jam from."""
    routes = APIRouter(tags=["jam"])

    @routes.post("/uploads", status_code=201)
    async def upload(request: Request, name: str = "recording") -> dict[str, Any]:
        """Takes a sound or a picture as the body, checks it by reading it, and writes it into the folder."""
        content = await request.body()
        return await run_in_threadpool(keep_upload, studio.workspace, studio.store, name[:500], content)

    return routes


def jam_routes(jams: JamHouse) -> APIRouter:
    """The routes, for one studio."""
    routes = APIRouter(prefix="/jam", tags=["jam"])

    @routes.post("", status_code=201)
    def begin(wanted: JamRequest) -> dict[str, Any]:
        """Begins a jam; the one that plays ends."""
        return jams.begin(wanted).state()

    @routes.get("/{id}")
    def state(id: str) -> dict[str, Any]:
        """What is made, what comes, and how fast the machine is."""
        jam = jams.get(id)
        jam.touch()
        return jam.state()

    @routes.get("/{id}/pieces/{number}.wav")
    def piece(id: str, number: int) -> Response:
        """One clip's sound; 202 and nothing if it is not made yet."""
        audio = jams.get(id).piece(number)
        if audio is None:
            return Response(status_code=202, headers={"Cache-Control": "no-store"})
        return Response(audio, media_type="audio/wav", headers={"Cache-Control": "no-store"})

    @routes.post("/{id}/steer")
    def steer(id: str, wanted: SteerRequest) -> dict[str, Any]:
        """Sets out for another prompt."""
        jam = jams.get(id)
        reached = jam.steer(wanted.prompt, wanted.strength, wanted.clips, wanted.seed)
        return {**jam.state(), "reached": reached}

    @routes.post("/{id}/keep")
    def keep(id: str, wanted: KeepRequest) -> dict[str, Any]:
        """Writes what was heard into a song, as sections."""
        return jams.keep(jams.get(id), wanted)

    @routes.delete("/{id}")
    def end(id: str) -> dict[str, str]:
        """Ends a jam."""
        jams.end(id)
        return {"id": id}

    return routes
