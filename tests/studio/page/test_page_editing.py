"""Songs are written in the page."""

from __future__ import annotations

from typing import Any

from page_actions import replace, until
from served_studio import Served


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


def test_a_render_that_is_asked_for_while_the_song_is_being_saved(page: Any, served: Served) -> None:
    page.evaluate(
        """() => {
          const plain = window.fetch;
          window.fetch = async (address, options) => {
            if (options?.method === "PUT") await new Promise((go) => setTimeout(go, 300));
            return plain(address, options);
          };
        }"""
    )
    replace(page, "title: Small Song", "title: Saved Twice")
    page.keyboard.press("Control+s")
    page.click("#draft")
    until(page, "studio.facts.finished || document.querySelector('#conflict-dialog').open")
    assert not page.evaluate("document.querySelector('#conflict-dialog').open")
    assert "Saved Twice" in (served.folder / "song.yaml").read_text()


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
