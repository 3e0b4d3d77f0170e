"""Makes constraints.txt, the tested version of every package, and says what differs from it.

    python scripts/constraints.py              adds what pyproject.toml newly asks for, keeps the rest
    python scripts/constraints.py --upgrade    the newest versions that pyproject.toml's ranges allow
    python scripts/constraints.py --moved      what is installed here in another version than locked

One file serves Python 3.11 to 3.13 on Linux, macOS and Windows: uv resolves for all of them at once
(`[tool.uv]` in pyproject.toml names them) and runs in a temporary environment of its own. The file
holds names and versions only, so it says nothing about where packages come from.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CONSTRAINTS = REPOSITORY / "constraints.txt"
HEADER = """\
# Tested versions, made by `python scripts/constraints.py --upgrade`. Ranges are in pyproject.toml.
"""
BELOW_OUR_LIMIT = "python_full_version < '3.14'"
"""The part of each marker that pyproject.toml's `requires-python` says already."""


def compile_constraints(*, upgrade: bool) -> str:
    """Resolves every dependency of every extra, for all platforms, and returns uv's lines.

    Versions in constraints.txt are kept where they still fit, unless `upgrade`.
    """
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
        output = Path(folder) / "constraints.txt"
        if CONSTRAINTS.exists() and not upgrade:
            output.write_bytes(CONSTRAINTS.read_bytes())
        command = [str(python), "-m", "uv", "pip", "compile", "pyproject.toml", "--all-extras", "--universal"]
        options = ["--python-version", "3.11", "--no-header", "--no-annotate", "--quiet", "--output-file"]
        subprocess.run([*command, *options, str(output)], check=True, cwd=REPOSITORY)
        return output.read_text(encoding="utf-8")


def tidy(lines: list[str]) -> list[str]:
    """Drops the markers that decide nothing.

    A constraint acts only on a package that is wanted anyway, so a package with one version needs no
    marker; one with several keeps what tells them apart.
    """
    entries = [tuple(part.strip() for part in line.partition(";")[::2]) for line in lines]
    entries = [(pin, marker) for pin, marker in entries if "== 'emscripten'" not in marker]
    versions = Counter(pin.partition("==")[0] for pin, _ in entries)
    kept = []
    for pin, marker in entries:
        shorter = marker.replace(f" and {BELOW_OUR_LIMIT}", "").replace(f"{BELOW_OUR_LIMIT} and ", "")
        kept.append(pin if versions[pin.partition("==")[0]] == 1 else f"{pin} ; {shorter}")
    return kept


def locked_versions() -> dict[str, str]:
    """Name to locked version, as constraints.txt has them for this Python on this machine."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {
        canonicalize_name(one.name): str(one.specifier).removeprefix("==")
        for one in wanted
        if one.marker is None or one.marker.evaluate()
    }


def moved() -> tuple[list[str], list[str]]:
    """What is installed here in another version than locked, and what is installed and not locked.

    One line for each package: name: locked -> installed.
    """
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    locked = locked_versions()
    installed = {canonicalize_name(one.name): one.version for one in distributions()}
    other = [
        f"{name}: {locked[name]} -> {version}"
        for name, version in sorted(installed.items())
        if name in locked and Version(version).public != locked[name]
    ]
    unlocked = sorted(set(installed) - set(locked) - {"pip", "riffcomposer"})
    return other, [f"{name}: not locked -> {installed[name]}" for name in unlocked]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions in the ranges")
    parser.add_argument("--moved", action="store_true", help="compare what is installed; writes nothing")
    options = parser.parse_args()
    if options.moved:
        other, unlocked = moved()
        sys.stdout.write("\n".join([*unlocked, *(other or ["all others in the locked versions"])]) + "\n")
        sys.exit(1 if other else 0)
    lines = tidy(compile_constraints(upgrade=options.upgrade).splitlines())
    CONSTRAINTS.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
