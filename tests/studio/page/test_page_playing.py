"""Songs are rendered and heard in the page."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import soundfile
from page_actions import loudest, render, replace, until, without_gaps
from served_studio import Served


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
