"""The structure that the documentation describes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def test_no_modules_import_one_another(repository: Path) -> None:
    pytest.importorskip("grimp", reason="import-linter's grimp comes with the extra `dev`")
    script = repository / "scripts" / "imports.py"
    printed = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
    between_modules, between_packages = (line for line in printed.splitlines() if "cycles:" in line)
    assert between_modules.endswith("cycles: 0")
    assert between_packages.endswith("cycles: 0")
    page = (repository / "docs" / "explanation" / "structure.md").read_text(encoding="utf-8")
    floors = printed[printed.index("floor ") :].strip()
    assert floors in page, (
        "docs/explanation/structure.md shows other floors: copy those of scripts/imports.py"
    )
