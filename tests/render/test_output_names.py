"""Names of output files: every song has its own, on every file system, and nobody else's are replaced."""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st
from small_song import FakeEngine, FakeEngines, Studio, make_studio

from riffcomposer.cli.main import main
from riffcomposer.errors import StoreError, UsageError
from riffcomposer.files import temporary_name
from riffcomposer.lock.lock_file import lock_path
from riffcomposer.render.output_names import (
    LAYER_BYTES,
    MAX_BYTES,
    TrackFiles,
    check_names,
    check_owner,
    output_name,
    slug,
)
from riffcomposer.render.settings import RenderSettings


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("night-bus-home", "night-bus-home"),
        ("My Song (2)", "my-song-2"),
        ("take_1", "take_1"),
        ("夜", "夜"),
        ("Утро", "утро"),
        ("صباح الخير", "صباح-الخير"),
        ("नमस्ते", "नमस्ते"),
        ("Cafe\u0301", "caf\u00e9"),
        ("İstanbul", "i\u0307stanbul"),
        ("🎵", "🎵"),
        ("CON", "song-con"),
        ("com1", "song-com1"),
        ("COM¹", "song-com¹"),
        ("nul.txt", "nul-txt"),
        ("../../x", "x"),
        ('a:b*c?d|e<f>g"h\\i/j', "a-b-c-d-e-f-g-h-i-j"),
        ("trailing. ", "trailing"),
        ("...", "song"),
        ("a\u202eb\u200bc\0d\x1b[31m", "a-b-c-d-31m"),
        ("x" * 300, "x" * 60),
        ("\udce9t\udce9", "t"),
    ],
)
def test_slug(name: str, wanted: str) -> None:
    assert slug(name) == wanted


@given(st.text(st.characters(exclude_categories=[]), max_size=120))
@example("\u0345")
@example("ẞ" * 100)
def test_a_slug_is_a_name_everywhere(name: str) -> None:
    found = slug(name)
    assert found
    assert len(found.encode()) <= MAX_BYTES + len("song-")
    assert not set(found) & set('<>:"/\\|?*. ')
    assert all(ord(character) >= 32 for character in found)
    assert found.strip("-") == found
    assert slug(found) == found, "a name made from a name is the same"
    assert unicodedata.normalize("NFC", found) == found
    assert slug(unicodedata.normalize("NFD", name)) == slug(unicodedata.normalize("NFC", name))


def test_the_longest_names_fit_a_file_system() -> None:
    name = output_name(Path("夜" * 80 + ".yaml"), RenderSettings(draft=True))
    files = TrackFiles(Path(), name, (), True, Path("x.yaml"))
    longest = files.beside(f"section-01-{slug('𝒜' * 80)}.flac")
    assert len(os.fsencode(longest)) <= 255
    assert len(os.fsencode(temporary_name(longest).name)) <= 255
    layer = files.beside(f"stem-1000-{slug('𝒜' * 80)}.16-{slug('𝒜' * 80, LAYER_BYTES)}.flac")
    assert len(os.fsencode(temporary_name(layer).name)) <= 255


def names(folder: Path, *songs: str, out: Path | None = None) -> list[TrackFiles]:
    paths = [folder / song for song in songs]
    return [
        TrackFiles(out or path.parent / "renders", output_name(path, RenderSettings()), (), False, path)
        for path in paths
    ]


@pytest.mark.parametrize(
    "songs",
    [
        ("Song.yaml", "song.yaml"),
        ("song.yaml", "song.yml"),
        ("my song.yaml", "my-song.yaml"),
        ("caf\u00e9.yaml", "cafe\u0301.yml"),
        ("!.yaml", "?.yaml"),
        ("a" * 70 + "1.yaml", "a" * 70 + "2.yaml"),
    ],
)
def test_songs_of_one_command_that_would_have_one_name(songs: tuple[str, str], tmp_path: Path) -> None:
    for song in songs:
        (tmp_path / song).write_text("x")
    with pytest.raises(UsageError, match="would both be") as caught:
        check_names(names(tmp_path, "another.yaml", *songs))
    assert all(song in str(caught.value) for song in songs)


def test_songs_of_one_command_with_names_of_their_own(tmp_path: Path) -> None:
    check_names(names(tmp_path, "夜.yaml", "朝.yaml", "Утро.yaml", "a/intro.yaml", "b/intro.yaml", "a.yaml"))
    check_names(names(tmp_path, "ß.yaml", "SS.yaml", "a/x.yaml", "b/X.yaml", "🎸.yaml", "🎹.yaml"))
    check_names(names(tmp_path, "a.yaml", "./a.yaml", f"../{tmp_path.name}/a.yaml"))  # one song, said thrice
    with pytest.raises(UsageError, match="out"):
        check_names(names(tmp_path, "a/intro.yaml", "b/intro.yaml", out=tmp_path / "out"))


def test_the_command_refuses_before_it_renders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("夜.yaml", "song.yaml", "song.yml"):
        (tmp_path / name).write_text("title: not looked at\n")
    with pytest.raises(SystemExit) as stop:
        main(["render", *(str(tmp_path / name) for name in ("夜.yaml", "song.yaml", "song.yml"))])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "would both be" in error
    assert "not looked at" not in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["song.yaml", "song.yml", "夜.yaml"]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A finished track; its folder is not to be changed."""
    studio = make_studio(tmp_path_factory.mktemp("rendered"))
    studio.render()
    return studio


@pytest.fixture
def finished(rendered: Studio, tmp_path: Path) -> Studio:
    """A copy of it."""
    shutil.copytree(rendered.folder, tmp_path, dirs_exist_ok=True)
    return Studio(tmp_path)


def claim(studio: Studio, place: str, title: str = "Small Song") -> None:
    """Asks for the studio's output files on behalf of a song, which is made if it is not there."""
    path = studio.folder / place
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_text("x")
    files = TrackFiles(studio.folder / "out", output_name(path, RenderSettings()), ("flac",), False, path)
    check_owner(files, title)


def test_a_track_says_whose_it_is(finished: Studio) -> None:
    report = json.loads((finished.folder / "out/song.report.json").read_text())
    assert report["song"] == "../song.yaml"
    claim(finished, "song.yaml")
    claim(finished, "song.yaml", title="Another title")


def test_a_render_of_another_song_is_refused_before_it_begins(finished: Studio) -> None:
    from riffcomposer.api import render_song

    before = finished.outputs()
    twin = finished.folder / "Song.yml"
    shutil.copy(finished.song, twin)
    engine = FakeEngine()
    with pytest.raises(UsageError, match=r"is the track of \.\./song\.yaml"):
        render_song(twin, out=finished.folder / "out", store=finished.store, engines=FakeEngines(engine))
    assert engine.rendered == []
    assert finished.outputs() == before


@pytest.mark.parametrize("place", ["b/song.yaml", "Song.yaml", "song.yml", "song!.yaml"])
def test_the_track_of_another_song_is_not_replaced(finished: Studio, place: str) -> None:
    if (finished.folder / place).exists():
        pytest.skip("this file system takes the two names for one")
    with pytest.raises(UsageError, match=r"is the track of \.\./song\.yaml") as caught:
        claim(finished, place)
    assert "--out" in str(caught.value)


def test_what_counts_is_the_song_not_the_way_to_it(
    finished: Studio, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    os.symlink(finished.folder, link)
    check_owner(TrackFiles(finished.folder / "out", "song", ("flac",), False, link / "song.yaml"), "")
    check_owner(TrackFiles(link / "out", "song", ("flac",), False, finished.song), "")


def test_a_song_that_was_renamed_or_moved_keeps_its_track(finished: Studio) -> None:
    finished.song.unlink()
    claim(finished, "moved/song.yaml")
    claim(finished, "Song!.yaml")


def test_the_track_of_a_song_that_is_gone(finished: Studio) -> None:
    """Its title differs, so it is another song's; the track may be all that is left of it."""
    finished.song.unlink()
    with pytest.raises(UsageError, match="move the old files away"):
        claim(finished, "b/song.yaml", title="Quite another")


@pytest.mark.parametrize("report", ['{"title": "Small Song"}', None, "[]", "{"])
def test_a_track_whose_report_is_gone_or_old(finished: Studio, report: str | None) -> None:
    """The recipe in the track tells; versions before this one wrote no owner into the report."""
    path = finished.folder / "out/song.report.json"
    path.unlink()
    if report is not None:
        path.write_text(report)
    claim(finished, "song.yaml")
    with pytest.raises(UsageError, match=r"is the track of song\.yaml"):
        claim(finished, "song.yml")
    finished.song.unlink()
    claim(finished, "song.yml")  # it was renamed


@pytest.mark.parametrize("content", ["sound", "rubbish"])
def test_a_file_of_the_users_own_is_not_replaced(tmp_path: Path, content: str) -> None:
    """`--out .` beside loops that bear the song's name."""
    path = tmp_path / "out" / "song.flac"
    path.parent.mkdir()
    if content == "sound":
        soundfile.write(path, np.zeros(1000, np.float32), 44100)
    else:
        path.write_bytes(b"rubbish")
    with pytest.raises(UsageError, match="not made by riffcompose"):
        claim(Studio(tmp_path), "song.yaml")
    path.rename(path.with_suffix(".wav"))
    claim(Studio(tmp_path), "song.yaml")  # a format that is not written is in nobody's way


def test_a_damaged_track_of_ours_is_made_again(finished: Studio) -> None:
    (finished.folder / "out/song.flac").write_bytes(b"damaged")
    claim(finished, "song.yaml")


def test_the_locks_of_twins(tmp_path: Path) -> None:
    assert lock_path(tmp_path / "song.yml") == tmp_path / "song.lock"
    (tmp_path / "song.yaml").write_text("x")
    assert lock_path(tmp_path / "song.yaml") == tmp_path / "song.lock"
    assert lock_path(tmp_path / "song.yml") == tmp_path / "song.yml.lock"


@pytest.mark.skipif(os.name != "posix", reason="needs file names that are bytes")
def test_a_file_name_that_is_no_text(studio: Studio) -> None:
    """Latin-1 from an old disk: the recipe and the report are UTF-8 all the same."""
    from riffcomposer.api import render_song

    odd = studio.folder / os.fsdecode(b"caf\xe9.yaml")
    studio.song.rename(odd)
    track = render_song(odd, out=studio.folder / "out", store=studio.store, engines=FakeEngines(FakeEngine()))
    assert track.files[0].name == "caf.flac"
    assert track.report["song"] == "../caf\\xe9.yaml"


@pytest.mark.skipif(sys.platform != "linux", reason="needs folder names that are bytes")
def test_a_folder_name_that_is_no_text(studio: Studio) -> None:
    """The library that writes sound files does not take it: said first, not after the work."""
    from riffcomposer.api import render_song

    engine = FakeEngine()
    out = studio.folder / os.fsdecode(b"caf\xe9")
    with pytest.raises(UsageError, match="not utf-8"):
        render_song(studio.song, out=out, store=studio.store, engines=FakeEngines(engine))
    assert engine.rendered == []


def test_a_read_only_song_folder(finished: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """The track is finished elsewhere, with a warning: no lock could be written."""
    (finished.folder / "song.lock").unlink()
    deny_writes(monkeypatch, "song.lock")
    track = finished.render()
    assert track.files[0].exists()
    (warning,) = track.warnings
    assert "song.lock: cannot be written" in warning
    assert not (finished.folder / "song.lock").exists()
    monkeypatch.undo()
    assert finished.render().warnings == ()
    assert (finished.folder / "song.lock").exists()


def test_a_full_disk_is_no_warning(finished: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    (finished.folder / "song.lock").unlink()
    deny_writes(monkeypatch, "song.lock", errno.ENOSPC)
    with pytest.raises(StoreError):
        finished.render()


def test_a_song_folder_that_vanishes(studio: Studio) -> None:
    from riffcomposer.api import render_song

    folder = studio.folder / "short-lived"
    folder.mkdir()
    shutil.copy(studio.song, folder)
    shutil.copytree(studio.folder / "model", folder / "model")

    class Vanishing(FakeEngine):
        def render(self, *arguments: Any, **more: Any) -> Any:
            shutil.rmtree(folder)
            return super().render(*arguments, **more)

    out = studio.folder / "out"
    track = render_song(folder / "song.yaml", out=out, store=studio.store, engines=FakeEngines(Vanishing()))
    assert track.files[0].exists()
    assert "folder is gone" in track.warnings[0]
    assert not folder.exists()


def deny_writes(monkeypatch: pytest.MonkeyPatch, name: str, number: int | None = None) -> None:
    """The named file cannot be written, as in a folder that belongs to somebody else."""
    import errno

    replace = os.replace

    def denied(source: Any, target: Any) -> None:
        if Path(target).name == name:
            raise OSError(number or errno.EACCES, "Permission denied")
        replace(source, target)

    monkeypatch.setattr("riffcomposer.files.os.replace", denied)


@pytest.mark.parametrize("kind", ["a file", "a link that leads nowhere"])
@pytest.mark.parametrize("below", ["", "further"])
def test_an_output_folder_that_cannot_be(studio: Studio, kind: str, below: str) -> None:
    place = studio.folder / "out"
    if kind == "a file":
        place.write_text("mine")
    else:
        place.symlink_to("nowhere")
    engine = FakeEngine()
    with pytest.raises(UsageError, match=kind):
        Studio.render(_Into(studio.folder, below), engine)
    assert engine.rendered == []


class _Into(Studio):
    """A studio that renders into a folder below its `out`."""

    def __init__(self, folder: Path, below: str) -> None:
        super().__init__(folder)
        self.below = below

    def render(self, engine: FakeEngine | FakeEngines | None = None, **arguments: Any) -> Any:
        from riffcomposer.api import render_song

        engines = engine if isinstance(engine, FakeEngines) else FakeEngines(engine or FakeEngine())
        out = self.folder / "out" / self.below
        return render_song(self.song, out=out, store=self.store, engines=engines, **arguments)


@pytest.mark.parametrize("what", ["out", "store"])
def test_folders_that_cannot_be_written_are_refused_first(
    studio: Studio, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (studio.folder / what).mkdir()
    access = os.access
    read_only = str(studio.folder / what)
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != read_only and access(path, mode))
    engine = FakeEngine()
    with pytest.raises(StoreError, match=r"read-only; .*(--out|--store)"):
        studio.render(engine)
    assert engine.rendered == []


@pytest.mark.parametrize("what", ["out", "store"])
def test_folders_in_which_nothing_can_be_made_are_refused_first(
    studio: Studio, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network's server may refuse what the permissions allow."""
    (studio.folder / what).mkdir()
    mkdir = Path.mkdir

    def refusing(path: Path, *arguments: Any, **more: Any) -> None:
        if path.parent == studio.folder / what:
            raise OSError(5, "Input/output error")
        mkdir(path, *arguments, **more)

    monkeypatch.setattr(Path, "mkdir", refusing)
    engine = FakeEngine()
    with pytest.raises(StoreError, match=r"\(Input/output error\); .*(--out|RIFFCOMPOSER_STORE)"):
        studio.render(engine)
    assert engine.rendered == []
