"""What the commands of the training have in common: lines of log with the time, and errors as one line."""

from __future__ import annotations

import logging
from collections.abc import Callable

from riffcomposer.errors import RiffcomposerError

log = logging.getLogger("riffcomposer_training")


def log_with_times() -> None:
    """Sends the log to stderr, each line with its time."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")


def exit_code(work: Callable[[], object]) -> int:
    """Does the work; returns 0, or logs an error of this project and returns its exit code."""
    try:
        work()
    except RiffcomposerError as error:
        log.error("error: %s", error)
        return error.exit_code
    return 0
