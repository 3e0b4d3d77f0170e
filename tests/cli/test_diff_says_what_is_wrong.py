"""What `riffcompose diff` says about revisions, repositories and programs that it cannot use."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from song_repositories import PNG, changed, commit, git, pointer, refused, text, to_render

pytestmark = pytest.mark.usefixtures("repository_of_songs")


@pytest.mark.parametrize(
    ("revision", "kind"),
    [
        ("main:song.yaml", "is a file"),
        ("main:model", "is a folder"),
        (":song.yaml", "is a file"),
        (":0:song.yaml", "is a file"),
        ("main^{tree}", "is a folder"),
    ],
)
def test_a_revision_that_is_no_commit(revision: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`git show` and `git diff` take files too, so people type them."""
    commit(("song.yaml", text()))
    said = refused(capsys, "--", revision, "song.yaml")
    assert kind in said
    assert "there is no revision" not in said
    assert f"riffcompose diff {'main' if revision.startswith('main:') else 'HEAD'} song.yaml" in said


def test_two_songs_are_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()), ("other.yaml", text("fast keys")))
    said = refused(capsys, "song.yaml", "other.yaml")
    assert "song.yaml is a file, not a revision" in said
    assert "riffcompose diff HEAD song.yaml" in said


def test_a_branch_may_be_named_as_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    git("branch", "song.yaml")
    assert changed(capsys, "song.yaml", "song.yaml")["sections"] == []


@pytest.mark.parametrize("revision", ["HEAD", "@", "HEAD~1", "..main"])
def test_a_branch_without_commits_beside_others(revision: str, capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    git("checkout", "-q", "--orphan", "sketches")
    assert "the branch sketches has no commit yet" in refused(capsys, revision, "song.yaml")


@pytest.mark.parametrize(("revision", "count"), [("HEAD~5", 1), ("main^^^", 1), ("HEAD~2^", 1), ("v1~", 0)])
def test_a_history_that_ends_before(revision: str, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    git("tag", "v1")
    commit(("song.yaml", text("fast keys")))
    said = refused(capsys, revision, "song.yaml")
    assert f"there is no revision {revision!r}" in said
    assert "the first commit" in said if count == 0 else "1 commit before it" in said


def test_a_hash_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    assert f"there is no revision '{'01' * 20}'" in refused(capsys, "01" * 20, "song.yaml")


def test_a_tag_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    git("tag", "-a", "-m", "a file", "text", "HEAD:song.yaml")
    assert "'text' is a file" in refused(capsys, "text", "song.yaml")


def test_a_parent_that_a_commit_does_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    commit(("song.yaml", text("fast keys")))
    said = refused(capsys, "HEAD^2", "song.yaml")
    assert "there is no revision 'HEAD^2'" in said
    assert "HEAD has 1 parent" in said


def test_an_encrypted_song(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", b"\0GITCRYPT\0" + bytes(20)))
    Path("song.yaml").write_text(text())
    assert "encrypted (git-crypt)" in refused(capsys, "HEAD", "song.yaml")


def test_what_a_stash_changed(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text("one")))
    Path("song.yaml").write_text(text("two"))
    git("stash")
    (part,) = changed(capsys, "stash@{0}^!", "song.yaml")["sections"]
    assert [(change["old"], change["new"]) for change in part["changes"]] == [("one", "two")]


@pytest.mark.parametrize("revision", ["side^!", "side^-", "side^-1"])
def test_what_one_commit_changed(revision: str, capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text("one")))
    git("checkout", "-q", "-b", "side")
    commit(("song.yaml", text("two")))
    commit(("song.yaml", text("three")))
    git("checkout", "-q", "main")
    (part,) = changed(capsys, revision, "song.yaml")["sections"]
    assert [(change["old"], change["new"]) for change in part["changes"]] == [("two", "three")]


def test_what_a_merge_of_three_brought(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text("one")))
    for name in ("a", "b"):
        git("checkout", "-q", "-b", name, "main")
        commit((f"{name}.txt", name))
    git("checkout", "-q", "-b", "c", "main")
    commit(("song.yaml", text("two")))
    git("checkout", "-q", "main")
    git("merge", "-q", "-m", "octopus", "a", "b", "c")
    assert to_render(changed(capsys, "HEAD^!", "song.yaml")) == 2, "beside the first parent"
    assert to_render(changed(capsys, "HEAD^-3", "song.yaml")) == 0, "beside the branch that brought it"


def test_a_range_written_with_a_caret(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    git("tag", "v1")
    commit(("song.yaml", text("fast keys")))
    assert "v1..HEAD" in refused(capsys, "^v1", "HEAD", "song.yaml")


def test_a_folder_is_no_song(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("songs/song.yaml", text()))
    for name in (".", "songs", "songs/"):
        assert "is a folder; name a song in it" in refused(capsys, "HEAD", name)


def test_a_song_that_is_gone_was_removed_and_not_added(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    git("checkout", "-q", "-b", "side")
    git("rm", "-q", "song.yaml")
    commit()
    removal = git("rev-parse", "HEAD")[:10]
    git("checkout", "-q", "main")
    said = refused(capsys, "HEAD", "side", "song.yaml")
    assert f"commit {removal} removed" in said
    assert "added" not in said
    Path("song.yaml").unlink()
    git("checkout", "-q", "side")
    assert f"commit {removal} removed" in refused(capsys, "main", "side", "song.yaml"), "gone from disk"


def test_a_song_that_another_branch_never_had(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("other.yaml", text("something else")))
    git("branch", "side")
    commit(("song.yaml", text()))
    git("checkout", "-q", "side")
    commit(("more.txt", "x"))
    git("checkout", "-q", "main")
    assert "side does not have it" in refused(capsys, "side", "song.yaml")


def test_a_partial_clone_whose_server_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its folders, a commit looks as if it had no files."""
    commit(("songs/song.yaml", text()), ("songs/model/riffcomposer.json", "{}"))
    commit(("songs/song.yaml", text("fast keys")))
    git("config", "uploadpack.allowFilter", "true")
    for kind in ("tree:0", "blob:none"):
        git("clone", "-q", f"--filter={kind}", f"file://{Path.cwd()}", str(tmp_path / kind[:4]))
    Path.cwd().rename(tmp_path / "gone")
    for folder in ("tree", "blob"):
        monkeypatch.chdir(tmp_path / folder)
        said = refused(capsys, "HEAD~1", "songs/song.yaml")
        assert "content is missing" in said
        assert "the clone is partial" in said


def test_the_objects_of_another_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(("song.yaml", text()))
    git("init", "-q", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "other/.git/objects"))
    assert to_render(changed(capsys, "HEAD", "song.yaml")) == 0


def test_a_push_is_seen_by_the_hook_that_judges_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Git keeps a push's objects apart until `pre-receive` has agreed to them."""
    import sys

    commit(("song.yaml", text()))
    git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    from riffcomposer.cli.main import main

    package = Path(main.__code__.co_filename).parents[2]
    call = f"PYTHONPATH='{package}' '{sys.executable}' -m riffcomposer diff $old $new song.yaml"
    hook = tmp_path / "bare.git/hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nread old new ref\n{call} > '{tmp_path}/said' 2>&1\n")
    hook.chmod(0o755)
    commit(("song.yaml", text("fast keys")))
    git("push", "-q", str(tmp_path / "bare.git"), "main")
    assert "prompt: slow keys -> fast keys" in (tmp_path / "said").read_text()


@pytest.mark.parametrize("kind", ["a folder", "not executable", "another machine's"])
def test_a_git_that_cannot_be_started(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(("song.yaml", text()))
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    if kind == "a folder":
        program.mkdir()
    else:
        program.write_bytes(b"\x7fELF another" if kind == "another machine's" else b"#!/bin/sh\n")
        program.chmod(0o755 if kind == "another machine's" else 0o644)
    monkeypatch.setenv("PATH", str(program.parent))
    said = refused(capsys, "HEAD", "song.yaml")
    assert "git cannot be started" in said or "git is not installed" in said


def test_links_in_a_circle_and_to_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    os.symlink("circle.yaml", "circle.yaml")
    os.symlink("nowhere.yaml", "dead.yaml")
    assert "is a link that leads nowhere" in refused(capsys, "HEAD", "circle.yaml")
    assert "is a link that leads nowhere" in refused(capsys, "HEAD", "dead.yaml")
    commit()
    assert "is a link that leads nowhere" in refused(capsys, "HEAD", "circle.yaml")


@pytest.mark.parametrize(
    "form",
    [
        pointer(PNG).replace("\n", "\r\n"),
        pointer(PNG).rstrip("\n"),
        pointer(PNG).replace("git-lfs.github.com", "hawser.github.com"),
    ],
    ids=["line ends of Windows", "no last line end", "the name before git-lfs"],
)
def test_pointers_as_other_programs_leave_them(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A clone on Windows without git-lfs has the first form."""
    commit(("song.yaml", text(init="x.png")), ("x.png", pointer(PNG)))
    Path("x.png").write_bytes(form.encode())
    assert to_render(changed(capsys, "HEAD", "song.yaml")) == 0
    commit()
    Path("x.png").write_bytes(PNG)
    assert to_render(changed(capsys, "HEAD", "song.yaml")) == 0


def test_a_worktree_whose_repository_moved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit(("song.yaml", text()))
    shutil.rmtree(".git")
    Path(".git").write_text(f"gitdir: {tmp_path}/elsewhere/.git/worktrees/repo\n")
    said = refused(capsys, "HEAD", "song.yaml")
    assert "elsewhere/.git/worktrees/repo" in said
    assert "git worktree repair" in said


@pytest.mark.parametrize("style", ["merge", "diff3", "zdiff3"])
def test_every_style_of_conflict_is_one_fault(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    from riffcomposer.cli.main import main

    commit((".gitattributes", "*.yaml conflict-marker-size=20\n"), ("song.yaml", text("one")))
    git("checkout", "-q", "-b", "side")
    commit(("song.yaml", text("two")))
    git("checkout", "-q", "main")
    commit(("song.yaml", text("three")))
    with pytest.raises(subprocess.CalledProcessError):
        git("-c", f"merge.conflictStyle={style}", "merge", "side")
    with pytest.raises(SystemExit):
        main(["check", "song.yaml"])
    assert capsys.readouterr().out.count("unresolved merge conflict") == 1
