"""The page with the small song, in the system's Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served_studio import CHROMIUM, FLAGS, Served, serve
from small_song import FakeEngine, make_studio

HARMLESS = "Applying inline style violates"
"""Chromium itself styles text that is typed over a selection, which the policy stops and nobody misses."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium here (Debian: apt install chromium)")
    pytest.importorskip(
        "playwright", reason="playwright is not installed: pip install 'riffcomposer[browser]'"
    )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def warm_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that the tests share: what one of them rendered, the next one finds."""
    return tmp_path_factory.mktemp("warm")


@pytest.fixture
def served(tmp_path: Path, warm_store: Path) -> Iterator[Served]:
    """A folder of its own for each test."""
    folder = tmp_path / "songs"
    folder.mkdir()
    make_studio(folder)
    yield from serve(folder, FakeEngine(), warm_store)


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    """The page with the small song, and a check at the end that nothing went wrong in it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None
    )
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(served.link)
    page.wait_for_selector(".timeline .clip")
    yield page
    context.close()
    assert [fault for fault in faults if HARMLESS not in fault] == []
    own = (f"http://127.0.0.1:{served.port}/", "blob:", "data:")
    assert [url for url in requests if not url.startswith(own)] == []
