"""Requests about takes: make them, and write one into the song."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from riffcomposer.render.settings import RenderSettings
from riffcomposer.song.reader import parse_song
from riffcomposer.studio.jobs import Job
from riffcomposer.studio.request_bodies import PickRequest, TakesRequest
from riffcomposer.studio.section_takes import (
    candidates,
    listed_takes,
    picked,
    rendered_file,
    takes_file,
    write_takes,
)
from riffcomposer.studio.service import Studio
from riffcomposer.studio.take_renderer import TakeRenderer
from riffcomposer.studio.workspace import Conflict, digest_of


def take_routes(studio: Studio) -> APIRouter:
    """The routes, for one studio."""
    routes = APIRouter(tags=["takes"])
    workspace = studio.workspace

    @routes.get("/takes")
    def made_before(path: str, section: str) -> dict[str, Any]:
        """The takes of a section that were made before and whose tracks are there."""
        file = takes_file(workspace.song(path), section)
        listed = []
        for take in listed_takes(file).values():
            track = rendered_file(take, file)
            if track is not None and track.is_relative_to(workspace.root):
                listed.append({**take, "track": workspace.name_of(track)})
        return {"section": section, "takes": listed}

    @routes.post("/takes", status_code=202)
    def takes(wanted: TakesRequest) -> dict[str, Any]:
        """Puts takes of a section into the queue; each is told of as it is ready."""
        path = workspace.song(wanted.path)
        candidates(parse_song(path.read_bytes(), path), wanted.section, wanted.count, wanted.vary)

        def work(job: Job) -> dict[str, Any]:
            content = path.read_bytes()
            found = candidates(parse_song(content, path), wanted.section, wanted.count, wanted.vary)
            file = takes_file(path, wanted.section)
            settings = RenderSettings(draft=wanted.draft, out=file.parent)
            made = []
            with studio.session(job.stop) as session:
                session.observer = job.observe
                renderer = TakeRenderer(session, studio.engines, path, content, wanted.section)
                for each in found:
                    take = renderer.render(each, settings)
                    made.append(take)
                    write_takes(file, wanted.section, made)
                    job.tell("take", **take.as_dict(), track=workspace.name_of(take.file.resolve()))
            return {
                "section": wanted.section,
                "takes": [
                    {**take.as_dict(), "track": workspace.name_of(take.file.resolve())} for take in made
                ],
            }

        return studio.queue.submit("takes", f"{wanted.path}, {wanted.section}", work).as_dict()

    @routes.post("/picks")
    def pick(wanted: PickRequest) -> dict[str, str]:
        """Writes a take into the song; every other byte stays. 409 if the file is another version."""
        path = workspace.song(wanted.path)
        content = path.read_bytes()
        if digest_of(content) != wanted.digest:
            raise Conflict(f"{wanted.path} changed on disk since it was opened")
        after = picked(content, path, wanted.section, wanted.number, takes_file(path, wanted.section))
        return {"digest": workspace.write(wanted.path, after, wanted.digest), "text": after.decode()}

    return routes
