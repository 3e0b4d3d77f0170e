"""Every error that riffcomposer raises on purpose, with its exit code on the command line.

    RiffcomposerError                3
    ├── SongError                    1   the song file is wrong; carries diagnostics
    │   └── BudgetError              1   the plan asks for more than the budget allows
    ├── UsageError                   2   a command or a function was called wrongly
    ├── RenderError                  3   a clip, a decode or a master failed
    │   ├── SpectrogramError         3   an image or a mel that cannot be used
    │   ├── AudioError               3   audio that cannot be read, decoded or mixed
    │   └── MidiError                3   a MIDI file that cannot be read or written
    ├── StoreError                   4   the store cannot be read or written
    │   └── DiskFullError            4   no space left; names the path and the bytes needed
    ├── ModelError                   5   a model is missing, damaged or does not fit
    └── Cancelled                  130   stopped by SIGINT (130), SIGTERM (143) or SIGHUP (129)

A message says what is wrong, where, and what to do about it. Only the command line prints or
exits; everything below raises.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from riffcomposer.diagnostics import Diagnostic, NodePath, format_text, in_order

MAX_DIAGNOSTICS = 200
"""Faults of one song that are listed; the rest are only counted."""


class RiffcomposerError(Exception):
    """The root of all deliberate errors."""

    exit_code = 3


class SongError(RiffcomposerError):
    """A song file that cannot be used.

    Attributes:
        diagnostics: One for each fault, sorted by position.
    """

    exit_code = 1

    def __init__(self, message: str, diagnostics: Iterable[Diagnostic] = ()) -> None:
        super().__init__(message)
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)

    @classmethod
    def of(cls, diagnostics: Iterable[Diagnostic]) -> Self:
        """Makes the error that carries `diagnostics`; its message is their text form."""
        ordered = in_order(diagnostics)
        if len(ordered) > MAX_DIAGNOSTICS:
            message = f"{len(ordered) - MAX_DIAGNOSTICS} more faults are not shown"
            more = Diagnostic("error", "too-many-faults", message, file=ordered[0].file)
            ordered = [*ordered[:MAX_DIAGNOSTICS], more]
        return cls(format_text(ordered), ordered)

    @classmethod
    def fault(cls, code: str, message: str, path: NodePath = (), hint: str = "") -> Self:
        """Makes the error of one fault of the value at `path`; whoever read the file adds line and column."""
        return cls.of([Diagnostic("error", code, message, path, hint)])


class BudgetError(SongError):
    """A plan that asks for more clips, minutes, disk or memory than its budget allows."""


class UsageError(RiffcomposerError):
    """A command or a function called with arguments that do not go together."""

    exit_code = 2


class RenderError(RiffcomposerError):
    """A render that could not be finished. Finished clips stay in the store."""


class SpectrogramError(RenderError):
    """A spectrogram image, a mel or their parameters cannot be used."""


class AudioError(RenderError):
    """Audio that cannot be read, decoded, mixed or written."""


class MidiError(RenderError):
    """A MIDI file cannot be read or written, or lacks what is asked of it."""


class StoreError(RiffcomposerError):
    """The store on disk, or an output folder, cannot be read or written."""

    exit_code = 4


class DiskFullError(StoreError):
    """The disk is full.

    Attributes:
        path: The file that was being written.
        needed_bytes: Size of the file in bytes, or None if unknown.
    """

    def __init__(self, path: Path, needed_bytes: int | None = None) -> None:
        need = f" ({needed_bytes:,} bytes needed)" if needed_bytes is not None else ""
        super().__init__(f"{path}: no space left on the disk{need}; free some and run the same command again")
        self.path = path
        self.needed_bytes = needed_bytes


class ModelError(RiffcomposerError):
    """A model that is missing, damaged, or does not fit the request."""

    exit_code = 5


class Cancelled(RiffcomposerError):
    """The user stopped the run; finished work is kept.

    Attributes:
        exit_code: 130 after SIGINT, 143 after SIGTERM, 129 after SIGHUP.
    """

    def __init__(self, message: str = "stopped; finished clips are kept", exit_code: int = 130) -> None:
        super().__init__(message)
        self.exit_code = exit_code
