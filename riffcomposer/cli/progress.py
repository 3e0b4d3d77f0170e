"""Shows a render's progress on stderr: a live bar on terminals, plain lines or JSON lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from riffcomposer.cli.console import json_text, plain, print_warning, stderr, write
from riffcomposer.render.events import Observer, RenderEvent
from riffcomposer.text import clock

STYLES = ("auto", "live", "plain", "json", "none")

_VERBS = {
    "load": "loading the model",
    "clips": "rendering clips",
    "decode": "decoding",
    "mix": "mixing",
    "master": "mastering",
    "write": "writing",
}
_PLAIN_EVERY_S = 5.0


def _amount(event: RenderEvent) -> str:
    if event.unit == "seconds":
        return f"{clock(event.done)} of {clock(event.total)}"
    return f"{event.finished} of {event.total:.0f} {event.unit}"


def describe(event: RenderEvent) -> str:
    """Formats an event as one plain line."""
    parts = [f"{event.song}: {_VERBS[event.stage]}" if event.song else _VERBS[event.stage]]
    if event.total:
        parts.append(_amount(event))
    if event.realtime_factor:
        parts.append(f"{event.realtime_factor:.1f}x real time")
    if event.eta_s is not None and event.done < event.total:
        parts.append(f"{clock(event.eta_s)} left")
    if event.detail:
        parts.append(event.detail)
    return ", ".join(parts)


@dataclass
class _Shown:
    """What was printed last of one song, or of the work at hand."""

    stage: str = ""
    next_s: float = 0.0
    clips: int = 0
    finished: bool = False


class _PlainLines:
    """Prints a line at each change of stage, for each clip, and otherwise every few seconds."""

    def __init__(self) -> None:
        self._console = stderr()
        self._shown: dict[str, _Shown] = {}

    def __call__(self, event: RenderEvent) -> None:
        if event.notice:
            print_warning(event.notice)
        now, shown = time.monotonic(), self._shown.setdefault(event.song, _Shown())
        new_stage = event.stage != shown.stage
        finished = bool(event.total) and event.done >= event.total and not shown.finished
        another_clip = event.unit == "clips" and event.finished > shown.clips
        if not (new_stage or finished or another_clip or now >= shown.next_s):
            return
        self._shown[event.song] = _Shown(
            event.stage,
            now + _PLAIN_EVERY_S,
            event.finished if event.unit == "clips" else 0,
            finished or (shown.finished and not new_stage),
        )
        self._console.print(plain(describe(event)))


def _json_line(event: RenderEvent) -> None:
    write(json_text(asdict(event), sys.stderr) + "\n", sys.stderr)
    sys.stderr.flush()


@contextmanager
def progress(style: str) -> Iterator[Observer]:
    """Yields an observer that shows a render's events on stderr.

    Args:
        style: `live`, `plain`, `json` or `none`; `auto` is `live` on a terminal and `plain` elsewhere.
    """
    if style == "auto":
        style = "live" if sys.stderr.isatty() else "plain"
    if style == "none":
        yield lambda event: None
    elif style == "json":
        yield _json_line
    elif style == "plain":
        yield _PlainLines()
    else:
        from rich.progress import BarColumn, Progress, TextColumn

        with Progress(
            TextColumn("{task.fields[verb]:<18}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[line]}"),
            console=stderr(),
            transient=True,
        ) as bars:
            # One bar for the work at hand, and one for a song that is finished beside it.
            tasks = {beside: bars.add_task("", total=None, verb="", line="") for beside in (False, True)}
            bars.update(tasks[True], visible=False)

            def show(event: RenderEvent) -> None:
                if event.notice:
                    print_warning(event.notice)
                _, _, line = describe(event).partition(", ")
                bars.update(
                    tasks[bool(event.song)],
                    total=event.total or None,
                    completed=event.done,
                    verb=_VERBS[event.stage],
                    line=plain(", ".join(filter(None, [event.song, line]))),
                    visible=True,
                )

            yield show
