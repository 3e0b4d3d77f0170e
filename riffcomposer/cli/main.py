"""The `riffcompose` command: builds the app and turns errors into messages and exit codes.

Exit codes: 0 success, 1 song invalid, 2 usage, 3 render failed, 4 store or disk, 5 model
unavailable, 130 and 143 stopped by a signal; 10 from `plan --exit-code` if clips are to be rendered.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from riffcomposer import __version__
from riffcomposer.cli.console import drop_output, plain, prepare_streams, print_error, stderr, write
from riffcomposer.errors import Cancelled, RiffcomposerError, SongError, StoreError, UsageError

SHORT = ("check", "plan", "diff")
"""Short commands, for which Python need not collect garbage during imports."""

FEW_COLLECTIONS = (200_000, 20, 100)
"""Thresholds for Python's `gc` with which a short command collects rarely, and memory stays bounded."""

COMMANDS = (
    "render",
    "plan",
    "check",
    "new",
    "score",
    "diff",
    "studio",
    "takes",
    "pick",
    "loops",
    "models",
    "clip",
    "cache",
    "inspect",
)

ALIASES = {"seeds": "loops"}
"""Aliases of commands, kept for older scripts."""


def _show_version(value: bool) -> None:
    if value:
        write(f"riffcompose {__version__}\n")
        raise typer.Exit


def build_app(commands: Sequence[str] = COMMANDS) -> typer.Typer:
    """Builds the app with its commands; command modules import nothing heavy at their top.

    Args:
        commands: The commands to register; importing the others would take longer than most commands.
    """
    app = typer.Typer(
        name="riffcompose",
        help="Render songs written in YAML into finished tracks.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,
    )

    @app.callback()
    def options(
        version: bool = typer.Option(
            False, "--version", help="Print the version and exit.", callback=_show_version, is_eager=True
        ),
    ) -> None:
        del version

    # Without a callback, an app of one command would drop that command's name.
    for command in commands:
        importlib.import_module(f"riffcomposer.cli.{command}").register(app)
    return app


def _called(arguments: Sequence[str]) -> Sequence[str]:
    """Returns the called command, or all of them for help, completion and misspelt names."""
    completing = any(name.endswith("_COMPLETE") for name in os.environ)
    command = ALIASES.get(arguments[0], arguments[0]) if arguments else ""
    return (command,) if command in COMMANDS and not completing else COMMANDS


def _check_current_folder() -> None:
    """Exits with 2 if the current folder has been removed: names mean nothing, and libraries fail."""
    try:
        os.getcwd()
    except OSError as error:
        print_error(f"the current folder cannot be used ({error.strerror}); change to another with cd")
        sys.exit(UsageError.exit_code)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with its code.

    Args:
        arguments: Arguments to use instead of the process's own, in a process that continues afterwards.
    """
    prepare_streams()
    # The search for pydantic plugins among all installed packages takes longer than reading a song.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    given = sys.argv[1:] if arguments is None else arguments
    _check_current_folder()
    thresholds = gc.get_threshold()
    if given and given[0] in SHORT:
        gc.set_threshold(*FEW_COLLECTIONS)
    try:
        code = build_app(_called(given))(args=given, standalone_mode=False)
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            drop_output()
        sys.exit(code if isinstance(code, int) else 0)
    except RiffcomposerError as error:
        if isinstance(error, SongError) and error.diagnostics:
            stderr().print(plain(error))  # each diagnostic says for itself that it is an error
        else:
            print_error(error)
        sys.exit(error.exit_code)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except TyperException as error:
        print_error(f"{error.format_message()} (see riffcompose --help)")
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        print_error(Cancelled())
        sys.exit(130)
    except BrokenPipeError:
        drop_output()
        sys.exit(0)
    except OSError as error:
        if error.filename is not None:
            raise  # of a file, which is the commands' own business
        drop_output()
        print_error(f"the output cannot be written ({error.strerror or error})")
        sys.exit(StoreError.exit_code)
    finally:
        gc.set_threshold(*thresholds)
        if arguments is None:
            # The process ends, so a last garbage collection would only cost time.
            gc.freeze()
