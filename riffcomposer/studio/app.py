"""The HTTP server: the page, the API under `/api/v1`, and Riffusion's own request.

The page is ours and not NiceGUI's, whose pages need inline scripts and evaluated templates, which the content
security policy forbids. The editor, CodeMirror 6, is taken from the installed NiceGUI package as it is.
"""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles

from riffcomposer import __version__
from riffcomposer.errors import ModelError, RiffcomposerError, SongError, StoreError, UsageError
from riffcomposer.loops.catalogue import catalogue
from riffcomposer.song.schema import song_schema
from riffcomposer.studio.guard import Guard, Rules
from riffcomposer.studio.jobs import error_of
from riffcomposer.studio.riffusion_api import InferenceInput, InferenceOutput, run_inference
from riffcomposer.studio.routes_jam import JamHouse, jam_routes, upload_routes
from riffcomposer.studio.routes_jobs import job_routes
from riffcomposer.studio.routes_songs import song_routes
from riffcomposer.studio.routes_takes import take_routes
from riffcomposer.studio.service import Studio
from riffcomposer.studio.workspace import Conflict, NotFound

STATIC = Path(__file__).parent / "static"


class _Fresh(StaticFiles):
    """Files that a browser asks for anew each time: another version of the package has other ones."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def editor_folder() -> Path:
    """The folder of CodeMirror's modules in the installed NiceGUI.

    Raises:
        UsageError: NiceGUI is not installed, or keeps its editor elsewhere.
    """
    found = importlib.util.find_spec("nicegui")
    places = list(found.submodule_search_locations or []) if found is not None else []
    folder = Path(places[0]) / "elements" / "codemirror" / "dist" if places else None
    if folder is None or not (folder / "index.js").is_file():
        raise UsageError("the studio's editor is not installed: pip install 'riffcomposer[studio]'")
    return folder


def status_of(error: RiffcomposerError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, Conflict):
        return 409
    if isinstance(error, SongError):
        return 422
    if isinstance(error, UsageError):
        return 400
    if isinstance(error, StoreError):
        return 507
    return 503 if isinstance(error, ModelError) else 500


@cache
def _facts() -> dict[str, Any]:
    """What the page's lists are filled from."""
    loops = catalogue()
    return {
        "version": __version__,
        "loops": [
            {
                "name": loop.name,
                "style": loop.style,
                "description": loop.description,
                "tempo": float(loop.tempo),
            }
            for loop in loops.clips.values()
        ],
        "masks": list(loops.masks),
    }


def create_app(studio: Studio, rules: Rules, first_song: str = "") -> Guard:
    """Returns the guarded application.

    Args:
        first_song: The song that the page opens, relative to the folder.

    Raises:
        UsageError: The editor is not installed.
    """
    app = FastAPI(
        title="riffcomposer studio",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
    )
    jams = JamHouse(studio)

    @app.exception_handler(RiffcomposerError)
    async def refused(request: Request, error: RiffcomposerError) -> JSONResponse:
        del request
        return JSONResponse(error_of(error), status_of(error))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        del request
        faults = [
            f"{'.'.join(str(part) for part in each['loc'][1:])}: {each['msg']}" for each in error.errors()[:5]
        ]
        return JSONResponse({"message": "; ".join(faults), "exit_code": 2, "diagnostics": []}, 422)

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> HTMLResponse:
        text = (STATIC / "index.html").read_text(encoding="utf-8")
        return HTMLResponse(
            text.replace("{{nonce}}", request.state.nonce), headers={"Cache-Control": "no-store"}
        )

    @app.get("/api/v1/studio")
    def about() -> dict[str, Any]:
        """What the page needs once: the first song, the loops, the styles."""
        folder = studio.workspace.root.name
        return {**_facts(), "styles": studio.settings.styles, "folder": folder, "first_song": first_song}

    @app.get("/api/v1/schema")
    def schema() -> Response:
        """The JSON Schema of songs, for completion and hover."""
        return Response(_schema_text(), media_type="application/json")

    @app.post("/run_inference/", response_model=InferenceOutput)
    def inference(wanted: InferenceInput) -> InferenceOutput:
        """Riffusion's request: one clip between two prompts."""
        return run_inference(studio, wanted)

    app.include_router(song_routes(studio), prefix="/api/v1")
    app.include_router(job_routes(studio), prefix="/api/v1")
    app.include_router(take_routes(studio), prefix="/api/v1")
    app.include_router(jam_routes(jams), prefix="/api/v1")
    app.include_router(upload_routes(studio), prefix="/api/v1")
    app.router.on_shutdown.append(jams.close)
    app.mount("/static", _Fresh(directory=STATIC))
    app.mount("/codemirror", _Fresh(directory=editor_folder()))
    return Guard(app, rules)


@cache
def _schema_text() -> str:
    return json.dumps(song_schema(), ensure_ascii=False)
