"""`riffcompose diff` where git is not as simple as a clone with a few commits."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from planned_songs import write_model
from song_repositories import PNG, changed, commit, git, pointer, refused, run, text, to_render

from riffcomposer.cli.main import main

pytestmark = pytest.mark.usefixtures("repository_of_songs")


def test_git_lfs_is_compared_by_what_its_pointers_name(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text(init="x.png")), ("x.png", pointer(PNG)))
    Path("x.png").write_bytes(PNG)
    assert to_render(changed(capsys, "HEAD", "song.yaml")) == 0
    Path("x.png").write_text(pointer(PNG))
    assert to_render(changed(capsys, "HEAD", "song.yaml")) == 0, "not pulled: nothing but pointers on disk"
    Path("x.png").write_bytes(PNG + b"another")
    assert to_render(changed(capsys, "HEAD", "song.yaml")) == 2


def test_a_song_in_git_lfs(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", pointer(text().encode())))
    Path("song.yaml").write_text(text())
    assert "git-lfs" in refused(capsys, "HEAD", "song.yaml")


def test_git_annex_is_compared_by_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    key = f"SHA256E-s{len(PNG)}--{hashlib.sha256(PNG).hexdigest()}.png"
    os.symlink(f".git/annex/objects/aa/bb/{key}/{key}", "x.png")
    commit(("song.yaml", text(init="x.png")))
    Path("x.png").unlink()
    Path("x.png").write_bytes(PNG)
    assert to_render(changed(capsys, "HEAD", "song.yaml")) == 0


def test_an_encrypted_file_cannot_be_compared(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text(init="x.png")), ("x.png", b"\0GITCRYPT\0" + b"noise"))
    Path("x.png").write_bytes(PNG)
    assert "git-crypt" in changed(capsys, "HEAD", "song.yaml")["clips_unknown"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to give files away")
def test_a_repository_of_another_user(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    for path in (Path(), Path(".git")):
        os.chown(path, 1234, 1234)
    error = refused(capsys, "HEAD", "song.yaml")
    assert "another user" in error
    assert f"safe.directory {Path.cwd()}" in error


def test_a_repository_that_git_cannot_read(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    Path(".git/config").write_text("[core\n")
    error = refused(capsys, "HEAD", "song.yaml")
    assert "cannot read the repository" in error
    assert "no git repository" not in error


@pytest.mark.parametrize(
    "variable", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX", "GIT_COMMON_DIR"]
)
def test_what_git_sets_for_hooks_does_not_count(
    variable: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(("songs/song.yaml", text()), ("songs/model/riffcomposer.json", "{}"))
    Path("songs/song.yaml").write_text(text("fast keys"))
    monkeypatch.setenv(variable, ".git" if variable == "GIT_DIR" else "elsewhere")
    assert changed(capsys, "HEAD", "songs/song.yaml")["sections"][0]["kinds"] == ["changed"]


def test_inside_a_hook_of_a_linked_worktree(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import sys

    commit(("songs/song.yaml", text()), ("songs/model/riffcomposer.json", "{}"))
    hook = Path(".git/hooks/pre-commit")
    hook.parent.mkdir(exist_ok=True)
    package = Path(main.__code__.co_filename).parents[2]
    call = f"PYTHONPATH='{package}' '{sys.executable}' -m riffcomposer diff HEAD songs/song.yaml"
    hook.write_text(f"#!/bin/sh\n{call} > '{tmp_path}/said' 2>&1\n")
    hook.chmod(0o755)
    git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "other")
    linked = tmp_path / "linked"
    (linked / "songs/song.yaml").write_text(text("fast keys"))
    git("commit", "-q", "-a", "-m", "from the hook", folder=linked)
    assert "prompt: slow keys -> fast keys" in (tmp_path / "said").read_text()


def test_a_repository_whose_files_lie_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As people keep their settings: GIT_DIR and GIT_WORK_TREE name a folder without `.git`."""
    commit(("song.yaml", text()))
    shutil.move(".git", tmp_path / "store.git")
    monkeypatch.setenv("GIT_DIR", "../store.git")
    monkeypatch.setenv("GIT_WORK_TREE", ".")
    assert to_render(changed(capsys, "HEAD", "song.yaml")) == 0


def test_a_shallow_clone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(("song.yaml", text()))
    commit(("song.yaml", text("fast keys")))
    git("clone", "-q", "--depth", "1", f"file://{Path.cwd()}", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    error = refused(capsys, "HEAD~1", "song.yaml")
    assert "shallow" in error
    assert "git fetch --deepen" in error
    assert run("HEAD", "song.yaml") == 0


def test_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text("one")))
    git("branch", "side")
    commit(("song.yaml", text("two")))
    commit(("song.yaml", text("three")))
    git("checkout", "-q", "side")
    commit(("song.yaml", text("of the side")))

    def prompts(*arguments: str) -> tuple[str, str]:
        (part,) = changed(capsys, *arguments, "song.yaml")["sections"]
        (change,) = part["changes"]
        return change["old"], change["new"]

    assert prompts("main~1..main") == ("two", "three")
    assert prompts("main..") == ("three", "of the side")
    assert prompts("..main") == ("of the side", "three")
    assert prompts("main...side") == ("one", "of the side"), "from where they parted"
    assert prompts("side...main") == ("one", "three")
    assert "two revisions already" in refused(capsys, "main..side", "HEAD", "song.yaml")
    assert "two revisions already" in refused(capsys, "HEAD", "main..side", "song.yaml")


@pytest.mark.parametrize("revision", ["v1", "HEAD~1", "HEAD@{1}", ":/the first", "HEAD^{/the first}"])
def test_every_way_to_name_a_commit(revision: str, capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text("one")))
    git("commit", "-q", "--amend", "-m", "the first")
    git("tag", "-a", "-m", "a tag", "v1")
    commit(("song.yaml", text("two")))
    assert changed(capsys, revision, "song.yaml")["sections"][0]["kinds"] == ["changed"]


def test_a_damaged_repository(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    name = git("rev-parse", "HEAD:song.yaml")
    Path(".git/objects", name[:2], name[2:]).unlink()
    assert "missing from the repository" in refused(capsys, "HEAD", "song.yaml")


def test_histories_with_nothing_in_common(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    git("checkout", "-q", "--orphan", "apart")
    commit(("song.yaml", text("apart")))
    assert "no commit in common" in refused(capsys, "main...apart", "song.yaml")


def test_a_repository_without_commits(capsys: pytest.CaptureFixture[str]) -> None:
    Path("song.yaml").write_text(text())
    assert "has no commit yet" in refused(capsys, "HEAD", "song.yaml")


def test_a_bare_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(("song.yaml", text()))
    commit(("song.yaml", text("fast keys")))
    git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    monkeypatch.chdir(tmp_path / "bare.git")
    assert len(changed(capsys, "HEAD~1", "HEAD", "song.yaml")["sections"]) == 1
    assert "bare repository" in refused(capsys, "HEAD~1", "song.yaml")


def test_a_song_in_a_submodule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(("song.yaml", text()))
    whole = tmp_path / "whole"
    whole.mkdir()
    git("init", "-q", folder=whole)
    git("submodule", "add", "-q", str(Path.cwd()), "songs", folder=whole)
    git("commit", "-q", "-m", "with songs", folder=whole)
    monkeypatch.chdir(whole)
    assert changed(capsys, "HEAD", "songs/song.yaml")["sections"] == []


@pytest.fixture
def whole_with_loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose songs start from an image in a submodule; it becomes the current folder."""
    commit(("loop.png", PNG))
    whole = tmp_path / "whole"
    whole.mkdir()
    git("init", "-q", folder=whole)
    git("submodule", "add", "-q", str(Path.cwd()), "loops", folder=whole)
    write_model(whole / "model")
    monkeypatch.chdir(whole)
    commit(("song.yaml", text(init="loops/loop.png")))
    commit(("song.yaml", text("fast keys", init="loops/loop.png")))
    return whole


def test_a_loop_in_a_submodule_is_read_from_it(
    whole_with_loops: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert to_render(changed(capsys, "HEAD~1", "HEAD", "song.yaml")) == 2


def test_a_submodule_that_is_not_there_is_named(
    whole_with_loops: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    git("clone", "-q", str(whole_with_loops), str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    unknown = changed(capsys, "HEAD~1", "HEAD", "song.yaml")["clips_unknown"]
    assert "loops/loop.png is in the submodule loops, which is not checked out here" in unknown
    assert "in the submodule loops, which is not checked out here, in" in refused(
        capsys, "HEAD~1", "loops/song.yaml"
    )


def test_a_revision_of_the_whole_in_a_submodule(
    whole_with_loops: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git("tag", "of-the-whole")
    (whole_with_loops / "loops" / "song.yaml").write_text(text())
    said = refused(capsys, "of-the-whole", "loops/song.yaml")
    assert "a submodule of" in said
    assert "submodule's own revisions" in said


def test_line_ends_of_windows(capsys: pytest.CaptureFixture[str]) -> None:
    git("config", "core.autocrlf", "true")
    commit(("song.yaml", text()))
    Path("song.yaml").write_bytes(text().replace("\n", "\r\n").encode())
    assert to_render(changed(capsys, "HEAD", "song.yaml")) == 0


def test_in_the_middle_of_a_merge(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text("one")))
    git("checkout", "-q", "-b", "side")
    commit(("song.yaml", text("two")))
    git("checkout", "-q", "main")
    commit(("song.yaml", text("three")))
    with pytest.raises(subprocess.CalledProcessError):
        git("merge", "side")
    assert run("HEAD", "song.yaml") == 1
    assert "unresolved merge conflict" in capsys.readouterr().err
    assert len(changed(capsys, "HEAD", "MERGE_HEAD", "song.yaml")["sections"]) == 1


def test_no_program_of_the_repository_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Filters, text conversions, monitors and pagers are commands that a repository's settings name."""
    Path(".gitattributes").write_text("*.yaml diff=evil filter=evil\n")
    commit(("song.yaml", text()))
    for key in ("diff.evil.textconv", "diff.evil.command", "filter.evil.clean", "filter.evil.smudge"):
        git("config", key, "touch ran; cat")
    git("config", "core.fsmonitor", "touch ran")
    git("config", "core.pager", "touch ran")
    git("config", "diff.external", "touch ran")
    Path("song.yaml").rename("new.yaml")
    run("HEAD", "new.yaml")
    capsys.readouterr()
    assert not Path("ran").exists()
