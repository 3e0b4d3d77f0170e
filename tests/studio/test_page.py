"""The page, used as a person would use it, in the system's Chromium."""

from __future__ import annotations

import importlib.util
import io
import os
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from served_studio import CHROMIUM, FLAGS, Served, serve
from small_song import FakeEngine, make_studio

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here (Debian: apt install chromium)"),
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None,
        reason="playwright is not installed: pip install 'riffcomposer[browser]'",
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
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


HARMLESS = "Applying inline style violates"
"""Chromium itself styles text that is typed over a selection, which the policy stops and nobody misses."""


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


def test_the_link_holds_the_token_and_the_address_bar_does_not(page: Any, served: Served) -> None:
    assert page.url == f"http://127.0.0.1:{served.port}/"
    assert page.title().startswith("song.yaml")


def test_a_fault_is_marked_as_one_types_and_goes_when_it_is_mended(page: Any) -> None:
    until(page, "document.querySelector('.problems .fine')")
    replace(page, "prompt: bright", "promt: bright")
    until(page, "document.querySelector('.cm-fault')?.textContent === 'promt'")
    assert "did you mean 'prompt'" in page.inner_text(".problems .error")
    assert page.is_disabled("#render")
    replace(page, "promt: bright", "prompt: bright")
    until(page, "!document.querySelector('.cm-fault') && !document.querySelector('#render').disabled")


def test_what_was_typed_is_undone_and_the_song_is_not(page: Any) -> None:
    replace(page, "title: Small Song", "title: Loud Song")
    for _ in range(30):
        page.keyboard.press("Control+z")
    assert page.evaluate("studio.editor.text === studio.saved")


def test_what_is_not_saved_waits_while_another_song_is_open(page: Any, served: Served) -> None:
    served.ask("POST", "/api/v1/songs", {"name": "evening", "style": "jazz"})
    page.evaluate("studio.list()")
    replace(page, "title: Small Song", "title: Half a Thought")
    until(page, "document.querySelectorAll('#song option').length === 2")
    page.select_option("#song", "evening.yaml")
    until(page, "studio.path === 'evening.yaml' && studio.view?.sections.length > 3")
    assert page.evaluate("studio.editor.text === studio.saved")
    page.select_option("#song", "song.yaml")
    until(page, "studio.path === 'song.yaml' && studio.editor.text.includes('Half a Thought')")
    assert "Small Song" in (served.folder / "song.yaml").read_text()


def test_a_draft_is_followed_on_the_timeline(page: Any) -> None:
    page.click("#draft")
    until(page, "studio.facts.finished")
    until(page, "document.querySelectorAll('.timeline .clip').length > 0")
    until(page, "document.querySelectorAll('.timeline .clip:not(.cached)').length === 0")


def test_keys_are_completed_from_the_schema_and_explained(page: Any) -> None:
    replace(page, "seed: 9", "seed: 9")
    page.keyboard.press("Enter")
    page.keyboard.type("stren")
    page.wait_for_selector(".cm-tooltip-autocomplete")
    assert "strength" in page.inner_text(".cm-tooltip-autocomplete")
    page.keyboard.press("Escape")
    page.locator(".cm-line", has_text="tempo: 400").locator("span").first.hover()
    page.wait_for_selector(".cm-tooltip-hover")
    assert "minute" in page.inner_text(".cm-tooltip-hover").lower()


def test_a_song_is_saved_rendered_and_heard(page: Any, served: Served) -> None:
    replace(page, "title: Small Song", "title: Small Song Two")
    # Clips that no other test has rendered.
    replace(page, "seed: 9", "seed: 4711")
    page.keyboard.press("Control+s")
    until(page, "document.querySelector('#save').textContent === 'Save'")
    assert "Small Song Two" in (served.folder / "song.yaml").read_text()
    until(page, "document.querySelectorAll('.timeline .clip:not(.cached)').length > 0")
    render(page)
    assert page.evaluate("studio.facts.sound <= studio.facts.finished"), "no sound before the render's end"
    assert page.evaluate("document.querySelectorAll('.timeline .clip:not(.cached)').length") == 0
    page.click("#play")
    assert loudest(page) > -50
    page.locator("#report button").first.click()
    until(page, "studio.player.playing")
    page.click("#play")
    assert not page.evaluate("studio.player.playing")


def test_a_running_render_becomes_the_track_without_a_gap(page: Any) -> None:
    page.evaluate("studio.player.play()")
    render(page)
    until(page, "studio.player.starts.length > 0")
    page.evaluate("(studio.player.seek(0), studio.player.starts.splice(0))")
    until(page, "studio.player.playing && studio.player.position > 0.3")
    page.evaluate("studio.player.load(studio.player.track)")
    until(page, "studio.player.starts.length > 1")
    before, after = page.evaluate("studio.player.starts.slice(0, 2)")
    assert after["start"] > before["start"]
    assert after["when"] - after["start"] == pytest.approx(before["when"] - before["start"], abs=2)


def test_of_a_long_track_a_minute_is_held_and_passages_meet(page: Any, served: Served) -> None:
    rng = np.random.default_rng(1)
    soundfile.write(served.folder / "long.wav", 0.1 * rng.standard_normal(300 * 44100), 44100)
    page.evaluate(
        """async () => {
          const { Track } = await import("/static/track.js");
          await studio.listen(new Track("tracks/long.wav", 300 * 44100));
        }"""
    )
    for place in (5, 95, 185, 275):
        until(page, "studio.player.playing")
        page.evaluate(f"studio.player.seek({place})")
        until(page, f"studio.player.playing && studio.player.position > {place + 0.2}")
        until(page, "studio.player.track.passages.filter((each) => each.buffer).length > 3")
    page.wait_for_timeout(6000)
    assert without_gaps(page.evaluate("studio.player.starts")) >= 1
    assert page.evaluate("studio.player.track.passages.length") == 50
    assert page.evaluate("studio.player.track.passages.filter((each) => each.buffer).length") <= 12
    assert page.evaluate("studio.player.track.sheet.width") > 500


def without_gaps(starts: list[dict[str, int]]) -> int:
    """Checks that passages of one stretch meet in time as they do in the track; returns how many."""
    found = 0
    for before, after in pairwise(starts):
        if after["start"] == before["start"] + before["length"]:
            assert after["when"] == before["when"] + before["length"]
            found += 1
    return found


def test_play_renders_a_song_that_was_not_rendered_here(page: Any, served: Served) -> None:
    page.click("#play")
    until(page, "studio.player.playing")
    assert loudest(page) > -50
    until(page, "studio.facts.finished")


def test_play_says_why_there_is_nothing_to_play(page: Any, served: Served) -> None:
    replace(page, "prompt: bright", "promt: bright")
    until(page, "document.querySelector('#render').disabled")
    page.click("#play")
    until(page, "document.querySelector('#status').value.includes('see Check')")
    assert page.inner_text("#play") == "Play"


def test_play_waits_no_longer_for_a_render_that_is_cancelled(page: Any, served: Served) -> None:
    replace(page, "prompt: low hum", "prompt: another hum")
    replace(page, "prompt: bright", "prompt: another bright")
    served.engine.seconds_per_clip = 3
    until(page, "document.querySelectorAll('.timeline .clip:not(.cached)').length > 0")
    page.click("#play")
    until(page, "studio.job && document.querySelector('#play').textContent === 'Pause'")
    page.click("#cancel")
    until(page, "!studio.job")
    until(page, "document.querySelector('#play').textContent === 'Play'")


def test_a_render_is_cancelled_and_its_sound_ends_where_it_is(page: Any, served: Served) -> None:
    render(page)
    page.click("#play")
    page.evaluate("studio.player.seek(0)")
    # The last section is a passage of its own; the sound before it is in the store.
    replace(page, "prompt: low hum", "prompt: low drone")
    served.engine.seconds_per_clip = 3
    until(page, "document.querySelectorAll('.timeline .clip:not(.cached)').length > 0")
    page.click("#render")
    until(page, "studio.player.track?.address.includes('/sound') && studio.player.track.ready > 1", 20)
    page.click("#cancel")
    until(page, "!studio.job && document.querySelector('#cancel').disabled")
    assert page.evaluate("document.querySelector('#status').value") == "cancelled"
    until(page, "!studio.player.playing && !studio.player.waiting", 60)
    until(page, "document.querySelector('#play').textContent === 'Play'")


def test_a_section_is_looped(page: Any) -> None:
    render(page)
    page.check("#loop")
    page.locator(".timeline .section").nth(1).click()
    page.click("#play")
    until(page, "studio.player.playing")
    start, end = page.evaluate("studio.player.region")
    page.wait_for_timeout(int(1000 * (end - start)) + 400)
    assert start <= page.evaluate("studio.player.position") <= end
    assert loudest(page) > -50
    again = [
        (before, after)
        for before, after in pairwise(page.evaluate("studio.player.starts"))
        if after["start"] <= before["start"] and before["start"] + before["length"] == round(44100 * end)
    ]
    assert again, "the loop never came round"
    for before, after in again:
        assert after["start"] == round(44100 * start)
        assert after["when"] == before["when"] + before["length"]


def test_a_file_that_changed_on_disk_is_not_overwritten(page: Any, served: Served) -> None:
    song = served.folder / "song.yaml"
    song.write_text(song.read_text() + "# theirs\n")
    replace(page, "title: Small Song", "title: Mine")
    page.keyboard.press("Control+s")
    page.wait_for_selector("#conflict-dialog[open]")
    assert "Mine" not in song.read_text()
    page.click("#conflict-theirs")
    until(page, "studio.editor.text.endsWith('# theirs\\n')")


def test_a_new_song_is_written_and_opened(page: Any, served: Served) -> None:
    page.click("#new")
    page.fill("#new-name", "evening")
    page.select_option("#new-style", "jazz")
    page.click("#new-form .main")
    until(page, "studio.path === 'evening.yaml' && studio.view && studio.view.sections.some((s) => s.chords)")
    assert (served.folder / "evening.yaml").is_file()
    assert page.evaluate("document.querySelectorAll('.timeline .chord').length") > 3


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


def test_a_jam_plays_without_gaps_is_steered_and_kept(page: Any, served: Served) -> None:
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


def test_the_report_page_plays_without_a_server(browser: Any, served: Served) -> None:
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
