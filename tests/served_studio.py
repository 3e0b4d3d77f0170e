"""A studio that serves the small song with an engine that needs no model."""

from __future__ import annotations

import http.client
import importlib.util
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from small_song import FakeEngine, FakeEngines

from riffcomposer.cli.song_versions import GitVersions
from riffcomposer.cli.studio import starter_text
from riffcomposer.store.store import Store

TOKEN = "a-token-of-the-tests"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A running studio."""

    port: int
    folder: Path
    engine: FakeEngine
    service: Any = field(repr=False)

    @property
    def link(self) -> str:
        return f"http://127.0.0.1:{self.port}/?token={TOKEN}"

    def raw(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """A request as it is, without token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.putrequest(method, path, skip_host="Host" in names, skip_accept_encoding=True)
            for name, value in names.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def ask(self, method: str, path: str, content: Any = None, **headers: str) -> Answer:
        """A request of the API with the token."""
        body = None if content is None else json.dumps(content).encode()
        kind = {} if body is None else {"Content_Type": "application/json"}
        return self.raw(method, path, body, Authorization=f"Bearer {TOKEN}", **kind, **headers)

    def over(self, job: str, seconds: float = 60) -> dict[str, Any]:
        """Waits for a job's end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.ask("GET", f"/api/v1/jobs/{job}").json
            if found["state"] in ("done", "failed", "cancelled"):
                assert isinstance(found, dict)
                return found
            time.sleep(0.05)
        raise AssertionError(f"job {job} is not over after {seconds} s")


def serve(folder: Path, engine: FakeEngine, store: Path | None = None) -> Iterator[Served]:
    """Serves a folder that holds the small song, with a store beside it unless there is another one."""
    for name in ("fastapi", "uvicorn", "nicegui"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"the extra `studio` is not installed: there is no {name}")
    import uvicorn

    from riffcomposer.cli.starter_styles import STARTERS
    from riffcomposer.studio.app import create_app
    from riffcomposer.studio.guard import Rules
    from riffcomposer.studio.service import Studio, StudioSettings
    from riffcomposer.studio.workspace import Workspace

    settings = StudioSettings(
        store=Store(store or folder.parent / "store"),
        history=GitVersions(),
        starter=starter_text,
        styles=tuple(STARTERS),
        device="cpu",
        engines=FakeEngines(engine),
    )
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    service = Studio(Workspace(folder), settings)
    app = create_app(service, Rules(TOKEN, port), "song.yaml")
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: server.run(sockets=[listener]), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Served(port, folder, engine, service)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        service.close()
