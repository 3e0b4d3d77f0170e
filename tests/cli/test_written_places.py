"""Nothing is written outside the output folder, the store and the lock, by whichever command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_song import fake_level, make_studio

from riffcomposer.spectrogram.image import write_image
from riffcomposer.spectrogram_parameters import SpectrogramParameters

TESTS = Path(__file__).parent.parent
COMMANDS = """
import json, sys
from pathlib import Path
from riffcomposer.cli.main import main

def render(folder):
    from riffcomposer.api import render_song
    from small_song import FakeEngine, FakeEngines, Studio

    class Engines(FakeEngines):
        def open(self, device):
            import torch._dynamo  # as diffusers does
            return super().open(device)

    studio = Studio(Path(folder))
    render_song(studio.song, out=studio.folder / "out", store=studio.store, engines=Engines(FakeEngine()))

for name, *arguments in json.loads(sys.argv[1]):
    if name == "render with the fake engine":
        render(*arguments)
        continue
    try:
        main([name, *arguments])
    except SystemExit as end:
        if end.code:
            raise
"""
"""Several commands in one process, which ends at the first that fails.

A later one imports less than it would alone: in front are those that import little.
"""

Run = Callable[..., None]


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Where a home and a folder for temporary files would be filled by whoever ignores the store."""
    for name in ("home", "temporary"):
        (tmp_path / "empty" / name).mkdir(parents=True)
    return tmp_path / "empty"


@pytest.fixture
def run(tmp_path: Path, empty: Path) -> Run:
    """Runs Python in an environment that names nothing but the store."""
    home = str(empty / "home")
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "PYTHONPATH") if name in os.environ}
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), kept.pop("PYTHONPATH", "")])
    environment = {
        **kept,
        "HOME": home,
        "USERPROFILE": home,
        "TMPDIR": str(empty / "temporary"),
        "TEMP": str(empty / "temporary"),
        "PYTHONPATH": path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "RIFFCOMPOSER_STORE": str(tmp_path / "store"),
    }

    def python(*arguments: str | Path, codes: tuple[int, ...] = (0,)) -> None:
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            check=False,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode in codes, done.stderr

    return python


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_no_command_writes_outside_the_promised_places(tmp_path: Path, empty: Path, run: Run) -> None:
    studio = make_studio(tmp_path)
    before = set(written(tmp_path))
    # There is no repository.
    run("-c", COMMANDS, json.dumps([["check", str(studio.song)], ["plan", str(studio.song)]]))
    run("-c", COMMANDS, json.dumps([["diff", "HEAD", str(studio.song)]]), codes=(0, 1, 2))
    assert set(written(tmp_path)) == before, "check, plan and diff write nothing"
    out = str(tmp_path / "out")
    write_image(tmp_path / "out" / "clip.png", fake_level("0", 64), SpectrogramParameters())
    heavy = [
        ["clip", "to-audio", f"{out}/clip.png", "--out", out],
        ["render with the fake engine", str(tmp_path)],
        ["inspect", f"{out}/song.flac"],
    ]
    run("-c", COMMANDS, json.dumps(heavy))
    assert (tmp_path / "out" / "song.flac").is_file()
    for name in set(written(tmp_path)) - before:
        assert name.startswith(("out/", "store/")) or name == "song.lock", name
    assert list((empty / "home").rglob("*")) == []
    assert list((empty / "temporary").rglob("*")) == []
