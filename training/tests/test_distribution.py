"""The distribution goes with the riffcomposer of the same checkout, and its README names every stage."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from riffcomposer_training.stages import STAGES

FOLDER = Path(__file__).resolve().parents[1]


def test_the_versions_of_both_distributions_are_one() -> None:
    ours = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    main = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert ours["version"] == main["version"]
    assert ours["dependencies"] == [f"riffcomposer=={main['version']}"]
    assert ours["requires-python"] == main["requires-python"]


def test_the_readme_lists_the_stages_in_their_order() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(STAGES)
