"""`riffcompose diff` of songs that were renamed, moved, linked, removed or written in another form."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from planned_songs import write_model
from song_repositories import PNG, changed, commit, git, refused, run, text, to_render

pytestmark = pytest.mark.usefixtures("repository_of_songs")


def test_a_renamed_song_is_followed(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("s.yaml", text()))
    git("mv", "s.yaml", "new.yaml")
    commit()
    assert run("HEAD~1", "new.yaml") == 0
    assert capsys.readouterr().out.splitlines()[0] == "renamed: s.yaml -> new.yaml"
    assert changed(capsys, "HEAD~1", "HEAD", "new.yaml")["renamed_from"] == "s.yaml"
    assert changed(capsys, "HEAD~1", "HEAD", "s.yaml")["renamed_from"] == "s.yaml", "by its old name"
    assert changed(capsys, "HEAD", "new.yaml")["renamed_from"] is None
    Path("new.yaml").unlink()
    assert changed(capsys, "HEAD~1", "HEAD", "new.yaml")["renamed_from"] == "s.yaml", "gone from disk"


def test_a_song_that_moved_takes_its_files_along(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("s.yaml", text(init="x.png")), ("x.png", PNG))
    for name in ("s.yaml", "x.png", "model"):
        Path("songs").mkdir(exist_ok=True)
        git("mv", name, f"songs/{name}")
    commit()
    write_model(Path("model"))  # of the old version, which is compared as it would render now
    assert to_render(changed(capsys, "HEAD~1", "songs/s.yaml")) == 0


def test_a_song_renamed_and_not_yet_committed(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("s.yaml", text()), ("other.yaml", "title: another\n"))
    Path("s.yaml").rename("new.yaml")
    found = changed(capsys, "HEAD", "new.yaml")
    assert (found["renamed_from"], to_render(found)) == ("s.yaml", 0)


def test_a_song_that_may_have_been_renamed(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("s.yaml", "title: quite another\nsections: [{prompt: x, bars: 1}]\n"))
    Path("s.yaml").unlink()
    Path("new.yaml").write_text(text())
    assert "was it renamed from s.yaml?" in refused(capsys, "HEAD", "new.yaml")


def test_links_are_followed(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text(init="y.png")), ("x.png", PNG))
    os.symlink("song.yaml", "link.yaml")
    os.symlink("x.png", "y.png")
    assert "not there" in changed(capsys, "HEAD", "link.yaml")["clips_unknown"], "y.png is not committed yet"
    commit()
    assert to_render(changed(capsys, "HEAD", "link.yaml")) == 0


def test_a_link_that_leads_out_of_the_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "song.yaml").write_text(text())
    os.symlink("../song.yaml", "song.yaml")
    commit()
    assert "leads out of the repository" in refused(capsys, "HEAD", "HEAD", "song.yaml")


def test_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    commit(("later.yaml", text("quite another")))
    Path("never.yaml").write_text(text())
    assert "there is no folder nosuch" in refused(capsys, "HEAD", "nosuch/song.yaml")
    assert "neither on disk nor in revision 'HEAD'" in refused(capsys, "HEAD", "nosuch.yaml")
    assert "never been committed" in refused(capsys, "HEAD", "never.yaml")
    assert "it was added later" in refused(capsys, "HEAD~1", "later.yaml")
    assert "the song comes last" in refused(capsys, "song.yaml", "HEAD")
    assert "there is no revision 'HEAD~9'" in refused(capsys, "HEAD~9", "song.yaml")
    assert "is a folder" in refused(capsys, "HEAD", "HEAD", "model")


def test_a_song_that_is_gone_from_disk(capsys: pytest.CaptureFixture[str]) -> None:
    """Removed, or left out by a sparse checkout."""
    commit(("songs/song.yaml", text()))
    commit(("songs/song.yaml", text("fast keys")))
    shutil.rmtree("songs")
    assert "not on disk" in refused(capsys, "HEAD", "songs/song.yaml")
    assert len(changed(capsys, "HEAD~1", "HEAD", "songs/song.yaml")["sections"]) == 1


def test_a_song_that_was_removed_later(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    git("rm", "-q", "song.yaml")
    commit()
    assert "not in revision 'HEAD'" in refused(capsys, "HEAD~1", "HEAD", "song.yaml").replace(
        "neither on disk nor", "not"
    )


def test_line_ends_of_windows(capsys: pytest.CaptureFixture[str]) -> None:
    git("config", "core.autocrlf", "true")
    commit(("song.yaml", text()))
    Path("song.yaml").write_bytes(text().replace("\n", "\r\n").encode())
    assert to_render(changed(capsys, "HEAD", "song.yaml")) == 0


NFC, NFD = "caf\u00e9.yaml", "cafe\u0301.yaml"


@pytest.mark.parametrize(("committed", "typed"), [(NFC, NFD), (NFD, NFC)], ids=["typed NFD", "typed NFC"])
def test_two_forms_of_one_name(committed: str, typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    git("config", "core.precomposeunicode", "false")
    commit((committed, text()))
    assert changed(capsys, "HEAD", typed)["sections"] == []
    assert changed(capsys, "HEAD", "HEAD", typed)["sections"] == []


def test_a_link_into_another_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of the same name in this one is another song."""
    commit(("song.yaml", text()))
    other = tmp_path / "other"
    other.mkdir()
    git("init", "-q", folder=other)
    (other / "song.yaml").write_text(text())
    os.symlink(other / "song.yaml", "link.yaml")
    assert "never been committed" in refused(capsys, "HEAD", "link.yaml")
