"""constraints.txt locks what pyproject.toml asks for, and says nothing about where packages come from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PLATFORMS = {
    "linux x86-64": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "linux aarch64": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64"},
    "macos arm64": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"},
}


@pytest.fixture(scope="module")
def lines(repository: Path) -> list[str]:
    text = (repository / "constraints.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_it_holds_names_and_versions_only(lines: list[str]) -> None:
    assert len(lines) > 50
    wrong = [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+( ; [^/@]+)?", line)]
    assert not wrong


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
def test_each_dependency_has_one_version_inside_its_range(
    python: str, platform: dict[str, str], lines: list[str], repository: Path
) -> None:
    here = {"python_version": python, "python_full_version": f"{python}.0", **platform}
    locked: dict[str, str] = {}
    for pin in map(Requirement, lines):
        if pin.marker is None or pin.marker.evaluate(here):
            assert canonicalize_name(pin.name) not in locked, pin
            locked[canonicalize_name(pin.name)] = str(pin.specifier).removeprefix("==")
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    for wanted in (Requirement(line) for group in groups for line in group):
        if canonicalize_name(wanted.name) != project["name"]:
            version = locked.get(canonicalize_name(wanted.name))
            assert version is not None, f"{wanted.name} is not locked: run python scripts/constraints.py"
            assert wanted.specifier.contains(version), f"{wanted} but locked {version}"


def test_the_readme_never_installs_unlocked_versions(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    installs = [line for line in re.findall(r"^.*pip install.*$", readme, re.MULTILINE) if "venv/bin" in line]
    ours = [line for line in installs if re.search(r" (\.|'\.\[test\]')( |$)", line)]
    assert len(ours) == 3
    assert all("-c constraints.txt" in line for line in ours)
