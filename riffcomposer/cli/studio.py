"""`riffcompose studio`: songs of a folder in the browser."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riffcomposer.cli.console import plain, stdout
from riffcomposer.cli.plan import Allow, DiskLimit, JobsLimit, MemoryLimit, MinutesLimit, limits
from riffcomposer.cli.store_option import StoreFolder, chosen_store
from riffcomposer.errors import UsageError

if TYPE_CHECKING:
    from riffcomposer.store.store import Store
    from riffcomposer.studio.service import StudioSettings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
FIRST_PORT = 8350
PORTS_TRIED = 20


def check_installed() -> None:
    """Checks that the extra is there.

    Raises:
        UsageError: It is not; the message says what to install.
    """
    missing = [name for name in ("fastapi", "uvicorn", "nicegui") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the studio needs {', '.join(missing)}, and there is no such package here: "
            "pip install 'riffcomposer[studio]'"
        )


def starter_text(title: str, style: str, folder: Path) -> str:
    """The text of a new song in a folder."""
    from riffcomposer.cli.new import schema_line
    from riffcomposer.cli.starter_songs import starter_song
    from riffcomposer.loops.catalogue import catalogue

    return starter_song(title, style, schema_line(folder)[0], catalogue())


def settings_of(
    device: str, budget: tuple[float | None, ...], allow: list[Path] | None, store: Store
) -> StudioSettings:
    """The studio's settings from the command's options."""
    from riffcomposer.cli.song_versions import GitVersions
    from riffcomposer.cli.starter_styles import STARTERS
    from riffcomposer.studio.service import StudioSettings

    return StudioSettings(
        store=store,
        history=GitVersions(),
        starter=starter_text,
        styles=tuple(STARTERS),
        device=device,
        limits=limits(*budget),  # type: ignore[arg-type]
        allowed_folders=tuple(allow or ()),
    )


def bound_socket(host: str, port: int | None) -> socket.socket:
    """Returns a socket that listens on a port; without one, on the first free port from 8350 on.

    Raises:
        UsageError: The address is not this machine's, or the port is taken or not a port's number.
    """
    if port is not None and not 0 <= port <= 65535:
        raise UsageError(f"--port {port}: a port is 0 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in [port] if port is not None else range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
        except OSError as error:
            listener.close()
            if port is not None or not isinstance(error, OSError) or error.errno is None:
                raise UsageError(f"--host {host} --port {number}: {error.strerror or error}") from None
            continue
        return listener
    last = FIRST_PORT + PORTS_TRIED - 1
    raise UsageError(f"ports {FIRST_PORT} to {last} are taken; name another with --port")


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command()
    def studio(
        song: Annotated[
            Path,
            typer.Argument(metavar="[SONG]", help="A song to open, or a folder of songs. Default: here."),
        ] = Path("."),
        port: Annotated[
            int | None, typer.Option(help="Port. Default: the first free one from 8350 on.")
        ] = None,
        host: Annotated[
            str, typer.Option(help="Address to listen on. Beyond this machine it needs --token.")
        ] = "127.0.0.1",
        token: Annotated[
            str,
            typer.Option(
                help="The token of the link; by default a new one each time.", envvar="RIFFCOMPOSER_TOKEN"
            ),
        ] = "",
        browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
        device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
        store: StoreFolder = None,
        jobs_limit: JobsLimit = None,
        minutes_limit: MinutesLimit = None,
        disk_limit: DiskLimit = None,
        memory_limit: MemoryLimit = None,
        allow: Allow = None,
    ) -> None:
        """Hear, see and change songs in the browser; also an HTTP API."""
        check_installed()
        if host not in LOOPBACK and len(token) < 16:
            raise UsageError(
                f"--host {host} lets other machines in: give a --token of at least 16 characters (or "
                "RIFFCOMPOSER_TOKEN), and use an encrypted connection in front of it"
            )
        if not song.exists():
            raise UsageError(f"{song}: there is no such song or folder; `riffcompose new {song}` writes one")
        import secrets
        import webbrowser

        import uvicorn

        from riffcomposer.studio.app import create_app
        from riffcomposer.studio.guard import Rules
        from riffcomposer.studio.service import Studio
        from riffcomposer.studio.workspace import Workspace

        token = token or secrets.token_urlsafe(24)
        workspace = Workspace(song if song.is_dir() else song.parent)
        first = "" if song.is_dir() else workspace.name_of(song.resolve())
        if first:
            workspace.song(first)
        listener = bound_socket(host, port)
        number = listener.getsockname()[1]
        names = () if host in LOOPBACK else (host.lower(), socket.gethostname().lower())
        rules = Rules(token, number, names, any_address=host not in LOOPBACK)
        budget = (jobs_limit, minutes_limit, disk_limit, memory_limit)
        service = Studio(workspace, settings_of(device, budget, allow, chosen_store(store)))
        shown = f"[{host}]" if ":" in host else "127.0.0.1" if host == "0.0.0.0" else host
        link = f"http://{shown}:{number}/?token={token}"
        stdout().print(f"{plain(workspace.root)}: {plain(link)}\nCtrl+C ends it.", soft_wrap=True)
        if browser:
            webbrowser.open(link)
        # No access log: the first request's address holds the token.
        config = uvicorn.Config(
            create_app(service, rules, first),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        try:
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            service.close()
