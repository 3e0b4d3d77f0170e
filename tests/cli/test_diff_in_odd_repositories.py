"""`riffcompose diff` where git is not as simple as a clone with a few commits."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from planned_songs import CATALOGUE, section, song, write_model

from riffcomposer.cli.main import main
from riffcomposer.loops import catalogue as seeds


def _picture() -> bytes:
    """A spectrogram image of noise, as a file's bytes."""
    content = io.BytesIO()
    grey = np.random.default_rng(1).integers(0, 256, (512, 512), np.uint8)
    Image.fromarray(grey).save(content, "PNG")
    return content.getvalue()


PNG = _picture()


def git(*arguments: str, folder: Path | None = None) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    allowed = ["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *identity, *allowed, *arguments], check=True, capture_output=True, text=True, cwd=folder
    )
    return done.stdout.strip()


def text(prompt: str = "slow keys", **fields: Any) -> str:
    """A song that names no folder model, so that it can be moved."""
    more = section("a", clips=2, prompt=prompt, **fields)
    return json.dumps({"model": "./model", **song(more)}, indent=1)


def commit(*files: tuple[str, str | bytes]) -> None:
    for name, content in files:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    git("add", "-A")
    git("commit", "-q", "--allow-empty", "-m", "a version")


@pytest.fixture(autouse=True)
def repository_of_songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty repository as the current folder, with nothing of the user's own git about."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("RIFFCOMPOSER_DEVICE", "cpu")
    monkeypatch.setattr(seeds, "read_catalogue", lambda: CATALOGUE)
    seeds.catalogue.cache_clear()
    folder = tmp_path / "repo"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git("init", "-q")
    write_model(folder / "model")
    yield folder
    seeds.catalogue.cache_clear()


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["diff", *arguments])
    return int(stop.value.code or 0)


def changed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What is said to have changed."""
    code = run(*arguments, "--json")
    out, error = capsys.readouterr()
    assert code == 0, error
    return json.loads(out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Why there is no answer: one line on stderr."""
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def to_render(found: dict[str, Any]) -> int:
    assert found["clips"] is not None, found["clips_unknown"]
    return sum(part["to_render"] for part in found["clips"])


def pointer(content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"


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


NFC, NFD = "caf\u00e9.yaml", "cafe\u0301.yaml"


@pytest.mark.parametrize(("committed", "typed"), [(NFC, NFD), (NFD, NFC)], ids=["typed NFD", "typed NFC"])
def test_two_forms_of_one_name(committed: str, typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    git("config", "core.precomposeunicode", "false")
    commit((committed, text()))
    assert changed(capsys, "HEAD", typed)["sections"] == []
    assert changed(capsys, "HEAD", "HEAD", typed)["sections"] == []


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
