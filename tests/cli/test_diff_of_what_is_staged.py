"""`riffcompose diff --staged`: a revision against the index."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
from song_repositories import PNG, changed, commit, git, refused, run, text, to_render

pytestmark = pytest.mark.usefixtures("repository_of_songs")


def _files() -> dict[str, bytes]:
    """Everything in the repository, git's own files included."""
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def test_what_is_staged_is_the_new_side_and_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text("slow keys")))
    Path("song.yaml").write_text(text("fast keys"))
    git("add", "song.yaml")
    Path("song.yaml").write_text(text("no keys"))
    before = _files()
    found = changed(capsys, "--staged", "song.yaml")
    assert (found["old"], found["new"]) == ("HEAD", "staged")
    assert found["sections"][0]["changes"] == [{"field": "prompt", "old": "slow keys", "new": "fast keys"}]
    assert to_render(found) == 2
    assert _files() == before
    assert changed(capsys, "--cached", "HEAD", "song.yaml")["sections"] == found["sections"]


def test_staged_files_count_and_not_those_on_disk(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text(init="x.png")), ("x.png", PNG))
    Path("x.png").write_bytes(PNG + b"another")
    assert to_render(changed(capsys, "--staged", "song.yaml")) == 0
    git("add", "x.png")
    Path("x.png").unlink()
    assert to_render(changed(capsys, "--staged", "song.yaml")) == 2


def test_a_staged_rename_is_followed(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("old.yaml", text()))
    git("mv", "old.yaml", "new.yaml")
    found = changed(capsys, "--staged", "new.yaml")
    assert found["renamed_from"] == "old.yaml"
    assert found["sections"] == []


def test_a_song_that_is_not_staged(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("other.yaml", text()))
    Path("song.yaml").write_text(text())
    assert "is not staged: `git add` stages it" in refused(capsys, "--staged", "song.yaml")


@pytest.mark.parametrize("commits", [0, 1])
def test_a_song_that_is_staged_for_the_first_time_is_new(
    commits: int, capsys: pytest.CaptureFixture[str]
) -> None:
    if commits:
        commit(("other.txt", "words"))
    Path("song.yaml").write_text(text())
    git("add", "song.yaml")
    found = changed(capsys, "--staged", "song.yaml")
    assert [section["kinds"] for section in found["sections"]] == [["added"]]
    assert to_render(found) == 2
    assert run("--staged", "song.yaml") == 0
    assert capsys.readouterr().out.startswith("new: HEAD does not have song.yaml\n+ section a: added\n")
    assert "nothing to compare with" in refused(capsys, "--staged", "song.yaml", "--html", "page.html")


def test_an_unresolved_merge_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text("one")))
    git("checkout", "-q", "-b", "side")
    commit(("song.yaml", text("two")))
    git("checkout", "-q", "main")
    commit(("song.yaml", text("three")))
    with pytest.raises(Exception, match="merge"):
        git("merge", "side")
    assert "not resolved (song.yaml)" in refused(capsys, "--staged", "song.yaml")


def test_calls_that_name_too_much(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    assert "one revision" in refused(capsys, "--staged", "HEAD", "HEAD", "song.yaml")
    assert "compared with one" in refused(capsys, "--staged", "HEAD..HEAD", "song.yaml")
    assert "--staged compares what is staged" in refused(capsys, ":song.yaml", "song.yaml")


@pytest.mark.skipif(sys.platform == "win32", reason="the hook is a POSIX script")
@pytest.mark.parametrize("call", ["-qm x", "-qam x", "-qm x song.yaml"])
def test_a_hook_sees_what_its_commit_takes(call: str) -> None:
    commit(("song.yaml", text("slow keys")), ("more.yaml", text("slow keys")))
    hook = Path(".git/hooks/pre-commit")
    hook.parent.mkdir(exist_ok=True)
    program = f"{sys.executable} -m riffcomposer diff --staged --store .git/store"
    hook.write_text(f"#!/bin/sh\n{program} song.yaml > .git/said\n{program} more.yaml > .git/more\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    for name in ("song.yaml", "more.yaml"):
        Path(name).write_text(text("fast keys"))
    if call == "-qm x":
        git("add", "song.yaml")
    git("commit", *call.split())
    assert "prompt: slow keys -> fast keys" in Path(".git/said").read_text()
    of_more = "prompt: slow keys" if call == "-qam x" else "no audible change"
    assert of_more in Path(".git/more").read_text()
