"""Requests about songs: list, read, write, check, plan, versions, and rendered files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from riffcomposer.errors import RenderError, UsageError
from riffcomposer.studio.clip_files import clip_png, clip_wav
from riffcomposer.studio.request_bodies import NewSong, SavedSong, SongText
from riffcomposer.studio.routes_jobs import track_response
from riffcomposer.studio.service import Studio
from riffcomposer.studio.workspace import NotFound

_FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_HEX = set("0123456789abcdef")


def song_routes(studio: Studio) -> APIRouter:
    """The routes, for one studio."""
    routes = APIRouter(tags=["songs"])
    workspace = studio.workspace

    @routes.get("/songs")
    def songs() -> list[dict[str, Any]]:
        """The songs of the folder."""
        return [asdict(song) for song in workspace.songs()]

    @routes.post("/songs", status_code=201)
    def new(wanted: NewSong) -> dict[str, str]:
        """Writes a song to start from."""
        path = studio.new_song(wanted.name, wanted.style)
        return {"path": path, "digest": workspace.read(path)[1]}

    @routes.get("/songs/{path:path}")
    def read(path: str) -> dict[str, Any]:
        """A song's text, its digest, and its state in git."""
        content, digest = workspace.read(path)
        return {
            "path": path,
            "text": content.decode("utf-8", "replace"),
            "digest": digest,
            "git": studio.settings.history.state(workspace.song(path)),
        }

    @routes.put("/songs/{path:path}")
    def write(path: str, saved: SavedSong) -> dict[str, str]:
        """Saves a song; 409 if the file is not the version that was edited."""
        return {"digest": workspace.write(path, saved.text.encode(), saved.digest)}

    @routes.post("/check")
    def check(song: SongText) -> dict[str, Any]:
        """The diagnostics of a text."""
        path = workspace.song(song.path, new=True)
        return {"diagnostics": studio.check(path, song.text.encode())}

    @routes.post("/plan")
    def plan(song: SongText) -> dict[str, Any]:
        """The plan of a text: sections, clips and their states."""
        return studio.view(workspace.song(song.path, new=True), song.text.encode(), song.draft)

    @routes.get("/diff/{path:path}")
    def diff(path: str, revision: str = "HEAD") -> dict[str, Any]:
        """What changed in a song since a git revision."""
        _check_revision(revision)
        return studio.settings.history.compare(workspace.song(path), revision)

    @routes.get("/clips/{key}.png")
    def picture(key: str) -> Response:
        """A clip's spectrogram."""
        _check_key(key)
        try:
            return Response(clip_png(studio.store, key, workspace), media_type="image/png", headers=_FOR_EVER)
        except RenderError as error:
            raise NotFound(str(error)) from None

    @routes.get("/clips/{key}.wav")
    def sound(key: str) -> Response:
        """A clip's sound, decoded by itself."""
        _check_key(key)
        try:
            return Response(clip_wav(studio.store, key, workspace), media_type="audio/wav", headers=_FOR_EVER)
        except RenderError as error:
            raise NotFound(str(error)) from None

    @routes.get("/tracks/{path:path}")
    def track(
        path: str, start: int | None = None, stop: int | None = None, columns: int | None = None
    ) -> Response:
        """A rendered file with byte ranges; of sound, a range of samples as WAV, or its picture."""
        return track_response(workspace.media(path), start, stop, columns)

    return routes


def _check_key(key: str) -> None:
    if len(key) != 64 or not set(key) <= _HEX:
        raise NotFound("a clip's key has 64 hexadecimal digits")


def _check_revision(revision: str) -> None:
    if revision.startswith("-") or len(revision) > 200:
        raise UsageError(f"{revision[:40]}: not a git revision")
