"""Takes, comparison and jam in the page, its layout, and the page of a report."""

from __future__ import annotations

import io
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from page_actions import loudest, render, replace, until
from PIL import Image
from served_studio import Served


def test_takes_are_heard_and_one_is_picked(page: Any, served: Served) -> None:
    page.click("#tab-takes")
    page.select_option("#takes-section", "second")
    page.fill("#takes-count", "2")
    page.click("#takes-form .main")
    page.wait_for_selector("#takes-list tr:nth-child(2)", timeout=60_000)
    page.click("[aria-label='Play take 2']")
    until(page, "studio.player.playing")
    assert loudest(page) > -50
    page.click("[aria-label='Write take 2 into the song']")
    until(page, "document.querySelector('#takes-status').value.includes('is in the song')")
    assert "seed: 1009" in (served.folder / "song.yaml").read_text()
    assert "seed: 1009" in page.evaluate("studio.editor.text")
    page.reload()
    page.click("#tab-takes")
    page.select_option("#takes-section", "first")
    page.select_option("#takes-section", "second")
    page.wait_for_selector("#takes-list tr:nth-child(2)")
    assert page.locator("#takes-list tr").count() == 2


def test_two_renders_are_compared_at_one_loudness_without_a_gap(page: Any) -> None:
    render(page)
    replace(page, "gain_db: -3", "gain_db: -9")
    page.keyboard.press("Control+s")
    page.evaluate("studio.facts.finished = 0")
    render(page)
    page.click("#tab-compare")
    until(page, "document.querySelectorAll('#compare-a option').length === 2")
    page.click("#compare-play")
    page.wait_for_selector("#compare-switch:not([disabled])")
    first = loudest(page)
    page.click("#compare-switch")
    second = loudest(page)
    assert page.get_attribute("#compare-switch", "aria-pressed") == "true"
    assert min(first, second) > -50
    page.click("#compare-play")


def test_a_jam_plays_without_gaps_is_steered_and_kept(page: Any, served: Served, quick_jams: None) -> None:
    page.click("#tab-jam")
    page.fill("#jam-prompt", "soft rhodes")
    page.fill("#jam-clips", "1")
    page.click("#jam-begin")
    until(page, "studio.jam.schedule.length >= 1", 60)
    page.wait_for_timeout(500)
    assert loudest(page) > -50
    page.check("#jam-3d")
    until(page, "studio.jam.landscape && document.querySelector('#jam-canvas').hidden")
    page.wait_for_timeout(300)
    landscape = Image.open(io.BytesIO(page.locator("#jam-landscape").screenshot())).convert("L")
    assert len(landscape.getcolors() or []) > 20, "nothing is drawn"
    page.uncheck("#jam-3d")
    assert page.is_visible("#jam-canvas")
    page.fill("#jam-prompt", "jazz trio")
    page.click("#jam-steer")
    until(page, "document.querySelector('#jam-status').textContent.includes('is reached at clip')")
    until(page, "studio.jam.schedule.length >= 3", 60)
    schedule = page.evaluate("studio.jam.schedule")
    for before, after in pairwise(schedule):
        assert round(44100 * after["when"]) - round(44100 * before["when"]) == before["samples"]
        assert not after["late"]
    page.click("#keep-form button")
    until(page, "document.querySelector('#keep-status').value.includes('kept in kept.yaml')")
    assert (served.folder / "kept.yaml").is_file()
    page.click("#jam-share")
    assert "prompt=jazz+trio" in page.url
    page.click("#jam-end")
    until(page, "studio.jam.id === null")


def test_a_jam_takes_a_loop_of_ones_own(page: Any, served: Served, tmp_path: Path) -> None:
    loop = tmp_path / "My Loop.wav"
    times = np.arange(8 * 8000) / 8000
    soundfile.write(loop, np.sin(2 * np.pi * 330 * times) * (times % 0.5 < 0.05), 8000)
    page.click("#tab-jam")
    page.select_option("#jam-kind", "file")
    page.set_input_files("#jam-file", loop)
    until(page, "document.querySelector('#jam-name').value.startsWith('recordings/my-loop-')")
    assert float(page.input_value("#jam-tempo")) == pytest.approx(120, rel=0.02)
    page.click("#jam-begin")
    until(page, "studio.jam.schedule.length >= 1", 60)
    page.click("#jam-end")


def test_a_shared_link_fills_the_jam(browser: Any, served: Served) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(served.link)
    page.wait_for_selector(".timeline .clip")
    page.goto(
        f"http://127.0.0.1:{served.port}/#jam?prompt=organ+at+night&seed=42&clips=3&kind=loop&name=organ-soft"
    )
    page.reload()
    until(page, "!document.querySelector('#view-jam').hidden")
    assert page.input_value("#jam-prompt") == "organ at night"
    assert (page.input_value("#jam-seed"), page.input_value("#jam-name")) == ("42", "organ-soft")
    context.close()


def test_everything_is_reached_by_keyboard(page: Any) -> None:
    page.evaluate("document.activeElement.blur()")
    seen: list[str] = []
    page.keyboard.press("Tab")
    for _ in range(40):
        where = page.evaluate("document.activeElement.id || document.activeElement.className")
        seen.append(where)
        if where == "tab-song":
            break
        page.keyboard.press("Tab")
    assert {"song", "new", "save", "tab-song"} <= set(seen)
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-takes"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    assert "section" in page.evaluate("document.activeElement.className")
    page.keyboard.press("Enter")
    assert page.get_attribute(".timeline .section >> nth=0", "aria-pressed") == "true"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window_and_names_and_contrast_are_right(
    browser: Any, served: Served, scheme: str, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp="AXE_CORE" in os.environ
    )
    page = context.new_page()
    page.goto(served.link)
    page.wait_for_selector(".timeline .clip")
    for view in ("song", "takes", "compare", "jam"):
        page.click(f"#tab-{view}")
        if view == "jam":
            page.select_option("#jam-kind", "file")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{view} is {wide} pixels wide"
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("button, input, select")]
              .filter((each) => each.offsetParent)
              .filter((each) => !(each.labels?.length || each.ariaLabel || each.textContent.trim()))
              .map((each) => each.outerHTML)"""
        )
        assert nameless == []
        if "AXE_CORE" in os.environ:  # axe-core is not in the repository: its path, from the npm package
            page.evaluate(Path(os.environ["AXE_CORE"]).read_text(encoding="utf-8"))
            found = page.evaluate("axe.run().then((result) => result.violations)")
            assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == [], view
    context.close()


def test_the_report_page_plays_without_a_server(browser: Any, served: Served, drawn_timelines: None) -> None:
    job = served.ask("POST", "/api/v1/renders", {"path": "song.yaml"}).json["id"]
    result = served.over(job)["result"]
    report = next(served.folder / name for name in result["files"] if name.endswith(".report.html"))
    context = browser.new_context(offline=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda line: faults.append(line.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(report.as_uri())
    page.locator(".strip button").nth(1).click()
    start = float(page.locator(".strip button").nth(1).get_attribute("data-at"))
    until(page, f"document.querySelector('audio').currentTime > {start + 0.05}")
    assert page.evaluate("document.querySelector('img').naturalWidth") > 500
    assert "transition: {type: bridge" in page.inner_text("pre")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert faults == []
    context.close()
