"""What `import riffcomposer` offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import riffcomposer

PUBLIC = {
    "Limits",
    "LoadedSong",
    "Plan",
    "PreparedSong",
    "RenderEvent",
    "RenderSettings",
    "RiffcomposerError",
    "Session",
    "SongError",
    "StopFlag",
    "Store",
    "Track",
    "__version__",
    "load_song",
    "plan_song",
    "render_song",
}


def test_these_names_are_public_and_there() -> None:
    assert set(riffcomposer.__all__) == PUBLIC
    assert set(dir(riffcomposer)) >= PUBLIC
    for name in PUBLIC:
        assert getattr(riffcomposer, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(riffcomposer, "no_such_name")


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import riffcomposer, sys; print([name for name in sys.modules if 'riffcomposer.' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_planning_imports_nothing_heavy() -> None:
    code = "import riffcomposer as r, sys; r.Session; r.plan_song; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
