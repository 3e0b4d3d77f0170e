"""What a person does with the studio's page, for tests."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any


def until(page: Any, expression: str, seconds: float = 30) -> Any:
    """Waits for a value; `wait_for_function` needs `eval`, which the page's policy forbids."""
    end = time.monotonic() + seconds
    while True:
        value = page.evaluate(expression)
        if value:
            return value
        assert time.monotonic() < end, expression
        page.wait_for_timeout(30)


def replace(page: Any, old: str, new: str) -> None:
    """Types over a text in the editor."""
    page.evaluate(
        """([old, text]) => {
          const view = studio.editor.view, from = view.state.doc.toString().indexOf(old);
          view.dispatch({ selection: { anchor: from, head: from + old.length } });
          view.focus();
        }""",
        [old, new],
    )
    page.keyboard.type(new)


def loudest(page: Any) -> float:
    """The highest level of the next seconds, in LUFS, as the page's analyser measures it; ends at a sound."""
    found = -90.0
    for _ in range(50):
        value = page.evaluate("document.querySelector('#levels').value")
        if not value.startswith("–"):
            found = max(found, float(value.split(" ")[0]))
        if found > -40:
            break
        page.wait_for_timeout(100)
    return found


def render(page: Any) -> None:
    page.click("#render")
    until(page, "studio.facts.finished")


def without_gaps(starts: list[dict[str, int]]) -> int:
    """Checks that passages of one stretch meet in time as they do in the track; returns how many."""
    found = 0
    for before, after in pairwise(starts):
        if after["start"] == before["start"] + before["length"]:
            assert after["when"] == before["when"] + before["length"]
            found += 1
    return found
