"""Requests about renders: start, watch, cancel, listen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from riffcomposer.errors import UsageError
from riffcomposer.render.settings import RenderSettings
from riffcomposer.studio.jobs import Job
from riffcomposer.studio.live_sound import LiveSound
from riffcomposer.studio.request_bodies import RenderRequest
from riffcomposer.studio.service import Studio
from riffcomposer.studio.track_parts import mel_overview, part_wav
from riffcomposer.studio.workspace import MEDIA_TYPES, NotFound

POLL_S = 0.05
BEAT_S = 10.0
MOST_SECONDS_PER_REQUEST = 30


def job_routes(studio: Studio) -> APIRouter:
    """The routes, for one studio."""
    routes = APIRouter(tags=["jobs"])
    workspace = studio.workspace

    def job_of(id: str) -> Job:
        job = studio.queue.get(id)
        if job is None:
            raise NotFound(f"there is no job {id[:20]}")
        return job

    @routes.get("/jobs")
    def jobs() -> list[dict[str, Any]]:
        """All jobs, the oldest first."""
        return [job.as_dict() for job in studio.queue.all()]

    @routes.post("/renders", status_code=202)
    def render(wanted: RenderRequest) -> dict[str, Any]:
        """Puts a render of a song's file into the queue."""
        path = workspace.song(wanted.path)
        if wanted.revision is not None and wanted.revision.startswith("-"):
            raise UsageError("not a git revision")
        settings = RenderSettings(draft=wanted.draft, only=wanted.only)
        return studio.render(path, settings, wanted.revision).as_dict()

    @routes.get("/jobs/{id}")
    def job(id: str) -> dict[str, Any]:
        """A job's state and result."""
        return job_of(id).as_dict()

    @routes.delete("/jobs/{id}")
    def cancel(id: str) -> dict[str, Any]:
        """Cancels a job; clips that are finished stay in the store."""
        studio.queue.cancel(job_of(id))
        return job_of(id).as_dict()

    @routes.get("/jobs/{id}/events")
    def events(
        request: Request, id: str, last_event_id: Annotated[str | None, Header()] = None, after: int = 0
    ) -> StreamingResponse:
        """A job's events as server-sent events (WHATWG HTML, section 9.2), all or those after one."""
        number = int(last_event_id) if last_event_id is not None and last_event_id.isdigit() else after
        return StreamingResponse(
            _stream(request, job_of(id), number),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @routes.get("/jobs/{id}/sound")
    def sound(id: str, start: int, stop: int) -> Response:
        """A range of a running render's dry mix, in samples, as WAV."""
        live = job_of(id).resources.get("sound")
        if not isinstance(live, LiveSound):
            raise NotFound("the render has not begun")
        if not 0 <= start < stop <= live.ready:
            raise NotFound(f"samples 0 to {live.ready} are there")
        if stop - start > MOST_SECONDS_PER_REQUEST * live.rate:
            raise UsageError(f"at most {MOST_SECONDS_PER_REQUEST} s per request")
        return Response(live.wav(start, stop), media_type="audio/wav", headers={"Cache-Control": "no-store"})

    @routes.get("/jobs/{id}/track")
    def track(
        id: str, start: int | None = None, stop: int | None = None, columns: int | None = None
    ) -> Response:
        """The finished track with byte ranges, a range of its samples as WAV, or its picture."""
        file = job_of(id).resources.get("track")
        if file is None:
            raise NotFound("this job has no track, or no longer")
        return track_response(file, start, stop, columns)

    return routes


def track_response(file: Path, start: int | None, stop: int | None, columns: int | None) -> Response:
    """A rendered file: whole, with byte ranges; samples `start` to `stop` as WAV; or `mel_overview`."""
    if columns is not None:
        picture = mel_overview(file, columns)
        return Response(picture, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})
    if start is not None and stop is not None:
        part = part_wav(file, start, stop)
        return Response(part, media_type="audio/wav", headers={"Cache-Control": "no-store"})
    return FileResponse(file, media_type=MEDIA_TYPES[file.suffix.lower()])


async def _stream(request: Request, job: Job, number: int) -> AsyncIterator[bytes]:
    quiet = 0.0
    while not await request.is_disconnected():
        found = job.events_after(number)
        for event in found:
            number = event.number
            content = json.dumps(event.content, ensure_ascii=False)
            yield f"id: {number}\nevent: {event.kind}\ndata: {content}\n\n".encode()
        if job.is_over and not job.events_after(number):
            # A browser would connect again; this event tells the page that there is nothing more.
            yield b"event: end\ndata: {}\n\n"
            return
        quiet = 0.0 if found else quiet + POLL_S
        if quiet >= BEAT_S:
            quiet = 0.0
            yield b": alive\n\n"
        await asyncio.sleep(POLL_S)
